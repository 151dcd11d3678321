"""Datatypes of OCPP 2.1, part 2: certificates."""

from typing import Annotated

from msgspec import field

from schemas.annotations import DateTimeString, Items, Text
from schemas.ocpp21.enums import CertificateStatusEnumType, CertificateStatusSourceEnumType, GetCertificateIdUseEnumType
from schemas.ocpp201.datatypes import CertificateHashDataType
from schemas.ocpp201.enums import HashAlgorithmEnumType
from schemas.structs import ExtensibleObject


class CertificateHashDataChainType(ExtensibleObject, frozen=True, kw_only=True):
    """An installed certificate with the sub-CA certificates below it."""

    certificate_hash_data: CertificateHashDataType
    certificate_type: GetCertificateIdUseEnumType
    child_certificate_hash_data: Annotated[list[CertificateHashDataType], Items(min=1, max=4)] | None = None


class CertificateStatusRequestInfoType(ExtensibleObject, frozen=True, kw_only=True):
    """A certificate whose status is asked for, and where the status can be had."""

    certificate_hash_data: CertificateHashDataType
    source: CertificateStatusSourceEnumType
    urls: Annotated[list[Annotated[str, Text(max=2000)]], Items(min=1, max=5)]  # where to ask


class CertificateStatusType(ExtensibleObject, frozen=True, kw_only=True):
    """The status of a certificate."""

    certificate_hash_data: CertificateHashDataType
    source: CertificateStatusSourceEnumType
    status: CertificateStatusEnumType
    next_update: DateTimeString  # valid until


class OCSPRequestDataType(ExtensibleObject, frozen=True, kw_only=True):
    """A certificate whose status is asked for, and who knows it (RFC 6960)."""

    hash_algorithm: HashAlgorithmEnumType
    issuer_name_hash: Annotated[str, Text(max=128)]  # hash of DER issuer name
    issuer_key_hash: Annotated[str, Text(max=128)]  # hash of issuer public key
    serial_number: Annotated[str, Text(max=40)]  # hex
    responder_url: Annotated[str, Text(max=2000)] = field(name="responderURL")  # OCSP responder
