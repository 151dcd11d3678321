"""What is told to everybody: kept by the hub, and passed on by the deliveries (R6 to R10, digest 17.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from csms.bus import BusUnavailable
from csms.roaming.countries import alpha3
from csms.roaming.parties import Folded
from csms.roaming.routing import Misuse, RoutedMessage, broadcast_targets
from csms.roaming.topics import PUSHES_TOPIC
from csms.store import Connection
from csms.store.queries.ocpi_objects import (
    NewObject,
    NewPush,
    ObjectKey,
    StoredObject,
    get_object,
    mark_deleted,
    put_object,
    queue_pushes,
)
from hub.ocpi import metrics
from hub.ocpi.message import OcpiProblem, OcpiRequest, OcpiResponse, Requester, not_found
from hub.ocpi.routing.members import Members
from hub.ocpi.services import Ocpi
from schemas.ocpi221.base import OcpiObject, Remark, fold, same
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import MessageHeaders, Party
from schemas.ocpi221.instants import read_instant
from schemas.ocpi221.locations import EVSE, Connector, Location
from schemas.ocpi221.merging import Document, agrees_with_path, is_outdated, patched, with_connector, with_evse
from schemas.ocpi221.objects import MOST_ITEMS
from schemas.ocpi221.reading import read
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.tokens import Token

log = structlog.get_logger()

LONGEST_ID: Final = 255

_TYPES: Final[dict[str, tuple[type[OcpiObject], ...]]] = {
    "locations": (Location, EVSE, Connector),
    "tariffs": (Tariff,),
    "tokens": (Token,),
}
_IDS: Final[dict[type[OcpiObject], str]] = {Location: "id", EVSE: "uid", Connector: "id", Tariff: "id", Token: "uid"}
_UNKNOWN: Final[dict[str, StatusCode]] = {"locations": StatusCode.UNKNOWN_LOCATION, "tokens": StatusCode.UNKNOWN_TOKEN}


@dataclass(frozen=True, slots=True)
class _Change:
    """A broadcast, taken apart. `path`: the ids after the owner; `part`: the EVSE that it is about (folded), or empty."""

    request: OcpiRequest
    key: ObjectKey
    path: tuple[str, ...]
    type: type[OcpiObject]

    @property
    def part(self) -> str:
        return fold(self.path[1]) if len(self.path) > 1 else ""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is to be stored. `outdated`: nothing, as something newer is known (W8)."""

    document: Document
    last_updated: datetime
    remarks: tuple[Remark, ...] = ()
    outdated: bool = False


async def take_broadcast(
    ocpi: Ocpi, members: Members, requester: Requester, request: OcpiRequest, message: RoutedMessage
) -> OcpiResponse:
    """Keep what `request` tells, and have it told to everybody whom it may concern. Raises OcpiProblem, Unreadable, Misuse,
    StoreUnavailable."""
    sender = request.headers.from_party
    if sender is None:
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "OCPI-from is missing")
    change = _read(request)
    roles = [role.role for role in members.roles_of(sender.folded) if role.status != "SUSPENDED"]
    targets = broadcast_targets(request.module, sender.folded, roles, members.receivers(request.module))
    hub, tenant_id = members.hub.party.folded, members.tenant_id

    def pushes(document: Document) -> list[NewPush]:
        country = _country(document)
        return [
            NewPush(to=to, sender=hub, key=change.key, part=change.part, correlation_id=request.headers.correlation_id)
            for to in targets
            if members.agreements.allows(to, change.key.owner, request.module, change.key.object_id, country)
        ]

    async def work(conn: Connection) -> tuple[bool, int, tuple[Remark, ...]]:
        stored = await get_object(conn, tenant_id, change.key, lock=True)
        if stored is not None and stored.deleted_at is not None:
            stored = None
        if request.method == "DELETE":
            if stored is None or not await mark_deleted(conn, tenant_id, change.key, ocpi.clock.now()):
                raise _not_found(request.module)
            return False, await queue_pushes(conn, tenant_id, pushes(stored.document)), ()
        kept = _MERGES[request.method](change, stored)
        if kept.outdated:
            return False, 0, (*kept.remarks, Remark("last_updated", "W8", "is older than what is known: ignored"))
        new = NewObject(
            key=change.key,
            origin="received",
            document=kept.document,
            last_updated=kept.last_updated,
            partner_id=requester.partner_id,
        )
        made = await put_object(conn, tenant_id, new)
        return made, await queue_pushes(conn, tenant_id, pushes(kept.document)), kept.remarks

    made, queued, remarks = await ocpi.store.hub.tenant_unit(tenant_id, work)
    metrics.BROADCASTS.labels(request.module).inc()
    if queued:
        await poke_deliveries(ocpi, tenant_id)
    return OcpiResponse(http_status=201 if made else 200, message=MessageHeaders(from_party=members.hub.party), remarks=remarks)


