"""Sessions that need a person: closed, contested ends decided, doubts settled, and what was changed by whom and why."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.domain.closing import Closing, Refused
from csms.domain.session_flags import SessionFlag
from csms.sessions import AlreadyEnded, OpenConflicts, UnknownConflict, UnknownSession, Use
from csms.store import Connection
from csms.store.queries import corrections as queries
from csms.store.queries import sessions as session_queries
from csms.store.queries.corrections import Correction
from csms.store.queries.sessions import Session
from hub.api.fields import Reason, Time
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

MOST_WH: Final = Decimal(10) ** 12
"""More than any meter shows."""
_FINEST: Final = -6
"""Decimals of a meter value."""
_EVENT_ID: Final = re.compile(r"^(?P<seq_no>\d{1,10})-(?P<digest>[0-9a-f]{2,128})\Z")
_MOST_SEQ: Final = 2**31 - 1

MeterWh = Annotated[
    Decimal,
    Meta(extra_json_schema={"type": "number", "minimum": 0, "maximum": 1e12}, description="In Wh, at most 6 decimals"),
]


class CloseOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`stop_time`, `stop_meter_wh`: where it ended, as far as it is known better than by the station's last message.
    `below_start`: the meter may be below the one at the start (it was replaced); the session is suspect then."""

    reason: Reason
    stop_time: Time | None = None
    stop_meter_wh: MeterWh | None = None
    below_start: bool = False


class ConflictDecision(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`use`: first (what bills goes on billing) or other (the message in conflict ends the session instead). `stop_meter_wh`:
    the meter value of an OCPP 2.x message where it cannot be told which of the readings it brought."""

    use: Annotated[Use, Meta(description="first or other")]
    reason: Reason
    stop_meter_wh: MeterWh | None = None


class Settlement(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`flags`: the doubts that are settled; all but conflicts when it is left out."""

    reason: Reason
    flags: Annotated[list[SessionFlag], Meta(min_length=1, max_length=20)] | None = None


async def close_session(call: Call[NoQuery, CloseOrder]) -> Answer:
    order = call.body
    closing = Closing(order.stop_time, _meter(order.stop_meter_wh), order.below_start)
    return await _decided(
        call.hub.sessions.close(call.tenant_id, call.uuid("id"), closing, reason=order.reason, by=call.caller.label)
    )


async def resolve_conflict(call: Call[NoQuery, ConflictDecision]) -> Answer:
    event = _EVENT_ID.match(call.path["event_id"])
    if event is None or len(event["digest"]) % 2 or int(event["seq_no"]) > _MOST_SEQ:
        raise not_found()
    return await _decided(
        call.hub.sessions.resolve_conflict(
            call.tenant_id,
            call.uuid("id"),
            int(event["seq_no"]),
            bytes.fromhex(event["digest"]),
            call.body.use,
            stop_meter_wh=_meter(call.body.stop_meter_wh),
            reason=call.body.reason,
            by=call.caller.label,
        )
    )


async def settle_session(call: Call[NoQuery, Settlement]) -> Answer:
    return await _decided(
        call.hub.sessions.settle(call.tenant_id, call.uuid("id"), call.body.flags, reason=call.body.reason, by=call.caller.label)
    )


async def list_corrections(call: Call[PageQuery, None]) -> Answer:
    tenant_id, session_id, limit = call.tenant_id, call.uuid("id"), call.query.limit
    after = position(call, UUID) or NIL

    async def read(conn: Connection) -> list[Correction] | None:
        if await session_queries.get_session(conn, tenant_id, session_id) is None:
            return None
        return await queries.list_corrections(conn, tenant_id, session_id, after, limit + 1)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    return Answer(200, page(call, found, lambda correction: correction.correction_id, lambda correction: correction))


async def _decided(decision: Awaitable[Session]) -> Answer:
    try:
        return Answer(200, await decision)
    except (UnknownSession, UnknownConflict):
        raise not_found() from None
    except AlreadyEnded as error:
        raise conflict(f"the session is {error} already: its station's own stop ended it") from None
    except OpenConflicts:
        raise conflict("conflicts are resolved one by one, at /conflicts/{event_id}/resolve") from None
    except Refused as error:
        raise invalid(error.field, error.message) from None


def _meter(value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    if not value.is_finite() or not 0 <= value <= MOST_WH:
        raise invalid("stop_meter_wh", "is not a number of Wh from 0 to 10^12")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < _FINEST:
        raise invalid("stop_meter_wh", "has more than 6 decimals")
    return value


ROUTES = (
    route(
        "POST",
        "/api/v1/sessions/{id}/close",
        close_session,
        permission="sessions.resolve",
        body=CloseOrder,
        answers={200: Session},
        tag="Sessions",
        summary="Close a session whose stop will not come",
        description=(
            "The session becomes incomplete and ends at `stop_time` with `stop_meter_wh`, or where it was last known. One that "
            "was closed without a stop before can be corrected in this way. Nothing is sent to the station (see `/stop`). A stop "
            "that the station reports later still completes the session and is listed as a correction. The same order again "
            "changes nothing. Publishes `session.ended`, or `session.corrected` when the session had ended."
        ),
        problems={409: "the session was ended by its station"},
    ),
    route(
        "POST",
        "/api/v1/sessions/{id}/conflicts/{event_id}/resolve",
        resolve_conflict,
        permission="sessions.resolve",
        body=ConflictDecision,
        answers={200: Session},
        tag="Sessions",
        summary="Decide which of two contradicting messages bills",
        description=(
            "`event_id` is that of the event with `conflict: true` in `/events`. `other` takes the end of the session from it: "
            "only a StopTransaction or an Ended can be that. A decision can be changed by the opposite one; the same one again "
            "changes nothing. When no unresolved conflict is left the session is not flagged `conflict` any more. Publishes "
            "`session.corrected` when what bills has changed."
        ),
    ),
    route(
        "POST",
        "/api/v1/sessions/{id}/settle",
        settle_session,
        permission="sessions.resolve",
        body=Settlement,
        answers={200: Session},
        tag="Sessions",
        summary="Take doubts about a session off the list",
        description=(
            "Somebody has looked into them and the facts may stay as they are. The flags stay; they are no `doubts` any more. "
            "Conflicts are resolved instead."
        ),
        problems={409: "the doubt is a conflict"},
    ),
    route(
        "GET",
        "/api/v1/sessions/{id}/corrections",
        list_corrections,
        permission="sessions.read",
        query=PageQuery,
        answers={200: Page[Correction]},
        tag="Sessions",
        summary="What was changed in a session after it had ended, or decided by a person, oldest first",
        description=(
            "`changes` maps each fact to what it was and what it became. Read backwards from the session's facts they give what "
            "was billed at any time; a change of `status` from `active` is the end itself. `cause`: StopTransaction, "
            "TransactionEvent, MeterValues (a late message), close, conflict, settled (a person: `corrected_by`, `reason`)."
        ),
    ),
)
