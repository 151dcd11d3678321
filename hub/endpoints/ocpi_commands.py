"""Commands over OCPI: those that the tenant sends to CPOs for its drivers, and those that partners have sent for its stations."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.roaming.commands import Kind
from csms.roaming.parties import Folded
from csms.store import Connection
from csms.store.queries import ocpi_commands as queries
from csms.store.queries.ocpi_commands import OPEN, Direction, OcpiCommand, Status
from hub.api.fields import Time
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import Problem, conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.commands import WaitQuery
from hub.endpoints.ocpi_objects import ObjectId, PartyCode
from hub.ocpi.message import OcpiProblem, OcpiRequest
from hub.ocpi.planning import KINDS, TokenRefused, Unfit, What, Wish, plan, received_session
from hub.ocpi.sending import send_order, wait_for_result
from schemas.ocpi221.chargingprofiles import ChargingProfile, ChargingProfilePeriod
from schemas.ocpi221.headers import Party
from schemas.ocpi221.sessions import ChargingPreferences
from schemas.ocpi221.types import ProfileType
from schemas.ocpi221.writing import check, document

Id36 = Annotated[str, Meta(min_length=1, max_length=36, pattern=r"^[!-~]+\Z")]
_MOST: Final = 1_000_000_000
Seconds = Annotated[int, Meta(ge=0, le=31_622_400)]


class ProfilePeriod(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A limit from `start_period` seconds after the start on, with one decimal at most."""

    start_period: Seconds
    limit: Decimal


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An upper limit over time (OCPI ChargingProfile). W: power in all, A: current per phase."""

    start_date_time: Time | None = None
    duration: Seconds | None = None
    charging_rate_unit: Literal["W", "A"]
    min_charging_rate: Decimal | None = None
    charging_profile_period: Annotated[list[ProfilePeriod], Meta(min_length=1, max_length=1000)]


class OcpiOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A command for a CPO. It goes to the party that has told us of the location or session; `owner` names it where several have
    one of this id, and for cancel_reservation.

    start_session: `token_id`, `location_id`, and if wanted `evse_uid`, `connector_id`. reserve_now: these without the connector,
    `expires_at`, and `reservation_id` (made up where it is missing). cancel_reservation: `reservation_id`. stop_session, profiles:
    `session_id`. unlock_connector: `location_id`, `evse_uid`, `connector_id`; for people who help drivers, not for drivers.
    """

    command: What
    owner: PartyCode | None = None
    token_id: UUID | None = None
    location_id: ObjectId | None = None
    evse_uid: ObjectId | None = None
    connector_id: ObjectId | None = None
    session_id: ObjectId | None = None
    reservation_id: Id36 | None = None
    expires_at: Time | None = None
    authorization_reference: Id36 | None = None
    charging_profile: Profile | None = None
    duration: Annotated[int, Meta(ge=1, le=86_400, description="Seconds that the profile is asked for")] | None = None


