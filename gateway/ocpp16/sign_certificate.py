"""SignCertificate (security extension): the charge point hands in a request for its certificate."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp16.security import SignCertificateRequest, SignCertificateResponse
from schemas.wire import encode


def handle(context: StationContext, _request: SignCertificateRequest, payload: bytes) -> Effect:
    """There is no certificate authority here, so nobody would ever send the certificate: rejected, and kept for operators."""
    return record(context, "sign_certificate", payload, answer=_answer)


def _answer(_outcome: None) -> bytes:
    return encode(SignCertificateResponse(status="Rejected"))
