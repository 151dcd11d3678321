"""Who the platform of the tests is, with whom it is registered, and how it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Self

from tests.ocpi.documents import Document


class Role(NamedTuple):
    role: str
    country_code: str
    party_id: str

    @classmethod
    def read(cls, text: str) -> Self:
        return cls(*text.split(":"))

    @property
    def party(self) -> tuple[str, str]:
        return self.country_code, self.party_id

    def document(self) -> Document:
        return {**self._asdict(), "business_details": {"name": f"Platform {self.country_code} {self.party_id}"}}


@dataclass
class Peer:
    """Whom this platform is registered with. `token` is what it uses there."""

    versions_url: str
    token: str
    endpoints: dict[tuple[str, str], str] = field(default_factory=dict)
    roles: list[Document] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    credentials: Document = field(default_factory=dict)
    """Its Credentials as they came."""

    def told(self, credentials: Document) -> None:
        """2.1.1 has one party in its Credentials, which is no list."""
        self.credentials = credentials
        self.roles = credentials.get("roles", [credentials])


@dataclass
class Style:
    """How this platform writes its requests, and how it wants to be written to (`expects`).

    `encoding`: base64, raw, twice, newline (a line feed at the end of the token). `expects`: base64, raw, any.
    """

    encoding: str = "base64"
    expects: str = "any"
    ids: bool = True
    routing: bool = True
    other_case: bool = False
    extra_slash: bool = False
    trailing_slashes: bool = False
    """Of the URLs that it names."""
    endpoint_roles: bool = True
    page_size: int = 3
