"""What the metrics tell of OCPI."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

MESSAGES: Final = Counter("csms_ocpi_messages", "OCPI messages", ["direction", "module", "result"])
UNLOGGED: Final = Counter("csms_ocpi_unlogged_messages", "OCPI messages for which the log had no room or no database")
REQUEST_SECONDS: Final = Histogram("csms_ocpi_request_seconds", "Duration of requests to partners", ["module"])
CIRCUITS_OPEN: Final = Gauge("csms_ocpi_circuits_open", "Partners that are left alone after failures")
PUSH_AGE: Final = Histogram(
    "csms_ocpi_push_seconds",
    "From the change of an object to its receiver's answer",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
RELAYS: Final = Gauge("csms_ocpi_relays", "Messages on their way through the hub")
RELAYS_REFUSED: Final = Counter("csms_ocpi_refused_relays", "Messages that the hub did not pass on", ["reason"])
BROADCASTS: Final = Counter("csms_ocpi_broadcasts", "Messages to everybody that the hub has taken", ["module"])
PUSHES_WAITING: Final = Gauge("csms_ocpi_pushes_waiting", "Changed objects that receivers have not been told of")
