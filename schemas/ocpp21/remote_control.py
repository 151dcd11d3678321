"""OCPP 2.1, part 2, functional block F: remote control."""

from typing import Annotated

from schemas.annotations import Range, Text
from schemas.ocpp21.datatypes import ChargingProfileType, EVSEType, IdTokenType, StatusInfoType
from schemas.ocpp21.enums import MessageTriggerEnumType
from schemas.ocpp201.enums import RequestStartStopStatusEnumType, TriggerMessageStatusEnumType, UnlockStatusEnumType
from schemas.structs import ExtensibleObject


class RequestStartTransactionRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask to start charging for a token. CSMS to station."""

    id_token: IdTokenType
    remote_start_id: int  # station returns it in TransactionEvent
    evse_id: Annotated[int, Range(min=1)] | None = None  # absent: station picks or rejects
    group_id_token: IdTokenType | None = None
    charging_profile: ChargingProfileType | None = None  # purpose TxProfile, no transactionId


class RequestStartTransactionResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to RequestStartTransactionRequest."""

    status: RequestStartStopStatusEnumType
    status_info: StatusInfoType | None = None
    transaction_id: Annotated[str, Text(max=36)] | None = None  # if a transaction already runs (cable first)


class RequestStopTransactionResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to RequestStopTransactionRequest."""

    status: RequestStartStopStatusEnumType
    status_info: StatusInfoType | None = None


class TriggerMessageRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask the station to send one of its messages now. CSMS to station."""

    requested_message: MessageTriggerEnumType
    evse: EVSEType | None = None  # absent = all that apply; StatusNotification needs the connector
    custom_trigger: Annotated[str, Text(max=50)] | None = None  # with requestedMessage CustomTrigger


class TriggerMessageResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to TriggerMessageRequest."""

    status: TriggerMessageStatusEnumType
    status_info: StatusInfoType | None = None


class UnlockConnectorRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Release the cable lock of one connector. CSMS to station."""

    evse_id: Annotated[int, Range(min=0)]
    connector_id: Annotated[int, Range(min=0)]


class UnlockConnectorResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to UnlockConnectorRequest."""

    status: UnlockStatusEnumType
    status_info: StatusInfoType | None = None
