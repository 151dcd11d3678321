"""Publication of tariffs: those in force that an assignment gives to sessions of any token."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from csms.roaming.mapping.findings import Finding, Mapped
from csms.roaming.mapping.tariffs import MODULE, map_tariff
from csms.roaming.publication.saving import NOTHING, Made, Saved, delete, save
from csms.roaming.publication.view import TenantView
from csms.store.pool import Connection
from csms.store.queries import ocpi_objects as object_queries
from csms.store.queries import ocpi_publication as queries
from csms.store.queries import ocpi_sources as sources
from csms.store.queries.ocpi_objects import ObjectKey
from csms.store.queries.ocpi_sources import PricedTariff
from schemas.ocpi221.base import fold
from schemas.ocpi221.headers import Party
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.writing import document


async def publish_tariffs(conn: Connection, tenant_id: int, view: TenantView, tariff_ids: Collection[str], now: datetime) -> Saved:
    """Tell these tariffs, as each of the tenant's CPO parties. Those that are retired, that nobody else's token can have any more,
    or whose party leaves, are deleted. Where one has come or gone, the tariffs of all connectors are looked at again."""
    priced = await sources.priced_tariffs(conn, tenant_id, tariff_ids, now)
    told = {
        (one.key.owner, one.key.object_id)
        for one in await object_queries.own_by_ids(conn, tenant_id, MODULE, [fold(tariff_id) for tariff_id in tariff_ids])
        if one.deleted_at is None
    }
    made: list[Made] = []
    staying = {party.party.folded for party in view.staying_cpos}
    gone = [ObjectKey(MODULE, owner, tariff_id) for owner, tariff_id in sorted(told) if owner not in staying]
    for tariff_id in tariff_ids:
        tariff = priced.get(tariff_id)
        for party in view.staying_cpos:
            owner = party.party.folded
            key = ObjectKey(MODULE, owner, fold(tariff_id))
            if tariff is None or _withheld(tariff) is not None:
                if (owner, key.object_id) in told:
                    gone.append(key)
                continue
            mapped = _map(tariff, party.party, now)
            if mapped.thing is not None:
                made.append(Made(key=key, document=document(mapped.thing), receivers=view.receivers(owner, MODULE)))
    saved = await save(conn, tenant_id, made, now)
    for key in gone:
        saved += await delete(conn, tenant_id, key, view.receivers(key.owner, MODULE), now)
    new = any((one.key.owner, one.key.object_id) not in told for one in made)
    if gone or new:
        await queries.request_whole(conn, tenant_id, ["locations"])
    return saved if saved.objects else NOTHING


async def tariff_findings(
    conn: Connection, tenant_id: int, view: TenantView, tariff_ids: Collection[str], now: datetime
) -> dict[str, list[Finding]]:
    """Why these tariffs are not told, or told with something assumed, by their ids."""
    found: dict[str, list[Finding]] = {}
    for tariff_id, tariff in (await sources.priced_tariffs(conn, tenant_id, tariff_ids, now)).items():
        reason = _withheld(tariff)
        if tariff.retired:
            continue
        if reason is not None:
            field = "assignments" if tariff.tariff is not None else "versions"
            found[tariff_id] = [Finding(MODULE, tariff_id, field, reason)]
        elif view.staying_cpos:
            found[tariff_id] = list(_map(tariff, view.staying_cpos[0].party, now).findings)
    return found


def _withheld(tariff: PricedTariff) -> str | None:
    if tariff.retired:
        return "is retired"
    if tariff.tariff is None:
        return "no version is in force yet"
    return None if tariff.open_to_all else "no assignment gives it to sessions whatever group their token is in"


def _map(tariff: PricedTariff, party: Party, now: datetime) -> Mapped[Tariff]:
    if tariff.tariff is None:
        raise LookupError(f"tariff {tariff.tariff_id} has no version in force")
    return map_tariff(tariff.tariff, party, now)