async def poke_deliveries(ocpi: Ocpi, tenant_id: int) -> None:
    """There is something to tell."""
    try:
        await ocpi.bus.publish(PUSHES_TOPIC, str(tenant_id).encode())
    except BusUnavailable:
        log.debug("ocpi.pushes_not_poked")


def _read(request: OcpiRequest) -> _Change:
    if request.method not in ("DELETE", *_MERGES):
        raise OcpiProblem(StatusCode.CLIENT_ERROR, f"{request.module} has no {request.method}", http_status=405)
    types = _TYPES.get(request.module)
    if types is None:
        raise Misuse(f"{request.module} are not broadcast (R8)")
    path = request.segments[2:]
    if not 1 <= len(path) <= len(types):
        raise not_found("there is no such object")
    type_ = types[len(path) - 1]
    if request.method == "PATCH" and type_ is Tariff:
        raise OcpiProblem(StatusCode.CLIENT_ERROR, "tariffs have no PATCH", http_status=405)
    for segment in request.segments:
        if len(segment) > LONGEST_ID or not segment.isprintable():
            raise OcpiProblem(StatusCode.INVALID_PARAMETERS, "the path holds what is no id")
    kind = (request.parameter("type") or "RFID") if type_ is Token else ""
    owner = Party(*request.segments[:2]).folded
    return _Change(request, ObjectKey(request.module, owner, fold(path[0]), kind), path, type_)


def _put(change: _Change, stored: StoredObject | None) -> _Kept:
    request, type_ = change.request, change.type
    reading = read(type_, request.body)
    thing: Any = reading.value
    if type_ not in (EVSE, Connector):
        _check_owner(change, thing)
        if stored is not None and is_outdated(stored.last_updated, thing.last_updated):
            return _Kept(stored.document, stored.last_updated, outdated=True)
        return _Kept(request.body, thing.last_updated, reading.remarks)
    agrees_with_path(thing, {_IDS[type_]: change.path[-1]})
    if stored is None:
        raise _not_found("locations")
    before = _find(stored.document, change.path[1:])
    if before is not None and is_outdated(read_instant(before["last_updated"])[0], thing.last_updated):
        return _Kept(stored.document, stored.last_updated, outdated=True)
    return _merged(change, stored, request.body, reading.remarks)


def _patch(change: _Change, stored: StoredObject | None) -> _Kept:
    request, type_ = change.request, change.type
    if stored is None:
        raise _not_found(request.module)
    before = _find(stored.document, change.path[1:])
    if before is None:
        raise _not_found(request.module)
    document, reading = patched(type_, before, request.body)
    thing: Any = reading.value
    if is_outdated(read_instant(before["last_updated"])[0], thing.last_updated):
        return _Kept(stored.document, stored.last_updated, outdated=True)
    if type_ in (EVSE, Connector):
        return _merged(change, stored, document, reading.remarks)
    return _Kept(document, thing.last_updated, reading.remarks)


_MERGES: Final[dict[str, Callable[[_Change, StoredObject | None], _Kept]]] = {"PUT": _put, "PATCH": _patch}


def _merged(change: _Change, stored: StoredObject, child: Document, remarks: tuple[Remark, ...]) -> _Kept:
    if change.type is EVSE:
        document: Document | None = with_evse(stored.document, child)
    else:
        document = with_connector(stored.document, change.path[1], child)
    if document is None:
        raise _not_found("locations")
    if len(document["evses"]) > MOST_ITEMS:
        raise OcpiProblem(StatusCode.INVALID_PARAMETERS, f"the location has more than {MOST_ITEMS} EVSEs")
    return _Kept(document, read_instant(document["last_updated"])[0], remarks)


def _find(location: Document, path: tuple[str, ...]) -> Document | None:
    """What is stored under the ids below the object's own; the object itself where there are none."""
    found: Document | None = location
    for name, key, wanted in zip(("evses", "connectors"), ("uid", "id"), path, strict=False):
        children = (found or {}).get(name) or ()
        found = next((child for child in children if same(str(child[key]), wanted)), None)
    return found


def _check_owner(change: _Change, thing: Any) -> None:
    """W7, K1."""
    country_code, party_id = change.request.segments[:2]
    said = {"country_code": country_code, "party_id": party_id, _IDS[change.type]: change.path[0]}
    agrees_with_path(thing, said if change.type is not Token else {**said, "type": change.key.kind})


def _country(document: Document) -> str:
    value = document.get("country")
    return (alpha3(value) or value.upper()) if isinstance(value, str) else ""


def _not_found(module: str) -> OcpiProblem:
    return not_found("there is no such object here: PUT all of it first", _UNKNOWN.get(module, StatusCode.CLIENT_ERROR))


def entitled(members: Members, to: Folded, request: OcpiRequest) -> bool:
    """Whether agreements still allow that `to` is told of this object."""
    owner = Party(*request.segments[:2]).folded if len(request.segments) >= 2 else to
    return owner == to or not members.agreements.scope(to, owner, request.module).nothing
