"""OCPP 2.1, part 2, functional block C: authorization.

With the ad hoc payment that 2.0.1 does not have.
"""

from decimal import Decimal
from typing import Annotated

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.ocpp21.datatypes import AddressType, IdTokenInfoType, IdTokenType, OCSPRequestDataType, StatusInfoType, TariffType
from schemas.ocpp21.enums import EnergyTransferModeEnumType, PaymentStatusEnumType
from schemas.ocpp201.enums import AuthorizeCertificateStatusEnumType, ClearCacheStatusEnumType, GenericStatusEnumType
from schemas.structs import ExtensibleObject


class AuthorizeRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask whether a token may charge; may carry ISO 15118 contract data. Station to CSMS."""

    id_token: IdTokenType  # token presented
    certificate: Annotated[str, Text(max=10000)] | None = None
    iso15118_certificate_hash_data: Annotated[list[OCSPRequestDataType], Items(min=1, max=4)] | None = None


class AuthorizeResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to AuthorizeRequest."""

    id_token_info: IdTokenInfoType
    certificate_status: AuthorizeCertificateStatusEnumType | None = None  # verdict on the contract certificate
    allowed_energy_transfer: Annotated[list[EnergyTransferModeEnumType], Items(min=1)] | None = None  # absent = charging only
    tariff: TariffType | None = None  # driver tariff (no validFrom)


class ClearCacheResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ClearCacheRequest."""

    status: ClearCacheStatusEnumType
    status_info: StatusInfoType | None = None


class NotifySettlementRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Result of settling an ad hoc payment; the CSMS may answer with a receipt. Station to CSMS."""

    psp_ref: Annotated[str, Text(max=255)]  # payment reference = idToken value
    status: PaymentStatusEnumType
    settlement_amount: Decimal  # (tried) amount
    settlement_time: DateTimeString
    transaction_id: Annotated[str, Text(max=36)] | None = None  # absent if cancelled before start
    status_info: Annotated[str, Text(max=500)] | None = None  # plain text here
    receipt_id: Annotated[str, Text(max=50)] | None = None
    receipt_url: Annotated[str, Text(max=2000)] | None = None  # if made at the station
    vat_company: AddressType | None = None  # company on the receipt
    vat_number: Annotated[str, Text(max=20)] | None = None


class NotifySettlementResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifySettlementRequest."""

    receipt_url: Annotated[str, Text(max=2000)] | None = None  # if made by the CSMS
    receipt_id: Annotated[str, Text(max=50)] | None = None


class NotifyWebPaymentStartedRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Somebody scanned the QR code; show that a payment is under way for `timeout` s. CSMS to station."""

    evse_id: Annotated[int, Range(min=0)]  # EVSE
    timeout: int  # s


class NotifyWebPaymentStartedResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to NotifyWebPaymentStartedRequest."""


class VatNumberValidationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask the CSMS to check a VAT number; it may return the company address. Station to CSMS."""

    vat_number: Annotated[str, Text(max=20)]
    evse_id: Annotated[int, Range(min=0)] | None = None  # echoed


class VatNumberValidationResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to VatNumberValidationRequest."""

    vat_number: Annotated[str, Text(max=20)]
    status: GenericStatusEnumType
    company: AddressType | None = None
    status_info: StatusInfoType | None = None
    evse_id: Annotated[int, Range(min=0)] | None = None  # EVSE
