"""What partners tell of their objects, put into what is stored of them (W1 to W8, L3, L4, E2, F1, K1). No HTTP.

Documents are kept as they were told, with members that we do not know (B11). Everything that takes a connection runs in a unit of
work, and holds the row that it changes to its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from csms.roaming.parties import Folded
from csms.roaming.room import Allowance
from csms.store.pool import Connection
from csms.store.queries import ocpi_objects, ocpi_received
from csms.store.queries.ocpi_objects import NewObject, ObjectKey, StoredObject
from schemas.ocpi221.base import OcpiObject, Remark, fold, same
from schemas.ocpi221.cdrs import CDR, CdrToken
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.instants import read_instant
from schemas.ocpi221.locations import EVSE, Connector, Location
from schemas.ocpi221.merging import Document, agrees_with_path, is_outdated, listed, patched, with_connector, with_evse
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.objects import MOST_ITEMS
from schemas.ocpi221.reading import Reading, read
from schemas.ocpi221.scalars import LONGEST_ID
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.tokens import Token
from schemas.ocpi221.writing import encode
from schemas.ocpi230.invoicereconciliation import InvoiceReconciliationRecord

TYPES: Final[Mapping[str, type[OcpiObject]]] = {
    "locations": Location,
    "sessions": Session,
    "cdrs": CDR,
    "tariffs": Tariff,
    "tokens": Token,
    "invoicereconciliation": InvoiceReconciliationRecord,
}
LARGEST_DOCUMENT: Final = 8 * 1024 * 1024
"""Bytes of one object: a location of ten thousand EVSEs."""
DEFAULT_TOKEN_TYPE: Final = "RFID"  # noqa: S105 - a type (K1)

_TRIES: Final = 3
_ENDED: Final = frozenset({"COMPLETED", "INVALID"})


class NotStored(Exception):
    """There is no such object, or what it belongs to is not there (S3, L3, W4)."""

    def __init__(self, message: str, status_code: StatusCode) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a URL names. Owner and ids as they are spelled there; `kind`: the type of a token."""

    module: str
    owner: Party
    object_id: str
    evse_uid: str | None = None
    connector_id: str | None = None
    kind: str = ""

    @property
    def key(self) -> ObjectKey:
        """Of the whole object."""
        return ObjectKey(self.module, self.owner.folded, fold(self.object_id), self.kind.upper())

    @property
    def type(self) -> type[OcpiObject]:
        """Of what the URL names."""
        if self.connector_id is not None:
            return Connector
        return TYPES[self.module] if self.evse_uid is None else EVSE

    @property
    def said(self) -> dict[str, str]:
        """What the URL says of the members of the object (W7, K1)."""
        if self.connector_id is not None:
            return {"id": self.connector_id}
        if self.evse_uid is not None:
            return {"uid": self.evse_uid}
        said = {"country_code": self.owner.country_code, "party_id": self.owner.party_id}
        return said | ({"uid": self.object_id, "type": self.kind} if self.module == "tokens" else {"id": self.object_id})

    def unknown(self) -> NotStored:
        return NotStored(f"there is no such object of the module {self.module}", UNKNOWN.get(self.module, StatusCode.CLIENT_ERROR))


UNKNOWN: Final[Mapping[str, StatusCode]] = {
    "locations": StatusCode.UNKNOWN_LOCATION,
    "tokens": StatusCode.UNKNOWN_TOKEN,
}


class Taken(NamedTuple):
    """What became of it. `late`: something newer was there, so nothing was changed (W8). `thing`: what was told, or what a PATCH
    made of it. `whole`: all of the object as it is stored now."""

    created: bool
    late: bool
    thing: OcpiObject
    whole: Document
    remarks: tuple[Remark, ...] = ()


def single(body: Any) -> Any:
    """The object in a body, which may be in a list of its own (Z12)."""
    return body[0] if isinstance(body, list) and len(body) == 1 else body


def read_put(place: Place, document: Any) -> Reading[Any]:
    """The object in the body of a PUT. Raises Unreadable."""
    reading: Reading[Any] = read(place.type, document)
    agrees_with_path(reading.value, place.said)
    check_storable(document)
    return reading


def check_storable(document: Any) -> int:
    """The bytes of a document. Raises Unreadable for what the database cannot keep or nobody needs: NUL in a text, a document of
    many megabytes."""
    encoded = encode(document)
    if len(encoded) > LARGEST_DOCUMENT:
        raise Unreadable("", "B1", f"is larger than {LARGEST_DOCUMENT // 1024} KB")
    if b"\\u0000" in encoded.replace(b"\\\\", b""):
        raise Unreadable("", "B3", "holds a character that no text can have")
    return len(encoded)


