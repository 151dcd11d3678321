"""SignCertificate: the station hands in a request for a certificate (A02, A03)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.ocpp2x.answers import not_supported
from gateway.versions import StationContext
from schemas.ocpp21 import security as ocpp21
from schemas.ocpp201 import security as ocpp201
from schemas.wire import encode


def handle(
    context: StationContext, _request: ocpp201.SignCertificateRequest | ocpp21.SignCertificateRequest, payload: bytes
) -> Effect:
    """There is no certificate authority here, so nobody would ever send the certificate: rejected, and kept for operators."""
    return record(context, "sign_certificate", payload, answer=_answer)


def _answer(_outcome: None) -> bytes:
    info = not_supported("no certificate authority is connected")
    return encode(ocpp201.SignCertificateResponse(status="Rejected", status_info=info))
