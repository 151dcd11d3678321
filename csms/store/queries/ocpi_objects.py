"""OCPI objects as they are, or were last, told (table ocpi_objects), and what is still to be told to whom (ocpi_pushes).

Owners, parties and object ids are folded to lower case in keys; `kind` is the TokenType of a token as in the standard (RFID ...),
empty for all else. Documents keep the spelling of their owner and members that we do not know (B2, B11).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.roaming.agreements import Rule, Scope, Visible
from csms.roaming.parties import Folded
from csms.store.pool import Connection
from csms.store.unnest import RowType
from schemas.ocpi221.writing import encode

Origin = Literal["own", "received"]
Document = dict[str, Any]

decode_document: Final = msgspec.json.Decoder(float_hook=Decimal).decode
"""A stored document; numbers with a fraction are Decimal, as schemas.ocpi221.reading has them."""


class ObjectKey(msgspec.Struct, frozen=True):
    """Which object. `owner` and `object_id` folded."""

    module: str
    owner: Folded
    object_id: str
    kind: str = ""


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """A row. `with_party`: of sessions and CDRs the party of their token. `deleted_at`: a tariff that its owner has deleted.
    `size`: bytes of the document."""

    key: ObjectKey
    origin: Origin
    partner_id: UUID | None
    with_party: Folded | None
    document: Document
    last_updated: datetime
    deleted_at: datetime | None
    object_no: int
    created_at: datetime
    updated_at: datetime
    size: int


class NewObject(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored under a key, in place of what was there. `partner_id`: the connection that it came through."""

    key: ObjectKey
    origin: Origin
    document: Document
    last_updated: datetime
    partner_id: UUID | None = None
    with_party: Folded | None = None
    deleted_at: datetime | None = None


class NewPush(msgspec.Struct, frozen=True, kw_only=True):
    """An object that `to` is to be told, by `sender`. `part`: the uid (folded) of the EVSE that alone has changed."""

    to: Folded
    sender: Folded
    key: ObjectKey
    part: str = ""
    correlation_id: str | None = None


class ListFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which objects of a list. `owners`: folded; None: all. date_from is inclusive, date_to is not (G1)."""

    origin: Origin | None = None
    owners: Collection[Folded] | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None
    visible: Sequence[Visible] | None = None
    """What the asking parties may have together; None: everything."""


_COLUMNS: Final = (
    "module, country_code, party_id, object_id, kind, origin, partner_id, with_country_code, with_party_id, document, "
    "last_updated, deleted_at, object_no, created_at, updated_at, size"
)
_KEYS: Final = RowType(
    (("module", "text"), ("country_code", "text"), ("party_id", "text"), ("object_id", "text"), ("kind", "text"))
)
_OBJECTS: Final = RowType(
    (
        *_KEYS.columns,
        ("origin", "text"),
        ("partner_id", "uuid"),
        ("with_country_code", "text"),
        ("with_party_id", "text"),
        ("document", "text"),
        ("last_updated", "timestamptz"),
        ("deleted_at", "timestamptz"),
        ("size", "int4"),
    )
)
_PUSHES: Final = RowType(
    (
        ("to_country_code", "text"),
        ("to_party_id", "text"),
        *_KEYS.columns,
        ("part", "text"),
        ("from_country_code", "text"),
        ("from_party_id", "text"),
        ("correlation_id", "text"),
    )
)
_PUSH_KEY: Final = 8
"""Columns of a push that are its key."""


async def get_object(conn: Connection, tenant_id: int, key: ObjectKey, *, lock: bool = False) -> StoredObject | None:
    """Also a deleted tariff."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM ocpi_objects WHERE tenant_id = $1 AND module = $2 AND country_code = $3 AND party_id = $4 "
        "AND object_id = $5 AND kind = $6" + (" FOR UPDATE" if lock else ""),
        tenant_id,
        key.module,
        *key.owner,
        key.object_id,
        key.kind,
    )
    return None if row is None else _object(row)