def usable_id(text: str) -> bool:
    """Whether it can be the id, or the folded id, of anything that is stored."""
    return 0 < len(text) <= LONGEST_ID and len(fold(text)) <= LONGEST_ID and "\x00" not in text


def key_of(module: str, thing: OcpiObject) -> ObjectKey:
    """Under which an object is kept. Raises Unreadable for an id that cannot be kept."""
    value: Any = thing
    object_id = value.uid if module == "tokens" else value.id
    if not usable_id(object_id):
        raise Unreadable("uid" if module == "tokens" else "id", "Z9", "cannot be an id")
    return ObjectKey(
        module, (fold(value.country_code), fold(value.party_id)), fold(object_id), value.type.upper() if module == "tokens" else ""
    )


def new_object(key: ObjectKey, document: Document, thing: OcpiObject, partner_id: UUID | None) -> NewObject:
    """What is stored of an object of others."""
    token: CdrToken | None = getattr(thing, "cdr_token", None)
    value: Any = thing
    return NewObject(
        key=key,
        origin="received",
        document=document,
        last_updated=value.last_updated,
        partner_id=partner_id,
        with_party=None if token is None else _party_of(token),
    )


async def get(conn: Connection, tenant_id: int, place: Place) -> Document:
    """The object, EVSE or connector as it was told. Raises NotStored."""
    stored = await ocpi_objects.get_object(conn, tenant_id, place.key)
    if stored is None or stored.origin != "received" or stored.deleted_at is not None:
        raise place.unknown()
    found = part_of(stored.document, place.evse_uid, place.connector_id)
    if found is None:
        raise place.unknown()
    return found


def part_of(location: Document, evse_uid: str | None, connector_id: str | None) -> Document | None:
    """The location, or its EVSE or connector of these ids; None: it has none."""
    found: Document | None = location
    for name, key, wanted in (("evses", "uid", evse_uid), ("connectors", "id", connector_id)):
        if wanted is not None and found is not None:
            children = found.get(name)
            found = next((child for child in listed(children) if same(str(child[key]), wanted)), None)
    return found


async def put(
    conn: Connection,
    tenant_id: int,
    place: Place,
    document: Any,
    reading: Reading[Any] | None,
    *,
    allowance: Allowance,
    new_only: bool = False,
) -> Taken:
    """Store what a PUT has brought; `reading` is that of `read_put`. None: a partner that sends only what has changed (Z14), so
    that it is merged into what is known. `new_only`: a POST to a client-owned path; the same once more is fine, but it changes
    nothing. Raises Unreadable, NotStored, NoRoom."""
    if place.evse_uid is not None:
        return await _put_part(conn, tenant_id, place, document, reading, allowance)
    for _ in range(_TRIES):
        stored = await ocpi_objects.get_object(conn, tenant_id, place.key, lock=True)
        if stored is None:
            read_now = reading or read_put(place, document)
            await allowance.take(conn, tenant_id, place.key, check_storable(document), objects=1)
            new = new_object(place.key, document, read_now.value, allowance.partner_id)
            if await ocpi_received.insert_objects(conn, tenant_id, [new]):
                return Taken(True, False, read_now.value, document, read_now.remarks)
            continue  # somebody else has stored it just now
        _not_ours(stored)
        if new_only and stored.deleted_at is None and stored.document != document:
            raise Unreadable("id", "S4", "is that of an object that is known: PUT changes it")
        if reading is None:
            document = _merged(stored.document, document)
        return await _replace(conn, tenant_id, stored, document, reading or read_put(place, document), allowance)
    raise LookupError("an object came and went at the same time")


async def patch(conn: Connection, tenant_id: int, place: Place, change: Any, *, allowance: Allowance) -> Taken:
    """Change what is stored by a PATCH (W2 to W4). Raises Unreadable, NotStored, NoRoom."""
    stored = await ocpi_objects.get_object(conn, tenant_id, place.key, lock=True)
    if stored is None or stored.deleted_at is not None:
        raise place.unknown()
    _not_ours(stored)
    if place.evse_uid is not None:
        part = part_of(stored.document, place.evse_uid, place.connector_id)
        if part is None:
            raise place.unknown()
        merged, reading = patched(place.type, part, change)
        return await _store_part(conn, tenant_id, place, stored, part, merged, reading, allowance)
    if place.module == "sessions":
        change = without_repeated_periods(stored.document, change)
    merged, reading = patched(place.type, stored.document, change)
    return await _replace(conn, tenant_id, stored, merged, reading, allowance)


