"""What the gateway tells Prometheus. No label holds anything that a station chose."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from csms.tallies import Durations, Tally
from gateway import _native

CONNECTIONS = Gauge("csms_gateway_connections", "Stations connected to this process", ["version"])
HANDSHAKES_RUNNING = Gauge("csms_gateway_handshakes_running", "Sockets that have not finished their handshake")
HANDSHAKES = Counter("csms_gateway_handshakes_total", "Handshakes by outcome", ["outcome"])
ACCEPT_ERRORS = Counter("csms_gateway_accept_errors_total", "Errors of accept() that the listener survived", ["error"])
_KINDS = {
    _native.CALL: "call",
    _native.INVALID_CALL: "invalid_call",
    _native.RESULT: "result",
    _native.INVALID_RESULT: "invalid_result",
    _native.ERROR: "error",
    _native.UNMATCHED: "unmatched",
    _native.REPLY: "reply",
    _native.DROPPED: "dropped",
    _native.PONG: "pong",
    _native.CLOSED: "closed",
    _native.VIOLATION: "violation",
    _native.SEND: "send",
    _native.RESULT_ERROR: "result_error",
}
FRAMES_IN = Tally(
    "csms_gateway_frames_in_total",
    "Events that the codec read from stations",
    "kind",
    [_KINDS.get(number, "") for number in range(max(_KINDS) + 1)],
)
"""By the number of the event's kind."""
CALLS_ANSWERED = Tally("csms_gateway_calls_answered_total", "CALLs of stations answered with a CALLRESULT")
CALLERRORS = Counter("csms_gateway_callerrors_sent_total", "CALLs of stations answered with a CALLERROR", ["code"])
BOOTS_PUT_OFF = Counter("csms_gateway_boots_put_off_total", "BootNotifications answered Pending because too many came at once")
SENDS = Counter("csms_gateway_sends_total", "SENDs of stations (OCPP 2.1), by what became of them", ["outcome"])
RESULT_ERRORS = Counter("csms_gateway_result_errors_total", "Answers of ours that stations did not understand (OCPP 2.1)")
REPLAYS = Counter("csms_gateway_replays_total", "Repeated message ids by what was done about them", ["handling"])
QUARANTINED = Counter("csms_gateway_quarantined_total", "Frames put into quarantine", ["reason"])
RELAXATIONS = Counter("csms_gateway_relaxations_total", "Faults of messages that were forgiven, by broken rule", ["action", "rule"])
REPLAYED = Counter("csms_gateway_quarantine_replays_total", "Quarantined messages taken again, by outcome", ["outcome"])
HANDLER_FAILURES = Counter("csms_gateway_handler_failures_total", "Handlers that raised")
COMMANDS = Counter("csms_gateway_commands_total", "Commands by outcome", ["outcome"])
CLOSES = Counter("csms_gateway_closes_total", "Ended connections by reason", ["reason"])
PAUSED_READS = Counter("csms_gateway_paused_reads_total", "Times that reading from a station was paused (back-pressure)")
EXTERNAL = Counter(
    "csms_gateway_external_authorization_total", "Tokens that a third party was to be asked about, by what came of it", ["outcome"]
)
COMMIT_SECONDS = Durations(
    "csms_gateway_commit_seconds",
    "From a CALL's arrival at the ledger to its answer, as the station sees it",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 25.0),
)
LOOP_LAG_SECONDS = Histogram(
    "csms_gateway_loop_lag_seconds",
    "How late the run loop wakes a timer",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
GC_PAUSE_SECONDS = Histogram(
    "csms_gateway_gc_pause_seconds",
    "Pauses of the garbage collector by generation",
    ["generation"],
    buckets=(0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0),
)
