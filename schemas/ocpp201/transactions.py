"""OCPP 2.0.1 edition 3, part 2, functional block E: transactions."""

from decimal import Decimal
from typing import Annotated

from schemas.annotations import DateTimeString, Items, Text
from schemas.ocpp201.datatypes import (
    EVSEType,
    IdTokenInfoType,
    IdTokenType,
    MessageContentType,
    MeterValueType,
    TransactionType,
)
from schemas.ocpp201.enums import TransactionEventEnumType, TriggerReasonEnumType
from schemas.structs import ExtensibleObject


class GetTransactionStatusRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask whether a transaction runs and whether messages are still queued. CSMS to station."""

    transaction_id: Annotated[str, Text(max=36)] | None = None  # absent = ask for any queued messages


class GetTransactionStatusResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetTransactionStatusRequest."""

    messages_in_queue: bool  # undelivered TransactionEvents
    ongoing_indicator: bool | None = None  # absent if no id was asked


class TransactionEventRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Start, progress and end of a transaction. Station to CSMS."""

    event_type: TransactionEventEnumType
    timestamp: DateTimeString  # when it happened
    trigger_reason: TriggerReasonEnumType
    seq_no: int  # +1 per event of the transaction, from 0
    transaction_info: TransactionType
    meter_value: Annotated[list[MeterValueType], Items(min=1)] | None = None  # readings for this event
    offline: bool | None = None  # happened while offline (default false)
    number_of_phases_used: int | None = None  # when known/changed
    cable_max_current: int | None = None  # A
    reservation_id: int | None = None  # once, if a reservation is consumed
    evse: EVSEType | None = None  # once, after the EV is connected
    id_token: IdTokenType | None = None  # once when authorized, once when stopped


class TransactionEventResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to TransactionEventRequest."""

    total_cost: Decimal | None = None  # running or final cost incl. tax; 0.00 = free; absent = unknown
    charging_priority: int | None = None  # -9..9; only this transaction; default 0
    id_token_info: IdTokenInfoType | None = None  # required if idToken was sent
    updated_personal_message: MessageContentType | None = None  # e.g. new tariff text
