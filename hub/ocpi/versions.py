"""Which version of OCPI a partner is spoken to in, and in which role where its version has one only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from csms.roaming.parties import OwnParty
from csms.roaming.partners import Partner
from hub.ocpi.services import Ocpi
from schemas.ocpi221.headers import TokenEncoding
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES
from schemas.ocpi221.versions import InterfaceRole
from schemas.ocpi_versions.port import Peer, VersionAdapter
from schemas.ocpi_versions.versions import ADAPTERS

OURS: Final = "2.2.1"
"""The version of everything inside; all others are converted where HTTP begins."""

SPOKEN: Final = tuple(ADAPTERS)
"""The lowest first (V4)."""

ONE_ROLE: Final = frozenset({"2.1.1"})
"""Versions in which each side of a connection is either a CPO or an eMSP."""


@dataclass(frozen=True, slots=True)
class Ourselves:
    """The side of a connection that is ours: the parties of its tenant. `role`: what we are to the partner where its version has
    one role for each connection; None: that is not clear, and such versions are not offered."""

    parties: tuple[OwnParty, ...]
    role: Peer | None

    @property
    def hub(self) -> bool:
        return any(party.role == "HUB" for party in self.parties)


async def ourselves(ocpi: Ocpi, partner: Partner, asked: Peer | None = None) -> Ourselves:
    """`asked`: as what it asks us, by the URL that it has used; where that is not what we are to it, it is not clear what we are.

    Raises StoreUnavailable."""
    parties = (await ocpi.directory.parties()).of_tenant(partner.tenant_id)
    peers: set[Peer] = {party.role for party in parties if party.role != "HUB"}
    role = partner.settings.own_role or (next(iter(peers)) if len(peers) == 1 else None)
    if asked is not None:
        role = asked if role in (asked, None) else None
    if role is not None and peers and role not in peers:
        role = None
    return Ourselves(tuple(parties), role)


def adapter_of(version: str | None) -> VersionAdapter:
    """The adapter of one of SPOKEN, by default that of the version that is ours."""
    return ADAPTERS[version or OURS]


def has_interface(version: str | None, module: str, role: InterfaceRole | None) -> bool:
    """Whether a version has an interface of the standard that is newer than ours. What ours has is for the version's adapter to
    say, and modules of others' making are in no version."""
    ours = adapter_of(OURS)
    if module not in FUNCTIONAL_MODULES or role is None or (module, role) in ours.modules:
        return True
    return (module, role) in adapter_of(version).modules


def offered(partner: Partner, role: Peer | None) -> list[str]:
    """The versions that a partner is offered, the lowest first (V1). `role`: what we are to it, where that is one thing."""
    wanted = partner.settings.versions
    return [number for number in SPOKEN if (wanted is None or number in wanted) and (role is not None or number not in ONE_ROLE)]


def as_one(version: str, role: Peer | None) -> Peer | None:
    """`role` if it matters in this version, for the URLs of ours that name it."""
    return role if version in ONE_ROLE else None


def opposite(role: Peer | None) -> Peer | None:
    """What the other side is."""
    return None if role is None else "EMSP" if role == "CPO" else "CPO"


def default_encoding(version: str | None) -> TokenEncoding:
    """A6: how a partner of this version expects tokens, unless its settings say otherwise."""
    return "raw" if version == "2.1.1" else "base64"
