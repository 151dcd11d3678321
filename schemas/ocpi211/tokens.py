"""OCPI 2.1.1, module Tokens."""

from typing import ClassVar, Literal

from schemas.ocpi221.base import DateTime, Id, Language, LongId, OcpiObject, Text64
from schemas.ocpi221.tokens import AllowedType, WhitelistType
from schemas.ocpi221.types import DisplayText

TokenType = Literal["OTHER", "RFID"]


class Token(OcpiObject, frozen=True, kw_only=True):
    """What a driver identifies with. Its owner is the eMSP of the connection; 2.2.1 calls `auth_id` contract_id."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("uid", "type")

    uid: Id
    type: TokenType | str
    auth_id: Id
    visual_number: Text64 | None = None
    issuer: Text64
    valid: bool
    whitelist: WhitelistType | str
    language: Language | None = None
    last_updated: DateTime


class LocationReferences(OcpiObject, frozen=True, kw_only=True):
    """A location, and those of its EVSEs and connectors that are meant."""

    location_id: LongId
    evse_uids: tuple[LongId, ...] = ()
    connector_ids: tuple[Id, ...] = ()


class AuthorizationInfo(OcpiObject, frozen=True, kw_only=True):
    """Answer to a real-time authorization."""

    allowed: AllowedType | str
    location: LocationReferences | None = None
    info: DisplayText | None = None
