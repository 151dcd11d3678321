"""What an operator does about parties and partners beside handshakes, by API or command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from csms.roaming.parties import OwnParty, OwnRole
from csms.roaming.partners import Partner, PartnerSettings
from csms.store import Connection
from csms.store.queries import ocpi_parties, ocpi_partners
from csms.store.queries.ocpi_parties import PartyTaken
from hub.ocpi import versions
from hub.ocpi.registration.starting import Unfit
from hub.ocpi.registration.tokens import new_token
from hub.ocpi.services import Ocpi


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a platform needs to register here; the token A is shown this once."""

    partner: Partner
    versions_url: str
    token: str = field(repr=False)


async def put_party(
    ocpi: Ocpi,
    tenant_id: int,
    country_code: str,
    party_id: str,
    role: OwnRole,
    business_details: dict[str, Any],
    *,
    on_hub: bool,
) -> OwnParty:
    """Make or change a party of an operator. Raises PartyTaken, Unfit, StoreUnavailable."""
    hub = await _hub(ocpi)
    if hub is not None and on_hub:
        # asked before anything is stored; whoever comes between is told by `sync_hub`
        known = await ocpi.store.hub.tenant_unit(hub, lambda conn: ocpi_partners.list_roles(conn, hub))
        live = {(one.country_code, one.party_id, one.role) for one in known if one.partner_id and one.status != "SUSPENDED"}
        if (country_code, party_id, role) in live:
            raise PartyTaken

    async def put(conn: Connection) -> OwnParty:
        if await ocpi_parties.kind_of(conn, tenant_id) == "hub":
            raise Unfit("the hub's tenant has no party but the hub's own")
        await ocpi_parties.put_party(conn, tenant_id, country_code, party_id, role, business_details, on_hub=on_hub)
        parties = await ocpi_parties.list_parties(conn, tenant_id)
        return next(one for one in parties if (one.country_code, one.party_id, one.role) == (country_code, party_id, role))

    party = await ocpi.store.hub.tenant_unit(tenant_id, put)
    await sync_hub(ocpi)
    return party


async def remove_party(
    ocpi: Ocpi, tenant_id: int, country_code: str, party_id: str, role: OwnRole, *, at_once: bool = False
) -> bool:
    """The party leaves: it takes back what it has told, and is deleted when everybody knows; `at_once`: it does not wait for that.
    False when there was none; a hub stays one. Raises StoreUnavailable."""
    if role == "HUB":
        return False

    async def remove(conn: Connection) -> bool:
        if not at_once and await ocpi_parties.begin_leaving(conn, tenant_id, country_code, party_id, role):
            return True
        return await ocpi_parties.delete_party(conn, tenant_id, country_code, party_id, role)

    done = await ocpi.store.hub.tenant_unit(tenant_id, remove)
    await sync_hub(ocpi)
    return done


async def put_hub(ocpi: Ocpi, country_code: str, party_id: str, business_details: dict[str, Any]) -> OwnParty:
    """Make this installation a hub, or change who it is as one. Raises PartyTaken, NoHubSlug, StoreUnavailable."""
    tenant_id = await ocpi.store.auth.unit(ocpi_parties.ensure_hub)

    async def put(conn: Connection) -> OwnParty:
        await ocpi_parties.put_hub_party(conn, tenant_id, country_code, party_id, business_details)
        (party,) = await ocpi_parties.list_parties(conn, tenant_id)
        return party

    party = await ocpi.store.hub.tenant_unit(tenant_id, put)
    await sync_hub(ocpi)
    return party


async def sync_hub(ocpi: Ocpi) -> None:
    """Show our own parties among those of the hub as they are now, and tell everybody that parties have changed.

    Raises PartyTaken for a party that a partner of the hub has taken meanwhile; it is not shown there.
    """
    await ocpi.directory.changed()
    hub = await _hub(ocpi)
    if hub is None:
        return
    parties = await ocpi.store.auth.unit(ocpi_parties.load_parties)
    taken = await ocpi.store.hub.tenant_unit(hub, lambda conn: ocpi_parties.sync_own_roles(conn, hub, parties))
    await ocpi.directory.changed()
    if taken:
        raise PartyTaken


