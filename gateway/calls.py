"""Our CALLs to stations: one outstanding per station, claimed before it leaves, always with an end (design 5, rules T1..T8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from uuid import UUID

import msgspec
import structlog

from csms.clock import Clock, Ids
from csms.domain import commands
from csms.domain.operations import ClaimCommand, FinishCommand, Hearsay, OperationFailed
from csms.domain.tolerance import Relaxation
from csms.store.command_records import CommandRecord
from gateway import metrics
from gateway.common.references import reference_of
from gateway.connection import Connection, contained
from gateway.station import Station
from gateway.submission import Submission
from gateway.supervision import split_exits
from gateway.tolerance import Tolerance
from gateway.tolerance.forgiving import tell
from gateway.versions import UnsupportedCommand, Version
from schemas.versions import VERSIONS

if TYPE_CHECKING:
    from gateway._native import Catalogue, Fault
    from gateway.registry import Registry

log = structlog.get_logger()

QUEUE_LIMIT: Final = 100
"""Commands that wait here per station (rule T7); more wait in the database."""
LONGEST_ERROR: Final = 500

Status = Literal["accepted", "rejected", "failed", "timed_out", "unknown", "expired"]

_DOMAIN_COMMANDS: Final[dict[str, type[commands.Command]]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(commands.AnyCommand)
}
_TRIGGER_BOOT: Final = b'{"requestedMessage":"BootNotification"}'


class OutgoingCall:
    """One CALL of ours, from its claim to its answer. `record` is None for what the gateway asks for by itself."""

    __slots__ = ("action", "deadline", "epoch", "message_id", "owner", "payload", "record", "station", "timeout_s")

    def __init__(
        self, owner: OutgoingCalls, station: Station, message_id: str, action: str, payload: bytes, record: CommandRecord | None
    ) -> None:
        self.owner = owner
        self.station = station
        self.message_id = message_id
        self.action = action
        self.payload = payload
        self.record = record
        self.epoch = 0
        self.timeout_s = 0.0
        self.deadline = 0.0

    def claimed(self, outcome: object) -> None:
        connection = self.station.connection
        if connection is None:
            self.owner.claimed(self, outcome)
        else:
            contained(connection, partial(self.owner.claimed, self, outcome))


class CallQueue:
    """The CALLs of one station: the outstanding one and the commands that wait."""

    __slots__ = ("current", "known", "waiting")

    def __init__(self) -> None:
        self.current: OutgoingCall | None = None
        self.waiting: deque[CommandRecord] = deque()
        self.known: set[UUID] = set()

    @property
    def busy(self) -> bool:
        return self.current is not None


class OutgoingCalls:
    """Sends the CALLs of all stations of this process."""

    def __init__(
        self,
        submission: Submission,
        clock: Clock,
        ids: Ids,
        catalogue: Catalogue,
        registry: Registry,
        tolerance: Tolerance,
        finished: Callable[[UUID], None],
        *,
        call_timeout_s: float,
    ) -> None:
        """`finished` is told the id of each command whose end is committed; it must neither block nor raise."""
        self._submission = submission
        self._clock = clock
        self._ids = ids
        self._catalogue = catalogue
        self._registry = registry
        self._tolerance = tolerance
        self._finished_command = finished
        self._timeout_s = call_timeout_s
        # sent and not answered, by time-out: of those with the same one the oldest is over first
        self._outstanding: dict[float, dict[OutgoingCall, None]] = {}
        self.stopped = False
        """True while draining: nothing new is claimed."""

    def order(self, record: CommandRecord) -> None:
        """A command in the database wants to be sent. Ignored when the station is not here: the database remembers it."""
        station = self._registry.find((record.tenant_id, record.station_id))
        if station is None or station.connection is None or record.status != "queued":
            return
        queue = station.calls
        if queue is None:
            queue = station.calls = CallQueue()
        if record.command_id in queue.known or len(queue.waiting) >= QUEUE_LIMIT:
            return
        queue.known.add(record.command_id)
        queue.waiting.append(record)
        self.pump(station)

    def become_ready(self, connection: Connection) -> None:
        """The first CALL of the connection is answered, or it was silent for long enough (rule B10)."""
        connection.ready = True
        self._registry.unready.pop(connection, None)
        self.pump(connection.station)

    def ask_for_boot(self, connection: Connection) -> None:
        """Ask a station that has never booted here for its BootNotification, once per connection (rule B7).

        Not one that was just told to come again later (rule B9).
        """
        station = connection.station
        known = station.gate.registration != "unknown" or station.gate.put_off
        if known or connection.boot_asked or station.connection is not connection:
            return
        queue = station.calls
        if queue is None:
            queue = station.calls = CallQueue()
        if queue.current is None:
            connection.boot_asked = True
            message_id = str(self._ids.uuid4())
            call = queue.current = OutgoingCall(self, station, message_id, "TriggerMessage", _TRIGGER_BOOT, None)
            self._send(connection, call)

    def pump(self, station: Station) -> None:
        """Start the next command of the station if it may leave now."""
        queue = station.calls
        if queue is None:
            return
        while queue.current is None and queue.waiting and not self.stopped:
            connection = station.connection
            if connection is None or not connection.ready or connection.closing is not None:
                return
            self._begin(connection, queue, queue.waiting.popleft())

    def claimed(self, call: OutgoingCall, outcome: object) -> None:
        """The ledger has decided about the claim of `call`."""
        station, record = call.station, call.record
        queue = station.calls
        if queue is None or queue.current is not call or record is None:
            return
        connection = station.connection
        if outcome is not True:
            queue.current = None
            if isinstance(outcome, OperationFailed):
                self._finish(record, "failed", error=str(outcome))
            queue.known.discard(record.command_id)
            self.pump(station)
            return
        # its row was found to say what was heard of it
        record = call.record = msgspec.structs.replace(record, hearsay=False)
        if connection is None or connection.epoch != call.epoch or connection.closing is not None:
            queue.current = None
            self._finish(record, "failed", error="the connection was lost before the command could be sent")
        else:
            self._send(connection, call)
        self.pump(station)

    def on_result(self, connection: Connection, message_id: str, payload: bytes) -> None:
        """A CALLRESULT that matches a pending CALL."""
        call = self._take(connection, message_id)
        if call is not None:
            self._conclude(connection, call, payload)

    def _conclude(
        self, connection: Connection, call: OutgoingCall, payload: bytes, relaxations: tuple[Relaxation, ...] = ()
    ) -> None:
        """End a CALL with its answer, which fits its schema, or does so without what it was forgiven."""
        try:
            status, result = connection.version.read_result(call.action, payload)
        except BaseException as error:
            passing, ours = split_exits(error)
            if passing is not None:
                raise passing from None
            log.error("gateway.result_not_understood", action=call.action, exc_info=ours)
            self._end(call, "failed", error="the answer could not be understood")
        else:
            if status == "rejected":
                call.station.gate.refused(call.action, call.payload)
            self._end(call, status, result=result, relaxations=relaxations)

    def on_invalid_result(self, connection: Connection, message_id: str, fault: Fault, payload: bytes) -> None:
        """A CALLRESULT that matches a pending CALL and breaks the schema, which a rule of the tenant may forgive.

        OCPP 2.1: the station has been told already that its answer was not understood.
        """
        call = self._take(connection, message_id)
        if call is None:
            return
        spared = None
        if connection.version.name != "ocpp2.1":
            make = call.station.make
            spared = self._tolerance.spare_answer(connection.tenant_id, make, connection.version.name, call.action, payload)
        if spared is not None:
            tell(spared.relaxations)
            self._conclude(connection, call, spared.payload, spared.relaxations)
        else:
            self._end(call, "failed", error=f"the station's answer breaks the schema: {fault.path}: {fault.rule}")

    def on_error(self, connection: Connection, message_id: str, code: str, description: str) -> None:
        """A CALLERROR that matches a pending CALL."""
        call = self._take(connection, message_id)
        if call is not None:
            call.station.gate.refused(call.action, call.payload)
            self._end(call, "failed", error=f"{code}: {description}" if description else code)

    def moved(self, station: Station) -> None:
        """The station has a new connection: the answer to what is outstanding may come there (rule T5)."""
        queue, connection = station.calls, station.connection
        if queue is None or connection is None:
            return
        call = queue.current
        if call is not None and self._is_outstanding(call) and call.action in VERSIONS[connection.ocpp_version].actions:
            connection.codec.expect(call.message_id, call.action)

    def lost(self, station: Station) -> None:
        """The station has no connection: what waits goes back to the database, what is outstanding to its time-out."""
        queue = station.calls
        if queue is None:
            return
        queue.waiting.clear()
        if queue.current is None:
            station.calls = None
        else:
            record = queue.current.record
            queue.known = set() if record is None else {record.command_id}

    def expire(self, now: float) -> None:
        """End the CALLs whose time is over; their slot is free again (rule T4)."""
        for waiting in list(self._outstanding.values()):
            while waiting and (call := next(iter(waiting))).deadline <= now:
                self._expire(call)

    def _expire(self, call: OutgoingCall) -> None:
        connection = call.station.connection
        self._release(call)
        if connection is not None:
            contained(connection, partial(connection.codec.forget, call.message_id))
        if connection is not None and connection.epoch == call.epoch:
            self._end(call, "timed_out", error="the station did not answer in time")
        else:
            self._end(call, "unknown", error="the connection was lost before an answer came")

    def abandon(self) -> None:
        """The process stops: what is outstanding has an unknown outcome."""
        for call in [call for waiting in self._outstanding.values() for call in waiting]:
            self._release(call)
            self._end(call, "unknown", error="the process was stopped before an answer came")

    def _begin(self, connection: Connection, queue: CallQueue, record: CommandRecord) -> None:
        """Check and claim one command; it leaves when the claim is committed."""
        station = connection.station
        try:
            if self._clock.now() >= record.expires_at:
                if record.hearsay:
                    queue.known.discard(record.command_id)  # the truth sweep finds its row, which says until when
                else:
                    self._finish(record, "expired", error="the command expired before it could be sent")
                return
            refusal = station.gate.refusal_of(record.command or record.action or "")
            if refusal is not None:
                self._finish(record, "failed", error=refusal)
                return
            action, payload = self._to_call(connection, record)
        except (UnsupportedCommand, msgspec.ValidationError, msgspec.DecodeError) as error:
            self._finish(record, "failed", error=str(error))
            return
        except BaseException as error:
            passing, ours = split_exits(error)
            if passing is not None:
                raise passing from None
            log.error("gateway.command_not_translated", command_id=str(record.command_id), exc_info=ours)
            self._finish(record, "failed", error="the command could not be translated")
            return
        call = queue.current = OutgoingCall(self, station, str(record.command_id), action, payload, record)
        call.epoch = connection.epoch
        claim = ClaimCommand(
            tenant_id=record.tenant_id,
            station_id=record.station_id,
            command_id=record.command_id,
            epoch=connection.epoch,
            action=action,
            reference=reference_of(action, payload),
            hearsay=_hearsay(record),
        )
        self._submission.submit(claim, call.claimed)

    def _to_call(self, connection: Connection, record: CommandRecord) -> tuple[str, bytes]:
        version: Version = connection.version
        if record.command is None:
            action, payload = record.action or "", record.parameters
        else:
            kind = _DOMAIN_COMMANDS.get(record.command)
            if kind is None:
                raise UnsupportedCommand(f"there is no command {record.command}")
            command: Any = msgspec.json.decode(record.parameters, type=kind)
            action, payload = version.to_call(command, record.command_id, connection)
        known = VERSIONS[version.name].actions.get(action)
        if known is None or not known.from_csms:
            raise UnsupportedCommand(f"{version.name} has no action {action} that a central system may call")
        fault = self._catalogue.validate(version.name, action, "request", payload)
        if fault is not None:
            raise UnsupportedCommand(f"the payload of {action} is wrong: {fault.path}: {fault.rule}: {fault.description}")
        return action, payload

    def _send(self, connection: Connection, call: OutgoingCall) -> None:
        call.epoch = connection.epoch
        call.timeout_s = call.station.call_timeout_s or self._timeout_s
        call.deadline = self._clock.monotonic() + call.timeout_s
        try:
            frame = connection.codec.encode_call(call.message_id, call.action, call.payload)
        except ValueError as error:
            self._end(call, "failed", error=str(error))
            return
        connection.station.gate.asked(call.action, call.payload)
        self._outstanding.setdefault(call.timeout_s, {})[call] = None
        connection.wire.send(frame)

    def _take(self, connection: Connection, message_id: str) -> OutgoingCall | None:
        """The outstanding CALL with this id; it is no longer outstanding."""
        queue = connection.station.calls
        call = None if queue is None else queue.current
        if call is None or call.message_id != message_id or not self._is_outstanding(call):
            return None
        self._release(call)
        newest = connection.station.connection
        if newest is not None and newest is not connection:
            newest.codec.forget(message_id)
        return call

    def _is_outstanding(self, call: OutgoingCall) -> bool:
        return call in self._outstanding.get(call.timeout_s, ())

    def _release(self, call: OutgoingCall) -> None:
        del self._outstanding[call.timeout_s][call]

    def _end(
        self,
        call: OutgoingCall,
        status: Status,
        *,
        result: bytes | None = None,
        error: str | None = None,
        relaxations: tuple[Relaxation, ...] = (),
    ) -> None:
        """Free the station's slot, store the end of the command, start the next one."""
        queue = call.station.calls
        if queue is not None and queue.current is call:
            queue.current = None
        if call.record is not None:
            self._finish(call.record, status, result=result, error=error, relaxations=relaxations)
        self.pump(call.station)

    def _finish(
        self,
        record: CommandRecord,
        status: Status,
        *,
        result: bytes | None = None,
        error: str | None = None,
        relaxations: tuple[Relaxation, ...] = (),
    ) -> None:
        metrics.COMMANDS.labels(status).inc()
        operation = FinishCommand(
            tenant_id=record.tenant_id,
            station_id=record.station_id,
            command_id=record.command_id,
            status=status,
            result=result,
            error=None if error is None else error[:LONGEST_ERROR],
            relaxations=relaxations,
            hearsay=_hearsay(record),
        )
        self._submission.submit(operation, partial(self._finished, record))

    def _finished(self, record: CommandRecord, outcome: object) -> None:
        # only now may the truth sweep meet the id again: before, the row may still have looked queued
        station = self._registry.find((record.tenant_id, record.station_id))
        if station is not None and station.calls is not None:
            station.calls.known.discard(record.command_id)
        self._finished_command(record.command_id)


def _hearsay(record: CommandRecord) -> Hearsay | None:
    return Hearsay(record.command, record.action, record.parameters) if record.hearsay else None
