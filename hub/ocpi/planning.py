"""What our eMSP tenants order at CPOs: who is meant, in whose name, and the message (digest, chapters 15 and 16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from csms.domain.decisions import AuthorizationStatus
from csms.roaming.commands import Kind
from csms.roaming.mapping.tokens import owner_of_token
from csms.roaming.parties import Folded, OwnParty
from csms.store import Connection
from csms.store.queries import ocpi_objects, ocpi_sources
from csms.store.queries.ocpi_objects import StoredObject
from hub.ocpi.message import OcpiRequest
from hub.ocpi.own.authorize import Asked, judge_own_token, token_document
from hub.ocpi.sending import MakeRequest
from hub.ocpi.services import Ocpi
from schemas.ocpi221.base import fold, same
from schemas.ocpi221.headers import Party
from schemas.ocpi221.tokens import LocationReferences

What = Literal[
    "start_session",
    "stop_session",
    "unlock_connector",
    "reserve_now",
    "cancel_reservation",
    "get_charging_profile",
    "set_charging_profile",
    "clear_charging_profile",
]

KINDS: Final[dict[What, Kind]] = {
    "start_session": "START_SESSION",
    "stop_session": "STOP_SESSION",
    "unlock_connector": "UNLOCK_CONNECTOR",
    "reserve_now": "RESERVE_NOW",
    "cancel_reservation": "CANCEL_RESERVATION",
    "get_charging_profile": "GET_PROFILE",
    "set_charging_profile": "SET_PROFILE",
    "clear_charging_profile": "CLEAR_PROFILE",
}


class Unfit(Exception):
    """This cannot be ordered. `field` names what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class TokenRefused(Exception):
    """By our own rules the token may not charge there."""

    def __init__(self, status: AuthorizationStatus) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted. `owner`: the CPO, where several have something of this id."""

    kind: Kind
    owner: Folded | None = None
    token_id: UUID | None = None
    location_id: str | None = None
    evse_uid: str | None = None
    connector_id: str | None = None
    session_id: str | None = None
    reservation_id: str | None = None
    expires_at: datetime | None = None
    authorization_reference: str | None = None
    charging_profile: dict[str, Any] | None = None
    duration: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sent. `message` is what is kept of it."""

    sender: OwnParty
    to: Party
    make: MakeRequest
    message: dict[str, Any]
    session_id: str | None = None
    reservation_id: str | None = None


async def plan(ocpi: Ocpi, tenant_id: int, wish: Wish) -> Plan:
    """Find out whom to ask, and what. Raises Unfit, TokenRefused, OcpiProblem, StoreUnavailable."""
    parties = (await ocpi.directory.parties()).of_tenant(tenant_id, "EMSP")
    if not parties:
        raise Unfit("command", "the tenant is no eMSP: give it a party of this role first")
    now = ocpi.clock.now()

    async def work(conn: Connection) -> Plan:
        if wish.kind in ("START_SESSION", "RESERVE_NOW"):
            return await _with_token(conn, ocpi, tenant_id, wish, parties, now)
        if wish.kind == "UNLOCK_CONNECTOR":
            location = await _received(conn, tenant_id, "locations", "location_id", wish.location_id, wish.owner)
            place = _place(wish, location)
            _need("evse_uid", wish.evse_uid)
            _need("connector_id", wish.connector_id)
            return _command(wish, parties[0], location, place)
        if wish.kind == "CANCEL_RESERVATION":
            _need("reservation_id", wish.reservation_id)
            _need("owner", wish.owner)
            to = _capitals(wish.owner or ("", ""))
            message = {"reservation_id": wish.reservation_id}
            return Plan(
                sender=parties[0], to=to, make=_post(wish.kind, message), message=message, reservation_id=wish.reservation_id
            )
        session = await _received(conn, tenant_id, "sessions", "session_id", wish.session_id, wish.owner)
        sender = next((one for one in parties if one.party.folded == session.with_party), parties[0])
        return _of_session(wish, sender, session)

    return await ocpi.store.hub.tenant_unit(tenant_id, work)


async def received_session(conn: Connection, tenant_id: int, session_id: str, owner: Folded | None) -> StoredObject:
    """A session that a CPO has told us of. Raises Unfit."""
    return await _received(conn, tenant_id, "sessions", "session_id", session_id, owner)


