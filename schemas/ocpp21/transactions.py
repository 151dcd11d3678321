"""OCPP 2.1, part 2, functional block E: transactions."""

from decimal import Decimal
from typing import Annotated

from schemas.annotations import DateTimeString, Items, Range
from schemas.ocpp21.datatypes import (
    CostDetailsType,
    EVSEType,
    IdTokenInfoType,
    IdTokenType,
    MessageContentType,
    MeterValueType,
    TransactionLimitType,
    TransactionType,
)
from schemas.ocpp21.enums import PreconditioningStatusEnumType, TriggerReasonEnumType
from schemas.ocpp201.enums import TransactionEventEnumType
from schemas.structs import ExtensibleObject


class TransactionEventRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Start, progress and end of a transaction. Station to CSMS."""

    event_type: TransactionEventEnumType
    timestamp: DateTimeString  # when it happened
    trigger_reason: TriggerReasonEnumType
    seq_no: Annotated[int, Range(min=0)]  # +1 per event of the transaction, from 0
    transaction_info: TransactionType
    meter_value: Annotated[list[MeterValueType], Items(min=1)] | None = None  # readings for this event
    offline: bool | None = None  # happened while offline (default false)
    number_of_phases_used: Annotated[int, Range(min=0, max=3)] | None = None  # when known/changed
    cable_max_current: int | None = None  # A
    reservation_id: Annotated[int, Range(min=0)] | None = None  # once, if a reservation is consumed
    evse: EVSEType | None = None  # once, after the EV is connected
    id_token: IdTokenType | None = None  # once when authorized, once when stopped
    cost_details: CostDetailsType | None = None  # local cost calculation
    preconditioning_status: PreconditioningStatusEnumType | None = None  # battery preconditioning
    evse_sleep: bool | None = None  # electronics asleep (default false)


class TransactionEventResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to TransactionEventRequest."""

    total_cost: Decimal | None = None  # running or final cost incl. tax; 0.00 = free; absent = unknown
    charging_priority: int | None = None  # -9..9; only this transaction; default 0
    id_token_info: IdTokenInfoType | None = None  # required if idToken was sent
    updated_personal_message: MessageContentType | None = None  # e.g. new tariff text
    transaction_limit: TransactionLimitType | None = None  # set limits once
    updated_personal_message_extra: Annotated[list[MessageContentType], Items(min=1, max=4)] | None = None  # more languages
