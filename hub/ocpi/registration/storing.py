"""What a handshake leaves in the store, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from csms.roaming.parties import PartnerRole
from csms.roaming.partners import Partner
from csms.store import Connection
from csms.store.queries import ocpi_partners as queries
from hub.ocpi import platform, versions
from hub.ocpi.registration.handshake import Offer
from hub.ocpi.registration.tokens import GRACE
from hub.ocpi.services import Ocpi
from schemas.ocpi_versions.port import Peer


class Overtaken(Exception):
    """Another handshake with the same partner was done meanwhile."""


async def store(
    ocpi: Ocpi,
    partner: Partner,
    offer: Offer,
    *,
    versions_url: str,
    token: str,
    roles: Sequence[PartnerRole],
    our_role: Peer | None,
    access: bytes,
    permitted_by: bytes | None,
    now: datetime,
) -> Partner:
    """Make `partner` a registered one, as the other side has said it is.

    `token`: what we use towards it; `access`: the hash of the only token that it uses from now on, stored here unless it is
    already. `our_role`: what we are to the partner; kept if the version has one role for each connection. `permitted_by`: the hash
    of the token A that was used, which must still be there; None: the credentials of before are replaced, and good for GRACE (C6).
    Raises Overtaken, PartyTaken, StoreUnavailable.
    """
    tenant_id, partner_id = partner.tenant_id, partner.partner_id
    sealed = ocpi.sealer.seal(tenant_id, platform.PARTNER_TOKEN, token)

    async def work(conn: Connection) -> Partner | None:
        present = await queries.get_partner(conn, tenant_id, partner_id, lock=True)
        if present is None or present.token_sealed != partner.token_sealed or present.status in ("suspended", "left"):
            raise Overtaken
        if permitted_by is not None and not await queries.has_token(conn, tenant_id, partner_id, permitted_by):
            raise Overtaken
        await queries.store_registration(
            conn,
            tenant_id,
            partner_id,
            version=offer.version,
            versions_url=versions_url,
            endpoints=offer.endpoints,
            token_sealed=sealed,
        )
        settings = present.settings
        if offer.encoding != (settings.token_encoding or versions.default_encoding(offer.version)):
            settings = msgspec.structs.replace(settings, token_encoding=offer.encoding)
        if settings.own_role is None:
            settings = msgspec.structs.replace(settings, own_role=versions.as_one(offer.version, our_role))
        if settings != present.settings:
            await queries.change_partner(conn, tenant_id, partner_id, present.name, settings)
        await queries.replace_roles(conn, tenant_id, partner_id, roles)
        if permitted_by is None:
            await queries.delete_registration_tokens(conn, tenant_id, partner_id)
            await queries.end_tokens(conn, tenant_id, partner_id, but=access, expires_at=now + GRACE)
        else:
            await queries.end_tokens(conn, tenant_id, partner_id, but=access)
        if not await queries.has_token(conn, tenant_id, partner_id, access):
            await queries.insert_token(conn, tenant_id, partner_id, access, "access")
        return await queries.get_partner(conn, tenant_id, partner_id)

    stored = await ocpi.store.hub.tenant_unit(tenant_id, work)
    await ocpi.directory.changed()
    if stored is None:
        raise Overtaken
    return stored
