"""Reading all that a partner has, when somebody wants it, and how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from csms.bus import BusUnavailable
from csms.store.queries import ocpi_pulls as queries
from csms.store.queries.ocpi_pulls import Pull, PullStatus
from hub.api.problems import conflict, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.ocpi.pulling import OWN_HUB, PULLED, source_of
from hub.ocpi.pulls import PULLS_TOPIC

PulledModule = Literal["hubclientinfo", "locations", "tariffs", "tokens", "sessions", "cdrs", "invoicereconciliation"]


class PullOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`modules` left out: all that the partner has and the tenant has a use for. `complete`: everything, not only what has changed
    since the last time; locations and tariffs that the partner has no longer go then."""

    modules: Annotated[list[PulledModule], Meta(min_length=1, max_length=7)] | None = None
    complete: bool = True


class PullView(msgspec.Struct, frozen=True):
    """How the reading of a module goes, or went the last time. `pages` read, with `objects` in them; `stored`: new or changed ones;
    `refused`: those that cannot be read or are nobody's behind this partner; `removed`: those that it has no longer. `error`: why
    it failed; while it is waiting it is tried again."""

    module: str
    status: PullStatus
    complete: bool
    requested_by: str
    requested_at: datetime
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    pages: int
    objects: int
    stored: int
    refused: int
    removed: int
    error: str | None


class PullState(msgspec.Struct, frozen=True):
    """All modules of a partner that were ever read or are to be."""

    items: list[PullView]


async def get_pull(call: Call[NoQuery, None]) -> Answer:
    tenant_id, partner_id = call.tenant_id, call.uuid("id")
    if partner_id != OWN_HUB and await call.hub.ocpi.ocpi.directory.partner(tenant_id, partner_id) is None:
        raise not_found()
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_pulls(conn, tenant_id, partner_id))
    return Answer(200, PullState([_view(one) for one in found]))


async def order_pull(call: Call[NoQuery, PullOrder]) -> Answer:
    tenant_id, partner_id, ocpi = call.tenant_id, call.uuid("id"), call.hub.ocpi.ocpi
    partner = None if partner_id == OWN_HUB else await ocpi.directory.partner(tenant_id, partner_id)
    if partner is None and partner_id != OWN_HUB:
        raise not_found()
    offered = [module for module in PULLED if await source_of(ocpi, tenant_id, partner, module) is not None]
    modules = offered if call.body.modules is None else list(dict.fromkeys(call.body.modules))
    missing = [module for module in modules if module not in offered]
    if missing or not modules:
        names = ", ".join(missing) or "nothing"
        raise conflict(f"the partner is not connected or does not offer {names}, or the tenant has no party that may read it")
    now = call.hub.clock.now()

    await call.hub.store.hub.tenant_unit(
        tenant_id,
        lambda conn: queries.order_pulls(conn, tenant_id, partner_id, modules, call.caller.label, now, complete=call.body.complete),
    )
    try:
        await ocpi.bus.publish(PULLS_TOPIC, b"")
    except BusUnavailable:
        pass  # it is looked for now and then
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_pulls(conn, tenant_id, partner_id))
    return Answer(202, PullState([_view(one) for one in found]))


def _view(one: Pull) -> PullView:
    return PullView(**{name: getattr(one, name) for name in PullView.__struct_fields__})


ROUTES = (
    route(
        "GET",
        "/api/v1/ocpi/partners/{id}/pull",
        get_pull,
        permission="ocpi.read",
        answers={200: PullState},
        tag="Roaming",
        summary="How reading from a partner goes",
    ),
    route(
        "POST",
        "/api/v1/ocpi/partners/{id}/pull",
        order_pull,
        permission="ocpi.write",
        body=PullOrder,
        body_optional=True,
        answers={202: PullState},
        tag="Roaming",
        summary="Read what a partner has",
        description="It goes on behind this answer; GET tells how far it is. What is being read already is left to its end. The id "
        "00000000-0000-0000-0000-000000000000 stands for the hub of this installation.",
        problems={409: "the partner is not connected, or does not offer the module"},
    ),
)
