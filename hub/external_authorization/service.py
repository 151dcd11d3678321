"""Answers gateways that ask about a token: looks up whom to ask, holds back where it is of no use, and tells how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import msgspec
import structlog
import trio

from csms.bus import Bus
from csms.clock import Clock, Ids
from csms.external_authorization.breaker import Attempt, CircuitBreaker, State
from csms.external_authorization.bulkhead import Bulkhead, Full
from csms.external_authorization.messages import TOPIC, Answered, Failed, Outcome, Question, encode, read_question
from csms.external_authorization.sealing import Sealer, Unreadable
from csms.store import Connection, Database, StoreUnavailable
from csms.store.queries.external_authorization import ExternalAuthorization, get_external_authorization
from csms.tenants import TenantDirectory
from hub.external_authorization import metrics
from hub.external_authorization.client import ThirdParty, ThirdPartyClient

log = structlog.get_logger()

AUTHORIZATION: Final = "authorization"
SIGNING_SECRET: Final = "signing_secret"  # noqa: S105 - the name of a field
LOOK_UP_S: Final = 0.5

AskParties = Callable[[Question, float], Awaitable[Outcome]]
"""Asks the parties that a tenant roams with, for so many seconds at most; never raises but for cancellation."""

Kind = Literal["answered", "failed", "circuit_open", "too_many", "not_asked"]


@dataclass(slots=True)
class _Line:
    """The way to one tenant's third party, as of one version of its settings. `party` None: the parties that it roams with."""

    party: ThirdParty | None
    timeout_ms: int
    changed_at: datetime
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    last_failure: str | None = None
    last_failure_at: datetime | None = None

    def end(self, tenant_id: int, attempt: Attempt, now: float, *, succeeded: bool | None) -> None:
        closed = self.breaker.closed
        self.breaker.end(attempt, now, succeeded=succeeded)
        if closed and not self.breaker.closed:
            log.warning("external_authorization.left_alone", tenant_id=tenant_id, seconds=self.breaker.wait(now))
        elif not closed and self.breaker.closed:
            log.info("external_authorization.is_back", tenant_id=tenant_id)


class Circuit(msgspec.Struct, frozen=True):
    """How it goes with a third party, as this hub process has seen it. `open`: it is left alone until the next probe."""

    state: State
    failures_in_a_row: int
    next_probe_in_s: float
    under_way: int
    last_failure: str | None
    last_failure_at: datetime | None


