"""Which version of OCPI a partner is spoken to in, and in which role where its version has one only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from csms.roaming.parties import OwnParty
from csms.roaming.partners import Partner
from hub.ocpi.services import Ocpi
from schemas.ocpi221.headers import TokenEncoding
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


async def ourselves(ocpi: Ocpi, partner: Partner) -> Ourselves:
    """Raises StoreUnavailable."""
    parties = (await ocpi.directory.parties()).of_tenant(partner.tenant_id)
    peers: set[Peer] = {party.role for party in parties if party.role != "HUB"}
    role = partner.settings.own_role or (next(iter(peers)) if len(peers) == 1 else None)
    if role is not None and peers and role not in peers:
        role = None
    return Ourselves(tuple(parties), role)


def adapter_of(version: str | None) -> VersionAdapter:
    """The adapter of one of SPOKEN, by default that of the version that is ours."""
    return ADAPTERS[version or OURS]


def offered(partner: Partner, role: Peer | None) -> list[str]:
    """The versions that a partner is offered, the lowest first (V1). `role`: what we are to it, where that is one thing."""
    wanted = partner.settings.versions
    return [number for number in SPOKEN if (wanted is None or number in wanted) and (role is not None or number not in ONE_ROLE)]


def opposite(role: Peer | None) -> Peer | None:
    """What the other side is."""
    return None if role is None else "EMSP" if role == "CPO" else "CPO"


def default_encoding(version: str | None) -> TokenEncoding:
    """A6: how a partner of this version expects tokens, unless its settings say otherwise."""
    return "raw" if version == "2.1.1" else "base64"
