"""GetCertificateChainStatus: the station asks whether certificates of a vehicle's chain were revoked (M07)."""

from __future__ import annotations

from gateway.common.answers import rfc3339
from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21.certificate_management import GetCertificateChainStatusRequest, GetCertificateChainStatusResponse
from schemas.ocpp21.datatypes import CertificateStatusType
from schemas.wire import encode


def handle(context: StationContext, request: GetCertificateChainStatusRequest, payload: bytes) -> Effect:
    """Nobody asks OCSP responders or reads revocation lists here: none of the statuses could be had.

    An entry must say until when it holds; this one holds for no longer than now.
    """

    def answer(_outcome: None) -> bytes:
        now = rfc3339(context.clock.now())
        return encode(
            GetCertificateChainStatusResponse(
                certificate_status=[
                    CertificateStatusType(
                        certificate_hash_data=asked.certificate_hash_data, source=asked.source, status="Failed", next_update=now
                    )
                    for asked in request.certificate_status_requests
                ]
            )
        )

    return record(context, "certificate_chain_status_request", payload, answer=answer)