async def get_objects(
    conn: Connection, tenant_id: int, keys: Collection[ObjectKey], *, lock: bool = False
) -> dict[ObjectKey, StoredObject]:
    """Those of `keys` that are there; locked in the order of their keys, so that two who lock never wait for one another."""
    if not keys:
        return {}
    rows = await conn.fetch(
        f"SELECT {', '.join('o.' + name for name in _COLUMNS.split(', '))} FROM {_KEYS.source('k')} JOIN ocpi_objects o "
        f"USING (module, country_code, party_id, object_id, kind) WHERE o.tenant_id = ${len(_KEYS.columns) + 1} "
        "ORDER BY o.module, o.country_code, o.party_id, o.object_id, o.kind" + (" FOR UPDATE OF o" if lock else ""),
        *_KEYS.parameters(_key_row(key) for key in keys),
        tenant_id,
    )
    found = [_object(row) for row in rows]
    return {one.key: one for one in found}


async def find_by_id(
    conn: Connection, tenant_id: int, module: str, object_id: str, *, origin: Origin | None = None
) -> list[StoredObject]:
    """Objects of any owner with this id (folded), oldest first: for messages that do not name the owner (R11). At most 100."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM ocpi_objects WHERE tenant_id = $1 AND module = $2 AND object_id = $3 "
        "AND ($4::text IS NULL OR origin = $4) AND deleted_at IS NULL ORDER BY object_no LIMIT 100",
        tenant_id,
        module,
        object_id,
        origin,
    )
    return [_object(row) for row in rows]


async def own_by_ids(conn: Connection, tenant_id: int, module: str, object_ids: Collection[str]) -> list[StoredObject]:
    """Own objects with these ids (folded), whichever of the tenant's parties they are told by; deleted tariffs too."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM ocpi_objects WHERE tenant_id = $1 AND module = $2 AND object_id = ANY($3::text[]) "
        "AND origin = 'own' ORDER BY object_no",
        tenant_id,
        module,
        list(object_ids),
    )
    return [_object(row) for row in rows]


