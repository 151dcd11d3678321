"""Messages of charge points that could not be taken as they were: seen, taken again, closed by hand."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.domain.attachment import NotAttachable, Trait
from csms.quarantine import AlreadyResolved, NotOfThisStation, ReplayUnderWay, UnknownMessage
from csms.store import Connection
from csms.store.queries import quarantine as queries
from csms.store.queries import sessions as session_queries
from csms.store.queries.quarantine import (
    Attachment,
    QuarantinedMessage,
    QuarantinedMessageDetails,
    QuarantineFilter,
    QuarantineReason,
)
from csms.store.queries.sessions import Session
from csms.store.replay_records import ReplayError
from hub.api.fields import Reason
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import FieldError, Problem, conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.services import Hub

MAX_PAYLOAD: Final = 256 * 1024
"""Bytes of a corrected message: as much as a station may send."""


class QuarantineQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: QuarantineReason | None = None
    resolved: bool | None = None
    charge_point_id: Annotated[str, Meta(min_length=1, max_length=48)] | None = None


class ReplayQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    wait: Annotated[float, Meta(ge=0, le=60, description="Seconds to wait for the outcome before answering 202")] = 10.0


class ReplayOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`payload`: the corrected message, a JSON object; without it the message is taken as it was kept."""

    payload: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class Resolution(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    resolution: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S", description="What was done about it, and why")]


class CandidatesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=50, description="How many at most")] = 10


class Candidate(msgspec.Struct, frozen=True):
    """A session that a message may belong to. `fits`: what of the message speaks for it, `contradicts`: what against it.

    time: it happened during the session; connector: on its connector (2.x: EVSE); id_tag: with its token; meter: not below its
    start, nor above its end; stop_missing: the message is a stop and the session has none.
    """

    session: Session
    fits: tuple[Trait, ...]
    contradicts: tuple[Trait, ...]


class AttachOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`session_id`: the session of the same charge point that the message belongs to."""

    session_id: UUID
    reason: Reason


async def list_quarantine(call: Call[QuarantineQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    before = position(call, UUID)
    wanted = QuarantineFilter(query.reason, query.resolved, query.charge_point_id)
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_quarantined(conn, tenant_id, before, query.limit + 1, wanted)
    )
    return Answer(200, page(call, found, lambda message: message.quarantine_id, lambda message: message))


async def get_quarantined(call: Call[NoQuery, None]) -> Answer:
    return Answer(200, await _read(call.hub, call.tenant_id, call.uuid("id")))


async def list_candidates(call: Call[CandidatesQuery, None]) -> Answer:
    tenant_id = call.tenant_id
    try:
        found = await call.hub.quarantine.candidates(tenant_id, call.uuid("id"), call.query.limit)
    except UnknownMessage:
        raise not_found() from None
    except NotAttachable as error:
        raise _not_attachable(error) from None

    async def read(conn: Connection) -> list[Candidate]:
        sessions = [(await session_queries.get_session(conn, tenant_id, session_id), fit) for session_id, fit in found]
        return [Candidate(session, fit.fits, fit.contradicts) for session, fit in sessions if session is not None]

    return Answer(200, Page(await call.hub.store.hub.tenant_unit(tenant_id, read), None))


async def replay_quarantined(call: Call[ReplayQuery, ReplayOrder]) -> Answer:
    return await _taken(
        call.hub.quarantine.replay(
            call.tenant_id, call.uuid("id"), payload=_payload(call.body), by=call.caller.label, wait_s=call.query.wait
        )
    )


async def attach_quarantined(call: Call[ReplayQuery, AttachOrder]) -> Answer:
    attachment = Attachment(call.body.session_id, call.body.reason)
    try:
        return await _taken(
            call.hub.quarantine.attach(call.tenant_id, call.uuid("id"), attachment, by=call.caller.label, wait_s=call.query.wait)
        )
    except NotOfThisStation as error:
        raise invalid("session_id", str(error)) from None
    except NotAttachable as error:
        raise _not_attachable(error) from None


async def _taken(order: Awaitable[QuarantinedMessageDetails]) -> Answer:
    """Carry an order to take a message again out and tell what has become of it."""
    try:
        message = await order
    except UnknownMessage:
        raise not_found() from None
    except AlreadyResolved:
        raise conflict("the message is resolved already") from None
    except ReplayUnderWay:
        raise conflict("the message is being taken again already") from None
    if message.replay_finished_at is None:
        return Answer(202, message, {"Location": f"/api/v1/quarantine/{message.quarantine_id}"})
    if message.replay_error is not None:
        raise _refusal(msgspec.json.decode(message.replay_error, type=ReplayError))
    return Answer(200, message)


async def resolve_quarantined(call: Call[NoQuery, Resolution]) -> Answer:
    tenant_id, quarantine_id, by = call.tenant_id, call.uuid("id"), call.caller.label
    done = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.resolve(conn, tenant_id, quarantine_id, resolution=call.body.resolution, by=by)
    )
    if done is None:
        raise not_found()
    if done == "was_resolved":
        raise conflict("the message is resolved already")
    return Answer(200, await _read(call.hub, tenant_id, quarantine_id))


async def _read(hub: Hub, tenant_id: int, quarantine_id: UUID) -> QuarantinedMessageDetails:
    found = await hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_quarantined(conn, tenant_id, quarantine_id))
    if found is None:
        raise not_found()
    return found


def _payload(body: ReplayOrder) -> bytes | None:
    payload = bytes(body.payload).strip()  # as it was sent: numbers of meters are never floats
    if payload in (b"", b"null"):
        return None
    if not payload.startswith(b"{"):
        raise invalid("payload", "Expected `object`")
    if len(payload) > MAX_PAYLOAD:
        raise invalid("payload", f"has more than {MAX_PAYLOAD} bytes")
    return payload


def _not_attachable(error: NotAttachable) -> Problem:
    return Problem(422, "not-attachable", str(error))


def _refusal(error: ReplayError) -> Problem:
    if error.kind == "gate":
        return conflict("the charge point is not accepted: its transactions are taken once its BootNotification is")
    detail = {
        "schema": f"the message breaks its schema ({error.code})",
        "orphan": "the message names a transaction that is not known",
    }.get(error.kind, f"the message cannot be taken: {error.description}")
    errors = [FieldError(f"payload{error.path}", f"{error.rule}: {error.description}")] if error.path else []
    return Problem(422, "not-replayable", detail, errors=errors)


ROUTES = (
    route(
        "GET",
        "/api/v1/quarantine",
        list_quarantine,
        permission="quarantine.read",
        query=QuarantineQuery,
        answers={200: Page[QuarantinedMessage]},
        tag="Quarantine",
        summary="Messages of charge points that could not be taken as they were, newest first",
    ),
    route(
        "GET",
        "/api/v1/quarantine/{id}",
        get_quarantined,
        permission="quarantine.read",
        answers={200: QuarantinedMessageDetails},
        tag="Quarantine",
        summary="One message, whole",
    ),
    route(
        "POST",
        "/api/v1/quarantine/{id}/replay",
        replay_quarantined,
        permission="quarantine.write",
        query=ReplayQuery,
        body=ReplayOrder,
        answers={200: QuarantinedMessageDetails, 202: QuarantinedMessageDetails},
        tag="Quarantine",
        summary="Take a message as if it had just come",
        description=(
            "The charge point need not be connected, but its registration must be accepted. What is in the ledger already is "
            "found by its content and not stored twice; a session that the message begins or changes is flagged `replayed`. "
            "When it is done the message is resolved, with the answer that the charge point would have got. 202: it is not "
            "done within `wait` seconds and goes on."
        ),
        problems={
            409: "the message is resolved or being taken already, or the charge point is not accepted",
            422: "the message cannot be taken; `errors` names where its schema is broken and by which rule",
        },
        waits=True,
        body_optional=True,
    ),
    route(
        "GET",
        "/api/v1/quarantine/{id}/candidates",
        list_candidates,
        permission="quarantine.read",
        query=CandidatesQuery,
        answers={200: Page[Candidate]},
        tag="Quarantine",
        summary="The sessions of its charge point that a message may belong to, best first",
        description="For messages that name a transaction: StopTransaction and MeterValues of OCPP 1.6, TransactionEvent of 2.x.",
        problems={422: "the message names no transaction"},
    ),
    route(
        "POST",
        "/api/v1/quarantine/{id}/attach",
        attach_quarantined,
        permission="quarantine.write",
        query=ReplayQuery,
        body=AttachOrder,
        answers={200: QuarantinedMessageDetails, 202: QuarantinedMessageDetails},
        tag="Quarantine",
        summary="Take an orphan as a message of this session",
        description=(
            "The message gets the transaction id of the session and is taken as `/replay` does it: an end that comes to a session "
            "that had ended already is a correction or a conflict, as if the charge point had sent it late. The same order again "
            "changes nothing. 202: it is not done within `wait` seconds and goes on."
        ),
        problems={
            409: "the message is resolved or being taken already, or the charge point is not accepted",
            422: "the session is none of this charge point, the message names no transaction, or it cannot be taken",
        },
        waits=True,
    ),
    route(
        "POST",
        "/api/v1/quarantine/{id}/resolve",
        resolve_quarantined,
        permission="quarantine.write",
        body=Resolution,
        answers={200: QuarantinedMessageDetails},
        tag="Quarantine",
        summary="Discard a message, or note what was done about it otherwise",
        description="It stays listed as resolved, with the reason, by whom and when (`resolved=true`), until the retention ends.",
        problems={409: "the message is resolved already"},
    ),
)