async def _with_token(conn: Connection, ocpi: Ocpi, tenant_id: int, wish: Wish, parties: Sequence[OwnParty], now: datetime) -> Plan:
    if wish.token_id is None:
        raise Unfit("token_id", "is missing")
    source = next(iter(await ocpi_sources.tokens(conn, tenant_id, [wish.token_id])), None)
    if source is None:
        raise Unfit("token_id", "is not a token of this tenant that partners may be told")
    location = await _received(conn, tenant_id, "locations", "location_id", wish.location_id, wish.owner)
    place = _place(wish, location)
    uids = () if wish.evse_uid is None else (wish.evse_uid,)
    asked = Asked(LocationReferences(location_id=str(location.document.get("id", "")), evse_uids=uids), location.document)
    owner = owner_of_token(source, [one.party for one in parties])
    begins = wish.kind == "START_SESSION"
    status, _ = await judge_own_token(conn, ocpi.tenants, tenant_id, source, owner, asked, now, begins=begins)
    if status != "Accepted":
        raise TokenRefused(status)  # whoever sends the command vouches for the token (M4)
    sender = next(one for one in parties if one.party == owner)
    name = str(sender.business_details.get("name") or sender.slug)
    token = await token_document(conn, tenant_id, source, owner, name, now)
    extra: dict[str, Any] = {"token": token}
    if wish.authorization_reference is not None:
        extra["authorization_reference"] = wish.authorization_reference
    if wish.kind == "RESERVE_NOW":
        _need("expires_at", wish.expires_at)
        _need("reservation_id", wish.reservation_id)
        if wish.expires_at is not None:
            extra["expiry_date"] = wish.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        extra["reservation_id"] = wish.reservation_id
    return _command(wish, sender, location, place | extra)


def _command(wish: Wish, sender: OwnParty, location: StoredObject, message: dict[str, Any]) -> Plan:
    return Plan(
        sender=sender,
        to=_capitals(location.key.owner),
        make=_post(wish.kind, message),
        message=message,
        reservation_id=wish.reservation_id,
    )


def _place(wish: Wish, location: StoredObject) -> dict[str, Any]:
    """Location, EVSE and connector in their owner's spelling (B2, M5)."""
    found: dict[str, Any] = {"location_id": location.document.get("id")}
    if wish.connector_id is not None:
        _need("evse_uid", wish.evse_uid)
    if wish.evse_uid is None:
        return found
    evse = _member(location.document, "evses", "uid", wish.evse_uid)
    if evse is None:
        raise Unfit("evse_uid", "is no EVSE of this location")
    found["evse_uid"] = evse["uid"]
    if wish.connector_id is not None:
        connector = _member(evse, "connectors", "id", wish.connector_id)
        if connector is None:
            raise Unfit("connector_id", "is no connector of this EVSE")
        found["connector_id"] = connector["id"]
    return found


def _of_session(wish: Wish, sender: OwnParty, session: StoredObject) -> Plan:
    session_id, to = str(session.document.get("id", "")), _capitals(session.key.owner)
    make: MakeRequest
    message: dict[str, Any]
    match wish.kind:
        case "STOP_SESSION":
            message = {"session_id": session_id}
            make = _post(wish.kind, message)
        case "SET_PROFILE":
            _need("charging_profile", wish.charging_profile)
            message = {"charging_profile": wish.charging_profile}
            make = _profile("PUT", session_id, {}, message)
        case "GET_PROFILE":
            _need("duration", wish.duration)
            message = {"duration": wish.duration}
            make = _profile("GET", session_id, {"duration": str(wish.duration)}, None)
        case _:
            message = {}
            make = _profile("DELETE", session_id, {}, None)
    return Plan(sender=sender, to=to, make=make, message=message, session_id=session_id)


def _post(kind: Kind, message: dict[str, Any]) -> MakeRequest:
    def make(response_url: str) -> OcpiRequest:
        body = {**message, "response_url": response_url}
        return OcpiRequest(method="POST", module="commands", role="RECEIVER", segments=(kind,), body=body)

    return make


def _profile(
    method: Literal["GET", "PUT", "DELETE"], session_id: str, query: dict[str, str], body: dict[str, Any] | None
) -> MakeRequest:
    def make(response_url: str) -> OcpiRequest:
        asked = query if body is not None else {**query, "response_url": response_url}
        return OcpiRequest(
            method=method,
            module="chargingprofiles",
            role="RECEIVER",
            segments=(session_id,),
            query=tuple(asked.items()),
            body=None if body is None else {**body, "response_url": response_url},
        )

    return make


async def _received(
    conn: Connection, tenant_id: int, module: str, field: str, object_id: str | None, owner: Folded | None
) -> StoredObject:
    if object_id is None:
        raise Unfit(field, "is missing")
    found = await ocpi_objects.find_by_id(conn, tenant_id, module, fold(object_id), origin="received")
    fitting = [one for one in found if owner in (None, one.key.owner)]
    if not fitting:
        raise Unfit(field, "no partner has told us of it")
    if len(fitting) > 1:
        owners = ", ".join("-".join(one.key.owner).upper() for one in fitting[:5])
        raise Unfit("owner", f"is missing: several parties have one of this id ({owners})")
    return fitting[0]


def _member(whole: dict[str, Any], name: str, key: str, wanted: str) -> dict[str, Any] | None:
    parts = whole.get(name)
    if not isinstance(parts, list):
        return None
    return next((one for one in parts if isinstance(one, dict) and same(str(one.get(key, "")), wanted)), None)


def _capitals(party: Folded) -> Party:
    return Party(party[0].upper(), party[1].upper())


def _need(field: str, value: object) -> None:
    if value is None:
        raise Unfit(field, "is missing")