class Preferences(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the driver wishes. `energy_need` in kWh."""

    profile_type: ProfileType
    departure_time: Time | None = None
    energy_need: Decimal | None = None
    discharge_allowed: bool | None = None


class PreferencesAnswer(msgspec.Struct, frozen=True):
    """The CPO's word: ACCEPTED, DEPARTURE_REQUIRED, ENERGY_NEED_REQUIRED, NOT_POSSIBLE or PROFILE_TYPE_NOT_SUPPORTED."""

    answer: str


class OcpiCommandView(msgspec.Struct, frozen=True):
    """A command and how far it came. `response` is the immediate answer, `result` what came of it; `result_document` has all of
    that. `party` is the other side. `command_id`: what one of our stations was ordered for it. asked: not answered yet; waiting:
    for the result, or for what may follow it; delivering: the result is being posted."""

    ocpi_command_id: UUID
    direction: Direction
    command: Kind
    party: str
    own_party: str
    status: Status
    response: str | None
    result: str | None
    result_document: dict[str, Any] | None
    error: str | None
    message: Any
    session_id: str | None
    reservation_id: str | None
    command_id: UUID | None
    requested_by: str | None
    created_at: datetime
    deadline: datetime
    finished_at: datetime | None


class OcpiCommandQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    direction: Direction | None = None
    command: Kind | None = None
    session_id: ObjectId | None = None


class OwnerQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    owner: PartyCode | None = None


def command_view(command: OcpiCommand) -> OcpiCommandView:
    message = command.request.get("body")
    if isinstance(message, dict):  # where results go is between the two systems
        message = {name: value for name, value in message.items() if name != "response_url"}
    return OcpiCommandView(
        command.ocpi_command_id,
        command.direction,
        command.command,
        f"{command.country_code}-{command.party_id}",
        f"{command.own_country_code}-{command.own_party_id}",
        command.status,
        command.response,
        command.result,
        command.result_document,
        command.error,
        message,
        command.session_id,
        command.reservation_id,
        command.command_id,
        command.requested_by,
        command.created_at,
        command.deadline,
        command.finished_at,
    )


async def send_ocpi_command(call: Call[WaitQuery, OcpiOrder]) -> Answer:
    ocpi, body, tenant_id = call.hub.ocpi.ocpi, call.body, call.tenant_id
    kind = KINDS[body.command]
    reservation_id = body.reservation_id
    if kind == "RESERVE_NOW" and reservation_id is None:
        reservation_id = str(ocpi.ids.uuid4())
    wish = Wish(
        kind=kind,
        owner=_party(body.owner),
        token_id=body.token_id,
        location_id=body.location_id,
        evse_uid=body.evse_uid,
        connector_id=body.connector_id,
        session_id=body.session_id,
        reservation_id=reservation_id,
        expires_at=body.expires_at,
        authorization_reference=body.authorization_reference,
        charging_profile=None if body.charging_profile is None else _profile(body.charging_profile),
        duration=body.duration,
    )
    try:
        made = await plan(ocpi, tenant_id, wish)
    except Unfit as unfit:
        raise invalid(unfit.field, unfit.message) from None
    except TokenRefused as refused:
        raise conflict(f"the token may not charge there: {refused.status}") from None
    except OcpiProblem as problem:
        raise conflict(problem.message) from None
    command_id = await send_order(
        ocpi,
        made.sender,
        made.to,
        kind,
        made.make,
        requested_by=call.caller.label,
        message=made.message,
        session_id=made.session_id,
        reservation_id=made.reservation_id,
    )
    command = await wait_for_result(ocpi, tenant_id, command_id, call.query.wait)
    place = {"Location": f"/api/v1/ocpi/commands/{command_id}"}
    return Answer(202 if command.status in OPEN else 200, command_view(command), place)


async def list_ocpi_commands(call: Call[OcpiCommandQuery, None]) -> Answer:
    tenant_id, query, before = call.tenant_id, call.query, position(call, UUID)

    async def read(conn: Connection) -> list[OcpiCommand]:
        return await queries.list_commands(
            conn,
            tenant_id,
            before,
            query.limit + 1,
            direction=query.direction,
            command=query.command,
            session_id=query.session_id,
        )

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    return Answer(200, page(call, found, lambda command: command.ocpi_command_id, command_view))


async def get_ocpi_command(call: Call[NoQuery, None]) -> Answer:
    tenant_id, command_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_command(conn, tenant_id, command_id))
    if found is None:
        raise not_found()
    return Answer(200, command_view(found))


