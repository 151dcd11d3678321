"""Object datatypes that several functional blocks of OCPP 2.0.1 share."""

from typing import Annotated

from schemas.annotations import DateTimeString, Items, Text
from schemas.ocpp201.enums import (
    AuthorizationStatusEnumType,
    ChargingStateEnumType,
    IdTokenEnumType,
    MessageFormatEnumType,
    ReasonEnumType,
)
from schemas.structs import ExtensibleObject


class StatusInfoType(ExtensibleObject, frozen=True, kw_only=True):
    """Why a status was given: a reason code and a text."""

    reason_code: Annotated[str, Text(max=20)]  # from the standard's list, or own; compares case-insensitively
    additional_info: Annotated[str, Text(max=512)] | None = None


class EVSEType(ExtensibleObject, frozen=True, kw_only=True):
    """An EVSE, or one connector of it."""

    id: int  # from 1
    connector_id: int | None = None  # from 1, per EVSE


class AdditionalInfoType(ExtensibleObject, frozen=True, kw_only=True):
    """A further identifier that comes with an id token."""

    additional_id_token: Annotated[str, Text(max=36)]
    type: Annotated[str, Text(max=50)]  # agreed custom name


class IdTokenType(ExtensibleObject, frozen=True, kw_only=True):
    """An id token as presented; type NoAuthorization goes with an empty idToken."""

    id_token: Annotated[str, Text(max=36)]  # identifierString, case-insensitive; empty for NoAuthorization
    type: IdTokenEnumType
    additional_info: Annotated[list[AdditionalInfoType], Items(min=1)] | None = None


class MessageContentType(ExtensibleObject, frozen=True, kw_only=True):
    """A text for the driver, with its format and language."""

    format: MessageFormatEnumType
    content: Annotated[str, Text(max=512)]
    language: Annotated[str, Text(max=8)] | None = None  # RFC 5646 tag


class IdTokenInfoType(ExtensibleObject, frozen=True, kw_only=True):
    """Verdict on an id token; feeds the authorization cache."""

    status: AuthorizationStatusEnumType
    cache_expiry_date_time: DateTimeString | None = None  # cache life of the entry
    charging_priority: int | None = None  # -9..9, default 0
    language1: Annotated[str, Text(max=8)] | None = None  # RFC 5646 tag
    evse_id: Annotated[list[int], Items(min=1)] | None = None  # only these EVSEs; absent = all
    group_id_token: IdTokenType | None = None
    language2: Annotated[str, Text(max=8)] | None = None  # second choice, differs from language1
    personal_message: MessageContentType | None = None  # text for the driver, e.g. tariff


class AuthorizationData(ExtensibleObject, frozen=True, kw_only=True):
    """One entry of the local authorization list, or a change of one."""

    id_token: IdTokenType
    id_token_info: IdTokenInfoType | None = None  # absent in Differential = delete


class TransactionType(ExtensibleObject, frozen=True, kw_only=True):
    """The transaction an event belongs to."""

    transaction_id: Annotated[str, Text(max=36)]  # identifierString, unique per station for ever
    charging_state: ChargingStateEnumType | None = None  # when changed
    time_spent_charging: int | None = None  # s
    stopped_reason: ReasonEnumType | None = None  # absent = Local
    remote_start_id: int | None = None  # from the remote start


class FirmwareType(ExtensibleObject, frozen=True, kw_only=True):
    """Where firmware is, when to fetch and install it, and what proves its origin."""

    location: Annotated[str, Text(max=512)]  # download URL
    retrieve_date_time: DateTimeString  # not before
    install_date_time: DateTimeString | None = None  # absent = at once
    signing_certificate: Annotated[str, Text(max=5500)] | None = None  # PEM; needed for secure update
    signature: Annotated[str, Text(max=800)] | None = None  # base64; needed for secure update


class LogParametersType(ExtensibleObject, frozen=True, kw_only=True):
    """Where a log goes and which span of time it covers."""

    remote_location: Annotated[str, Text(max=512)]  # upload URL
    oldest_timestamp: DateTimeString | None = None
    latest_timestamp: DateTimeString | None = None