async def own_after(conn: Connection, tenant_id: int, module: str, after: int, limit: int) -> list[StoredObject]:
    """Own objects behind an object_no, in the order of their creation; deleted tariffs too."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM ocpi_objects WHERE tenant_id = $1 AND module = $2 AND origin = 'own' AND object_no > $3 "
        "ORDER BY object_no LIMIT $4",
        tenant_id,
        module,
        after,
        limit,
    )
    return [_object(row) for row in rows]


async def own_keys_after(
    conn: Connection, tenant_id: int, module: str, after: int, limit: int
) -> list[tuple[int, ObjectKey, str | None]]:
    """(object_no, key, country of a location) of own objects, in the order of their creation."""
    rows = await conn.fetch(
        "SELECT object_no, module, country_code, party_id, object_id, kind, CASE WHEN module = 'locations' "
        "THEN upper(document ->> 'country') END AS country FROM ocpi_objects WHERE tenant_id = $1 AND module = $2 "
        "AND origin = 'own' AND object_no > $3 AND deleted_at IS NULL ORDER BY object_no LIMIT $4",
        tenant_id,
        module,
        after,
        limit,
    )
    return [(row["object_no"], _key(row), row["country"]) for row in rows]


async def put_object(conn: Connection, tenant_id: int, new: NewObject) -> bool:
    """Store an object in place of what is there under its key. Gives whether it is new (S4), as a deleted tariff that comes back
    is."""
    made = await put_objects(conn, tenant_id, [new])
    return new.key in made


async def put_objects(conn: Connection, tenant_id: int, new: Sequence[NewObject]) -> set[ObjectKey]:
    """As `put_object`, for several of different keys; gives the keys of those that are new."""
    if not new:
        return set()
    ordered = sorted(new, key=lambda one: _key_row(one.key))
    names = ", ".join(name for name, _ in _OBJECTS.columns)
    values = ", ".join("n.document::json" if name == "document" else f"n.{name}" for name, _ in _OBJECTS.columns)
    changes = ", ".join(f"{name} = excluded.{name}" for name, _ in _OBJECTS.columns[len(_KEYS.columns) :])
    place = len(_OBJECTS.columns) + 1
    key_columns = ", ".join(name for name, _ in _KEYS.columns)
    same_key = " AND ".join(f"b.{name} = o.{name}" for name, _ in _KEYS.columns)
    rows = await conn.fetch(
        f"INSERT INTO ocpi_objects AS o (tenant_id, {names}) SELECT ${place}, {values} FROM {_OBJECTS.source('n')} "
        f"ON CONFLICT (tenant_id, {key_columns}) DO UPDATE SET {changes}, updated_at = now() "
        # as this statement found it: what it writes itself it does not see
        f"RETURNING {key_columns}, NOT EXISTS (SELECT FROM ocpi_objects b WHERE b.tenant_id = o.tenant_id AND {same_key} "
        "AND b.deleted_at IS NULL) AS made",
        *_OBJECTS.parameters(_object_row(one) for one in ordered),
        tenant_id,
    )
    return {_key(row) for row in rows if row["made"]}


async def mark_deleted(conn: Connection, tenant_id: int, key: ObjectKey, at: datetime) -> bool:
    """A tariff that its owner has deleted (F1). False when there is none."""
    done = await conn.fetchval(
        "UPDATE ocpi_objects SET deleted_at = $7, last_updated = greatest(last_updated, $7), updated_at = now() "
        "WHERE tenant_id = $1 AND module = $2 AND country_code = $3 AND party_id = $4 AND object_id = $5 AND kind = $6 "
        "AND deleted_at IS NULL RETURNING true",
        tenant_id,
        key.module,
        *key.owner,
        key.object_id,
        key.kind,
        at,
    )
    return done is not None


async def list_objects(
    conn: Connection, tenant_id: int, module: str, wanted: ListFilter, *, offset: int, limit: int
) -> tuple[list[StoredObject], int]:
    """A page of a list and how many objects fit in all (G5), in the order of their creation (G3). Deleted tariffs are left out."""
    where, arguments = conditions(tenant_id, module, wanted)
    total = await conn.fetchval(f"SELECT count(*) FROM ocpi_objects o WHERE {where}", *arguments)
    if offset >= total:
        return [], total
    count = len(arguments)
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM ocpi_objects o WHERE {where} ORDER BY o.object_no OFFSET ${count + 1} LIMIT ${count + 2}",
        *arguments,
        offset,
        limit,
    )
    return [_object(row) for row in rows], total


async def queue_pushes(conn: Connection, tenant_id: int, pushes: Collection[NewPush]) -> int:
    """Note that these objects are to be told; what waits already is told once, in its newest state. Gives how many there are."""
    if not pushes:
        return 0
    by_key = {row[:_PUSH_KEY]: row for row in map(_push_row, pushes)}
    rows = [by_key[key] for key in sorted(by_key)]  # always in one order: two who write never wait for one another
    names = ", ".join(name for name, _ in _PUSHES.columns)
    values = ", ".join(f"n.{name}" for name, _ in _PUSHES.columns)
    await conn.execute(
        f"INSERT INTO ocpi_pushes AS p (tenant_id, {names}) SELECT ${len(_PUSHES.columns) + 1}, {values} "
        f"FROM {_PUSHES.source('n')} ON CONFLICT (tenant_id, to_country_code, to_party_id, module, country_code, party_id, "
        "object_id, kind, part) DO UPDATE SET version = p.version % 2147483647 + 1, changed_at = now(), "
        "from_country_code = excluded.from_country_code, from_party_id = excluded.from_party_id, "
        "correlation_id = excluded.correlation_id",
        *_PUSHES.parameters(rows),
        tenant_id,
    )
    return len(rows)


def conditions(tenant_id: int, module: str, wanted: ListFilter) -> tuple[str, list[Any]]:
    """What holds for the rows `o` of ocpi_objects that are wanted, and its arguments."""
    arguments: list[Any] = [tenant_id, module]
    conditions = ["o.tenant_id = $1", "o.module = $2", "o.deleted_at IS NULL"]

    def add(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    if wanted.origin is not None:
        conditions.append(f"o.origin = {add(wanted.origin)}")
    if wanted.owners is not None:
        conditions.append(_is_party("o.country_code, o.party_id", wanted.owners, add))
    if wanted.date_from is not None:
        conditions.append(f"o.last_updated >= {add(wanted.date_from)}")
    if wanted.date_to is not None:
        conditions.append(f"o.last_updated < {add(wanted.date_to)}")
    if wanted.visible is not None:
        conditions.append(f"({' OR '.join(_shown(visible, add) for visible in wanted.visible) or 'false'})")
    return " AND ".join(conditions), arguments


def _shown(visible: Visible, add: Any) -> str:
    by_scope: dict[Scope, list[Folded]] = {}
    for owner, scope in visible.by_owner.items():
        by_scope.setdefault(scope, []).append(owner)
    cases = "".join(
        f" WHEN {_is_party('o.country_code, o.party_id', owners, add)} THEN {_allowed(scope, add)}"
        for scope, owners in by_scope.items()
    )
    others = _allowed(visible.others, add)
    shown = f"CASE{cases} ELSE {others} END" if cases else others
    if visible.involved is None:
        return f"({shown})"
    return f"({shown} AND {_is_party('o.with_country_code, o.with_party_id', visible.involved, add)})"


def _allowed(scope: Scope, add: Any) -> str:
    cases: list[str] = []
    for rule in scope.rules:
        condition = _place(rule, add)
        if condition is None:
            return _case(cases, rule.allowed)
        cases.append(f" WHEN {condition} THEN {_truth(rule.allowed)}")
    return _case(cases, scope.otherwise)


def _case(cases: list[str], otherwise: bool) -> str:
    return f"CASE{''.join(cases)} ELSE {_truth(otherwise)} END" if cases else _truth(otherwise)


def _place(rule: Rule, add: Any) -> str | None:
    """The condition under which a rule holds; None: always. Only locations are asked for their place."""
    conditions = []
    if rule.location_ids is not None:
        conditions.append(f"o.object_id = ANY({add(sorted(rule.location_ids))}::text[])")
    if rule.countries is not None:
        conditions.append(f"upper(o.document ->> 'country') = ANY({add(sorted(rule.countries))}::text[])")
    return " AND ".join(conditions) or None


def _is_party(columns: str, parties: Collection[Folded], add: Any) -> str:
    ordered = sorted(parties)
    codes, ids = add([party[0] for party in ordered]), add([party[1] for party in ordered])
    return f"({columns}) IN (SELECT * FROM unnest({codes}::text[], {ids}::text[]))"


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _key_row(key: ObjectKey) -> tuple[str, str, str, str, str]:
    return key.module, *key.owner, key.object_id, key.kind


def _object_row(new: NewObject) -> tuple[Any, ...]:
    encoded = encode(new.document)
    return (
        *_key_row(new.key),
        new.origin,
        new.partner_id,
        *(new.with_party or (None, None)),
        encoded.decode(),
        new.last_updated,
        new.deleted_at,
        len(encoded),
    )


def _push_row(push: NewPush) -> tuple[Any, ...]:
    return (*push.to, *_key_row(push.key), push.part, *push.sender, push.correlation_id)


def _key(row: Any) -> ObjectKey:
    return ObjectKey(row["module"], (row["country_code"], row["party_id"]), row["object_id"], row["kind"])


def _object(row: Any) -> StoredObject:
    with_country, with_party = row["with_country_code"], row["with_party_id"]
    return StoredObject(
        key=_key(row),
        origin=row["origin"],
        partner_id=row["partner_id"],
        with_party=None if with_country is None else (with_country, with_party),
        document=decode_document(row["document"]),
        last_updated=row["last_updated"],
        deleted_at=row["deleted_at"],
        object_no=row["object_no"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        size=row["size"],
    )
