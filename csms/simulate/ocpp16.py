"""A charge point of OCPP 1.6."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from csms.simulate.commands16 import COMMANDS
from csms.simulate.dialect import BootAnswer, BootReason, MeterContext, Orders
from csms.simulate.link import Answer
from csms.simulate.message import Message
from csms.simulate.reservations import Update
from csms.simulate.serving import serve
from csms.simulate.timeline import wire_time
from csms.simulate.transaction import ConnectorState, Report, StopReason, Transaction
from csms.simulate.vehicle import Sample
from schemas import wire
from schemas.ocpp16.core import (
    AuthorizeRequest,
    AuthorizeResponse,
    BootNotificationRequest,
    BootNotificationResponse,
    HeartbeatRequest,
    MeterValuesRequest,
    StartTransactionRequest,
    StartTransactionResponse,
    StatusNotificationRequest,
    StopTransactionRequest,
    StopTransactionResponse,
)
from schemas.ocpp16.datatypes import MeterValue, SampledValue

_Reason = Literal["Local", "EVDisconnected", "Remote", "DeAuthorized", "SoftReset", "HardReset", "UnlockCommand"]
_Status = Literal["Available", "Reserved", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Unavailable"]

_REASONS: Final[dict[StopReason, _Reason]] = {
    "local": "Local",
    "ev_disconnected": "EVDisconnected",
    "remote": "Remote",
    "deauthorized": "DeAuthorized",
    "soft_reset": "SoftReset",
    "hard_reset": "HardReset",
    "unlock": "UnlockCommand",
}
_STATES: Final[dict[ConnectorState, _Status]] = {
    "available": "Available",
    "reserved": "Reserved",
    "preparing": "Preparing",
    "charging": "Charging",
    "suspended_ev": "SuspendedEV",
    "suspended_evse": "SuspendedEVSE",
    "finishing": "Finishing",
    "unavailable": "Unavailable",
}
_NEVER_ANSWERED: Final = -1  # the transaction id of a transaction whose start was never answered (rule X5)


class Ocpp16:
    """What a 1.6 station says."""

    subprotocol = "ocpp1.6"
    station_has_state = True

    def boot(self, identity: str, reason: BootReason) -> Message:
        return Message(
            "BootNotification",
            BootNotificationRequest(
                charge_point_vendor="Open-CSMS",
                charge_point_model="Virtual",
                charge_point_serial_number=identity[:25],
                firmware_version="1.0",
            ),
        )

    def read_boot(self, payload: bytes) -> BootAnswer:
        answer = wire.decode(payload, BootNotificationResponse)
        return BootAnswer(answer.status == "Accepted", answer.interval)

    def heartbeat(self) -> Message:
        return Message("Heartbeat", HeartbeatRequest())

    def state(self, evse_id: int, state: ConnectorState, now: datetime) -> Message:
        return Message(
            "StatusNotification",
            StatusNotificationRequest(connector_id=evse_id, error_code="NoError", status=_STATES[state], timestamp=wire_time(now)),
        )

    def reservation_ended(self, reservation_id: int, update: Update) -> None:
        """The state of the connector is all that is told."""

    def authorize(self, id_token: str) -> Message:
        return Message("Authorize", AuthorizeRequest(id_tag=id_token))

    def read_authorize(self, payload: bytes) -> bool:
        return wire.decode(payload, AuthorizeResponse).id_tag_info.status == "Accepted"

    def meter_values(self, evse_id: int, sample: Sample, now: datetime) -> Message:
        return Message(
            "MeterValues",
            MeterValuesRequest(connector_id=evse_id, meter_value=[_meter_value(sample, now, "Trigger")]),
        )

    def started(self, transaction: Transaction, sample: Sample, *, offline: bool) -> Report:
        message = Message(
            "StartTransaction",
            StartTransactionRequest(
                connector_id=transaction.evse_id,
                id_tag=transaction.id_token,
                meter_start=transaction.meter_start_wh,
                timestamp=wire_time(transaction.started_at),
                reservation_id=transaction.reservation_id,
            ),
        )

        def verdict(payload: bytes) -> bool:
            answer = wire.decode(payload, StartTransactionResponse)
            transaction.transaction_id = answer.transaction_id
            return answer.id_tag_info.status == "Accepted"

        return Report(lambda: message, verdict, samples=0)

    def metered(self, transaction: Transaction, sample: Sample, now: datetime, context: MeterContext, *, offline: bool) -> Report:
        values = [_meter_value(sample, now, context)]

        def build() -> Message:
            return Message(
                "MeterValues",
                MeterValuesRequest(connector_id=transaction.evse_id, meter_value=values, transaction_id=_number(transaction)),
            )

        return Report(build, lambda payload: True, samples=1, droppable=True)

    def ended(self, transaction: Transaction, sample: Sample, now: datetime, reason: StopReason, *, offline: bool) -> Report:
        def build() -> Message:
            return Message(
                "StopTransaction",
                StopTransactionRequest(
                    meter_stop=sample.register_wh,
                    timestamp=wire_time(now),
                    transaction_id=_number(transaction),
                    id_tag=transaction.id_token if reason == "local" else None,
                    reason=_REASONS[reason],
                ),
            )

        def verdict(payload: bytes) -> bool:
            wire.decode(payload, StopTransactionResponse)
            return True

        return Report(build, verdict, samples=0)

    def transaction_id(self, transaction: Transaction) -> str | None:
        return None if transaction.transaction_id is None else str(transaction.transaction_id)

    def stop_reason(self, reason: StopReason) -> str:
        return _REASONS[reason]

    def answer(self, orders: Orders, action: str, payload: bytes) -> Answer:
        return serve(COMMANDS, orders, action, payload)


def _number(transaction: Transaction) -> int:
    return _NEVER_ANSWERED if transaction.transaction_id is None else transaction.transaction_id


def _meter_value(sample: Sample, now: datetime, context: MeterContext) -> MeterValue:
    return MeterValue(
        timestamp=wire_time(now),
        sampled_value=[
            SampledValue(value=str(sample.register_wh), context=context, measurand="Energy.Active.Import.Register", unit="Wh"),
            SampledValue(value=str(sample.power_w), context=context, measurand="Power.Active.Import", unit="W"),
            SampledValue(value=sample.current_a, context=context, measurand="Current.Import", unit="A"),
            SampledValue(value=str(sample.voltage_v), context=context, measurand="Voltage", unit="V"),
            SampledValue(value=str(sample.soc_percent), context=context, measurand="SoC", location="EV", unit="Percent"),
        ],
    )
