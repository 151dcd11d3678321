"""All parties of the hub, as they are at this moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from csms.roaming.agreements import Agreements
from csms.roaming.parties import SERVING, Folded, OwnParty, PartnerRole
from csms.roaming.partners import Partner
from csms.roaming.routing import Member, RoutedMessage, Status, owner_and_party
from hub.ocpi.directory import Directory
from hub.ocpi.versions import OURS, has_interface
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES
from schemas.ocpi221.types import Role
from schemas.ocpi221.versions import InterfaceRole

_RANK: Final[dict[Status, int]] = {"CONNECTED": 0, "OFFLINE": 1, "PLANNED": 2, "SUSPENDED": 3}
_NOBODY: Final[frozenset[Role]] = frozenset()


@dataclass(frozen=True, slots=True)
class Members:
    """The hub's own party, the parties behind it with their platforms, and who may have what of whom."""

    hub: OwnParty
    roles: tuple[PartnerRole, ...]
    partners: Mapping[UUID, Partner]
    agreements: Agreements
    by_party: Mapping[Folded, tuple[PartnerRole, ...]]

    @property
    def tenant_id(self) -> int:
        """Of the hub."""
        return self.hub.tenant_id

    def roles_of(self, party: Folded) -> tuple[PartnerRole, ...]:
        return self.by_party.get(party, ())

    def platform(self, role: PartnerRole) -> Partner | None:
        """None: it is a party of one of our tenants."""
        return None if role.partner_id is None else self.partners.get(role.partner_id)

    def version_of(self, partner_id: UUID | None) -> str:
        """In which version URLs are given to a platform; None: one of our tenants."""
        partner = None if partner_id is None else self.partners.get(partner_id)
        return OURS if partner is None or partner.version is None else partner.version

    def implements(self, role: PartnerRole, module: str, interface: InterfaceRole | None) -> bool:
        """Whether the interface of the module can be asked at the platform of this party."""
        if role.partner_id is None:
            return interface is not None and role.role in SERVING.get((module, interface), _NOBODY)
        partner = self.platform(role)
        return partner is not None and partner.endpoint(module, interface) is not None

    def can_be_asked(self, role: PartnerRole, module: str, interface: InterfaceRole | None) -> bool:
        """Whether the version of the party's platform has the interface at all; tenants of ours speak all versions."""
        partner = self.platform(role)
        return partner is None or has_interface(partner.version, module, interface)

    def at(self, party: Folded, module: str, interface: InterfaceRole | None) -> PartnerRole | None:
        """In which of its roles, so over which platform, a party is asked; one whose platform has the interface at least. None:
        in none (4001)."""
        usual = _NOBODY if interface is None else SERVING.get((module, interface), _NOBODY)
        fitting = [
            role
            for role in self.roles_of(party)
            if self.can_be_asked(role, module, interface)
            and (role.role in usual or role.role == "HUB" or self.implements(role, module, interface))
        ]
        return min(fitting, key=lambda role: (role.role not in usual, _RANK[role.status]), default=None)

    def may_speak(self, module: str, interface: InterfaceRole | None, sender: Folded, receiver: Folded) -> bool:
        """R14: whether agreements leave anything that the two could speak about in this module."""
        owner, party = owner_and_party(module, interface, sender, receiver)
        return owner == party or not self.agreements.scope(party, owner, module).nothing

    def serving(self, message: RoutedMessage, sender: Folded) -> dict[Folded, Status]:
        """Who can be asked at the interface of `message`, and whether they can be reached; `sender` itself and those that it has
        nothing to do with are left out."""
        usual = _NOBODY if message.role is None else SERVING.get((message.module, message.role), _NOBODY)
        found: dict[Folded, Status] = {}
        for role in self.roles:
            party = role.party.folded
            if role.role not in usual or party == sender or not self.may_speak(message.module, message.role, sender, party):
                continue
            if not self.can_be_asked(role, message.module, message.role):
                continue
            if party not in found or _RANK[role.status] < _RANK[found[party]]:
                found[party] = role.status
        return found

    def receivers(self, module: str) -> Iterator[Member]:
        """All, as those who may be told of what is broadcast."""
        for role in self.roles:
            yield Member(role.party.folded, role.role, role.status, self.implements(role, module, "RECEIVER"))

    def listing(self, module: str, partner_id: UUID | None) -> bool:
        """V5: whether a platform has a module of its own making."""
        partner = None if partner_id is None else self.partners.get(partner_id)
        return (
            partner is not None
            and module not in FUNCTIONAL_MODULES
            and any(endpoint.identifier == module for endpoint in partner.endpoints)
        )


class MembersView:
    """Makes `Members` of what the directory has; the same as long as that is the same."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._made: Members | None = None

    async def now(self) -> Members | None:
        """None: this installation is no hub. Raises StoreUnavailable."""
        hub = (await self._directory.parties()).hub
        if hub is None:
            return None
        roles = await self._directory.roles(hub.tenant_id)
        partners = await self._directory.partners(hub.tenant_id)
        agreements = await self._directory.agreements(hub.tenant_id)
        made = self._made
        if (
            made is not None
            and made.hub == hub
            and made.roles is roles
            and made.partners is partners
            and made.agreements is agreements
        ):
            return made
        by_party: dict[Folded, tuple[PartnerRole, ...]] = {}
        for role in roles:
            by_party[role.party.folded] = (*by_party.get(role.party.folded, ()), role)
        self._made = Members(hub, roles, partners, agreements, by_party)
        return self._made
