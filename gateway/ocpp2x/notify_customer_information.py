"""NotifyCustomerInformation: a part of what the station knows of a customer (N09, N10)."""

from __future__ import annotations

from csms.domain.times import parse_station_time
from gateway.common.station_events import record
from gateway.effects import Effect
from gateway.versions import StationContext
from schemas.ocpp21 import diagnostics as ocpp21
from schemas.ocpp201 import diagnostics as ocpp201


def handle(
    context: StationContext,
    request: ocpp201.NotifyCustomerInformationRequest | ocpp21.NotifyCustomerInformationRequest,
    payload: bytes,
) -> Effect:
    """The text is personal data: kept for whoever asked, never logged."""
    return record(
        context,
        "customer_information",
        payload,
        parse_station_time(request.generated_at),
        reference=request.request_id,
        caused_by=("CustomerInformation",),
    )
