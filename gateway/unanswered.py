"""Messages of OCPP 2.1 stations that get no answer, not even an error: SEND and CALLRESULTERROR (rules F4, F7, section 10)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from csms.clock import Clock
from csms.domain.operations import OperationFailed, RecordStationEvent
from csms.domain.times import deviations
from gateway import metrics
from gateway.quota import TokenBucket
from gateway.streams import UNDER_WAY, StreamTraffic
from gateway.submission import Submission
from gateway.supervision import split_exits
from gateway.tolerance.deviations import take_deviations
from gateway.tolerance.forgiving import tell

if TYPE_CHECKING:
    from gateway.connection import Connection

log = structlog.get_logger()

RESULT_ERRORS_PER_S: Final = 0.1
RESULT_ERRORS_AT_ONCE: Final = 10.0
"""CALLRESULTERRORs of one station that are stored and logged; more are only counted."""


class _ResultError(msgspec.Struct, rename="camel", omit_defaults=True):
    """The data of the event. `answer`: what the station did not understand, where it is still known."""

    message_id: str
    error_code: str
    error_description: str
    error_details: msgspec.Raw
    answer: msgspec.Raw | None = None


class UnansweredMessages:
    """Handles them for all stations of this process."""

    def __init__(self, submission: Submission, clock: Clock) -> None:
        self._submission = submission
        self._monotonic = clock.monotonic

    def on_send(self, origin: Connection, action: str, payload: bytes) -> None:
        """A SEND that the codec has found valid."""
        metrics.SENDS.labels(self._take(origin, action, payload)).inc()

    def on_result_error(self, origin: Connection, message_id: str, code: str, description: str, details: bytes) -> None:
        """The station did not understand our answer with this id: an operator should know; nothing is repeated."""
        metrics.RESULT_ERRORS.inc()
        station = origin.station
        now = self._monotonic()
        if station.result_errors is None:
            station.result_errors = TokenBucket(RESULT_ERRORS_PER_S, RESULT_ERRORS_AT_ONCE, now)
        if station.connection is not origin or self._submission.full or not station.result_errors.take(1, now):
            return
        log.warning(
            "gateway.answer_not_understood",
            tenant_id=origin.tenant_id,
            station_id=origin.station_id,
            message_id=message_id,
            code=code,
            description=description,
        )
        answer = station.replay.answer_to(message_id)
        data = msgspec.json.encode(
            _ResultError(message_id, code, description, msgspec.Raw(details), None if answer is None else msgspec.Raw(answer))
        )
        operation = RecordStationEvent(
            tenant_id=origin.tenant_id, station_id=origin.station_id, type="answer_not_understood", data=data
        )
        self._submission.submit(operation, _stored)

    def _take(self, origin: Connection, action: str, payload: bytes) -> str:
        """Hand a SEND to the ledger; gives what became of it."""
        station = origin.station
        if station.connection is not origin:
            return "displaced"
        if not station.gate.admits(action, payload):
            return "gate"
        try:
            operation = origin.version.handle_send(origin, action, payload)
            if deviations:
                relaxations = take_deviations(origin.version.name, action, payload)
                tell(relaxations)
                if operation is not None:
                    operation.relaxations = relaxations
        except BaseException as error:
            passing, ours = split_exits(error)
            if passing is not None:
                raise passing from None
            metrics.HANDLER_FAILURES.inc()
            log.error("gateway.send_failed", station_id=origin.station_id, action=action, exc_info=ours)
            return "failed"
        if operation is None:
            return "unknown"
        traffic = station.streams
        if traffic is None:
            traffic = station.streams = StreamTraffic()
        if not traffic.allows(operation.stream_id, len(payload), self._monotonic()):
            return "quota"
        if self._submission.full or traffic.under_way >= UNDER_WAY:
            return "store_busy"
        traffic.under_way += 1
        self._submission.submit(operation, partial(_settled, origin.station_id, operation.stream_id, traffic))
        return "taken"


def _settled(station_id: int, stream_id: int, traffic: StreamTraffic, outcome: object) -> None:
    """The ledger is done with the values of a stream."""
    traffic.under_way -= 1
    if isinstance(outcome, OperationFailed):
        metrics.SENDS.labels("not_stored").inc()
    elif outcome is False:
        metrics.SENDS.labels("stream_not_open").inc()
        if traffic.first_refusal(stream_id):
            log.info("gateway.stream_not_open", station_id=station_id, stream_id=stream_id)
    else:
        metrics.SENDS.labels("stored").inc()


def _stored(outcome: object) -> None:
    """The ledger logs what it cannot store."""
