"""Charging sessions: lists, details, samples, events, stopping."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.commands import DomainOrder
from csms.domain.commands import RemoteStop
from csms.store import Connection
from csms.store.queries import commands as command_queries
from csms.store.queries import samples as sample_queries
from csms.store.queries import sessions as queries
from csms.store.queries.commands import OPEN
from csms.store.queries.samples import Sample, SamplePosition
from csms.store.queries.sessions import Session, SessionEvent, SessionFilter, SessionStatus
from hub.api.fields import Time
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import conflict, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.commands import REFUSALS, Command, WaitQuery, command_view, refused

_NEWEST_VALUES = 100

_STATUSES: dict[str, tuple[SessionStatus, ...]] = {
    "active": ("active",),
    "completed": ("completed",),
    "incomplete": ("incomplete",),
    "historical": ("completed", "incomplete"),
}


class SessionQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`from` (inclusive) and `to` (exclusive) bound the start time."""

    status: Literal["active", "historical", "completed", "incomplete"] | None = None
    charge_point_id: Annotated[str, Meta(min_length=1, max_length=48)] | None = None
    id_tag: Annotated[str, Meta(min_length=1, max_length=36, description="The token, in any case")] | None = None
    start_from: Time | None = msgspec.field(default=None, name="from")
    start_to: Time | None = msgspec.field(default=None, name="to")


class SessionDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A session; `meter_values` are the values of its newest reading, all of them are at `/samples`."""

    session: Session
    meter_values: list[Sample]


class StopOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`force`: close the session here when its station cannot or will not stop it."""

    force: bool = False


class Stop(msgspec.Struct, kw_only=True):
    """`command`: the remote stop that was sent; `forced`: the session was closed without its station."""

    session: Session
    command: Command | None
    forced: bool


async def list_sessions(call: Call[SessionQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    before = position(call, UUID)
    wanted = SessionFilter(
        _STATUSES[query.status] if query.status is not None else (),
        query.charge_point_id,
        query.id_tag,
        query.start_from,
        query.start_to,
    )
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_sessions(conn, tenant_id, before, query.limit + 1, wanted)
    )
    return Answer(200, page(call, found, lambda session: session.session_id, lambda session: session))


async def get_session(call: Call[NoQuery, None]) -> Answer:
    tenant_id, session_id = call.tenant_id, call.uuid("id")

    async def read(conn: Connection) -> tuple[Session, list[Sample]] | None:
        session = await queries.get_session(conn, tenant_id, session_id)
        if session is None:
            return None
        return session, await sample_queries.newest_samples(conn, tenant_id, session_id, _NEWEST_VALUES)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    session, values = found
    return Answer(200, details(session, values))
