"""Charging sessions: lists, details, samples, events, stopping."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
import trio
from msgspec import Meta

from csms.commands import DomainOrder, UnknownStation
from csms.domain.commands import RemoteStop
from csms.domain.session_flags import FLAGS
from csms.sessions import AlreadyEnded
from csms.store import Connection, StoreUnavailable
from csms.store.queries import corrections as correction_queries
from csms.store.queries import samples as sample_queries
from csms.store.queries import sessions as queries
from csms.store.queries.commands import OPEN
from csms.store.queries.samples import Sample, SamplePosition
from csms.store.queries.sessions import Session, SessionEvent, SessionFilter, SessionStatus
from hub.api.fields import Time
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.commands import REFUSALS, Command, WaitQuery, command_view, refused

_NEWEST_VALUES: Final = 100
_BEFORE_ALL: Final = -(2**31)

_STATUSES: Final[dict[str, tuple[SessionStatus, ...]]] = {
    "active": ("active",),
    "completed": ("completed",),
    "incomplete": ("incomplete",),
    "historical": ("completed", "incomplete"),
}


class SessionQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`from` (inclusive) and `to` (exclusive) bound the start time."""

    status: Literal["active", "historical", "completed", "incomplete"] | None = None
    charge_point_id: Annotated[str, Meta(min_length=1, max_length=48)] | None = None
    id_tag: Annotated[str, Meta(min_length=1, max_length=255, description="The token, in any case")] | None = None
    start_from: Time | None = msgspec.field(default=None, name="from")
    start_to: Time | None = msgspec.field(default=None, name="to")
    flag: Annotated[str, Meta(min_length=1, max_length=200, description="With this flag, or one of several: a,b")] | None = None
    in_doubt: Annotated[bool, Meta(description="With a doubt that nobody has settled yet; or without one")] | None = None


class SessionEventQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    conflict: Annotated[bool, Meta(description="Those that contradict another of the same seq_no, or the others")] | None = None


class SessionDetails(Session, frozen=True):
    """A session; `meter_values` are the values of its newest reading, all of them are at `/samples`. `first_billed`: what the
    facts that have changed since the session first ended were then."""

    first_billed: dict[str, msgspec.Raw]
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
        _flags(query.flag),
        query.in_doubt,
    )
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_sessions(conn, tenant_id, before, query.limit + 1, wanted)
    )
    return Answer(200, page(call, found, lambda session: session.session_id, lambda session: session))


def _flags(text: str | None) -> tuple[str, ...]:
    flags = () if text is None else tuple(dict.fromkeys(text.split(",")))
    unknown = [flag for flag in flags if flag not in FLAGS]
    if unknown:
        raise invalid("flag", f"has none of the flags {', '.join(FLAGS)}: {unknown[0]!r}")
    return flags


async def get_session(call: Call[NoQuery, None]) -> Answer:
    tenant_id, session_id = call.tenant_id, call.uuid("id")

    async def read(conn: Connection) -> tuple[Session, dict[str, msgspec.Raw], list[Sample]] | None:
        session = await queries.get_session(conn, tenant_id, session_id)
        if session is None:
            return None
        billed = await correction_queries.first_billed(conn, tenant_id, session_id) if session.corrections else {}
        return session, billed, await sample_queries.newest_samples(conn, tenant_id, session_id, _NEWEST_VALUES)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    session, billed, values = found
    return Answer(200, SessionDetails(**msgspec.structs.asdict(session), first_billed=billed, meter_values=values))


async def list_samples(call: Call[PageQuery, None]) -> Answer:
    tenant_id, session_id, limit = call.tenant_id, call.uuid("id"), call.query.limit
    after = position(call, SamplePosition)

    async def read(conn: Connection) -> list[tuple[SamplePosition, Sample]] | None:
        if await queries.get_session(conn, tenant_id, session_id) is None:
            return None
        return await sample_queries.list_samples(conn, tenant_id, session_id, after, limit + 1)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    return Answer(200, page(call, found, lambda item: item[0], lambda item: item[1]))


async def list_session_events(call: Call[SessionEventQuery, None]) -> Answer:
    tenant_id, session_id, limit = call.tenant_id, call.uuid("id"), call.query.limit
    after = position(call, tuple[int, bytes]) or (_BEFORE_ALL, b"")

    async def read(conn: Connection) -> list[tuple[bytes, SessionEvent]] | None:
        if await queries.get_session(conn, tenant_id, session_id) is None:
            return None
        return await queries.list_events(conn, tenant_id, session_id, after, limit + 1, call.query.conflict)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    return Answer(200, page(call, found, lambda item: (item[1].seq_no, item[0]), lambda item: item[1]))


