"""What charge points were told about their offline behaviour, their local lists, and orders to bring them up to date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
import trio
from msgspec import Meta

from csms.local_lists.content import Entry, decode_content
from csms.local_lists.policy import OfflinePolicy, decode_policy
from csms.local_lists.settings import Setting, decode_settings
from csms.store import Connection, Database
from csms.store.queries import local_list_orders as queries
from csms.store.queries.local_list_orders import ListView
from csms.store.queries.local_lists import get_content
from csms.store.queries.station_groups import get_station_group
from hub.api.fields import Identity
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

_LOOK_S: Final = 0.25

State = Literal["off", "pending", "in_sync", "failed", "unsupported"]


class LocalList(msgspec.Struct, frozen=True):
    """`version`, `count`: what the charge point has confirmed; count null: what it has is not known. `wanted`: how many tokens
    ought to be there; `left_out`: reason -> how many are not. The last three: what it says that it can hold and take."""

    state: State
    version: int
    count: int | None
    wanted: int
    left_out: dict[str, int]
    synced_at: datetime | None
    max_entries: int | None
    items_per_message: int | None
    bytes_per_message: int | None


class Cache(msgspec.Struct, frozen=True):
    """`error`: why it was not emptied the last time."""

    cleared_at: datetime | None
    ordered_at: datetime | None
    error: str | None


class Offline(msgspec.Struct, frozen=True):
    """What a charge point was told and has confirmed. `policy`: all that hold for it together. `settings`: its configuration keys
    or variables, with the value that it says they have and its answer to what it was told (`status`). `error`: what went wrong the
    last time; `next_try_at`: when there is something to do, the earliest moment for it."""

    charge_point_id: str
    policy: OfflinePolicy
    settings: Sequence[Setting]
    checked_at: datetime | None
    local_list: LocalList
    cache: Cache
    error: str | None
    failures: int
    next_try_at: datetime | None


class ListedToken(msgspec.Struct, frozen=True):
    """An entry of a local list. `type` is null where the charge point speaks OCPP 1.6, which names none."""

    id_token: str
    type: str | None
    status: Literal["Accepted"]
    expires_at: datetime | None
    group_id_token: str | None


class SyncOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`full`: send the whole list whatever the charge point has, and try again what it has refused."""

    full: bool = False


class SyncQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    wait: Annotated[float, Meta(ge=0, le=120, description="Seconds to wait for the end before answering 202")] = 30.0


