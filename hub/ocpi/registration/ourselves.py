"""What we tell a partner about ourselves: our endpoints and our Credentials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from csms.roaming.parties import OwnParty, OwnRole, PartnerRole
from csms.roaming.partners import Partner
from hub.ocpi import versions
from hub.ocpi.own.table import HANDLERS
from hub.ocpi.services import Ocpi
from hub.ocpi.urls import CREDENTIALS
from hub.ocpi.versions import Ourselves
from schemas.ocpi221.credentials import Credentials, CredentialsRole
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES
from schemas.ocpi221.locations import BusinessDetails
from schemas.ocpi221.reading import read
from schemas.ocpi221.versions import Endpoint, InterfaceRole, VersionDetails
from schemas.ocpi_versions.port import CannotSend

Interface = tuple[str, InterfaceRole]

HUB_CLIENT_INFO: Final = "hubclientinfo"
MOST_RELAYED: Final = 50
"""Interfaces of modules of others' making that one platform is shown."""

_INTERFACES: Final[dict[OwnRole, tuple[Interface, ...]]] = {
    "CPO": (
        ("locations", "SENDER"),
        ("sessions", "SENDER"),
        ("cdrs", "SENDER"),
        ("tariffs", "SENDER"),
        ("tokens", "RECEIVER"),
        ("commands", "RECEIVER"),
        ("chargingprofiles", "RECEIVER"),
        ("invoicereconciliation", "SENDER"),
        (HUB_CLIENT_INFO, "RECEIVER"),
    ),
    "EMSP": (
        ("locations", "RECEIVER"),
        ("sessions", "RECEIVER"),
        ("cdrs", "RECEIVER"),
        ("tariffs", "RECEIVER"),
        ("tokens", "SENDER"),
        ("commands", "SENDER"),
        ("chargingprofiles", "SENDER"),
        ("invoicereconciliation", "RECEIVER"),
        (HUB_CLIENT_INFO, "RECEIVER"),
    ),
    "HUB": (
        *((module, role) for module in sorted(FUNCTIONAL_MODULES) for role in ("RECEIVER", "SENDER")),
        (HUB_CLIENT_INFO, "SENDER"),
    ),
}
"""What a party of each role offers (digest, chapter 3)."""


def interfaces(us: Ourselves, version: str) -> list[Interface]:
    """What we offer in a version, each once. Only what answers is offered."""
    roles = (us.role,) if version in versions.ONE_ROLE and us.role is not None else tuple(party.role for party in us.parties)
    wanted = dict.fromkeys(interface for role in roles for interface in _INTERFACES[role])
    answering = {key[:2] for key in HANDLERS}
    return [
        interface
        for interface in wanted
        if (us.hub or interface[0] == HUB_CLIENT_INFO or interface in answering)
        and interface in versions.adapter_of(version).modules
    ]


async def relayed_modules(ocpi: Ocpi, partner: Partner, us: Ourselves) -> list[Interface]:
    """V5: what a hub passes on besides the modules of the standard: those that the partner has and others behind the hub too.

    Raises StoreUnavailable."""
    if not us.hub:
        return []
    its = {endpoint.identifier for endpoint in partner.endpoints} - FUNCTIONAL_MODULES - {CREDENTIALS, HUB_CLIENT_INFO}
    if not its:
        return []
    others = (await ocpi.directory.partners(partner.tenant_id)).values()
    found = {
        (endpoint.identifier, endpoint.role)
        for other in others
        if other.partner_id != partner.partner_id and other.registered
        for endpoint in other.endpoints
        if endpoint.identifier in its and endpoint.role is not None
    }
    return sorted(found)[:MOST_RELAYED]


def details(ocpi: Ocpi, partner: Partner, us: Ourselves, version: str, relayed: Iterable[Interface] = ()) -> object:
    """Our version details for `partner` (V2, V3). Raises CannotSend."""
    url = ocpi.urls.credentials(version, versions.as_one(version, us.role))
    listed = [Endpoint(identifier=CREDENTIALS, role="SENDER", url=url)]
    if partner.settings.credentials_twice:
        listed.append(Endpoint(identifier=CREDENTIALS, role="RECEIVER", url=url))
    listed += [
        Endpoint(identifier=module, role=role, url=ocpi.urls.endpoint(version, module, role))
        for module, role in (*interfaces(us, version), *relayed)
    ]
    written = VersionDetails(version=version, endpoints=tuple(listed))
    return versions.adapter_of(version).details_down(written, us.role).document


async def speakable(ocpi: Ocpi, partner: Partner, us: Ourselves) -> list[str]:
    """The versions that we can be told in, of those that the partner is offered, the lowest first (V1). A hub that nobody is behind
    yet cannot be in all. Raises StoreUnavailable."""
    found = []
    for version in versions.offered(partner, us.role):
        try:
            await credentials(ocpi, us, version, "-")
        except CannotSend:
            continue
        found.append(version)
    return found


async def credentials(ocpi: Ocpi, us: Ourselves, version: str, token: str) -> object:
    """Our Credentials with the token that the other side is to use. A hub names itself alone, where its version does (C9).

    Raises CannotSend, StoreUnavailable.
    """
    parties = us.parties
    if version in versions.ONE_ROLE and not us.hub:
        parties = tuple(party for party in parties if party.role == us.role)
    reachable: Sequence[PartnerRole] = ()
    if us.hub:
        reachable = [role for role in await ocpi.directory.roles(us.parties[0].tenant_id) if role.status != "SUSPENDED"]
    url = ocpi.urls.versions(versions.as_one(version, us.role))
    told = Credentials(token=token, url=url, roles=tuple(map(_role, parties)))
    return versions.adapter_of(version).credentials_down(told, us.role, tuple(map(_role, reachable))).document


def _role(party: OwnParty | PartnerRole) -> CredentialsRole:
    return CredentialsRole(
        role=party.role,
        business_details=read(BusinessDetails, party.business_details).value,
        party_id=party.party_id,
        country_code=party.country_code,
    )
