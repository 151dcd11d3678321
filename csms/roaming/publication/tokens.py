"""Publication of the tenant's own tokens (K2: never deleted, revoked by valid = false)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from csms.roaming.mapping.findings import Finding
from csms.roaming.mapping.tokens import MODULE, map_token, owner_of_token
from csms.roaming.publication.saving import NOTHING, Made, Saved, save
from csms.roaming.publication.view import TenantView
from csms.roaming.sources import TokenSource
from csms.store.pool import Connection
from csms.store.queries import ocpi_objects as object_queries
from csms.store.queries import ocpi_sources as sources
from csms.store.queries.ocpi_objects import ObjectKey
from schemas.ocpi221.base import fold
from schemas.ocpi221.headers import Party
from schemas.ocpi221.writing import document


async def publish_tokens(conn: Connection, tenant_id: int, view: TenantView, token_ids: Collection[UUID], now: datetime) -> Saved:
    """Tell these tokens as the eMSP party that their contract names. Tokens that differ in what OCPI does not tell are one there:
    the one that may charge is told. What a party has told that leaves is revoked."""
    if not view.emsps:
        return NOTHING
    found = await sources.tokens(conn, tenant_id, token_ids)
    staying = {party.party.folded for party in view.staying_emsps}
    told = await object_queries.own_by_ids(conn, tenant_id, MODULE, [fold(source.id_token) for source in found])
    made: dict[ObjectKey, tuple[bool, Made]] = {}
    for one in told:
        if one.key.owner not in staying:
            receivers = view.receivers(one.key.owner, MODULE)
            made[one.key] = False, Made(key=one.key, document=one.document | {"valid": False}, receivers=receivers)
    for source in found if staying else ():
        owner, name = _owner(view, source)
        token = map_token(source, owner, name, now).thing
        if token is None:
            continue
        key = ObjectKey(MODULE, owner.folded, fold(token.uid), token.type)
        if key not in made or (token.valid and not made[key][0]):
            made[key] = token.valid, Made(key=key, document=document(token), receivers=view.receivers(owner.folded, MODULE))
    return await save(conn, tenant_id, [one for _, one in made.values()], now)


async def token_findings(
    conn: Connection, tenant_id: int, view: TenantView, token_ids: Collection[UUID], now: datetime
) -> dict[UUID, list[Finding]]:
    """Why these tokens are not told, or told with something assumed, by their ids."""
    if not view.staying_emsps:
        return {}
    found = await sources.tokens(conn, tenant_id, token_ids)
    return {source.token_id: list(map_token(source, *_owner(view, source), now).findings) for source in found}


def _owner(view: TenantView, source: TokenSource) -> tuple[Party, str]:
    owner = owner_of_token(source, [party.party for party in view.staying_emsps])
    name = next(str(party.business_details.get("name", "")) for party in view.staying_emsps if party.party == owner)
    return owner, name
