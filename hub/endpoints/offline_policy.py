"""How charge points behave while nobody can be asked: of the tenant, of station groups, of charge points."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from csms.local_lists.policy import OfflinePolicy, decode_policy, encode_policy
from csms.store import Connection
from csms.store.queries import offline_policies as queries
from csms.store.queries.local_list_orders import station_of
from csms.store.queries.offline_policies import PolicyRow
from csms.store.queries.station_groups import get_station_group
from hub.api.problems import invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

_WHAT = (
    "What is null is as the next policy up says: that of the charge point, of its groups from the nearest one (those at the same "
    "distance in the order of their names), of the tenant. A switch that none of them sets is left as it is at the charge point. "
)


class StoredPolicy(msgspec.Struct, frozen=True):
    """A policy as one scope has it. `updated_at` null: nothing was ever set."""

    policy: OfflinePolicy
    updated_by: str | None
    updated_at: datetime | None


async def _read(conn: Connection, tenant_id: int, group_id: UUID | None, station_id: int | None) -> StoredPolicy:
    row = await queries.get_policy(conn, tenant_id, group_id, station_id)
    return StoredPolicy(OfflinePolicy(), None, None) if row is None else _stored(row)


async def _write(
    conn: Connection, tenant_id: int, group_id: UUID | None, station_id: int | None, policy: OfflinePolicy, by: str
) -> StoredPolicy:
    wanted = list(policy.token_groups or ())
    missing = await queries.unknown_token_groups(conn, tenant_id, wanted)
    if missing:
        place = next(n for n, token_group in enumerate(wanted) if token_group in missing)
        raise invalid(f"token_groups[{place}]", "is not a token group")
    return _stored(await queries.put_policy(conn, tenant_id, group_id, station_id, encode_policy(policy).decode(), by))


def _stored(row: PolicyRow) -> StoredPolicy:
    return StoredPolicy(decode_policy(row.policy), row.updated_by, row.updated_at)


async def get_policy(call: Call[NoQuery, None]) -> Answer:
    tenant_id = call.tenant_id
    return Answer(200, await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: _read(conn, tenant_id, None, None)))


async def put_policy(call: Call[NoQuery, OfflinePolicy]) -> Answer:
    tenant_id, body, by = call.tenant_id, call.body, call.caller.label
    stored = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: _write(conn, tenant_id, None, None, body, by))
    return Answer(200, stored)


async def _station(conn: Connection, tenant_id: int, identity: str) -> int:
    """Raises Problem 404."""
    station_id = await station_of(conn, tenant_id, identity)
    if station_id is None:
        raise not_found()
    return station_id


async def get_station_policy(call: Call[NoQuery, None]) -> Answer:
    tenant_id, identity = call.tenant_id, call.path["id"]

    async def read(conn: Connection) -> StoredPolicy:
        return await _read(conn, tenant_id, None, await _station(conn, tenant_id, identity))

    return Answer(200, await call.hub.store.hub.tenant_unit(tenant_id, read))


async def put_station_policy(call: Call[NoQuery, OfflinePolicy]) -> Answer:
    tenant_id, identity, body, by = call.tenant_id, call.path["id"], call.body, call.caller.label

    async def write(conn: Connection) -> StoredPolicy:
        return await _write(conn, tenant_id, None, await _station(conn, tenant_id, identity), body, by)

    return Answer(200, await call.hub.store.hub.tenant_unit(tenant_id, write))


async def delete_station_policy(call: Call[NoQuery, None]) -> Answer:
    tenant_id, identity = call.tenant_id, call.path["id"]

    async def delete(conn: Connection) -> bool:
        return await queries.delete_policy(conn, tenant_id, None, await _station(conn, tenant_id, identity))

    if not await call.hub.store.hub.tenant_unit(tenant_id, delete):
        raise not_found()
    return Answer(204)


async def _group(conn: Connection, tenant_id: int, group_id: UUID) -> UUID:
    """Raises Problem 404."""
    if await get_station_group(conn, tenant_id, group_id) is None:
        raise not_found()
    return group_id


async def get_group_policy(call: Call[NoQuery, None]) -> Answer:
    tenant_id, group_id = call.tenant_id, call.uuid("id")

    async def read(conn: Connection) -> StoredPolicy:
        return await _read(conn, tenant_id, await _group(conn, tenant_id, group_id), None)

    return Answer(200, await call.hub.store.hub.tenant_unit(tenant_id, read))


async def put_group_policy(call: Call[NoQuery, OfflinePolicy]) -> Answer:
    tenant_id, group_id, body, by = call.tenant_id, call.uuid("id"), call.body, call.caller.label

    async def write(conn: Connection) -> StoredPolicy:
        return await _write(conn, tenant_id, await _group(conn, tenant_id, group_id), None, body, by)

    return Answer(200, await call.hub.store.hub.tenant_unit(tenant_id, write))


async def delete_group_policy(call: Call[NoQuery, None]) -> Answer:
    tenant_id, group_id = call.tenant_id, call.uuid("id")

    async def delete(conn: Connection) -> bool:
        return await queries.delete_policy(conn, tenant_id, await _group(conn, tenant_id, group_id), None)

    if not await call.hub.store.hub.tenant_unit(tenant_id, delete):
        raise not_found()
    return Answer(204)


ROUTES = (
    route(
        "GET",
        "/api/v1/offline-policy",
        get_policy,
        permission="chargepoints.read",
        answers={200: StoredPolicy},
        tag="Offline behaviour",
        summary="The tenant's offline policy",
        description=_WHAT,
    ),
    route(
        "PUT",
        "/api/v1/offline-policy",
        put_policy,
        permission="offline_policy.write",
        body=OfflinePolicy,
        answers={200: StoredPolicy},
        tag="Offline behaviour",
        summary="Set the tenant's offline policy",
        description=_WHAT + "Charge points that are connected are told within moments, the others when they are back.",
    ),
    route(
        "GET",
        "/api/v1/station-groups/{id}/offline-policy",
        get_group_policy,
        permission="chargepoints.read",
        answers={200: StoredPolicy},
        tag="Offline behaviour",
        summary="The offline policy of a station group itself",
    ),
    route(
        "PUT",
        "/api/v1/station-groups/{id}/offline-policy",
        put_group_policy,
        permission="offline_policy.write",
        body=OfflinePolicy,
        answers={200: StoredPolicy},
        tag="Offline behaviour",
        summary="Set the offline policy of a station group",
        description=_WHAT,
    ),
    route(
        "DELETE",
        "/api/v1/station-groups/{id}/offline-policy",
        delete_group_policy,
        permission="offline_policy.write",
        answers={204: None},
        tag="Offline behaviour",
        summary="Remove the offline policy of a station group",
    ),
    route(
        "GET",
        "/api/v1/chargepoints/{id}/offline-policy",
        get_station_policy,
        permission="chargepoints.read",
        answers={200: StoredPolicy},
        tag="Offline behaviour",
        summary="The offline policy of a charge point itself",
        description="What holds for it together with all others is in `/api/v1/chargepoints/{id}/offline`.",
    ),
    route(
        "PUT",
        "/api/v1/chargepoints/{id}/offline-policy",
        put_station_policy,
        permission="offline_policy.write",
        body=OfflinePolicy,
        answers={200: StoredPolicy},
        tag="Offline behaviour",
        summary="Set the offline policy of a charge point",
        description=_WHAT,
    ),
    route(
        "DELETE",
        "/api/v1/chargepoints/{id}/offline-policy",
        delete_station_policy,
        permission="offline_policy.write",
        answers={204: None},
        tag="Offline behaviour",
        summary="Remove the offline policy of a charge point",
    ),
)
