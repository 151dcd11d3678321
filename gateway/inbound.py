"""The CALLs of stations: in order, one at a time per station, answered once, never before the commit.

The order of the checks is that of ocpp-j-rules section 3: row 8 here, rows 1 to 7 and 10 to 16 in the codec, row 9 (the
registration gate) between them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import structlog

from csms.clock import Clock, Ids
from csms.domain.operations import (
    Booted,
    BootStation,
    Operation,
    OperationFailed,
    QuarantineFrame,
    RecordStationEvent,
    RecordTransactionEvent,
    StartTransaction,
    StopTransaction,
)
from csms.domain.times import deviations
from gateway import metrics
from gateway.connection import Connection, contain, contained
from gateway.effects import Commit, HangUp, Hold, Reply
from gateway.external_authorization import ABOUT_TOKENS, ExternalAuthorization
from gateway.quota import TokenBucket
from gateway.replay import FRESH
from gateway.skew import ClockSkew, time_told
from gateway.station import Station
from gateway.submission import Submission
from gateway.supervision import split_exits
from gateway.tolerance import Spared, Tolerance
from gateway.tolerance.counter import RelaxationCounter
from gateway.tolerance.essentials import BILLING
from gateway.tolerance.forgiving import forgive
from gateway.tolerance.makes import read_make

if TYPE_CHECKING:
    from gateway._native import Fault
    from gateway.calls import OutgoingCalls

log = structlog.get_logger()

QUEUE_LIMIT: Final = 32
"""CALLs that may wait for their turn; beyond it the socket is not read (rule T3)."""
QUEUE_BYTES_LIMIT: Final = 512 * 1024
BOOT_AGAIN_S: Final = 60
BOOT_SPREAD_S: Final = 120
"""A station that boots in a storm of boots is to come again after the first and a random part of the second (rule B9)."""

_LAST_ROW_BEFORE_GATE: Final = 7

_calls_answered = metrics.CALLS_ANSWERED.counts
_commit_took = metrics.COMMIT_SECONDS.observe
_repeat_while_running = metrics.REPLAYS.labels("running")


class _Refusal(msgspec.Struct):
    """A CALLERROR that is owed: either a frame that the codec has made, or its parts."""

    code: str
    description: str = ""
    details: bytes = b"{}"
    frame: bytes | None = None


class InboundCall:
    """One CALL of a station, from its arrival to its answer."""

    __slots__ = ("action", "answer", "digest", "fault", "message_id", "origin", "payload", "refusal", "reply", "since")

    def __init__(self, origin: Connection, message_id: str, action: str, payload: bytes, digest: int) -> None:
        self.origin = origin
        self.message_id = message_id
        self.action = action
        self.payload = payload
        self.digest = digest
        self.fault: Fault | None = None
        self.reply = b""
        self.answer: Callable[[Any], bytes] | None = None
        self.refusal: _Refusal | None = None
        self.since = 0.0

    def committed(self, outcome: object) -> None:
        """Called by the ledger, whose other callers must not notice what goes wrong here: `contained`, without its calls."""
        origin = self.origin
        try:
            origin.inbound.committed(self, outcome)
        except BaseException as error:  # noqa: BLE001 - the boundary of one connection; exits go on from there
            contain(origin, error)

    def quarantined(self, outcome: object) -> None:
        origin = self.origin
        contained(origin, partial(origin.inbound.quarantined, self, outcome))


class InboundCalls:
    """Handles the CALLs of all stations of this process."""

    def __init__(
        self,
        submission: Submission,
        clock: Clock,
        ids: Ids,
        tolerance: Tolerance,
        calls: OutgoingCalls,
        external: ExternalAuthorization,
        *,
        hold_transaction_s: float,
        hold_authorize_s: float,
        boots_per_second: int,
    ) -> None:
        self._submission = submission
        self._monotonic = clock.monotonic
        self._now = clock.now
        self._boots = TokenBucket(boots_per_second, boots_per_second, clock.monotonic())
        self._ids = ids
        self._tolerance = tolerance
        self._relaxations = RelaxationCounter(submission)
        self._calls = calls
        self._external = external
        self._hold_s: dict[Hold, float] = {"transaction": hold_transaction_s, "authorize": hold_authorize_s}
        # what waits for the store, oldest first
        self._held: dict[Hold, dict[InboundCall, None]] = {"transaction": {}, "authorize": {}}
        self._held_transactions = self._held["transaction"]
        self._held_authorizations = self._held["authorize"]

    @property
    def held(self) -> int:
        """CALLs that wait for the store."""
        return len(self._held_transactions) + len(self._held_authorizations)

    def must_pause(self, station: Station) -> bool:
        """True while nothing more should be read from this station's sockets."""
        if station.running is None:
            return False
        queue = station.queue
        return (queue is not None and (len(queue) >= QUEUE_LIMIT or station.queued_bytes >= QUEUE_BYTES_LIMIT)) or (
            self._submission.full
        )

    def arrive(self, origin: Connection, message_id: str, action: str, payload: bytes, digest: int) -> None:
        """A CALL that the codec has found valid."""
        station = origin.station
        if station.connection is not origin and action not in BILLING[origin.version.name]:
            return  # a displaced connection: only what costs money is still taken from it (design 3.4)
        call = InboundCall(origin, message_id, action, payload, digest)
        if station.running is None:
            self._handle(station, call)
        else:
            self._enqueue(station, call)

    def arrive_invalid(
        self, origin: Connection, message_id: str, action: str | None, fault: Fault, payload: bytes, reply: bytes, billing: bool
    ) -> None:
        """A CALL that the codec refuses with `reply`."""
        station = origin.station
        if station.connection is not origin and not billing:
            return
        call = InboundCall(origin, message_id, action or "", payload, 0)
        call.fault = fault
        call.reply = reply
        if station.running is None:
            self._handle(station, call)
        else:
            self._enqueue(station, call)

    def expire_authorizations(self, now: float) -> None:
        """Answer InternalError to each Authorize that has waited too long for the store (rule D2), and let go on what waits for a
        third party although its station is gone."""
        self._external.give_up_for_the_gone()
        for call in _older(self._held_authorizations, now - self._hold_s["authorize"]):
            station = call.origin.station
            if station.running is call:
                self._send_refusal(station, call, _Refusal("InternalError", "the store is not available"))
                self._continue(station)

    def stations_held_too_long(self, now: float) -> Iterator[Station]:
        """Stations whose answer has waited too long: to be closed, paced by the caller, who takes as many as it wants.

        Their CALL stays under way; when it is committed after all, the newest connection gets the answer.
        """
        limit = now - self._hold_s["transaction"]
        for call in _older(self._held_transactions, limit):
            station = call.origin.station
            connection = station.connection
            if connection is not None and connection.opened > limit:
                # it has come again since: a station that is sent away at once loses an attempt each time (rule D2)
                call.since = connection.opened
                self._held_transactions[call] = None
            else:
                yield station

    def committed(self, call: InboundCall, outcome: object) -> None:
        """The ledger is done with the operation of `call`."""
        self._release(call)
        station = call.origin.station
        if station.running is not call:
            return  # answered meanwhile: an Authorize that waited too long
        try:
            if isinstance(outcome, OperationFailed):
                self._fail(station, call, outcome)
            else:
                if type(outcome) is Booted and station.connection is call.origin:
                    station.gate.decided(outcome.registration)
                    station.make = read_make(call.payload)
                answer = call.answer
                if answer is not None:
                    self._answer(station, call, answer(outcome))
                    _commit_took(self._monotonic() - call.since)
        except BaseException as error:  # noqa: BLE001 - the boundary of one CALL; exits go on from there
            self._contain(station, call, error)
        self._continue(station)

    def quarantined(self, call: InboundCall, outcome: object) -> None:
        """The frame of `call` is in quarantine: now its refusal may leave."""
        self._release(call)
        station = call.origin.station
        if station.running is not call:
            return
        if isinstance(outcome, OperationFailed):
            log.error("gateway.quarantine_failed", station_id=station.key[1], action=call.action, error=str(outcome))
        if call.refusal is not None:
            self._send_refusal(station, call, call.refusal)
        self._continue(station)

    def _enqueue(self, station: Station, call: InboundCall) -> None:
        queue = station.queue
        same_id = self._under_way(station, call.message_id)
        if same_id is not None:
            if same_id.fault is None and call.fault is None and same_id.digest == call.digest:
                _repeat_while_running.inc()  # answered once, when it is done
                return
            code = "GenericError" if call.origin.version.name == "ocpp1.6" else "RpcFrameworkError"
            refusal = _Refusal(code, "another CALL with this id is being handled")
            self._write_error(call.origin, call.message_id, refusal)
            return
        if queue is None:
            queue = station.queue = deque()
        queue.append(call)
        station.queued_bytes += len(call.payload)

    @staticmethod
    def _under_way(station: Station, message_id: str) -> InboundCall | None:
        running = station.running
        if running is not None and running.message_id == message_id:
            return running
        return next((waiting for waiting in station.queue or () if waiting.message_id == message_id), None)

    def _handle(self, station: Station, call: InboundCall) -> None:
        station.running = call
        try:
            self._route(station, call)
        except BaseException as error:  # noqa: BLE001 - the boundary of one CALL; exits go on from there
            self._contain(station, call, error)

    def _route(self, station: Station, call: InboundCall) -> None:
        fault = call.fault
        if fault is not None and fault.row <= _LAST_ROW_BEFORE_GATE:
            self._refuse(station, call, _Refusal(fault.code, frame=call.reply), "schema")
            return
        if not station.gate.admits(call.action, call.payload):
            self._refuse(station, call, _Refusal("SecurityError", "the station's BootNotification was not accepted"), "gate")
            return
        if fault is not None:
            if not self._tolerate(station, call, fault):
                self._refuse(station, call, _Refusal(fault.code, frame=call.reply), "schema")
            return
        if call.action not in FRESH:
            known = station.replay.find(call.message_id, call.digest, call.origin.heard)
            if known is not None:
                self._answer(station, call, known)
                return
        self._apply(station, call)

    def _apply(self, station: Station, call: InboundCall, spared: Spared | None = None) -> None:
        effect = call.origin.version.handle(call.origin, call.action, call.payload)
        if spared is not None or deviations:
            relaxations = forgive(effect, spared, call.origin.version.name, call.action, call.payload)
            if relaxations and isinstance(effect, Reply):
                self._relaxations.count(station.key, relaxations)
        if isinstance(effect, Commit):
            self._watch_clock(call, effect.operation)
            if type(effect.operation) is BootStation and not self._boots.take(1, self._monotonic()):
                self._put_off(station, call, effect)
                return
            if effect.hold == "authorize" and self._submission.full:
                # answered before the store is asked, an Authorize leaves its operation behind: here is the bound of those
                self._send_refusal(station, call, _Refusal("InternalError", "the store is not available"))
                return
            call.answer = effect.answer
            operation = effect.operation
            if type(operation) in ABOUT_TOKENS and self._external.asks(call.origin, operation, partial(self._commit, call, effect)):
                return  # it is committed when somebody has answered for the token
            self._commit(call, effect)
        elif isinstance(effect, Reply):
            if call.origin.skew is not None and call.action == "Heartbeat":
                call.origin.skew.set_anew()
            self._answer(station, call, effect.payload)
        elif isinstance(effect, HangUp):
            log.warning("gateway.hung_up", tenant_id=call.origin.tenant_id, station_id=station.key[1], reason=effect.reason.label)
            self._submission.submit(effect.event, _ignore)
            station.running = None
            call.origin.close(effect.reason)
        else:
            refusal = _Refusal(effect.code, effect.description, effect.details)
            self._refuse(station, call, refusal, "schema")

    def _commit(self, call: InboundCall, effect: Commit) -> None:
        self._hold(call, effect.hold)
        self._submission.submit(effect.operation, call.committed)

    def _put_off(self, station: Station, call: InboundCall, boot: Commit) -> None:
        """Too many boot at once: this one is to come again later (rule B9). What it was before, it stays."""
        metrics.BOOTS_PUT_OFF.inc()
        station.gate.put_off = True
        interval = BOOT_AGAIN_S + int.from_bytes(self._ids.token(2)) % (BOOT_SPREAD_S + 1)
        self._answer(station, call, boot.answer(Booted("pending", interval)))

    def _watch_clock(self, call: InboundCall, operation: Operation) -> None:
        """Measure the station's clock by what it tells, and mark what it says of transactions when it is off (rule L6)."""
        origin = call.origin
        if type(operation) is BootStation:
            if origin.skew is not None:
                origin.skew.set_anew()
            return
        told, as_it_happens = time_told(operation)
        if told is None:
            return
        skew = origin.skew
        if skew is None:
            skew = origin.skew = ClockSkew()
        skew.note(told, self._now(), as_it_happens=as_it_happens)
        seconds = skew.seconds
        if seconds is None:
            return
        if isinstance(operation, StartTransaction | StopTransaction | RecordTransactionEvent):
            operation.clock_skew = True
        if not skew.told:
            skew.told = True
            log.warning("gateway.clock_skew", tenant_id=origin.tenant_id, station_id=origin.station_id, seconds=round(seconds))
            event = RecordStationEvent(
                tenant_id=origin.tenant_id,
                station_id=origin.station_id,
                type="clock_skew",
                data=b'{"seconds":%d}' % round(seconds),
            )
            self._submission.submit(event, _ignore)

    def _tolerate(self, station: Station, call: InboundCall, fault: Fault) -> bool:
        """Take a message whose faults sit in members that can be spared (ocpp-j-rules section 3)."""
        origin = call.origin
        spared = self._tolerance.spare_call(origin.tenant, station.make, origin.version.name, call.action, call.payload)
        if spared is None:
            return False
        if spared.doubtful:
            self._keep_raw(call, "schema", fault, _ignore, taken=True)
        call.payload = spared.payload
        call.fault = None
        self._apply(station, call, spared)
        return True

    def _answer(self, station: Station, call: InboundCall, payload: bytes) -> None:
        target = self._newest(station, call)
        if target is not None:
            target.wire.send(target.codec.encode_result(call.message_id, call.action, payload))
            _calls_answered[0] += 1
        if call.action not in FRESH and call.digest:
            station.replay.remember(call.message_id, call.digest, payload, self._monotonic())
        station.running = None
        if target is not None and not target.ready:
            self._calls.become_ready(target)

    def _refuse(self, station: Station, call: InboundCall, refusal: _Refusal, reason: Literal["schema", "gate", "failed"]) -> None:
        """Send a CALLERROR; a frame that may carry money is committed to the quarantine first (ocpp-j-rules section 3)."""
        call.refusal = refusal
        if call.action in BILLING[call.origin.version.name]:
            self._hold(call, "transaction")
            self._keep_raw(call, reason, call.fault, call.quarantined, refusal.code)
        else:
            self._send_refusal(station, call, refusal)

    def _keep_raw(
        self,
        call: InboundCall,
        reason: Literal["schema", "gate", "failed"],
        fault: Fault | None,
        done: Callable[[Any], None],
        code: str | None = None,
        *,
        taken: bool = False,
    ) -> None:
        origin = call.origin
        operation = QuarantineFrame(
            tenant_id=origin.tenant_id,
            station_id=origin.station_id,
            ocpp_version=origin.version.name,
            action=call.action,
            reason=reason,
            payload=call.payload,
            error_code=code if fault is None else fault.code,
            path=None if fault is None else fault.path,
            rule=None if fault is None else fault.rule,
            taken=taken,
        )
        metrics.QUARANTINED.labels(reason).inc()
        self._submission.submit(operation, done)

    def _send_refusal(self, station: Station, call: InboundCall, refusal: _Refusal) -> None:
        station.running = None
        target = self._newest(station, call)
        if target is None:
            return
        self._write_error(target, call.message_id, refusal)
        if not target.ready:
            self._calls.become_ready(target)
        if refusal.code == "SecurityError":
            self._calls.ask_for_boot(target)

    def _write_error(self, target: Connection, message_id: str, refusal: _Refusal) -> None:
        if target.closing is not None:
            return
        frame = refusal.frame
        try:
            if frame is None:
                frame = target.codec.encode_error(message_id, refusal.code, refusal.description, refusal.details)
        except BaseException as error:
            passing, ours = split_exits(error)
            if passing is not None:
                raise passing from None
            log.error("gateway.callerror_failed", code=refusal.code, exc_info=ours)
            frame = target.codec.encode_error(message_id, "InternalError", "", b"{}")
        metrics.CALLERRORS.labels(refusal.code).inc()
        target.wire.send(frame)

    @staticmethod
    def _newest(station: Station, call: InboundCall) -> Connection | None:
        """The connection that is owed the answer: the newest one of the station, if it speaks the same version."""
        newest = station.connection
        if newest is None or newest.closing is not None:
            return None
        return newest if newest.version is call.origin.version else None

    def _contain(self, station: Station, call: InboundCall, error: BaseException) -> None:
        """The boundary of one CALL: whatever its handling raised ends here (rule V31, supervision.md 3.0)."""
        passing, ours = split_exits(error)
        if ours is not None:
            try:
                self._fail(station, call, ours)
            except Exception:
                log.exception("gateway.failure_not_answered", station_id=station.key[1], action=call.action)
                station.running = None
        if passing is not None:
            raise passing from None

    def _fail(self, station: Station, call: InboundCall, error: BaseException) -> None:
        self._release(call)
        metrics.HANDLER_FAILURES.inc()
        failure_id = str(self._ids.uuid4())
        log.error(
            "gateway.handler_failed",
            failure_id=failure_id,
            tenant_id=station.key[0],
            station_id=station.key[1],
            action=call.action,
            exc_info=error,
        )
        refusal = _Refusal("InternalError", f"internal error {failure_id}")
        if call.refusal is None:
            self._refuse(station, call, refusal, "failed")
        else:
            self._send_refusal(station, call, refusal)

    def _continue(self, station: Station) -> None:
        queue = station.queue
        while queue and station.running is None:
            call = queue.popleft()
            station.queued_bytes -= len(call.payload)
            self._handle(station, call)
        if station.room is not None and not self.must_pause(station):
            station.room.set()
            station.room = None
        if station.running is None:
            newest = station.connection
            if newest is not None and newest.retiring is not None:
                newest.close(newest.retiring)

    def _hold(self, call: InboundCall, hold: Hold) -> None:
        call.since = self._monotonic()
        if hold == "transaction":
            self._held_transactions[call] = None
        else:
            self._held_authorizations[call] = None

    def _release(self, call: InboundCall) -> None:
        self._held_transactions.pop(call, None)
        self._held_authorizations.pop(call, None)


def _older(held: dict[InboundCall, None], than: float) -> Iterator[InboundCall]:
    """Take out, oldest first, what began to wait before `than`."""
    while held:
        oldest = next(iter(held))
        if oldest.since > than:
            return
        del held[oldest]
        yield oldest


def _ignore(outcome: object) -> None:
    """For operations whose outcome changes nothing here; the ledger logs failures."""
