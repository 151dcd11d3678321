"""What sessions cost: line by line while they run and after, what is held back, and billing again by hand."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from csms.billing.cdr import due
from csms.billing.final import INLINE
from csms.billing.session_usage import load_usage
from csms.pricing import BadUsage, Cost, Pricer, PriceSeries, Tariff, Usage
from csms.store import Connection
from csms.store.queries import session_costs as queries
from csms.store.queries import sessions as session_queries
from csms.store.queries.session_costs import SessionCost
from csms.tariffs.service import load_series_of, version_of_session
from hub.api.money import Money, money
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import conflict, not_found
from hub.api.routing import Answer, Call, NoQuery, route


class SessionCostView(msgspec.Struct, frozen=True):
    """What a session costs. `final`: it has ended, and nothing holds its bill back; before, `total` is what it costs so far.

    `total` is what is invoiced (with VAT where the tariff states any); `cost` explains it, up to `priced_until`, and is null where
    nothing can be priced: then `held` says why. `choice` tells how the tariff was chosen. `limit_reached`: the limit of its token
    that the session was ordered to stop for.
    """

    session_id: UUID
    tariff_id: str | None
    tariff_version: int | None
    final: bool
    total: Money | None
    priced_until: datetime | None
    held: str | None
    limit_reached: str | None
    cost: Cost | None
    choice: msgspec.Raw


class HeldSession(msgspec.Struct, frozen=True):
    """`held`: in_doubt (settle its doubts), no_tariff (no assignment fits), unusable (what is stored cannot be priced), too_long
    (more readings than are priced) or readings_gone (it has changed after its CDR was made, past the retention of its readings)."""

    session_id: UUID
    held: str


class Billed(msgspec.Struct, frozen=True):
    """The ids of the CDRs that billing made; none where nothing is another."""

    cdr_ids: list[str]
    held: str | None


class _Basis(msgspec.Struct, frozen=True):
    row: SessionCost
    active: bool
    usage: Usage | None
    tariff: Tariff | None
    version: int | None
    series: PriceSeries


async def get_cost(call: Call[NoQuery, None]) -> Answer:
    tenant_id, session_id, now = call.tenant_id, call.uuid("id"), call.hub.clock.now()
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: _basis(conn, tenant_id, session_id, now))
    if found is None:
        raise not_found()
    cost = None
    if found.tariff is not None and found.usage is not None:
        cost = await _price(call, found.tariff, found.series, found.usage)
    row = found.row
    amount = row.total_incl_vat if row.total_incl_vat is not None else row.total_excl_vat
    total = None if amount is None or row.currency is None else money(amount, row.currency)
    if found.active and cost is not None:
        price = due(cost.total_cost, cost.currency)
        total = money(price.excl_vat if price.incl_vat is None else price.incl_vat, cost.currency)
    view = SessionCostView(
        session_id,
        row.tariff_id,
        found.version,
        not found.active and row.held is None and amount is not None,
        total,
        row.priced_until if cost is None else cost.end_date_time,
        row.held,
        row.limit_reached,
        cost,
        msgspec.Raw(row.choice),
    )
    return Answer(200, view)


async def _price(call: Call[NoQuery, None], tariff: Tariff, series: PriceSeries, usage: Usage) -> Cost | None:
    try:
        if len(usage.readings) + len(usage.momentary) <= INLINE:
            return Pricer(tariff, series).price(usage)
        return await call.hub.workers.run(lambda: Pricer(tariff, series).price(usage))
    except BadUsage:
        return None


async def _basis(conn: Connection, tenant_id: int, session_id: UUID, now: datetime) -> _Basis | None:
    session = await session_queries.get_session(conn, tenant_id, session_id)
    row = await queries.get_cost(conn, tenant_id, session_id)
    if session is None or row is None:
        return None
    active = session.status == "active"
    usage = await load_usage(conn, tenant_id, session_id, until=now)
    if row.tariff_id is None or row.tariff_version is None or usage is None:
        return _Basis(row, active, usage, None, None, PriceSeries())
    version = await version_of_session(conn, tenant_id, row.tariff_id, row.tariff_version, usage.end)
    series = await load_series_of(conn, tenant_id, version.tariff, usage.start, usage.end)
    return _Basis(row, active, usage, version.tariff, version.version, series)


async def bill_session(call: Call[NoQuery, None]) -> Answer:
    tenant_id, session_id = call.tenant_id, call.uuid("id")
    session = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: session_queries.get_session(conn, tenant_id, session_id))
    if session is None:
        raise not_found()
    if session.status == "active":
        raise conflict("the session has not ended: it is billed when it has")
    made = await call.hub.billing.bill(tenant_id, session_id)
    row = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_cost(conn, tenant_id, session_id))
    return Answer(200, Billed([cdr.id for cdr in made], "no_tariff" if row is None else row.held))


async def list_held(call: Call[PageQuery, None]) -> Answer:
    tenant_id, limit = call.tenant_id, call.query.limit
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_held(conn, tenant_id, after, limit + 1))
    return Answer(200, page(call, found, lambda item: item[0], lambda item: HeldSession(*item)))


ROUTES = (
    route(
        "GET",
        "/api/v1/sessions/{id}/cost",
        get_cost,
        permission="sessions.read",
        answers={200: SessionCostView},
        tag="Sessions",
        summary="What a session costs, line by line",
        description="Also while it runs. A session of a tenant without tariffs has no cost (404).",
    ),
    route(
        "POST",
        "/api/v1/sessions/{id}/bill",
        bill_session,
        permission="sessions.resolve",
        answers={200: Billed},
        tag="Sessions",
        summary="Bill an ended session now",
        description="For one that was held back because no tariff was assigned, say. What is billed already is corrected by a "
        "credit CDR and a new one if anything of it is another; else nothing happens.",
        problems={409: "the session has not ended"},
    ),
    route(
        "GET",
        "/api/v1/held-sessions",
        list_held,
        permission="sessions.read",
        query=PageQuery,
        answers={200: Page[HeldSession]},
        tag="Sessions",
        summary="Ended sessions whose bill is held back, and why",
    ),
)
