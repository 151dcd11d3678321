"""BootNotification: the station says what it is and asks to be let in (B01 to B03)."""

from __future__ import annotations

import msgspec

from csms.domain.operations import Booted, BootStation, RecordStationEvent
from gateway.closing import CloseReason
from gateway.common.answers import REGISTRATION_STATUS, rfc3339
from gateway.effects import Commit, Effect, HangUp
from gateway.versions import StationContext
from schemas.ocpp201.provisioning import BootNotificationRequest, BootNotificationResponse
from schemas.wire import encode


def handle(context: StationContext, request: BootNotificationRequest, _payload: bytes) -> Effect:
    def answer(outcome: Booted) -> bytes:
        return encode(
            BootNotificationResponse(
                current_time=rfc3339(context.clock.now()),
                interval=outcome.interval,
                status=REGISTRATION_STATUS[outcome.registration],
            )
        )

    station = request.charging_station
    name = context.certificate_name
    if name is not None and station.serial_number != name:
        # rule B8: the certificate was made for another station
        told = {"certificate_name": name, "serial_number": station.serial_number}
        event = RecordStationEvent(
            tenant_id=context.tenant_id,
            station_id=context.station_id,
            type="wrong_certificate",
            data=msgspec.json.encode(told),
        )
        return HangUp(CloseReason.WRONG_CERTIFICATE, event)
    modem = station.modem
    operation = BootStation(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        epoch=context.epoch,
        ocpp_version=context.ocpp_version,
        vendor=station.vendor_name,
        model=station.model,
        serial_number=station.serial_number,
        firmware_version=station.firmware_version,
        iccid=None if modem is None else modem.iccid,
        imsi=None if modem is None else modem.imsi,
        reason=request.reason,
    )
    return Commit(operation=operation, answer=answer)
