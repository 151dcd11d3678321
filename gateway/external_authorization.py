"""Has third parties asked about tokens, for the tenants that want it (design 3.6).

While an answer is waited for, the station's other CALLs wait for their turn as they do for the store; nobody else waits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
import structlog
import trio

from csms.bus import Bus, BusUnavailable, NoAnswer
from csms.clock import Clock
from csms.domain.external import AskingRules, ExternalVerdict, Purpose
from csms.domain.operations import Authorize, Operation, RecordTransactionEvent, StartTransaction, StopTransaction
from csms.domain.times import is_live
from csms.external_authorization.bulkhead import Bulkhead, Full
from csms.external_authorization.messages import (
    LONGEST_S,
    TOPIC,
    WAY_S,
    Answered,
    Failed,
    Outcome,
    Question,
    encode,
    read_outcome,
    verdict_of,
)
from csms.store import StoreUnavailable
from csms.store.gateway_store import GatewayStore
from csms.tenants import TenantDirectory
from gateway import metrics
from gateway.connection import Connection, contained
from gateway.station import Station

log = structlog.get_logger()

MOST_REMEMBERED: Final = 20_000
"""Answers that one process remembers; beyond them the oldest is forgotten."""

ABOUT_TOKENS: Final = frozenset({Authorize, StartTransaction, StopTransaction, RecordTransactionEvent})
"""Kinds of operations that may hold a token to be asked about."""

_LOOK_UPS: Final = 2
"""Connections to the database that look-ups of tokens may take at once: the ledger needs the others."""

Asked = Authorize | StartTransaction | StopTransaction | RecordTransactionEvent

_RememberedKey = tuple[int, int, str, str | None]


@dataclass(slots=True)
class _Remembered:
    """An answer for a token at a station, and which settings it was given under. `until`: monotonic seconds."""

    verdict: ExternalVerdict
    changed_at: datetime
    until: float


class ExternalAuthorization:
    """Asks on behalf of all stations of this process. `run` must be running."""

    def __init__(self, bus: Bus, store: GatewayStore, tenants: TenantDirectory, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._tenants = tenants
        self._clock = clock
        self._bulkhead = Bulkhead()
        self._look_ups = trio.CapacityLimiter(_LOOK_UPS)
        self._remembered: OrderedDict[_RememberedKey, _Remembered] = OrderedDict()
        self._waiting: dict[trio.CancelScope, Station] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Runs until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def asks(self, origin: Connection, operation: Operation, go_on: Callable[[], None]) -> bool:
        """True: somebody is asked about the operation's token, and `go_on` is called when `operation.external` is set.

        False: there is nothing to wait for; an answer that is remembered is set already.
        """
        if not isinstance(operation, Asked):
            return False
        tenant = self._tenants.by_id(operation.tenant_id)
        rules = None if tenant is None else tenant.external
        if rules is None or not operation.id_token or self._nursery is None:
            return False
        purpose = _purpose(operation, self._clock.now())
        if purpose is None or (rules.via == "ocpi" and purpose == "stop"):  # parties are asked before, not after
            return False
        remembered = self._recall(operation, rules)
        if remembered is not None:
            metrics.EXTERNAL.labels("remembered").inc()
            operation.external = remembered
            return False
        self._nursery.start_soon(self._have_asked, origin, operation, rules, purpose, go_on)
        return True

    def give_up_for_the_gone(self) -> None:
        """Stations without a connection wait for nothing: what they did is committed with the fallback."""
        for scope, station in list(self._waiting.items()):
            if station.connection is None:
                scope.cancel(reason="the station is gone")

    async def _have_asked(
        self, origin: Connection, operation: Asked, rules: AskingRules, purpose: Purpose, go_on: Callable[[], None]
    ) -> None:
        """Never raises but for cancellation, and calls `go_on` in any other case."""
        outcome: Outcome | None = Failed("an internal error")
        try:
            outcome = await self._outcome(origin, operation, rules, purpose)
        except Exception as error:
            log.error("gateway.external_authorization_failed", station_id=origin.station_id, exc_info=error)
        if outcome is not None:
            operation.external = verdict_of(outcome, rules.fallback)
            if isinstance(outcome, Answered):
                self._remember(operation, rules, outcome)
        metrics.EXTERNAL.labels(
            "not_needed" if outcome is None else "answered" if isinstance(outcome, Answered) else "fallback"
        ).inc()
        contained(origin, go_on)

    async def _outcome(self, origin: Connection, operation: Asked, rules: AskingRules, purpose: Purpose) -> Outcome | None:
        """None: the tenant's own data suffice."""
        with trio.move_on_after(min(LONGEST_S, rules.timeout_ms / 1000 + WAY_S)) as scope:
            self._waiting[scope] = origin.station
            try:
                if (rules.asks == "unknown_tokens" or rules.via == "ocpi") and await self._knows(operation, rules):
                    return None
                with self._bulkhead.enter(operation.tenant_id):
                    question = _question(origin, operation, rules, purpose, self._clock.now())
                    rest = scope.deadline - trio.current_time()
                    outcome: Outcome = read_outcome(await self._bus.request(TOPIC, encode(question), rest))
                    return outcome
            except (BusUnavailable, NoAnswer):
                return Failed("no hub answers")
            except Full:
                return Failed("too many questions are under way")
            except msgspec.DecodeError:
                return Failed("the hub's answer cannot be understood")
            finally:
                del self._waiting[scope]
        return Failed("the station is gone" if origin.station.connection is None else "no hub answers in time")

    async def _knows(self, operation: Asked, rules: AskingRules) -> bool:
        token_type = operation.token_type if isinstance(operation, Authorize | RecordTransactionEvent) else None
        try:
            async with self._look_ups:
                return await self._store.knows_token(
                    operation.tenant_id, operation.id_token or "", token_type, rules, self._clock.now()
                )
        except StoreUnavailable:
            return False  # the commit waits for the store anyway, and decides whether the answer counts

    def _recall(self, operation: Asked, rules: AskingRules) -> ExternalVerdict | None:
        if not rules.cache_s:
            return None
        known = self._remembered.get(_key(operation))
        if known is None or known.changed_at != rules.changed_at or known.until <= self._clock.monotonic():
            return None
        return known.verdict

    def _remember(self, operation: Asked, rules: AskingRules, answer: Answered) -> None:
        seconds = float(rules.cache_s)
        if answer.expires_at is not None:
            seconds = min(seconds, (answer.expires_at - self._clock.now()).total_seconds())
        if seconds <= 0:
            return
        key = _key(operation)
        self._remembered[key] = _Remembered(answer.verdict(), rules.changed_at, self._clock.monotonic() + seconds)
        self._remembered.move_to_end(key)
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)


