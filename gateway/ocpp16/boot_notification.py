"""BootNotification: the charge point says what it is and asks to be let in (rules B1, B2)."""

from __future__ import annotations

from csms.domain.operations import Booted, BootStation
from gateway.common.answers import REGISTRATION_STATUS, rfc3339
from gateway.effects import Commit, Effect
from gateway.versions import StationContext
from schemas.ocpp16.core import BootNotificationRequest, BootNotificationResponse
from schemas.wire import encode


def handle(context: StationContext, request: BootNotificationRequest, _payload: bytes) -> Effect:
    """The serial number of the deprecated charge box field counts when there is no other."""

    def answer(outcome: Booted) -> bytes:
        return encode(
            BootNotificationResponse(
                status=REGISTRATION_STATUS[outcome.registration],
                current_time=rfc3339(context.clock.now()),
                interval=outcome.interval,
            )
        )

    operation = BootStation(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        epoch=context.epoch,
        ocpp_version=context.ocpp_version,
        vendor=request.charge_point_vendor,
        model=request.charge_point_model,
        serial_number=request.charge_point_serial_number or request.charge_box_serial_number,
        firmware_version=request.firmware_version,
        iccid=request.iccid,
        imsi=request.imsi,
        meter_type=request.meter_type,
        meter_serial=request.meter_serial_number,
    )
    return Commit(operation=operation, answer=answer)
