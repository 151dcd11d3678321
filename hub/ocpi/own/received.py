"""Objects of partners, told to our own tenants: the receiver interfaces of all modules with client-owned paths (W1 to W9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from csms.roaming import received
from csms.roaming.received import DEFAULT_TOKEN_TYPE, Place, Taken, usable_id
from csms.store import Connection
from csms.store.queries.tenants import get_tenant
from hub.ocpi.message import OcpiProblem, OcpiResponse, not_found
from hub.ocpi.own.call import OwnCall
from schemas.ocpi221.base import Remark
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.notes import Unreadable

Then = Callable[[Connection, Taken], Awaitable[tuple[Remark, ...]]]
"""What else is done in the unit of work that stores an object; gives remarks."""

_MOST_SEGMENTS: Final = {"locations": 5}
_OWNER_SEGMENTS: Final = 3


async def get_received(call: OwnCall) -> OcpiResponse:
    """The object as its owner has told it; only its owner may ask for it."""
    place = place_of(call)
    found = await call.ocpi.store.hub.tenant_unit(call.tenant_id, lambda conn: received.get(conn, call.tenant_id, place))
    return OcpiResponse(data=found)


async def put_received(call: OwnCall) -> OcpiResponse:
    """The whole object, EVSE or connector, as it is now (W1)."""
    return await put_and(call, None)


async def patch_received(call: OwnCall) -> OcpiResponse:
    """What has changed of it (W2)."""
    return await patch_and(call, None)


async def post_received(call: OwnCall) -> OcpiResponse:
    """A new object, for modules of 2.3.0 that have POST beside PUT: it changes none that is known."""
    return await put_and(call, None, new_only=True)


async def delete_received(call: OwnCall) -> OcpiResponse:
    """F1; 404 for what is not known or deleted already."""
    place, now = place_of(call), call.ocpi.clock.now()
    await call.ocpi.store.hub.tenant_unit(call.tenant_id, lambda conn: received.delete(conn, call.tenant_id, place, now))
    return OcpiResponse()


async def put_and(call: OwnCall, then: Then | None, *, new_only: bool = False) -> OcpiResponse:
    place = place_of(call)
    body, forgiven = await _body(call, place)
    reading = None if call.settings.lenient_put else received.read_put(place, body)

    async def work(conn: Connection) -> tuple[Taken, tuple[Remark, ...]]:
        taken = await received.put(conn, call.tenant_id, place, body, reading, allowance=call.allowance, new_only=new_only)
        return taken, await then(conn, taken) if then is not None and not taken.late else ()

    return _answer(*await call.ocpi.store.hub.tenant_unit(call.tenant_id, work), forgiven)


async def patch_and(call: OwnCall, then: Then | None) -> OcpiResponse:
    place = place_of(call)
    body = received.single(call.request.body)
    received.check_storable(body)

    async def work(conn: Connection) -> tuple[Taken, tuple[Remark, ...]]:
        taken = await received.patch(conn, call.tenant_id, place, body, allowance=call.allowance)
        return taken, await then(conn, taken) if then is not None and not taken.late else ()

    return _answer(*await call.ocpi.store.hub.tenant_unit(call.tenant_id, work))


def place_of(call: OwnCall) -> Place:
    """What the URL names. Raises OcpiProblem: 404 for what nothing is kept under, and for an owner for whom the requester does not
    speak (W6) or who is asked itself."""
    module, segments = call.request.module, call.request.segments
    least, most = _OWNER_SEGMENTS, _MOST_SEGMENTS.get(module, _OWNER_SEGMENTS)
    if not least <= len(segments) <= most or not all(map(usable_id, segments)):
        raise not_found("there is no such address")
    country_code, party_id, object_id, evse_uid, connector_id = (*segments, None, None)[:5]
    owner = Party(country_code or "", party_id or "")
    check_owner(call, owner)
    kind = (call.request.parameter("type") or DEFAULT_TOKEN_TYPE) if module == "tokens" else ""
    if kind and not usable_id(kind):
        raise Unreadable("type", "K1", "is not a type of tokens")
    return Place(
        module=module,
        owner=owner,
        object_id=object_id or "",
        evse_uid=evse_uid,
        connector_id=connector_id,
        kind=kind.upper(),
    )


def check_owner(call: OwnCall, owner: Party, http_status: int = 404) -> None:
    """W6."""
    own = call.ocpi.directory.own.of_tenant(call.tenant_id)
    if not call.requester.speaks_for(owner) or any(party.party.folded == owner.folded for party in own):
        raise OcpiProblem(
            StatusCode.INVALID_PARAMETERS, "this connection does not speak for the owner of the object", http_status=http_status
        )


async def _body(call: OwnCall, place: Place) -> tuple[Any, tuple[Remark, ...]]:
    """The object in the body; a location without a time zone is taken to be in the tenant's (Z23)."""
    body = received.single(call.request.body)
    if place.module != "locations" or place.evse_uid is not None or not isinstance(body, dict) or body.get("time_zone"):
        return body, ()
    if call.settings.lenient_put:
        return body, ()
    tenant = await call.ocpi.store.hub.tenant_unit(call.tenant_id, lambda conn: get_tenant(conn, call.tenant_id))
    return body | {"time_zone": tenant.time_zone}, (Remark("time_zone", "Z23", f"is missing, read as {tenant.time_zone}"),)


def _answer(taken: Taken, more: tuple[Remark, ...], forgiven: tuple[Remark, ...] = ()) -> OcpiResponse:
    """S4."""
    return OcpiResponse(http_status=201 if taken.created else 200, remarks=(*forgiven, *taken.remarks, *more))
