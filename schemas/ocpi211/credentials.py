"""OCPI 2.1.1, credentials and version details: one party in one role per connection."""

from typing import Annotated, Literal

from schemas.ocpi221.base import AtLeastOne, CallableUrl, CountryCode, OcpiObject, PartyId, Text
from schemas.ocpi221.credentials import TOKEN_PATTERN
from schemas.ocpi221.locations import BusinessDetails
from schemas.ocpi221.versions import VersionNumber

ModuleID = Literal["cdrs", "commands", "credentials", "locations", "sessions", "tariffs", "tokens"]


class Credentials(OcpiObject, frozen=True, kw_only=True):
    """How to reach the party that sends this, and the token that the other side must use there."""

    token: Annotated[str, Text(max=64, pattern=TOKEN_PATTERN, needed=True)]
    url: CallableUrl
    business_details: BusinessDetails
    party_id: PartyId
    country_code: CountryCode

    def __repr__(self) -> str:
        """Without the token: it must not get into a log."""
        return f"Credentials(token=..., url={self.url!r}, party={self.country_code!r} {self.party_id!r})"


class Endpoint(OcpiObject, frozen=True, kw_only=True):
    """The base URL of a module. There are separate documents for a CPO and an eMSP."""

    identifier: ModuleID | str
    url: CallableUrl


class VersionDetails(OcpiObject, frozen=True, kw_only=True):
    """The endpoints of a version."""

    version: VersionNumber | str
    endpoints: Annotated[tuple[Endpoint, ...], AtLeastOne()]
