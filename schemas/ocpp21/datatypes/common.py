"""Datatypes of OCPP 2.1, part 2: used in several functional blocks."""

from decimal import Decimal
from typing import Annotated

from msgspec import field

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.ocpp21.enums import MessageFormatEnumType, OperationModeEnumType, ReasonEnumType
from schemas.ocpp201.enums import AuthorizationStatusEnumType, ChargingStateEnumType
from schemas.structs import ExtensibleObject


class AdditionalInfoType(ExtensibleObject, frozen=True, kw_only=True):
    """A further identifier that comes with an id token."""

    additional_id_token: Annotated[str, Text(max=255)]
    # an agreed name; standard: EVCCID, ISO14443SubType and, of ad hoc payments, PspRef, SessionRef, MerchantRef, PaymentBrand,
    # ReadingMethod, PaymentRecognition, CardBin, CardLast4Digits, CardExpiryDate, HashedCardNr, WalletUserId
    type: Annotated[str, Text(max=50)]


class AddressType(ExtensibleObject, frozen=True, kw_only=True):
    """A postal address, for a receipt."""

    name: Annotated[str, Text(max=50)]
    address1: Annotated[str, Text(max=100)]
    city: Annotated[str, Text(max=100)]
    country: Annotated[str, Text(max=50)]
    address2: Annotated[str, Text(max=100)] | None = None
    postal_code: Annotated[str, Text(max=20)] | None = None


class IdTokenType(ExtensibleObject, frozen=True, kw_only=True):
    """An id token as presented; type NoAuthorization goes with an empty idToken."""

    id_token: Annotated[str, Text(max=255)]  # identifierString, case-insensitive; empty for NoAuthorization
    # standard: Central, DirectPayment, eMAID, EVCCID, ISO14443, ISO15693, KeyCode, Local, MacAddress, NoAuthorization, VIN
    type: Annotated[str, Text(max=20)]
    additional_info: Annotated[list[AdditionalInfoType], Items(min=1)] | None = None


class MessageContentType(ExtensibleObject, frozen=True, kw_only=True):
    """A text for the driver, with its format and language."""

    format: MessageFormatEnumType
    content: Annotated[str, Text(max=1024)]
    language: Annotated[str, Text(max=8)] | None = None  # RFC 5646 tag


class IdTokenInfoType(ExtensibleObject, frozen=True, kw_only=True):
    """Verdict on an id token; feeds the authorization cache."""

    status: AuthorizationStatusEnumType
    cache_expiry_date_time: DateTimeString | None = None  # cache life of the entry
    charging_priority: int | None = None  # -9..9, default 0
    language1: Annotated[str, Text(max=8)] | None = None  # RFC 5646 tag
    evse_id: Annotated[list[Annotated[int, Range(min=0)]], Items(min=1)] | None = None  # only these EVSEs; absent = all
    group_id_token: IdTokenType | None = None
    language2: Annotated[str, Text(max=8)] | None = None  # second choice, differs from language1
    personal_message: MessageContentType | None = None  # text for the driver, e.g. tariff


class AuthorizationData(ExtensibleObject, frozen=True, kw_only=True):
    """One entry of the local authorization list, or a change of one."""

    id_token: IdTokenType
    id_token_info: IdTokenInfoType | None = None  # absent in Differential = delete


class BatteryDataType(ExtensibleObject, frozen=True, kw_only=True):
    """A battery that was put in or taken out."""

    evse_id: Annotated[int, Range(min=0)]  # slot
    serial_number: Annotated[str, Text(max=50)]
    soc: Annotated[Decimal, Range(min=0, max=100)] = field(name="soC")  # %
    soh: Annotated[Decimal, Range(min=0, max=100)] = field(name="soH")  # % health
    production_date: DateTimeString | None = None
    vendor_info: Annotated[str, Text(max=500)] | None = None  # free form


class StatusInfoType(ExtensibleObject, frozen=True, kw_only=True):
    """Why a status was given: a reason code and a text."""

    reason_code: Annotated[str, Text(max=20)]  # from the standard's list, or own; compares case-insensitively
    additional_info: Annotated[str, Text(max=1024)] | None = None


class EVSEType(ExtensibleObject, frozen=True, kw_only=True):
    """An EVSE, or one connector of it."""

    id: Annotated[int, Range(min=0)]  # from 1
    connector_id: Annotated[int, Range(min=0)] | None = None  # from 1, per EVSE


class FirmwareType(ExtensibleObject, frozen=True, kw_only=True):
    """Where firmware is, when to fetch and install it, and what proves its origin."""

    location: Annotated[str, Text(max=2000)]  # download URL
    retrieve_date_time: DateTimeString  # not before
    install_date_time: DateTimeString | None = None  # absent = at once
    signing_certificate: Annotated[str, Text(max=5500)] | None = None  # PEM; needed for secure update
    signature: Annotated[str, Text(max=800)] | None = None  # base64; needed for secure update


class LogParametersType(ExtensibleObject, frozen=True, kw_only=True):
    """Where a log goes and which span of time it covers."""

    remote_location: Annotated[str, Text(max=2000)]  # upload URL
    oldest_timestamp: DateTimeString | None = None
    latest_timestamp: DateTimeString | None = None


class TransactionLimitType(ExtensibleObject, frozen=True, kw_only=True):
    """A limit of a transaction's cost, time, energy or state of charge."""

    max_cost: Decimal | None = None  # tariff currency
    max_energy: Decimal | None = None  # Wh
    max_time: int | None = None  # s
    max_soc: Annotated[int, Range(min=0, max=100)] | None = field(default=None, name="maxSoC")  # %


class TransactionType(ExtensibleObject, frozen=True, kw_only=True):
    """The transaction an event belongs to."""

    transaction_id: Annotated[str, Text(max=36)]  # identifierString, unique per station for ever
    charging_state: ChargingStateEnumType | None = None  # when changed
    time_spent_charging: int | None = None  # s
    stopped_reason: ReasonEnumType | None = None  # absent = Local
    remote_start_id: int | None = None  # from the remote start
    operation_mode: OperationModeEnumType | None = None  # current V2X mode
    tariff_id: Annotated[str, Text(max=60)] | None = None  # once, when associated
    transaction_limit: TransactionLimitType | None = None  # confirms a limit