async def put_charging_preferences(call: Call[OwnerQuery, Preferences]) -> Answer:
    ocpi, body, tenant_id = call.hub.ocpi.ocpi, call.body, call.tenant_id
    parties = (await ocpi.directory.parties()).of_tenant(tenant_id, "EMSP")
    owner = _party(call.query.owner)
    try:
        session = await call.hub.store.hub.tenant_unit(
            tenant_id, lambda conn: received_session(conn, tenant_id, call.path["id"], owner)
        )
    except Unfit as unfit:
        if unfit.field == "owner":
            raise invalid("owner", unfit.message) from None
        raise not_found() from None
    if not parties:
        raise conflict("the tenant is no eMSP: give it a party of this role first")
    sender = next((one for one in parties if one.party.folded == session.with_party), parties[0])
    _check_number("energy_need", body.energy_need)
    preferences = ChargingPreferences(
        profile_type=body.profile_type,
        departure_time=body.departure_time,
        energy_need=body.energy_need,
        discharge_allowed=body.discharge_allowed,
    )
    request = OcpiRequest(
        method="PUT",
        module="sessions",
        role="SENDER",
        segments=(str(session.document.get("id", "")), "charging_preferences"),
        body=document(preferences),
    )
    to = Party(*(code.upper() for code in session.key.owner))
    response = await ocpi.outgoing.send(sender, to, request)
    if not response.successful or not isinstance(response.data, str):
        why = response.failure or response.status_message or "its answer cannot be understood"
        raise Problem(502, "partner-failed", f"{why} (OCPI status {int(response.status_code)})")
    return Answer(200, PreferencesAnswer(response.data))


def _party(code: str | None) -> Folded | None:
    if code is None:
        return None
    country_code, _, party_id = code.lower().partition("-")
    return country_code, party_id


def _check_number(field: str, value: Decimal | None) -> None:
    if value is not None and not (value.is_finite() and 0 <= value <= _MOST):
        raise invalid(field, f"is not a number from 0 to {_MOST}")


def _profile(profile: Profile) -> dict[str, Any]:
    _check_number("charging_profile.min_charging_rate", profile.min_charging_rate)
    for n, period in enumerate(profile.charging_profile_period):
        _check_number(f"charging_profile.charging_profile_period[{n}].limit", period.limit)
    made = ChargingProfile(
        start_date_time=profile.start_date_time,
        duration=profile.duration,
        charging_rate_unit=profile.charging_rate_unit,
        min_charging_rate=profile.min_charging_rate,
        charging_profile_period=tuple(
            ChargingProfilePeriod(start_period=period.start_period, limit=period.limit)
            for period in profile.charging_profile_period
        ),
    )
    for remark in check(made):
        raise invalid(f"charging_profile.{remark.field}", f"{remark.text} ({remark.rule})")
    if profile.charging_profile_period[0].start_period != 0:
        raise invalid("charging_profile.charging_profile_period[0].start_period", "is not 0")
    return document(made)


ROUTES = (
    route(
        "POST",
        "/api/v1/ocpi/commands",
        send_ocpi_command,
        permission="commands.send",
        query=WaitQuery,
        body=OcpiOrder,
        answers={200: OcpiCommandView, 202: OcpiCommandView},
        tag="Roaming",
        summary="Send a command or a charging profile to a CPO",
        description=(
            "Answered when the result is there or `wait` is over (202: it goes on). Whether a session begins is told by the CPO's "
            "sessions. A token that may not charge there by the tenant's own rules is refused: the tenant vouches for it."
        ),
        problems={409: "the token may not charge there, or the tenant is no eMSP"},
    ),
    route(
        "GET",
        "/api/v1/ocpi/commands",
        list_ocpi_commands,
        permission="commands.read",
        query=OcpiCommandQuery,
        answers={200: Page[OcpiCommandView]},
        tag="Roaming",
        summary="Commands over OCPI, newest first",
        description="Those that were sent to CPOs, and those that partners sent for the tenant's stations.",
    ),
    route(
        "GET",
        "/api/v1/ocpi/commands/{id}",
        get_ocpi_command,
        permission="commands.read",
        answers={200: OcpiCommandView},
        tag="Roaming",
        summary="One command over OCPI",
        problems={404: "there is none"},
    ),
    route(
        "PUT",
        "/api/v1/ocpi/sessions/{id}/charging-preferences",
        put_charging_preferences,
        permission="commands.send",
        query=OwnerQuery,
        body=Preferences,
        answers={200: PreferencesAnswer},
        tag="Roaming",
        summary="Tell a CPO what the driver of a session wishes",
        description="`owner` names the CPO where several have a session of this id.",
        problems={404: "no partner has told us of this session", 409: "the tenant is no eMSP", 502: "the CPO has not answered"},
    ),
)
