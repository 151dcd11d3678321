"""Which sessions a tariff is for, and why a session has the tariff that it has."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from csms.pricing.tariff import DayOfWeek, LocalTime
from csms.store import Connection
from csms.store.queries import tariff_assignments as queries
from csms.store.queries.tariff_assignments import (
    MOST_ALIKE,
    MOST_ASSIGNMENTS,
    Assignment,
    AssignmentFields,
    TooManyAssignments,
    UnknownReference,
)
from csms.tariffs.choice import Choice
from csms.tariffs.service import Question, explain
from hub.api.fields import Identity, Time, WireNumber
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

TariffId = Annotated[str, Meta(min_length=1, max_length=36)]
UserType = Annotated[str, Meta(min_length=1, max_length=50, description="Of the token, or else of its groups")]
Days = Annotated[list[DayOfWeek], Meta(min_length=1, max_length=7, description="Local to the location")]
Priority = Annotated[int, Meta(ge=-1000, le=1000, description="The higher wins, whatever else is given")]
StartTime = Annotated[LocalTime, Meta(description="HH:MM, local to the location, inclusive")]
EndTime = Annotated[LocalTime, Meta(description="HH:MM, exclusive; before start_time: the next day; 00:00: the end of the day")]


class NewAssignment(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is left out does not matter; all that is given must hold at the session's start."""

    tariff_id: TariffId
    charge_point_id: Identity | None = None
    evse_id: WireNumber | None = None
    connector_id: WireNumber | None = None
    station_group_id: UUID | None = None
    location_id: UUID | None = None
    token_group_id: UUID | None = None
    user_type: UserType | None = None
    days_of_week: Days | None = None
    start_time: StartTime | None = None
    end_time: EndTime | None = None
    valid_from: Time | None = None
    valid_until: Time | None = None
    priority: Priority = 0


class AssignmentChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not named stays; null empties. Sessions that have started keep their tariff."""

    tariff_id: TariffId | UnsetType = UNSET
    charge_point_id: Identity | UnsetType | None = UNSET
    evse_id: WireNumber | UnsetType | None = UNSET
    connector_id: WireNumber | UnsetType | None = UNSET
    station_group_id: UUID | UnsetType | None = UNSET
    location_id: UUID | UnsetType | None = UNSET
    token_group_id: UUID | UnsetType | None = UNSET
    user_type: UserType | UnsetType | None = UNSET
    days_of_week: Days | UnsetType | None = UNSET
    start_time: StartTime | UnsetType | None = UNSET
    end_time: EndTime | UnsetType | None = UNSET
    valid_from: Time | UnsetType | None = UNSET
    valid_until: Time | UnsetType | None = UNSET
    priority: Priority | UnsetType = UNSET


class AssignmentQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tariff_id: TariffId | None = None


class ExplainQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    charge_point_id: Identity
    evse_id: WireNumber | None = None
    connector_id: WireNumber | None = None
    id_token: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    token_type: (
        Annotated[str, Meta(min_length=1, max_length=20, description="Without it the token is looked up by its text")] | None
    ) = None
    user_type: Annotated[UserType, Meta(description="Instead of the token's")] | None = None
    at: Annotated[Time, Meta(description="The session's start; by default now")] | None = None


async def list_assignments(call: Call[AssignmentQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_assignments(conn, tenant_id, after, query.limit + 1, tariff_id=query.tariff_id)
    )
    return Answer(200, page(call, found, lambda assignment: assignment.assignment_id, lambda assignment: assignment))


async def get_assignment(call: Call[NoQuery, None]) -> Answer:
    tenant_id, assignment_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_assignment(conn, tenant_id, assignment_id))
    if found is None:
        raise not_found()
    return Answer(200, found)


async def create_assignment(call: Call[NoQuery, NewAssignment]) -> Answer:
    tenant_id, by = call.tenant_id, call.caller.label
    fields = AssignmentFields(**msgspec.structs.asdict(call.body))
    _check(fields)
    assignment_id = call.hub.ids.uuid7()
    try:
        made = await call.hub.store.hub.tenant_unit(
            tenant_id, lambda conn: queries.insert_assignment(conn, tenant_id, assignment_id, fields, by)
        )
    except UnknownReference as error:
        raise _unknown(error) from None
    except TooManyAssignments as error:
        raise conflict(str(error)) from None
    return Answer(201, made, {"Location": f"/api/v1/tariff-assignments/{assignment_id}"})


async def change_assignment(call: Call[NoQuery, AssignmentChange]) -> Answer:
    tenant_id, assignment_id = call.tenant_id, call.uuid("id")
    changes = {name: value for name, value in msgspec.structs.asdict(call.body).items() if value is not UNSET}

    async def change(conn: Connection) -> Assignment | None:
        known = await queries.get_assignment(conn, tenant_id, assignment_id, lock=True)
        if known is None:
            return None
        kept: dict[str, Any] = {name: getattr(known, name) for name in AssignmentFields.__struct_fields__}
        fields = AssignmentFields(**{**kept, **changes})
        _check(fields)
        return await queries.replace_assignment(conn, tenant_id, assignment_id, fields)

    try:
        changed = await call.hub.store.hub.tenant_unit(tenant_id, change)
    except UnknownReference as error:
        raise _unknown(error) from None
    except TooManyAssignments as error:
        raise conflict(str(error)) from None
    if changed is None:
        raise not_found()
    return Answer(200, changed)


async def delete_assignment(call: Call[NoQuery, None]) -> Answer:
    tenant_id, assignment_id = call.tenant_id, call.uuid("id")
    if not await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.delete_assignment(conn, tenant_id, assignment_id)):
        raise not_found()
    return Answer(204)


async def explain_assignment(call: Call[ExplainQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    question = Question(
        charge_point_id=query.charge_point_id,
        evse_id=query.evse_id,
        connector_id=query.connector_id,
        id_token=query.id_token,
        id_token_type=query.token_type,
        user_type=query.user_type,
        at=query.at or call.hub.clock.now(),
    )
    choice = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: explain(conn, tenant_id, question))
    if choice is None:
        raise invalid("charge_point_id", "there is no such charge point")
    return Answer(200, choice)


def _check(fields: AssignmentFields) -> None:
    if fields.evse_id is not None and fields.charge_point_id is None:
        raise invalid("charge_point_id", "is needed with evse_id")
    if fields.connector_id is not None and fields.evse_id is None:
        raise invalid("evse_id", "is needed with connector_id")
    if fields.days_of_week is not None and len(set(fields.days_of_week)) < len(fields.days_of_week):
        raise invalid("days_of_week", "names a day twice")
    if fields.start_time is not None and fields.start_time == fields.end_time != "00:00":
        raise invalid("end_time", "equals start_time, so it would never hold")
    if fields.valid_from is not None and fields.valid_until is not None and fields.valid_until <= fields.valid_from:
        raise invalid("valid_until", "is not after valid_from")


def _unknown(error: UnknownReference) -> Exception:
    return invalid(error.field, "there is no such resource")


ROUTES = (
    route(
        "GET",
        "/api/v1/tariff-assignments",
        list_assignments,
        permission="tariffs.read",
        query=AssignmentQuery,
        answers={200: Page[Assignment]},
        tag="Tariffs",
        summary="Which tariff is for which sessions",
    ),
    route(
        "POST",
        "/api/v1/tariff-assignments",
        create_assignment,
        permission="tariffs.write",
        body=NewAssignment,
        answers={201: Assignment},
        tag="Tariffs",
        summary="Say which sessions a tariff is for",
        description=(
            "Of several assignments that fit a session, one wins: the higher `priority`, then the more specific place (connector, "
            "EVSE, charge point, nearest station group, location), then the more specific person (nearest token group, user type), "
            "then one with any restriction of time, then the newer one."
        ),
        problems={409: f"there are {MOST_ASSIGNMENTS} assignments, or {MOST_ALIKE} for one place and token group"},
    ),
    route(
        "GET",
        "/api/v1/tariff-assignments/explain",
        explain_assignment,
        permission="tariffs.read",
        query=ExplainQuery,
        answers={200: Choice},
        tag="Tariffs",
        summary="Which tariff a session would have, and why",
    ),
    route(
        "GET",
        "/api/v1/tariff-assignments/{id}",
        get_assignment,
        permission="tariffs.read",
        answers={200: Assignment},
        tag="Tariffs",
        summary="One assignment",
    ),
    route(
        "PATCH",
        "/api/v1/tariff-assignments/{id}",
        change_assignment,
        permission="tariffs.write",
        body=AssignmentChange,
        answers={200: Assignment},
        tag="Tariffs",
        summary="Change an assignment",
        problems={409: f"there are {MOST_ALIKE} assignments for this place and token group"},
    ),
    route(
        "DELETE",
        "/api/v1/tariff-assignments/{id}",
        delete_assignment,
        permission="tariffs.write",
        answers={204: None},
        tag="Tariffs",
        summary="Remove an assignment",
    ),
)
