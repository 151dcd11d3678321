"""A charging station of OCPP 2.0.1."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from csms.simulate.commands201 import COMMANDS
from csms.simulate.dialect import BootAnswer, BootReason, MeterContext, Orders
from csms.simulate.link import Answer
from csms.simulate.message import Message
from csms.simulate.reservations import Update
from csms.simulate.serving import serve
from csms.simulate.timeline import wire_time
from csms.simulate.transaction import ConnectorState, Report, StopReason, Transaction
from csms.simulate.vehicle import Sample
from schemas import wire
from schemas.ocpp201.authorization import AuthorizeRequest, AuthorizeResponse
from schemas.ocpp201.availability import HeartbeatRequest, StatusNotificationRequest
from schemas.ocpp201.datatypes import (
    ChargingStationType,
    EVSEType,
    IdTokenType,
    MeterValueType,
    SampledValueType,
    TransactionType,
    UnitOfMeasureType,
)
from schemas.ocpp201.enums import ConnectorStatusEnumType, IdTokenEnumType
from schemas.ocpp201.meter_values import MeterValuesRequest
from schemas.ocpp201.provisioning import BootNotificationRequest, BootNotificationResponse
from schemas.ocpp201.reservation import ReservationStatusUpdateRequest
from schemas.ocpp201.transactions import TransactionEventRequest, TransactionEventResponse

_StoppedReason = Literal["Local", "EVDisconnected", "Remote", "DeAuthorized", "Reboot", "ImmediateReset", "Other"]
_EndTrigger = Literal["StopAuthorized", "EVCommunicationLost", "RemoteStop", "Deauthorized", "ResetCommand", "UnlockCommand"]
_Context = Literal["Sample.Periodic", "Trigger", "Transaction.Begin", "Transaction.End"]

_REASONS: Final[dict[StopReason, tuple[_StoppedReason, _EndTrigger]]] = {
    "local": ("Local", "StopAuthorized"),
    "ev_disconnected": ("EVDisconnected", "EVCommunicationLost"),
    "remote": ("Remote", "RemoteStop"),
    "deauthorized": ("DeAuthorized", "Deauthorized"),
    "soft_reset": ("Reboot", "ResetCommand"),
    "hard_reset": ("ImmediateReset", "ResetCommand"),
    "unlock": ("Other", "UnlockCommand"),
}
_STATES: Final[dict[ConnectorState, ConnectorStatusEnumType]] = {
    "available": "Available",
    "reserved": "Reserved",
    "unavailable": "Unavailable",
}
_BOOT_REASONS: Final[dict[BootReason, Literal["PowerUp", "RemoteReset", "Triggered"]]] = {
    "power_up": "PowerUp",
    "remote_reset": "RemoteReset",
    "triggered": "Triggered",
}


class Ocpp201:
    """What a 2.0.1 station says. Each EVSE has one connector, number 1."""

    subprotocol = "ocpp2.0.1"
    station_has_state = False

    def boot(self, identity: str, reason: BootReason) -> Message:
        return Message(
            "BootNotification",
            BootNotificationRequest(
                charging_station=ChargingStationType(
                    model="Virtual", vendor_name="Open-CSMS", serial_number=identity[:25], firmware_version="1.0"
                ),
                reason=_BOOT_REASONS[reason],
            ),
        )

    def read_boot(self, payload: bytes) -> BootAnswer:
        answer = wire.decode(payload, BootNotificationResponse)
        return BootAnswer(answer.status == "Accepted", answer.interval)

    def heartbeat(self) -> Message:
        return Message("Heartbeat", HeartbeatRequest())

    def state(self, evse_id: int, state: ConnectorState, now: datetime) -> Message:
        status = _STATES.get(state, "Occupied")
        return Message(
            "StatusNotification",
            StatusNotificationRequest(timestamp=wire_time(now), connector_status=status, evse_id=evse_id, connector_id=1),
        )

    def reservation_ended(self, reservation_id: int, update: Update) -> Message:
        told = ReservationStatusUpdateRequest(reservation_id=reservation_id, reservation_update_status=update)
        return Message("ReservationStatusUpdate", told)

    def authorize(self, id_token: str) -> Message:
        return Message("Authorize", AuthorizeRequest(id_token=_token(id_token)))

    def read_authorize(self, payload: bytes) -> bool:
        return wire.decode(payload, AuthorizeResponse).id_token_info.status == "Accepted"

    def meter_values(self, evse_id: int, sample: Sample, now: datetime) -> Message:
        return Message("MeterValues", MeterValuesRequest(evse_id=evse_id, meter_value=[_meter_value(sample, now, "Trigger")]))

    def started(self, transaction: Transaction, sample: Sample, *, offline: bool) -> Report:
        remote = transaction.remote_start_id is not None
        request = TransactionEventRequest(
            event_type="Started",
            timestamp=wire_time(transaction.started_at),
            trigger_reason="RemoteStart" if remote else "Authorized",
            seq_no=transaction.take_seq_no(),
            transaction_info=TransactionType(
                transaction_id=transaction.reference,
                charging_state="Charging",
                remote_start_id=transaction.remote_start_id,
            ),
            meter_value=[_meter_value(sample, transaction.started_at, "Transaction.Begin")],
            offline=offline or None,
            evse=EVSEType(id=transaction.evse_id, connector_id=1),
            id_token=_token(transaction.id_token, transaction.token_type),
            reservation_id=transaction.reservation_id,
        )
        return _report(request, droppable=False)

    def metered(self, transaction: Transaction, sample: Sample, now: datetime, context: MeterContext, *, offline: bool) -> Report:
        request = TransactionEventRequest(
            event_type="Updated",
            timestamp=wire_time(now),
            trigger_reason="Trigger" if context == "Trigger" else "MeterValuePeriodic",
            seq_no=transaction.take_seq_no(),
            transaction_info=TransactionType(transaction_id=transaction.reference),
            meter_value=[_meter_value(sample, now, context)],
            offline=offline or None,
        )
        return _report(request, droppable=True)

    def ended(self, transaction: Transaction, sample: Sample, now: datetime, reason: StopReason, *, offline: bool) -> Report:
        stopped_reason, trigger = _REASONS[reason]
        request = TransactionEventRequest(
            event_type="Ended",
            timestamp=wire_time(now),
            trigger_reason=trigger,
            seq_no=transaction.take_seq_no(),
            transaction_info=TransactionType(
                transaction_id=transaction.reference,
                charging_state="Idle",
                time_spent_charging=int((now - transaction.started_at).total_seconds()),
                stopped_reason=stopped_reason,
            ),
            meter_value=[_meter_value(sample, now, "Transaction.End")],
            offline=offline or None,
            id_token=_token(transaction.id_token, transaction.token_type) if reason == "local" else None,
        )
        return _report(request, droppable=False)

    def transaction_id(self, transaction: Transaction) -> str | None:
        return transaction.reference

    def stop_reason(self, reason: StopReason) -> str:
        return _REASONS[reason][0]

    def answer(self, orders: Orders, action: str, payload: bytes) -> Answer:
        return serve(COMMANDS, orders, action, payload)


def _token(id_token: str, token_type: IdTokenEnumType | None = None) -> IdTokenType:
    return IdTokenType(id_token=id_token, type=token_type or "ISO14443")


def _report(request: TransactionEventRequest, *, droppable: bool) -> Report:
    message = Message("TransactionEvent", request)

    def verdict(payload: bytes) -> bool:
        info = wire.decode(payload, TransactionEventResponse).id_token_info
        return info is None or info.status == "Accepted"

    return Report(lambda: message, verdict, samples=len(request.meter_value or ()), droppable=droppable)


def _meter_value(sample: Sample, now: datetime, context: _Context) -> MeterValueType:
    return MeterValueType(
        timestamp=wire_time(now),
        sampled_value=[
            SampledValueType(
                value=Decimal(sample.register_wh),
                context=context,
                measurand="Energy.Active.Import.Register",
                unit_of_measure=UnitOfMeasureType(unit="Wh"),
            ),
            SampledValueType(
                value=Decimal(sample.power_w),
                context=context,
                measurand="Power.Active.Import",
                unit_of_measure=UnitOfMeasureType(unit="W"),
            ),
            SampledValueType(
                value=Decimal(sample.current_a),
                context=context,
                measurand="Current.Import",
                unit_of_measure=UnitOfMeasureType(unit="A"),
            ),
            SampledValueType(
                value=Decimal(sample.voltage_v),
                context=context,
                measurand="Voltage",
                unit_of_measure=UnitOfMeasureType(unit="V"),
            ),
            SampledValueType(
                value=Decimal(sample.soc_percent),
                context=context,
                measurand="SoC",
                location="EV",
                unit_of_measure=UnitOfMeasureType(unit="Percent"),
            ),
        ],
    )
