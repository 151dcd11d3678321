"""What happened: the tenant's events."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import trio
from msgspec import Meta

from csms.store.queries import events as queries
from csms.store.queries.events import Event, EventPosition
from hub.api.paging import PageQuery, position, resume
from hub.api.routing import Answer, Call, route

_POLL_S: Final = 1.0


class EventQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: Annotated[str, Meta(min_length=1, max_length=100, description="For example session.started")] | None = None
    wait: Annotated[float, Meta(ge=0, le=60, description="Seconds to wait when there is nothing new yet")] = 0.0


class EventPage(msgspec.Struct, frozen=True):
    """`next_cursor` is never null: asking with it again gives what has happened since."""

    items: list[Event]
    next_cursor: str


async def list_events(call: Call[EventQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, EventPosition) or EventPosition(0, 0)
    deadline = trio.current_time() + query.wait
    while True:
        found = await call.hub.store.hub.tenant_unit(
            tenant_id, lambda conn: queries.list_events(conn, tenant_id, call.caller.tenant, after, query.limit, query.type)
        )
        rest = deadline - trio.current_time()
        if found or rest <= 0:
            last = found[-1][0] if found else after
            return Answer(200, EventPage([event for _, event in found], resume(call, last)))
        await trio.sleep(min(_POLL_S, rest))


ROUTES = (
    route(
        "GET",
        "/api/v1/events",
        list_events,
        permission="events.read",
        query=EventQuery,
        answers={200: EventPage},
        tag="Events",
        summary="The tenant's events in their order, oldest first",
        description=(
            "Follow `next_cursor` to read on; with `wait` the answer is held until something happens. Every event comes "
            "once to a reader that follows the cursor; `event_id` identifies it for ever."
        ),
    ),
)
