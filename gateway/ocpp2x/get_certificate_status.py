"""GetCertificateStatus: the station asks whether a certificate was revoked (M06)."""

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
    _request: ocpp201.GetCertificateStatusRequest | ocpp21.GetCertificateStatusRequest,
    payload: bytes,
) -> Effect:
    """Nobody asks OCSP responders here: the status could not be had, which says nothing about the certificate."""
    return record(context, "certificate_status_request", payload, answer=_answer)


def _answer(_outcome: None) -> bytes:
    info = not_supported("OCSP responders are not asked")
    return encode(ocpp201.GetCertificateStatusResponse(status="Failed", status_info=info))
