"""OCPI 2.2.1, module HubClientInfo."""

from typing import ClassVar, Literal

from schemas.ocpi221.base import CountryCode, DateTime, OcpiObject, PartyId
from schemas.ocpi221.types import Role

# I4. OFFLINE: send and queue nothing. PLANNED: known, never connected. SUSPENDED: left for good.
ConnectionStatus = Literal["CONNECTED", "OFFLINE", "PLANNED", "SUSPENDED"]


class ClientInfo(OcpiObject, frozen=True, kw_only=True):
    """Whether a party behind the hub can be reached; one object per party and role (I6)."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("country_code", "party_id", "role")

    party_id: PartyId
    country_code: CountryCode
    role: Role | str
    status: ConnectionStatus | str
    last_updated: DateTime