class CachesToClear(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The charge points of a group and of all below it, and those named."""

    station_group_id: UUID | None = None
    charge_points: Annotated[list[Identity], Meta(max_length=1000)] = []


class CachesOrdered(msgspec.Struct, frozen=True):
    """How many charge points are told. Those that are away are when they are back."""

    charge_points: int


_NEVER: Final = ListView(
    state="off",
    policy="{}",
    version=0,
    count=None,
    digest=None,
    wanted_count=0,
    left_out="{}",
    max_entries=None,
    items_per_message=None,
    bytes_per_message=None,
    settings="[]",
    checked_at=None,
    synced_at=None,
    error=None,
    failures=0,
    due_at=None,
    cache_cleared_at=None,
    cache_error=None,
    clear_cache_ordered_at=None,
    orders=0,
    done=0,
)
_read_left_out: Final = msgspec.json.Decoder(dict[str, int]).decode


async def get_offline(call: Call[NoQuery, None]) -> Answer:
    found = await _look(call.hub.store.hub, call.tenant_id, call.path["id"])
    return Answer(200, _view(call.path["id"], found))


async def list_entries(call: Call[PageQuery, None]) -> Answer:
    tenant_id, identity, limit = call.tenant_id, call.path["id"], call.query.limit
    after = position(call, str) or ""

    async def read(conn: Connection) -> str | None:
        station_id = await queries.station_of(conn, tenant_id, identity)
        if station_id is None:
            raise not_found()
        view = await queries.view_list(conn, tenant_id, station_id)
        if view is None or view.digest is None:
            return None
        return await get_content(conn, tenant_id, view.digest)

    entries = await call.hub.store.hub.tenant_unit(tenant_id, read)
    found = [entry for key, entry in decode_content(entries or "[]").entries.items() if key > after][: limit + 1]
    return Answer(200, page(call, found, lambda entry: entry.key, _listed))


async def sync_list(call: Call[SyncQuery, SyncOrder]) -> Answer:
    tenant_id, identity, full = call.tenant_id, call.path["id"], call.body.full

    async def order(conn: Connection) -> int:
        station_id = await queries.station_of(conn, tenant_id, identity)
        if station_id is None:
            raise not_found()
        return await queries.order_sync(conn, tenant_id, station_id, full=full)

    deadline = trio.current_time() + call.query.wait
    with trio.CancelScope(shield=True):  # bounded by the time limit of the unit
        number = await call.hub.store.hub.tenant_unit(tenant_id, order)
    while True:
        view = await _look(call.hub.store.hub, tenant_id, identity)
        rest = deadline - trio.current_time()
        if view.done >= number or rest <= 0:
            return Answer(200 if view.done >= number else 202, _view(identity, view))
        await trio.sleep(min(_LOOK_S, rest))


async def clear_caches(call: Call[NoQuery, CachesToClear]) -> Answer:
    tenant_id, body = call.tenant_id, call.body
    if body.station_group_id is None and not body.charge_points:
        raise invalid("station_group_id", "either station_group_id or charge_points is required")

    async def order(conn: Connection) -> int:
        if body.station_group_id is not None and await get_station_group(conn, tenant_id, body.station_group_id) is None:
            raise invalid("station_group_id", "is not a station group")
        count, missing = await queries.order_clear_cache(conn, tenant_id, body.station_group_id, body.charge_points)
        if missing:
            raise invalid(f"charge_points[{body.charge_points.index(missing[0])}]", "is not a charge point")
        return count

    return Answer(202, CachesOrdered(await call.hub.store.hub.tenant_unit(tenant_id, order)))


async def _look(database: Database, tenant_id: int, identity: str) -> ListView:
    """Raises Problem 404."""

    async def read(conn: Connection) -> ListView | None:
        station_id = await queries.station_of(conn, tenant_id, identity)
        if station_id is None:
            raise not_found()
        return await queries.view_list(conn, tenant_id, station_id)

    return await database.tenant_unit(tenant_id, read) or _NEVER


def _view(identity: str, row: ListView) -> Offline:
    return Offline(
        identity,
        decode_policy(row.policy),
        decode_settings(row.settings),
        row.checked_at,
        LocalList(
            msgspec.convert(row.state, State),
            row.version,
            row.count,
            row.wanted_count,
            _read_left_out(row.left_out),
            row.synced_at,
            row.max_entries,
            row.items_per_message,
            row.bytes_per_message,
        ),
        Cache(row.cache_cleared_at, row.clear_cache_ordered_at, row.cache_error),
        row.error,
        row.failures,
        row.due_at,
    )


def _listed(entry: Entry) -> ListedToken:
    return ListedToken(entry.id_token, entry.type, "Accepted", entry.expires_at, entry.group)


ROUTES = (
    route(
        "GET",
        "/api/v1/chargepoints/{id}/offline",
        get_offline,
        permission="chargepoints.read",
        answers={200: Offline},
        tag="Offline behaviour",
        summary="What a charge point was told about its offline behaviour, and has confirmed",
    ),
    route(
        "GET",
        "/api/v1/chargepoints/{id}/local-list",
        list_entries,
        permission="id_tokens.read",
        query=PageQuery,
        answers={200: Page[ListedToken]},
        tag="Offline behaviour",
        summary="The local authorization list as the charge point has it",
        description="As far as it has confirmed it; empty when what it has is not known.",
    ),
    route(
        "POST",
        "/api/v1/chargepoints/{id}/local-list/sync",
        sync_list,
        permission="commands.send",
        query=SyncQuery,
        body=SyncOrder,
        body_optional=True,
        answers={200: Offline, 202: Offline},
        tag="Offline behaviour",
        summary="Bring a charge point's settings and local list up to date",
        description="Asks the charge point for its settings and the version of its list, and sends what differs. Waits up to "
        "`wait` seconds for the end (200); what is not finished by then, for example because the charge point is away, is answered "
        "with 202 and goes on: `GET /api/v1/chargepoints/{id}/offline` tells its end.",
        waits=True,
    ),
    route(
        "POST",
        "/api/v1/local-lists/clear-cache",
        clear_caches,
        permission="commands.send",
        body=CachesToClear,
        answers={202: CachesOrdered},
        tag="Offline behaviour",
        summary="Have charge points empty their authorization caches",
        description="After many tokens were blocked. Charge points are told a few at a time, and those that are away when they are "
        "back.",
    ),
)
