"""Takes quarantined messages again, as if they had just come: any gateway process, also while the station is away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog
import trio

from csms.bus import Bus, BusUnavailable
from csms.clock import Clock, Ids
from csms.domain.operations import OperationFailed, Orphaned, Registration
from csms.domain.times import deviations
from csms.store import StoreUnavailable
from csms.store.gateway_store import GatewayStore
from csms.store.replay_records import REPLAYS_TOPIC, ReplayError, ReplayRecord, replayed_topic
from csms.tenants import TenantConfig, TenantDirectory
from gateway import metrics
from gateway.effects import Commit, Effect, HangUp, Refuse, Reply
from gateway.submission import Submission
from gateway.supervision import split_exits
from gateway.tolerance import Spared, Tolerance
from gateway.tolerance.forgiving import forgive
from gateway.tolerance.makes import make
from gateway.versions import Version

if TYPE_CHECKING:
    from gateway._native import Catalogue

log = structlog.get_logger()

SWEEP_S: Final = 5.0
AT_ONCE: Final = 20
COMMIT_WAIT_S: Final = 30.0
"""Less than the claim of an order lasts: what hangs longer is taken up again by somebody."""


@dataclass(slots=True)
class _AbsentStation:
    """The station of a message, which need not be connected (`gateway.versions.StationContext`)."""

    registration: Registration
    tenant: TenantConfig
    tenant_id: int
    station_id: int
    identity: str
    epoch: int
    ocpp_version: str
    clock: Clock
    certificate_name: str | None = None


class QuarantineReplay:
    """Carries out the orders of the hub; the database says which are open, the bus that there are some."""

    def __init__(
        self,
        bus: Bus,
        store: GatewayStore,
        submission: Submission,
        catalogue: Catalogue,
        tolerance: Tolerance,
        tenants: TenantDirectory,
        clock: Clock,
        ids: Ids,
        versions: Mapping[str, Version],
        process_id: UUID,
    ) -> None:
        self._bus = bus
        self._store = store
        self._submission = submission
        self._catalogue = catalogue
        self._tolerance = tolerance
        self._tenants = tenants
        self._clock = clock
        self._ids = ids
        self._versions = versions
        self._process_id = process_id

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                async with self._bus.subscribe(REPLAYS_TOPIC) as pokes:
                    while True:
                        await self._work()
                        with trio.move_on_after(SWEEP_S):
                            await pokes.receive()
            except (BusUnavailable, trio.EndOfChannel):
                await trio.sleep(SWEEP_S)

    async def _work(self) -> None:
        try:
            while records := await self._store.claim_replays(self._process_id, AT_ONCE):
                async with trio.open_nursery() as nursery:
                    for record in records:
                        nursery.start_soon(self._replay, record)
        except StoreUnavailable:
            log.debug("gateway.replay_postponed")

    async def _replay(self, record: ReplayRecord) -> None:
        outcome = await self._take(record)
        if outcome is None:
            return
        try:
            await self._store.finish_replay(record, outcome)
            await self._bus.publish(replayed_topic(record.replay_id), b"")
        except (StoreUnavailable, BusUnavailable) as error:
            # the claim runs out and somebody does it again; whoever waits looks for himself
            log.debug("gateway.replay_not_told", error=str(error))
        except Exception:
            # one message whose end cannot be stored must not end the gateway
            log.exception("gateway.replay_not_finished", quarantine_id=str(record.quarantine_id))
        metrics.REPLAYED.labels(outcome.kind if isinstance(outcome, ReplayError) else "done").inc()

    async def _take(self, record: ReplayRecord) -> bytes | ReplayError | None:
        """The answer to the message, or why it cannot be taken; None when that is not known in time."""
        try:
            effect = self._handle(record)
            if isinstance(effect, ReplayError):
                return effect
            if isinstance(effect, Reply):
                return effect.payload
            if isinstance(effect, Refuse):
                return ReplayError("refused", effect.code, description=effect.description)
            if isinstance(effect, HangUp):
                return ReplayError("refused", description=effect.reason.label)
            return await self._commit(record, effect)
        except BaseException as error:  # noqa: BLE001 - the boundary of one message; exits go on from there
            passing, ours = split_exits(error)
            if passing is not None:
                raise passing from None
            return self._failed(record, ours)

    def _handle(self, record: ReplayRecord) -> Effect | ReplayError:
        version = self._versions.get(record.ocpp_version)
        tenant = self._tenants.by_id(record.tenant_id)
        if version is None or tenant is None:
            return ReplayError("refused", description=f"{record.ocpp_version} is not served here")
        if record.registration != "accepted":
            return ReplayError("gate", "SecurityError", description="the station's BootNotification was not accepted")
        payload, spared = record.payload, None
        fault = self._catalogue.validate(version.name, record.action, "request", payload)
        if fault is not None:
            spared = self._spare(record, tenant, payload)
            if spared is None:
                return ReplayError("schema", fault.code, fault.path, fault.rule, fault.description)
            payload = spared.payload
        station = _AbsentStation(
            record.registration,
            tenant,
            record.tenant_id,
            record.station_id,
            record.identity,
            record.epoch,
            version.name,
            self._clock,
        )
        effect = version.handle(station, record.action, payload)
        if isinstance(effect, Commit) and hasattr(effect.operation, "replayed"):
            effect.operation.replayed = True
        if spared is not None or deviations:
            forgive(effect, spared, version.name, record.action, payload)
        return effect

    def _spare(self, record: ReplayRecord, tenant: TenantConfig, payload: bytes) -> Spared | None:
        station_make = make(record.vendor, record.model)
        return self._tolerance.spare_call(tenant, station_make, record.ocpp_version, record.action, payload)

    async def _commit(self, record: ReplayRecord, effect: Commit) -> bytes | ReplayError | None:
        committed = trio.Event()
        outcome: object = None

        def done(result: object) -> None:
            nonlocal outcome
            outcome = result
            committed.set()

        with trio.move_on_after(COMMIT_WAIT_S) as waiting:
            self._submission.submit(effect.operation, done)
            await committed.wait()
        if waiting.cancelled_caught:
            return None
        if isinstance(outcome, OperationFailed):
            return self._failed(record, outcome)
        if isinstance(outcome, Orphaned):
            return ReplayError("orphan", path="/transactionId", rule="X5", description="the transaction is not known")
        return effect.answer(outcome)

    def _failed(self, record: ReplayRecord, error: BaseException | None) -> ReplayError:
        failure_id = str(self._ids.uuid4())
        log.error(
            "gateway.replay_failed",
            failure_id=failure_id,
            tenant_id=record.tenant_id,
            station_id=record.station_id,
            quarantine_id=str(record.quarantine_id),
            action=record.action,
            exc_info=error,
        )
        return ReplayError("failed", "InternalError", description=f"internal error {failure_id}")
