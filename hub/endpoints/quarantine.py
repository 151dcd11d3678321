"""Messages of charge points that could not be taken as they were: seen, taken again, closed by hand."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.quarantine import AlreadyResolved, ReplayUnderWay, UnknownMessage
from csms.store.queries import quarantine as queries
from csms.store.queries.quarantine import QuarantinedMessage, QuarantinedMessageDetails, QuarantineFilter, QuarantineReason
from csms.store.replay_records import ReplayError
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
    resolution: Annotated[str, Meta(min_length=1, max_length=500, description="What was done about it")]


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


async def replay_quarantined(call: Call[ReplayQuery, ReplayOrder]) -> Answer:
    try:
        message = await call.hub.quarantine.replay(
            call.tenant_id, call.uuid("id"), payload=_payload(call.body), by=call.caller.label, wait_s=call.query.wait
        )
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
        "POST",
        "/api/v1/quarantine/{id}/resolve",
        resolve_quarantined,
        permission="quarantine.write",
        body=Resolution,
        answers={200: QuarantinedMessageDetails},
        tag="Quarantine",
        summary="Close a message by hand",
        problems={409: "the message is resolved already"},
    ),
)