class ExternalAuthorizationService:
    """One per hub process, which runs it (`run`) as long as it serves."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        tenants: TenantDirectory,
        sealer: Sealer,
        clock: Clock,
        ids: Ids,
        client: ThirdPartyClient,
    ) -> None:
        """`database` is the hub role's."""
        self._database = database
        self._bus = bus
        self._tenants = tenants
        self._sealer = sealer
        self._clock = clock
        self._ids = ids
        self._client = client
        self._lines: dict[int, _Line] = {}
        self._bulkhead = Bulkhead()
        self._ask_parties: AskParties | None = None

    def use(self, ask_parties: AskParties) -> None:
        """How parties are asked (`via` ocpi)."""
        self._ask_parties = ask_parties

    async def run(self) -> None:
        """Answer gateways. Runs until cancelled."""
        metrics.CIRCUITS_OPEN.set_function(lambda: sum(not line.breaker.closed for line in self._lines.values()))
        async with self._client, self._bus.serve(TOPIC, self._serve):
            await trio.sleep_forever()

    async def _serve(self, body: bytes) -> bytes:
        try:
            outcome = await self.ask(read_question(body))
        except msgspec.DecodeError:
            outcome = Failed("the question cannot be understood")  # of a process of another version
        except Exception as error:
            log.error("external_authorization.failed", exc_info=error)
            outcome = Failed("an internal error")
        return encode(outcome)

    async def ask(self, question: Question) -> Outcome:
        """Ask the tenant's third party, unless there is none, it is left alone, or too many questions are under way."""
        kind: Kind = "not_asked"
        try:
            with self._bulkhead.enter(question.tenant_id):
                kind, outcome = await self._ask(question)
        except Full:
            kind, outcome = "too_many", Failed("too many questions are under way")
        finally:
            metrics.QUESTIONS.labels(kind).inc()
        return outcome

    async def test(self, question: Question, settings: ExternalAuthorization) -> Outcome:
        """Ask once with these settings; the circuit is neither heeded nor told."""
        try:
            with self._bulkhead.enter(question.tenant_id):
                party = self._party(question.tenant_id, settings)
                return await self._send(_Line(party, settings.timeout_ms, settings.updated_at), question)
        except Full:
            return Failed("too many questions are under way")
        except Unreadable:
            return Failed("its secrets cannot be read: set them again")

    def circuit(self, tenant_id: int) -> Circuit:
        line, now = self._lines.get(tenant_id), self._clock.monotonic()
        breaker = CircuitBreaker() if line is None else line.breaker
        return Circuit(
            breaker.state(now),
            breaker.failures,
            round(breaker.wait(now), 1),
            self._bulkhead.of(tenant_id),
            None if line is None else line.last_failure,
            None if line is None else line.last_failure_at,
        )

    def changed(self, tenant_id: int) -> None:
        """The tenant's settings are new: what is known of the old ones is void."""
        self._lines.pop(tenant_id, None)

    async def _ask(self, question: Question) -> tuple[Kind, Outcome]:
        try:
            line = await self._line(question)
        except StoreUnavailable:
            return "not_asked", Failed("the settings cannot be read")
        except Unreadable:
            log.error("external_authorization.secrets_unreadable", tenant_id=question.tenant_id)
            return "not_asked", Failed("its secrets cannot be read: set them again")
        if line is None:
            return "not_asked", Failed("it is switched off")
        if line.party is None:  # many: that one of them does not answer says nothing of the others
            outcome = await self._send(line, question)
            return "answered" if isinstance(outcome, Answered) else "failed", outcome
        attempt = line.breaker.begin(self._clock.monotonic())
        if attempt is None:
            return "circuit_open", Failed(f"left alone after {line.breaker.failures} failures in a row")
        succeeded = None
        try:
            outcome = await self._send(line, question)
            succeeded = isinstance(outcome, Answered)
        finally:
            line.end(question.tenant_id, attempt, self._clock.monotonic(), succeeded=succeeded)
        if isinstance(outcome, Failed):
            line.last_failure, line.last_failure_at = outcome.failure, self._clock.now()
            return "failed", outcome
        return "answered", outcome

    async def _line(self, question: Question) -> _Line | None:
        """The way to the tenant's third party; None: it has none. Raises StoreUnavailable, Unreadable."""
        tenant_id = question.tenant_id
        tenant, line = self._tenants.by_id(tenant_id), self._lines.get(tenant_id)
        if line is not None and line.changed_at >= question.changed_at and tenant is not None and tenant.external is not None:
            return line

        async def read(conn: Connection) -> ExternalAuthorization | None:
            return await get_external_authorization(conn, tenant_id)

        settings = await self._database.tenant_unit(tenant_id, read, timeout=LOOK_UP_S)
        if settings is None:
            self.changed(tenant_id)
            return None
        line = self._lines.get(tenant_id)  # somebody else may have looked meanwhile
        if line is None or line.changed_at < settings.updated_at:
            line = self._lines[tenant_id] = _Line(self._party(tenant_id, settings), settings.timeout_ms, settings.updated_at)
        return line

    def _party(self, tenant_id: int, settings: ExternalAuthorization) -> ThirdParty | None:
        """Raises Unreadable."""
        if settings.url is None:
            return None
        authorization, signing_secret = settings.authorization_sealed, settings.signing_secret_sealed
        return ThirdParty(
            settings.url,
            settings.timeout_ms,
            None if authorization is None else self._sealer.open(tenant_id, AUTHORIZATION, authorization),
            None if signing_secret is None else self._sealer.open(tenant_id, SIGNING_SECRET, signing_secret),
        )

    async def _send(self, line: _Line, question: Question) -> Outcome:
        begun = self._clock.monotonic()
        if line.party is not None:
            tenant = self._tenants.by_id(question.tenant_id)
            outcome = await self._client.ask(line.party, "" if tenant is None else tenant.slug, question, self._ids.uuid4())
        elif self._ask_parties is not None:
            outcome = await self._ask_parties(question, line.timeout_ms / 1000)
        else:
            outcome = Failed("this process asks no parties")
        metrics.SECONDS.observe(self._clock.monotonic() - begun)
        return outcome
