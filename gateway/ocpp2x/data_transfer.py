"""DataTransfer: a message of a vendor's own."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp201.data_transfer import DataTransferRequest, DataTransferResponse
from schemas.wire import encode


def handle(context: StationContext, _request: DataTransferRequest, payload: bytes) -> Effect:
    """No vendor's messages have an agreed meaning here: kept, and the station is told so (ocpp-j-rules section 11)."""
    return record(context, "data_transfer", payload, answer=_answer)


def _answer(_outcome: None) -> bytes:
    return encode(DataTransferResponse(status="UnknownVendorId"))
