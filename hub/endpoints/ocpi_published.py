"""What of the tenant's own data partners are told, and why what is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from csms.roaming.mapping.findings import Finding
from csms.roaming.publication.findings import EXAMINED_AT_ONCE, FindingsReader
from csms.store import Connection
from csms.store.queries import ocpi_objects as object_queries
from csms.store.queries import ocpi_publication as queries
from csms.store.queries.ocpi_objects import StoredObject
from hub.api.paging import Page, PageQuery, page, position, resume
from hub.api.problems import invalid
from hub.api.routing import Answer, Call, NoQuery, route

PublishedModule = Literal["locations", "tariffs", "sessions", "cdrs", "tokens", "invoicereconciliation"]
ExaminedModule = Literal["locations", "tariffs", "sessions", "tokens"]
CountryCode = Annotated[str, Meta(pattern=r"^[A-Za-z]{2}\Z")]
PartyId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{3}\Z")]

_MOST_EXAMINED = 500
"""Objects that one request looks at."""


class PublishedQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    module: PublishedModule = "locations"


class FindingsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    module: ExaminedModule = "locations"


class PublishedObject(msgspec.Struct, frozen=True):
    """An object as partners are told it. `told_to`: of sessions and CDRs the party of their token."""

    id: str
    country_code: str
    party_id: str
    last_updated: datetime
    deleted_at: datetime | None
    told_to: str | None
    document: dict[str, Any]


class Republish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`modules`: sessions with their CDRs. With a receiver (both codes) it is told all that it may have, whether changed or not;
    without one the objects are made anew, and what differs from what was told is told to all."""

    modules: Annotated[tuple[ExaminedModule, ...], Meta(min_length=1, max_length=4)] = get_args(ExaminedModule)
    country_code: CountryCode | None = None
    party_id: PartyId | None = None


class OpenPublication(msgspec.Struct, frozen=True):
    """Something that is being gone through."""

    module: str
    to: str | None
    requested_at: datetime
    begun: bool


class Publications(msgspec.Struct, frozen=True):
    """All that is being gone through; empty: everything is as it should be."""

    items: list[OpenPublication]


async def list_published(call: Call[PublishedQuery, None]) -> Answer:
    query, tenant_id = call.query, call.tenant_id
    after = position(call, int) or 0
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: object_queries.own_after(conn, tenant_id, query.module, after, query.limit + 1)
    )
    return Answer(200, page(call, found, lambda one: one.object_no, _published))


async def list_findings(call: Call[FindingsQuery, None]) -> Answer:
    query, tenant_id = call.query, call.tenant_id
    after, skip = position(call, tuple[str, int]) or ("", 0)
    now = call.hub.clock.now()
    items: list[Finding] = []
    for _ in range(_MOST_EXAMINED // EXAMINED_AT_ONCE):
        found = await call.hub.store.hub.tenant_unit(tenant_id, partial(_examine, tenant_id, query.module, after, now))
        for key, findings in found:
            room = query.limit - len(items)
            rest = findings[skip:]
            items += rest[:room]
            if len(rest) > room:
                return Answer(200, Page(items, resume(call, (after, skip + room))))
            after, skip = key, 0
        if len(found) < EXAMINED_AT_ONCE:
            return Answer(200, Page(items, None))
        if len(items) == query.limit:
            break
    return Answer(200, Page(items, resume(call, (after, skip))))


async def _examine(tenant_id: int, module: str, after: str, now: datetime, conn: Connection) -> Sequence[tuple[str, list[Finding]]]:
    return await FindingsReader(conn, tenant_id, now).read(module, after)


async def republish(call: Call[NoQuery, Republish]) -> Answer:
    body, tenant_id = call.body, call.tenant_id
    if (body.country_code is None) != (body.party_id is None):
        raise invalid("party_id", "country_code and party_id belong together")
    to = None if body.country_code is None or body.party_id is None else (body.country_code.lower(), body.party_id.lower())
    if to is not None and "sessions" in body.modules:
        raise invalid("modules", "sessions cannot be told to a receiver once more: it asks for them")
    modules = sorted(set(body.modules))

    async def work(conn: Connection) -> Publications:
        await queries.request_whole(conn, tenant_id, modules, to)
        return await _open(conn, tenant_id)

    asked = await call.hub.store.hub.tenant_unit(tenant_id, work)
    return Answer(202, asked)


async def list_open(call: Call[NoQuery, None]) -> Answer:
    tenant_id = call.tenant_id
    return Answer(200, await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: _open(conn, tenant_id)))


async def _open(conn: Connection, tenant_id: int) -> Publications:
    return Publications(
        [
            OpenPublication(
                whole.module,
                None if whole.to is None else "-".join(whole.to).upper(),
                whole.requested_at,
                bool(whole.after),
            )
            for whole in await queries.open_wholes(conn, tenant_id)
        ]
    )


def _published(one: StoredObject) -> PublishedObject:
    return PublishedObject(
        one.key.object_id,
        str(one.document.get("country_code", one.key.owner[0])),
        str(one.document.get("party_id", one.key.owner[1])),
        one.last_updated,
        one.deleted_at,
        None if one.with_party is None else "-".join(one.with_party).upper(),
        one.document,
    )


ROUTES = (
    route(
        "GET",
        "/api/v1/ocpi/published",
        list_published,
        permission="ocpi.read",
        query=PublishedQuery,
        answers={200: Page[PublishedObject]},
        tag="Roaming",
        summary="What of the tenant's own data partners are told",
    ),
    route(
        "GET",
        "/api/v1/ocpi/findings",
        list_findings,
        permission="ocpi.read",
        query=FindingsQuery,
        answers={200: Page[Finding]},
        tag="Roaming",
        summary="Why what of the tenant's own data partners are not told, and what had to be assumed",
        description="A page may be empty and yet have a next one: many objects without a fault were looked at.",
    ),
    route(
        "GET",
        "/api/v1/ocpi/publications",
        list_open,
        permission="ocpi.read",
        answers={200: Publications},
        tag="Roaming",
        summary="What is being gone through from the beginning",
    ),
    route(
        "POST",
        "/api/v1/ocpi/publications",
        republish,
        permission="ocpi.write",
        body=Republish,
        answers={202: Publications},
        tag="Roaming",
        summary="Go through the tenant's own data from the beginning",
    ),
)