async def invite(ocpi: Ocpi, tenant_id: int, name: str, settings: PartnerSettings) -> Invitation:
    """Make a partner, with a token A for its side to start a registration (C1). Raises Unfit, StoreUnavailable."""
    if not (await ocpi.directory.parties()).of_tenant(tenant_id):
        raise Unfit("the tenant has no party yet: make one first")
    token = new_token(ocpi.ids)
    partner_id = ocpi.ids.uuid7()

    async def make(conn: Connection) -> Partner:
        made = await ocpi_partners.insert_partner(conn, tenant_id, partner_id, name, settings)
        await ocpi_partners.insert_token(conn, tenant_id, partner_id, ocpi.directory.hash(token), "registration")
        return made

    partner = await ocpi.store.hub.tenant_unit(tenant_id, make)
    await ocpi.directory.changed()
    return Invitation(partner, ocpi.urls.versions(partner.settings.own_role), token)


async def invite_again(ocpi: Ocpi, tenant_id: int, partner_id: UUID) -> Invitation | None:
    """A new token A instead of the one before, also for a partner that is registered or has left: whoever registers with it takes
    the place of the present connection, which goes on until then. None: no such partner. Raises Unfit, StoreUnavailable."""
    token = new_token(ocpi.ids)

    async def renew(conn: Connection) -> Partner | None:
        partner = await ocpi_partners.get_partner(conn, tenant_id, partner_id, lock=True)
        if partner is None:
            return None
        if partner.status == "suspended":
            raise Unfit("the partner is suspended")
        if partner.status == "left":
            await ocpi_partners.set_status(conn, tenant_id, partner_id, "planned")
        await ocpi_partners.delete_registration_tokens(conn, tenant_id, partner_id)
        await ocpi_partners.insert_token(conn, tenant_id, partner_id, ocpi.directory.hash(token), "registration")
        return await ocpi_partners.get_partner(conn, tenant_id, partner_id)

    partner = await ocpi.store.hub.tenant_unit(tenant_id, renew)
    await ocpi.directory.changed()
    return None if partner is None else Invitation(partner, ocpi.urls.versions(partner.settings.own_role), token)


async def suspend(ocpi: Ocpi, tenant_id: int, partner_id: UUID) -> Partner | None:
    """Nothing is sent to the partner and nothing taken from it; its parties are SUSPENDED (I4). None: no such partner."""

    async def change(conn: Connection) -> Partner | None:
        partner = await ocpi_partners.get_partner(conn, tenant_id, partner_id, lock=True)
        if partner is None:
            return None
        if partner.status == "left":
            raise Unfit("the partner has left")
        await ocpi_partners.set_status(conn, tenant_id, partner_id, "suspended")
        return await ocpi_partners.get_partner(conn, tenant_id, partner_id)

    changed = await ocpi.store.hub.tenant_unit(tenant_id, change)
    await ocpi.directory.changed()
    return changed


async def resume(ocpi: Ocpi, tenant_id: int, partner_id: UUID) -> Partner | None:
    """A suspended partner is what it was before. None: no such partner. Raises Unfit."""

    async def change(conn: Connection) -> Partner | None:
        partner = await ocpi_partners.get_partner(conn, tenant_id, partner_id, lock=True)
        if partner is None:
            return None
        if partner.status != "suspended":
            raise Unfit(f"the partner is not suspended but {partner.status}")
        await ocpi_partners.set_status(conn, tenant_id, partner_id, "planned" if partner.token_sealed is None else "connected")
        return await ocpi_partners.get_partner(conn, tenant_id, partner_id)

    changed = await ocpi.store.hub.tenant_unit(tenant_id, change)
    await ocpi.directory.changed()
    if changed is not None:
        ocpi.client.try_again(tenant_id, partner_id)
    return changed


async def change_partner(
    ocpi: Ocpi, tenant_id: int, partner_id: UUID, name: str | None, settings: PartnerSettings | None
) -> Partner | None:
    """What is None stays. None: no such partner. Raises Unfit, StoreUnavailable."""

    async def change(conn: Connection) -> Partner | None:
        partner = await ocpi_partners.get_partner(conn, tenant_id, partner_id, lock=True)
        if partner is None:
            return None
        await ocpi_partners.change_partner(conn, tenant_id, partner_id, name or partner.name, settings or partner.settings)
        return await ocpi_partners.get_partner(conn, tenant_id, partner_id)

    changed = await ocpi.store.hub.tenant_unit(tenant_id, change)
    await ocpi.directory.changed()
    return changed


def unknown_versions(settings: PartnerSettings) -> list[str]:
    """Versions in the settings that are not spoken here."""
    return [number for number in settings.versions or () if number not in versions.SPOKEN]


async def _hub(ocpi: Ocpi) -> int | None:
    hub = (await ocpi.directory.parties()).hub
    return None if hub is None else hub.tenant_id
