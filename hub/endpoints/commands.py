"""Commands to charge points."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.commands import MAX_PARAMETERS, DomainOrder, Order, RawOrder, StationAway, StationRefused, TooManyCommands, UnknownStation
from csms.commands.station_credentials import mask_station_credentials, station_credentials
from csms.domain.commands import AnyCommand
from csms.store import Connection
from csms.store.queries import commands as queries
from csms.store.queries import stations as station_queries
from csms.store.queries.commands import OPEN, CommandRow, CommandStatus
from hub.api.decoding import invalid_input
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import Problem, conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

Wait = Annotated[float, Meta(ge=0, le=120, description="Seconds to wait for the result before answering 202")]
TimeToLive = Annotated[
    int, Meta(ge=1, le=604_800, description="Seconds that the command may wait for a station that is not connected")
]


class CommandOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Either `command` with `parameters` in the product's own terms, or an OCPP `action` with its raw `payload`."""

    command: Annotated[str, Meta(min_length=1, max_length=50)] | None = None
    parameters: dict[str, Any] | None = None
    action: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9]{0,49}\Z")] | None = None
    payload: dict[str, Any] | None = None
    time_to_live: TimeToLive | None = None


class Command(msgspec.Struct):
    """A command and how far it came. `action` is the OCPP action: the one that was ordered, or the one that `command` became when
    it was sent. `result` is the station's answer, `error` why there is none; what follows an answer is in the charge point's
    events. Passwords of stations are shown as `***`."""

    command_id: UUID
    charge_point_id: str
    status: CommandStatus
    command: str | None
    parameters: msgspec.Raw | None
    action: str | None
    payload: msgspec.Raw | None
    result: msgspec.Raw | None
    error: str | None
    requested_by: str
    session_id: UUID | None
    created_at: datetime
    expires_at: datetime
    sent_at: datetime | None
    finished_at: datetime | None


class WaitQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    wait: Wait = 30.0


class CommandQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: CommandStatus | None = None


def command_view(row: CommandRow) -> Command:
    parameters = msgspec.Raw(mask_station_credentials(row.parameters).encode())
    return Command(
        row.command_id,
        row.charge_point_id,
        row.status,
        row.command,
        parameters if row.command is not None else None,
        row.action,
        parameters if row.command is None else None,
        None if row.result is None else msgspec.Raw(mask_station_credentials(row.result).encode()),
        row.error,
        row.requested_by,
        row.session_id,
        row.created_at,
        row.expires_at,
        row.sent_at,
        row.finished_at,
    )


def refused(error: Exception) -> Problem:
    """The problem for an order that was not taken."""
    if isinstance(error, UnknownStation):
        return not_found()
    if isinstance(error, StationAway):
        return conflict("the charge point is not connected; name a time_to_live to let the command wait for it")
    if isinstance(error, StationRefused):
        return conflict("the charge point was rejected and is sent no commands")
    return Problem(429, "too-many-requests", "the charge point has too many open commands", headers={"Retry-After": "30"})


REFUSALS = (UnknownStation, StationAway, StationRefused, TooManyCommands)


async def send_command(call: Call[WaitQuery, CommandOrder]) -> Answer:
    order = _order(call.body)
    seconds = call.body.time_to_live
    try:
        row = await call.hub.commands.execute(
            call.tenant_id,
            call.path["id"],
            order,
            requested_by=call.caller.label,
            wait_s=call.query.wait,
            time_to_live=None if seconds is None else timedelta(seconds=seconds),
        )
    except REFUSALS as error:
        raise refused(error) from None
    return Answer(202 if row.status in OPEN else 200, command_view(row), {"Location": f"/api/v1/commands/{row.command_id}"})


async def get_command(call: Call[NoQuery, None]) -> Answer:
    tenant_id, command_id = call.tenant_id, call.uuid("id")
    row = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_command(conn, tenant_id, command_id))
    if row is None:
        raise not_found()
    return Answer(200, command_view(row))


async def list_commands(call: Call[CommandQuery, None]) -> Answer:
    tenant_id, identity, query = call.tenant_id, call.path["id"], call.query
    before = position(call, UUID)

    async def read(conn: Connection) -> tuple[list[CommandRow], bool] | None:
        if await station_queries.get_station(conn, tenant_id, identity) is None:
            return None
        return await queries.list_commands(conn, tenant_id, identity, before, query.limit + 1, query.status)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    rows, cut = found
    return Answer(200, page(call, rows, lambda row: row.command_id, command_view, cut=cut))


def _order(body: CommandOrder) -> Order:
    if body.action is not None:
        if body.command is not None or body.parameters is not None:
            raise invalid("action", "cannot be combined with command and parameters")
        return RawOrder(body.action, _checked("payload", body.payload or {}))
    if body.command is None:
        raise invalid("command", "either command or action is required")
    if body.payload is not None:
        raise invalid("payload", "belongs to action; a command takes parameters")
    parameters = body.parameters or {}
    _checked("parameters", parameters)
    if "command" in parameters:
        raise invalid("parameters.command", "is not a known field")
    try:
        return DomainOrder(msgspec.convert({**parameters, "command": body.command}, AnyCommand))
    except msgspec.ValidationError as error:
        problem = invalid_input(error)
        field = problem.errors[0].field
        raise invalid("command" if field == "command" else f"parameters.{field}".rstrip("."), problem.errors[0].message) from None


def _checked(field: str, content: dict[str, Any]) -> bytes:
    """The content as JSON. Raises Problem 422 when it is too large, or carries a station's password (decision 10)."""
    encoded = msgspec.json.encode(content)
    if len(encoded) > MAX_PARAMETERS:
        raise invalid(field, f"has more than {MAX_PARAMETERS} bytes as JSON")
    for path, _, _ in station_credentials(content):
        raise invalid(
            f"{field}.{path}"[:200],
            "would change the password of the charge point, which cannot be done over OCPP: set it at the charge point and "
            "with PATCH /api/v1/chargepoints/{id}",
        )
    return encoded


ROUTES = (
    route(
        "POST",
        "/api/v1/chargepoints/{id}/commands",
        send_command,
        permission="commands.send",
        query=WaitQuery,
        body=CommandOrder,
        answers={200: Command, 202: Command},
        tag="Commands",
        summary="Send a command to a charge point",
        description=(
            "Waits up to `wait` seconds for the station's answer (200); what is not finished by then is answered with 202 "
            "and goes on: `GET /api/v1/commands/{id}` tells its end. A station that is not connected is refused (409) "
            "unless the command may wait and `time_to_live` says how long."
        ),
        problems={409: "the charge point is not connected, or was rejected", 429: "too many open commands"},
        waits=True,
    ),
    route(
        "GET",
        "/api/v1/chargepoints/{id}/commands",
        list_commands,
        permission="commands.read",
        query=CommandQuery,
        answers={200: Page[Command]},
        tag="Commands",
        summary="A charge point's commands, newest first",
        description="A page ends early when its parameters and results would have more than 4 MiB together.",
    ),
    route(
        "GET",
        "/api/v1/commands/{id}",
        get_command,
        permission="commands.read",
        answers={200: Command},
        tag="Commands",
        summary="One command and its result",
    ),
)
