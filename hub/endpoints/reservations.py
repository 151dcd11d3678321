"""Reservations of places at charge points."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.domain.reservations import Status
from csms.reservations.service import Outcome, Token, Why
from csms.store.queries import reservations as queries
from csms.store.queries.reservations import Reservation
from hub.api.fields import Identity, Time
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import Problem, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.commands import WaitQuery

EvseNumber = Annotated[int, Meta(ge=1, le=2_147_483_647)]
IdToken = Annotated[str, Meta(min_length=1, max_length=255)]
TokenType = Annotated[str, Meta(min_length=1, max_length=20)]

_LARGEST: Final = 2**31 - 1
_FIELDS: Final[dict[Why, str]] = {
    "unknown_station": "charge_point_id",
    "unknown_evse": "evse_id",
    "expires_too_soon": "expires_at",
    "expires_too_late": "expires_at",
}


class ReservationOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`evse_id` left out: any that is free. `group_id_token`: everybody of this group may use it, too."""

    charge_point_id: Identity
    evse_id: EvseNumber | None = None
    id_token: IdToken
    token_type: TokenType = "ISO14443"  # noqa: S105 - the kind of a token, no secret
    group_id_token: IdToken | None = None
    expires_at: Time


class ReservationView(msgspec.Struct, frozen=True):
    """A place that is kept. `status`: `requested` until the charge point has answered, then `active` or `refused`; at last `used`
    (by `session_id`), `expired` or `cancelled`. `status_reason`: why, in one word. `evse_id` null: the charge point has the choice.
    `replacing`: the charge point was asked for other terms, and has not answered. `ocpi_…`: of a partner's reservation, which is
    told to it as the session `ocpi_session_id`."""

    reservation_id: int
    charge_point_id: str
    evse_id: int | None
    id_token: str
    token_type: str
    group_id_token: str | None
    status: Status
    status_reason: str | None
    expires_at: datetime
    replacing: bool
    session_id: UUID | None
    command_id: UUID | None
    ocpi_reservation_id: str | None
    ocpi_country_code: str | None
    ocpi_party_id: str | None
    ocpi_session_id: UUID | None
    requested_by: str
    cancelled_by: str | None
    created_at: datetime
    updated_at: datetime


class ReservationQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: Status | None = None
    charge_point_id: Identity | None = None


async def create_reservation(call: Call[WaitQuery, ReservationOrder]) -> Answer:
    body = call.body
    outcome = await call.hub.reservations.reserve(
        call.tenant_id,
        body.charge_point_id,
        body.evse_id,
        Token(body.id_token, body.token_type, body.group_id_token),
        body.expires_at,
        requested_by=call.caller.label,
        wait_s=call.query.wait,
    )
    if outcome.refused is not None or outcome.reservation is None:
        raise _refused(outcome)
    made = outcome.reservation
    location = {"Location": f"/api/v1/reservations/{made.reservation_id}"}
    return Answer(202 if made.status == "requested" else 201, _view(made), location)


async def get_reservation(call: Call[NoQuery, None]) -> Answer:
    tenant_id, number = call.tenant_id, _number(call.path["id"])
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_reservation(conn, tenant_id, number))
    if found is None:
        raise not_found()
    return Answer(200, _view(found))


async def list_reservations(call: Call[ReservationQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    before = position(call, int)
    found = await call.hub.store.hub.tenant_unit(
        tenant_id,
        lambda conn: queries.list_reservations(
            conn, tenant_id, before, query.limit + 1, status=query.status, charge_point_id=query.charge_point_id
        ),
    )
    return Answer(200, page(call, found, lambda reservation: reservation.reservation_id, _view))


async def cancel_reservation(call: Call[WaitQuery, None]) -> Answer:
    outcome = await call.hub.reservations.cancel(
        call.tenant_id, _number(call.path["id"]), requested_by=call.caller.label, wait_s=call.query.wait
    )
    if outcome.reservation is None:
        raise not_found()
    if outcome.refused is not None:
        raise _refused(outcome)
    return Answer(200 if outcome.reservation.status == "cancelled" else 202, _view(outcome.reservation))


def _number(text: str) -> int:
    """A path parameter that is no number of a reservation names no resource."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST)) and int(text) <= _LARGEST):
        raise not_found()
    return int(text)


def _refused(outcome: Outcome) -> Problem:
    why = outcome.refused or "failed"
    if why in _FIELDS:
        return invalid(_FIELDS[why], outcome.message)
    return Problem(409, f"reservation-{why.replace('_', '-')}", outcome.message)


def _view(reservation: Reservation) -> ReservationView:
    return ReservationView(
        reservation.reservation_id,
        reservation.charge_point_id,
        reservation.evse_id,
        reservation.id_token,
        reservation.id_token_type,
        reservation.group_id_token,
        reservation.status,
        reservation.status_reason,
        reservation.expires_at,
        reservation.replacing,
        reservation.session_id,
        reservation.command_id,
        reservation.ocpi_reservation_id,
        reservation.ocpi_country_code,
        reservation.ocpi_party_id,
        reservation.ocpi_session_id,
        reservation.requested_by,
        reservation.cancelled_by,
        reservation.created_at,
        reservation.updated_at,
    )


ROUTES = (
    route(
        "POST",
        "/api/v1/reservations",
        create_reservation,
        permission="commands.send",
        query=WaitQuery,
        body=ReservationOrder,
        answers={201: ReservationView, 202: ReservationView},
        tag="Reservations",
        summary="Keep a place at a charge point for a token",
        description="Waits up to `wait` seconds for the charge point; 202: it has not answered yet. An EVSE that is in use, "
        "reserved or out of order is refused without asking it; the type of the problem says why (`…:reservation-occupied`).",
        problems={409: "the place is not to be had, or the charge point did not take the reservation"},
        waits=True,
    ),
    route(
        "GET",
        "/api/v1/reservations",
        list_reservations,
        permission="commands.read",
        query=ReservationQuery,
        answers={200: Page[ReservationView]},
        tag="Reservations",
        summary="The tenant's reservations, newest first",
    ),
    route(
        "GET",
        "/api/v1/reservations/{id}",
        get_reservation,
        permission="commands.read",
        answers={200: ReservationView},
        tag="Reservations",
        summary="One reservation",
    ),
    route(
        "DELETE",
        "/api/v1/reservations/{id}",
        cancel_reservation,
        permission="commands.send",
        query=WaitQuery,
        answers={200: ReservationView, 202: ReservationView},
        tag="Reservations",
        summary="Give a place free again",
        description="Waits up to `wait` seconds for the charge point; 202: it has not answered yet.",
        problems={409: "it has ended already, or the charge point could not be asked"},
        waits=True,
    ),
)
