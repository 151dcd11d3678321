"""Parties of this installation and of its partners, as every process with a hub knows them (OCPI 2.2.1; digest, chapter 3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from schemas.ocpi221.headers import Party
from schemas.ocpi221.types import Role
from schemas.ocpi221.versions import InterfaceRole

OwnRole = Literal["CPO", "EMSP", "HUB"]

Folded = tuple[str, str]
"""Country code and party id in lower case."""

OPPOSITE: Final[dict[Role, frozenset[Role]]] = {
    "CPO": frozenset({"EMSP", "NSP", "OTHER", "NAP", "SCSP"}),
    "EMSP": frozenset({"CPO"}),
    "NSP": frozenset({"CPO"}),
    "OTHER": frozenset({"CPO"}),
    "NAP": frozenset({"CPO"}),
    "SCSP": frozenset({"CPO", "EMSP"}),
    "HUB": frozenset(),
}
"""R7: who is told what a party of this role broadcasts."""

SERVING: Final[dict[tuple[str, InterfaceRole], frozenset[Role]]] = {
    ("locations", "SENDER"): frozenset({"CPO", "NAP"}),
    ("locations", "RECEIVER"): frozenset({"EMSP", "NSP", "NAP", "OTHER"}),
    ("sessions", "SENDER"): frozenset({"CPO"}),
    ("sessions", "RECEIVER"): frozenset({"EMSP", "SCSP", "OTHER", "NSP"}),
    ("cdrs", "SENDER"): frozenset({"CPO"}),
    ("cdrs", "RECEIVER"): frozenset({"EMSP", "OTHER", "NSP"}),
    ("tariffs", "SENDER"): frozenset({"CPO", "NAP"}),
    ("tariffs", "RECEIVER"): frozenset({"EMSP", "NSP", "NAP", "OTHER"}),
    ("tokens", "RECEIVER"): frozenset({"CPO"}),
    ("tokens", "SENDER"): frozenset({"EMSP", "NSP", "OTHER"}),
    ("commands", "RECEIVER"): frozenset({"CPO"}),
    ("commands", "SENDER"): frozenset({"EMSP", "NSP", "OTHER"}),
    ("chargingprofiles", "RECEIVER"): frozenset({"CPO", "EMSP"}),
    ("chargingprofiles", "SENDER"): frozenset({"SCSP", "EMSP", "OTHER"}),
    ("invoicereconciliation", "SENDER"): frozenset({"CPO"}),
    ("invoicereconciliation", "RECEIVER"): frozenset({"EMSP", "OTHER", "NSP"}),
}
"""Roles of parties that an interface is asked at."""


class OwnParty(msgspec.Struct, frozen=True):
    """A party of one of our tenants. Codes in capitals."""

    tenant_id: int
    slug: str
    country_code: str
    party_id: str
    role: OwnRole
    business_details: dict[str, Any]
    on_hub: bool
    updated_at: datetime
    leaving_since: datetime | None = None
    """Since when it takes back what it has told; then it goes."""

    @property
    def party(self) -> Party:
        return Party(self.country_code, self.party_id)


class PartnerRole(msgspec.Struct, frozen=True):
    """A party that is reached through a partner, or at the hub one of our own tenants (`own_tenant`: its slug)."""

    country_code: str
    party_id: str
    role: Role
    partner_id: UUID | None
    own_tenant: str | None
    business_details: dict[str, Any]
    status: Literal["CONNECTED", "OFFLINE", "PLANNED", "SUSPENDED"]
    last_updated: datetime
    gone: bool = False
    """Its platform does not name it any more."""

    @property
    def party(self) -> Party:
        return Party(self.country_code, self.party_id)


class OwnParties:
    """All own parties, as of the last refresh. Look-ups are in memory."""

    def __init__(self) -> None:
        self._by_party: dict[Folded, list[OwnParty]] = {}
        self._by_tenant: dict[int, list[OwnParty]] = {}
        self._hub: OwnParty | None = None

    def replace_all(self, parties: Iterable[OwnParty]) -> None:
        by_party: dict[Folded, list[OwnParty]] = {}
        by_tenant: dict[int, list[OwnParty]] = {}
        hub = None
        for party in parties:
            by_party.setdefault(party.party.folded, []).append(party)
            by_tenant.setdefault(party.tenant_id, []).append(party)
            if party.role == "HUB":
                hub = party
        self._by_party, self._by_tenant, self._hub = by_party, by_tenant, hub

    @property
    def hub(self) -> OwnParty | None:
        """The hub's own party; None: this installation is no hub."""
        return self._hub

    @property
    def tenant_ids(self) -> Collection[int]:
        """Tenants that have a party."""
        return self._by_tenant.keys()

    def of_tenant(self, tenant_id: int, role: OwnRole | None = None) -> list[OwnParty]:
        return [party for party in self._by_tenant.get(tenant_id, ()) if role is None or party.role == role]

    def find(self, party: Folded, roles: Collection[Role] | None = None) -> OwnParty | None:
        """The own party of these codes, in one of the roles if given."""
        return next((own for own in self._by_party.get(party, ()) if roles is None or own.role in roles), None)
