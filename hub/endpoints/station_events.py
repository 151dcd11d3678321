"""What a charge point told beside its sessions, and what followed a command."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.commands.station_credentials import mask_station_credentials
from csms.store import Connection
from csms.store.queries import station_events as queries
from csms.store.queries import stations as station_queries
from csms.store.queries.station_events import StationEventRecord
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import not_found
from hub.api.routing import Answer, Call, route


class StationEvent(msgspec.Struct, frozen=True):
    """`data`: the message as the charge point sent it; passwords of charge points are shown as `***`. `command_id`: the command
    that it names as its cause. `event_time` is null when the charge point's clock was outside 1970..2100."""

    event_id: UUID
    type: str
    event_time: datetime | None
    recorded_at: datetime
    command_id: UUID | None
    data: msgspec.Raw


class StationEventQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: Annotated[str, Meta(min_length=1, max_length=100, description="For example monitoring_report")] | None = None
    command_id: Annotated[UUID, Meta(description="What followed this command")] | None = None


async def list_station_events(call: Call[StationEventQuery, None]) -> Answer:
    tenant_id, identity, query = call.tenant_id, call.path["id"], call.query
    before = position(call, UUID)

    async def read(conn: Connection) -> tuple[list[StationEventRecord], bool] | None:
        station = await station_queries.get_station(conn, tenant_id, identity)
        if station is None:
            return None
        return await queries.list_station_events(
            conn, tenant_id, station.station_id, before, query.limit + 1, type_=query.type, command_id=query.command_id
        )

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    rows, cut = found
    return Answer(200, page(call, rows, lambda row: row.event_id, _view, cut=cut))


def _view(row: StationEventRecord) -> StationEvent:
    data = msgspec.Raw(mask_station_credentials(row.data).encode())
    return StationEvent(row.event_id, row.type, row.event_time, row.recorded_at, row.command_id, data)


ROUTES = (
    route(
        "GET",
        "/api/v1/chargepoints/{id}/events",
        list_station_events,
        permission="events.read",
        query=StationEventQuery,
        answers={200: Page[StationEvent]},
        tag="Events",
        summary="What a charge point told beside its sessions, newest first",
        description=(
            "Reports, notifications and statuses, each with the command that it names as its cause, if there is one: "
            "`command_id` gives all that followed a command. A page ends early when its data would have more than 4 MiB together."
        ),
    ),
)
