"""OCPI 2.2.1, module Credentials."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from schemas.ocpi221.base import AtLeastOne, Broken, CallableUrl, CountryCode, OcpiObject, PartyId, Text, identity
from schemas.ocpi221.locations import BusinessDetails
from schemas.ocpi221.types import Role

TOKEN_PATTERN = r"[!-~]{1,64}"  # noqa: S105 (the form of a token, not one)
"""A2."""


class CredentialsRole(OcpiObject, frozen=True, kw_only=True):
    """A party in one of its roles."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("role", "country_code", "party_id")

    role: Role | str
    business_details: BusinessDetails
    party_id: PartyId
    country_code: CountryCode


class Credentials(OcpiObject, frozen=True, kw_only=True):
    """How to reach the platform that sends this: its versions URL, and the token that the other side must use there."""

    token: Annotated[str, Text(max=64, pattern=TOKEN_PATTERN, needed=True)]
    url: CallableUrl
    roles: Annotated[tuple[CredentialsRole, ...], AtLeastOne()]

    def broken_rules(self) -> Iterator[Broken]:
        """C9."""
        if len({identity(role) for role in self.roles}) < len(self.roles):
            yield Broken("roles", "C9", "names a party twice in the same role", "fatal")

    def __repr__(self) -> str:
        """Without the token: it must not get into a log."""
        return f"Credentials(token=..., url={self.url!r}, roles={self.roles!r})"
