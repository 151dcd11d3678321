"""Get15118EVCertificate: a vehicle asks for its contract certificate (M01, M02)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.ocpp2x.answers import not_supported
from gateway.versions import StationContext
from schemas.ocpp21 import certificate_management as ocpp21
from schemas.ocpp201 import certificate_management as ocpp201
from schemas.wire import encode


def handle(
    context: StationContext,
    _request: ocpp201.Get15118EVCertificateRequest | ocpp21.Get15118EVCertificateRequest,
    payload: bytes,
) -> Effect:
    """No pool of contract certificates is connected. The answer must have an exiResponse, which is empty then."""
    return record(context, "ev_certificate_request", payload, answer=_answer)


def _answer(_outcome: None) -> bytes:
    info = not_supported("no contract certificate pool is connected")
    return encode(ocpp201.Get15118EVCertificateResponse(status="Failed", exi_response="", status_info=info))