def _purpose(operation: Asked, now: datetime) -> Purpose | None:
    """What the question is for; None for what a station tells out of its queue: energy has flowed, and nobody waits."""
    if isinstance(operation, Authorize):
        return "authorize"
    offline = isinstance(operation, RecordTransactionEvent) and operation.offline
    # times that are off by the station's clock do not tell how old a message is
    if operation.replayed or offline or not (operation.clock_skew or is_live(operation.time, now)):
        return None
    if isinstance(operation, StartTransaction):
        return "start"
    if isinstance(operation, StopTransaction):
        return "stop"
    return "stop" if operation.type == "Ended" else "start"


def _question(origin: Connection, operation: Asked, rules: AskingRules, purpose: Purpose, now: datetime) -> Question:
    return Question(
        tenant_id=operation.tenant_id,
        charge_point_id=origin.identity,
        id_token=operation.id_token or "",
        purpose=purpose,
        at=now,
        changed_at=rules.changed_at,
        token_type=operation.token_type if isinstance(operation, Authorize | RecordTransactionEvent) else None,
        evse_id=operation.evse_id if isinstance(operation, StartTransaction | RecordTransactionEvent) else None,
    )


def _key(operation: Asked) -> _RememberedKey:
    token_type = operation.token_type if isinstance(operation, Authorize | RecordTransactionEvent) else None
    return operation.tenant_id, operation.station_id, (operation.id_token or "").lower(), token_type
