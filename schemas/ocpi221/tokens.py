"""OCPI 2.2.1, module Tokens."""

from typing import ClassVar, Literal

from schemas.ocpi221.base import CountryCode, DateTime, Id, Language, OcpiObject, PartyId, Text64
from schemas.ocpi221.types import DisplayText, ProfileType, TokenType

AllowedType = Literal["ALLOWED", "BLOCKED", "EXPIRED", "NO_CREDIT", "NOT_ALLOWED"]
# K4. ALWAYS: the CPO must not ask. ALLOWED: it chooses. ALLOWED_OFFLINE: its list counts if we cannot be reached. NEVER: it asks.
WhitelistType = Literal["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"]


class EnergyContract(OcpiObject, frozen=True, kw_only=True):
    """The driver's own contract with an energy supplier."""

    supplier_name: Text64
    contract_id: Text64 | None = None


class Token(OcpiObject, frozen=True, kw_only=True):
    """What a driver identifies with. Owner: the eMSP. Never deleted: `valid` = false revokes it (K2)."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("country_code", "party_id", "uid", "type")

    country_code: CountryCode
    party_id: PartyId
    uid: Id
    type: TokenType | str
    contract_id: Id
    visual_number: Text64 | None = None
    issuer: Text64
    group_id: Id | None = None
    valid: bool
    whitelist: WhitelistType | str
    language: Language | None = None
    default_profile_type: ProfileType | str | None = None
    energy_contract: EnergyContract | None = None
    last_updated: DateTime


class LocationReferences(OcpiObject, frozen=True, kw_only=True):
    """A location, and those of its EVSEs that are meant."""

    location_id: Id
    evse_uids: tuple[Id, ...] = ()


class AuthorizationInfo(OcpiObject, frozen=True, kw_only=True):
    """Answer to a real-time authorization. `location` holds only the EVSEs where charging is allowed (K6)."""

    allowed: AllowedType | str
    token: Token
    location: LocationReferences | None = None
    authorization_reference: Id | None = None
    info: DisplayText | None = None