async def delete(conn: Connection, tenant_id: int, place: Place, at: datetime) -> None:
    """F1: the owner has deleted its tariff, or the record of an invoice. Raises NotStored."""
    stored = await ocpi_objects.get_object(conn, tenant_id, place.key, lock=True)
    if stored is None or stored.origin != "received" or not await ocpi_objects.mark_deleted(conn, tenant_id, place.key, at):
        raise place.unknown()


def without_repeated_periods(stored: Document, change: Any) -> Any:
    """A PATCH of a session without the charging periods that the session has already: it may come twice (E2)."""
    if not isinstance(change, dict) or not isinstance(change.get("charging_periods"), list):
        return change
    known = listed(stored.get("charging_periods"))
    return {**change, "charging_periods": [period for period in change["charging_periods"] if period not in known]}


async def _replace(
    conn: Connection,
    tenant_id: int,
    stored: StoredObject,
    document: Document,
    reading: Reading[Any],
    allowance: Allowance,
) -> Taken:
    thing, remarks = reading
    if is_outdated(told_at(stored.document), thing.last_updated):
        late = Remark("last_updated", "W8", "is before that of what is known: it changes nothing")
        return Taken(False, True, thing, stored.document, (*remarks, late))
    if isinstance(thing, Session) and stored.document.get("status") in _ENDED and stored.document != document:
        remarks = (*remarks, Remark("status", "E4", f"a session that was {stored.document['status']} is changed"))
    if stored.document == document and stored.deleted_at is None:
        return Taken(False, False, thing, document, remarks)
    await allowance.take(conn, tenant_id, stored.key, check_storable(document) - stored.size)
    created = await ocpi_objects.put_object(conn, tenant_id, new_object(stored.key, document, thing, allowance.partner_id))
    return Taken(created, False, thing, document, remarks)


async def _put_part(
    conn: Connection, tenant_id: int, place: Place, document: Any, reading: Reading[Any] | None, allowance: Allowance
) -> Taken:
    stored = await ocpi_objects.get_object(conn, tenant_id, place.key, lock=True)
    if stored is None:
        raise place.unknown()  # L3
    _not_ours(stored)
    known = part_of(stored.document, place.evse_uid, place.connector_id)
    if reading is None:
        if known is not None:
            document = _merged(known, document)
        reading = read_put(place, document)
    return await _store_part(conn, tenant_id, place, stored, known, document, reading, allowance)


async def _store_part(
    conn: Connection,
    tenant_id: int,
    place: Place,
    stored: StoredObject,
    known: Document | None,
    part: Document,
    reading: Reading[Any],
    allowance: Allowance,
) -> Taken:
    """L4: the parents are as new as the part."""
    thing, remarks = reading
    if known is not None and is_outdated(told_at(known), thing.last_updated):
        late = Remark("last_updated", "W8", "is before that of what is known")
        return Taken(False, True, thing, stored.document, (*remarks, late))
    if known == part:
        return Taken(False, False, thing, stored.document, remarks)
    location: Document | None
    if place.connector_id is None:
        location = with_evse(stored.document, part)
    else:
        location = with_connector(stored.document, place.evse_uid or "", part)
    if location is None:
        raise place.unknown()  # L3: no such EVSE
    if known is None and any(len(children) > MOST_ITEMS for children in _children(location, place.evse_uid)):
        raise Unreadable("", "B1", f"is one more than {MOST_ITEMS}")
    await allowance.take(conn, tenant_id, stored.key, check_storable(location) - stored.size)
    new = NewObject(
        key=stored.key,
        origin="received",
        document=location,
        last_updated=told_at(location),
        partner_id=stored.partner_id,
    )
    await ocpi_objects.put_object(conn, tenant_id, new)
    return Taken(known is None, False, thing, location, remarks)


def told_at(document: Document) -> datetime:
    """last_updated of a stored document."""
    return read_instant(document["last_updated"])[0]


def _children(location: Document, evse_uid: str | None) -> tuple[list[Any], list[Any]]:
    evse = part_of(location, evse_uid, None) or {}
    return listed(location.get("evses")), listed(evse.get("connectors"))


def _merged(stored: Document, given: Any) -> Document:
    if not isinstance(given, dict):
        raise Unreadable("", "B1", "is not an object")
    return stored | {name: value for name, value in given.items() if value is not None}


def _not_ours(stored: StoredObject) -> None:
    """What a tenant tells of itself is nobody else's to change (W6)."""
    if stored.origin == "own":
        raise NotStored("this object is of the party that is asked", StatusCode.INVALID_PARAMETERS)


def _party_of(token: CdrToken) -> Folded:
    return fold(token.country_code), fold(token.party_id)
