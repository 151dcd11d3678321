"""OCPP 2.0.1 edition 3, part 2, functional block C: authorization."""

from typing import Annotated

from schemas.annotations import Items, Text
from schemas.ocpp201.datatypes import IdTokenInfoType, IdTokenType, OCSPRequestDataType, StatusInfoType
from schemas.ocpp201.enums import AuthorizeCertificateStatusEnumType, ClearCacheStatusEnumType
from schemas.structs import ExtensibleObject


class AuthorizeRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask whether a token may charge; may carry ISO 15118 contract data. Station to CSMS."""

    id_token: IdTokenType  # token presented
    # PEM contract certificate chain, if the CSMS must validate it
    certificate: Annotated[str, Text(max=5500)] | None = None
    # contract chain for OCSP
    iso15118_certificate_hash_data: Annotated[list[OCSPRequestDataType], Items(min=1, max=4)] | None = None


class AuthorizeResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to AuthorizeRequest."""

    id_token_info: IdTokenInfoType
    certificate_status: AuthorizeCertificateStatusEnumType | None = None  # verdict on the contract certificate


class ClearCacheRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Empty the authorization cache. CSMS to station."""


class ClearCacheResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to ClearCacheRequest."""

    status: ClearCacheStatusEnumType
    status_info: StatusInfoType | None = None
