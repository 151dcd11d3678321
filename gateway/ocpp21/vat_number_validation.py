"""VatNumberValidation: the station asks whether a VAT number is right (C18)."""

from __future__ import annotations

from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.ocpp21.answers import not_supported
from gateway.versions import StationContext
from schemas.ocpp21.authorization import VatNumberValidationRequest, VatNumberValidationResponse
from schemas.wire import encode


def handle(context: StationContext, request: VatNumberValidationRequest, payload: bytes) -> Effect:
    """Nobody asks the registers of VAT numbers here, so none is confirmed."""

    def answer(_outcome: None) -> bytes:
        info = not_supported("VAT numbers cannot be checked")
        return encode(
            VatNumberValidationResponse(vat_number=request.vat_number, status="Rejected", status_info=info, evse_id=request.evse_id)
        )

    return record(context, "vat_number_validation", payload, answer=answer)
