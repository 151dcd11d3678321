"""Object datatypes of OCPP 2.0.1: certificates."""

from typing import Annotated

from msgspec import field

from schemas.annotations import Items, Text
from schemas.ocpp201.enums import GetCertificateIdUseEnumType, HashAlgorithmEnumType
from schemas.structs import ExtensibleObject


class CertificateHashDataType(ExtensibleObject, frozen=True, kw_only=True):
    """Identifies a certificate the way OCSP (RFC 6960) does."""

    hash_algorithm: HashAlgorithmEnumType
    issuer_name_hash: Annotated[str, Text(max=128)]  # hash of DER issuer name
    issuer_key_hash: Annotated[str, Text(max=128)]  # hash of issuer public key
    serial_number: Annotated[str, Text(max=40)]  # hex, no leading zeros


class CertificateHashDataChainType(ExtensibleObject, frozen=True, kw_only=True):
    """An installed certificate with the sub-CA certificates below it."""

    certificate_hash_data: CertificateHashDataType
    certificate_type: GetCertificateIdUseEnumType
    # sub-CAs below it
    child_certificate_hash_data: Annotated[list[CertificateHashDataType], Items(min=1, max=4)] | None = None


class OCSPRequestDataType(ExtensibleObject, frozen=True, kw_only=True):
    """A certificate whose status is asked for, and who knows it (RFC 6960)."""

    hash_algorithm: HashAlgorithmEnumType
    issuer_name_hash: Annotated[str, Text(max=128)]  # hash of DER issuer name
    issuer_key_hash: Annotated[str, Text(max=128)]  # hash of issuer public key
    serial_number: Annotated[str, Text(max=40)]  # hex
    responder_url: Annotated[str, Text(max=512)] = field(name="responderURL")  # OCSP responder