async def stop_session(call: Call[WaitQuery, StopOrder]) -> Answer:
    session = await _session(call)
    if session.status != "active":
        raise conflict(f"the session is {session.status} already")
    try:
        row = await call.hub.commands.execute(
            call.tenant_id,
            session.charge_point_id,
            DomainOrder(RemoteStop(transaction_id=session.transaction_id)),
            requested_by=call.caller.label,
            wait_s=call.query.wait,
            session_id=session.session_id,
        )
    except REFUSALS as error:
        if not call.body.force:
            if isinstance(error, UnknownStation):
                raise conflict("its charge point was retired; use force to close the session here") from None
            raise refused(error) from None
        return Answer(200, Stop(session=await _close(call, session), command=None, forced=True))
    if row.status == "accepted" or not call.body.force:
        # the station's own stop ends the session; it may have come already
        return Answer(
            202 if row.status in OPEN else 200,
            Stop(session=await _session_now(call, session), command=command_view(row), forced=False),
        )
    return Answer(200, Stop(session=await _close(call, session), command=command_view(row), forced=True))


async def _session(call: Call[WaitQuery, StopOrder]) -> Session:
    tenant_id, session_id = call.tenant_id, call.uuid("id")
    session = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_session(conn, tenant_id, session_id))
    if session is None:
        raise not_found()
    return session


async def _session_now(call: Call[WaitQuery, StopOrder], known: Session) -> Session:
    """The session as it has become; as it was when the database is away: the answer must bring the command's id."""
    try:
        return await _session(call)
    except StoreUnavailable:
        return known


async def _close(call: Call[WaitQuery, StopOrder], session: Session) -> Session:
    call.caller.require("sessions.force_stop")
    try:
        with trio.CancelScope(shield=True):  # bounded by the time limit of the unit
            closed = await call.hub.sessions.force(
                call.tenant_id, session.session_id, reason="the remote stop came to nothing", by=call.caller.label
            )
    except AlreadyEnded:  # while the station was asked
        return await _session(call)
    return closed


ROUTES = (
    route(
        "GET",
        "/api/v1/sessions",
        list_sessions,
        permission="sessions.read",
        query=SessionQuery,
        answers={200: Page[Session]},
        tag="Sessions",
        summary="Charging sessions, newest first",
        description=(
            "`status=historical` means completed or incomplete. `in_doubt=true` are the sessions that need a person: with a "
            "conflict, closed without a stop (stop_missing), with lost events, suspect, with a reused id, or unauthorized, until "
            "somebody has settled it. Each names its `doubts`."
        ),
    ),
    route(
        "GET",
        "/api/v1/sessions/{id}",
        get_session,
        permission="sessions.read",
        answers={200: SessionDetails},
        tag="Sessions",
        summary="One session with its newest meter values",
    ),
    route(
        "GET",
        "/api/v1/sessions/{id}/samples",
        list_samples,
        permission="sessions.read",
        query=PageQuery,
        answers={200: Page[Sample]},
        tag="Sessions",
        summary="All meter samples of a session, in the order of time",
    ),
    route(
        "GET",
        "/api/v1/sessions/{id}/events",
        list_session_events,
        permission="sessions.read",
        query=SessionEventQuery,
        answers={200: Page[SessionEvent]},
        tag="Sessions",
        summary="What the station said about a session, and what it was answered",
        description=(
            "Two messages with one `seq_no` and different contents contradict each other: the one that came first bills, the "
            "others are in `conflict` until somebody resolves it; `resolution` tells how, by whom, when and why."
        ),
    ),
    route(
        "POST",
        "/api/v1/sessions/{id}/stop",
        stop_session,
        permission="sessions.stop",
        query=WaitQuery,
        body=StopOrder,
        answers={200: Stop, 202: Stop},
        tag="Sessions",
        summary="Stop a session",
        description=(
            "Sends a remote stop and waits up to `wait` seconds for the station's answer. With `force`, a session whose "
            "station is not connected, or does not accept the stop in that time, is closed here: incomplete, stop reason "
            "`forced`, with the last known meter value. A stop that the station reports later still completes it. An "
            "accepted stop never closes by force: the station's own stop follows."
        ),
        problems={409: "the session is not active, or its charge point is not connected or was retired"},
        waits=True,
        body_optional=True,
    ),
)
