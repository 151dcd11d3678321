"""OCPI 2.3.0, credentials, version details and HubClientInfo: there is no role HUB, but the party id of a platform that routes."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from schemas.ocpi221 import hubclientinfo
from schemas.ocpi221.base import AbsentAs, AtLeastOne, Broken, CallableUrl, CountryCode, OcpiObject, PartyId, Text, ci, identity
from schemas.ocpi221.credentials import TOKEN_PATTERN
from schemas.ocpi221.locations import BusinessDetails
from schemas.ocpi221.versions import InterfaceRole, VersionNumber
from schemas.ocpi230.types import Role

ModuleID = Literal[
    "cdrs",
    "chargingprofiles",
    "commands",
    "credentials",
    "hubclientinfo",
    "invoicereconciliation",
    "locations",
    "sessions",
    "tariffs",
    "tokens",
]


class CredentialsRole(OcpiObject, frozen=True, kw_only=True):
    """A party in one of its roles."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("role", "country_code", "party_id")

    role: Role | str
    business_details: BusinessDetails
    party_id: PartyId
    country_code: CountryCode


class Credentials(OcpiObject, frozen=True, kw_only=True):
    """How to reach the platform that sends this. `hub_party_id`: country code and party id in one, if it routes; `roles` are
    then the parties that are reached through it."""

    token: Annotated[str, Text(max=64, pattern=TOKEN_PATTERN, needed=True)]
    url: CallableUrl
    hub_party_id: Annotated[str, ci(5)] | None = None
    roles: Annotated[tuple[CredentialsRole, ...], AtLeastOne()]

    def broken_rules(self) -> Iterator[Broken]:
        """C9; and a hub's id has both its parts."""
        if len({identity(role) for role in self.roles}) < len(self.roles):
            yield Broken("roles", "C9", "names a party twice in the same role", "fatal")
        if self.hub_party_id is not None and not 3 <= len(self.hub_party_id) <= 5:
            yield Broken("hub_party_id", "2.3.0", "is not a country code and a party id", "fatal")

    def __repr__(self) -> str:
        """Without the token: it must not get into a log."""
        return f"Credentials(token=..., url={self.url!r}, hub_party_id={self.hub_party_id!r}, roles={self.roles!r})"


class ClientInfo(hubclientinfo.ClientInfo, frozen=True, kw_only=True):
    """Whether a party behind the hub can be reached."""

    role: Role | str


class Endpoint(OcpiObject, frozen=True, kw_only=True):
    """The base URL of a module in a role."""

    identifier: ModuleID | str
    role: Annotated[InterfaceRole | str | None, AbsentAs(None, "Z16")]
    url: CallableUrl


class VersionDetails(OcpiObject, frozen=True, kw_only=True):
    """The endpoints of a version."""

    version: VersionNumber | str
    endpoints: Annotated[tuple[Endpoint, ...], AtLeastOne()]
