"""OCPI objects as partners are shown them, page by page, and what is special about those that come from partners."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.roaming.parties import Folded
from csms.store.pool import Connection
from csms.store.queries.ocpi_objects import ListFilter, NewObject, ObjectKey, conditions
from csms.store.unnest import RowType
from schemas.ocpi221.writing import encode

LARGEST_PAGE: Final = 2 * 1024 * 1024
"""Bytes of a page as the database keeps it, compressed to about a sixth of what is sent; a page has one object at least."""

_NEW: Final = RowType(
    (
        ("module", "text"),
        ("country_code", "text"),
        ("party_id", "text"),
        ("object_id", "text"),
        ("kind", "text"),
        ("origin", "text"),
        ("partner_id", "uuid"),
        ("with_country_code", "text"),
        ("with_party_id", "text"),
        ("document", "text"),
        ("last_updated", "timestamptz"),
        ("size", "int4"),
    )
)


class ObjectSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An object of others as operators see it in lists. Owner and ids are folded; `kind`: the type of a token."""

    object_no: int
    module: str
    country_code: str
    party_id: str
    object_id: str
    kind: str
    partner_id: UUID | None
    with_country_code: str | None
    with_party_id: str | None
    last_updated: datetime
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ObjectFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What is None does not matter; ids folded."""

    module: str
    owner: Folded | None = None
    object_id: str | None = None
    with_party: Folded | None = None
    partner_id: UUID | None = None


_SUMMARY: Final = ", ".join(ObjectSummary.__struct_fields__)


async def page_of_documents(
    conn: Connection, tenant_id: int, module: str, wanted: ListFilter, *, offset: int, limit: int
) -> tuple[list[msgspec.Raw], int]:
    """A page of a list, each document as it is stored, and how many objects fit in all (G5); in the order of their creation (G3).

    Fewer than `limit` where they are long (LARGEST_PAGE). Deleted tariffs are left out.
    """
    where, arguments = conditions(tenant_id, module, wanted)
    total: int = await conn.fetchval(f"SELECT count(*) FROM ocpi_objects o WHERE {where}", *arguments)
    if offset >= total:
        return [], total
    count = len(arguments)
    rows = await conn.fetch(
        "SELECT p.document::text FROM (SELECT o.document, o.object_no, pg_column_size(o.document) AS size, "
        f"sum(pg_column_size(o.document)) OVER (ORDER BY o.object_no) AS sizes FROM (SELECT o.* FROM ocpi_objects o WHERE {where} "
        f"ORDER BY o.object_no OFFSET ${count + 1} LIMIT ${count + 2}) o) p "
        f"WHERE p.sizes <= ${count + 3} OR p.sizes = p.size ORDER BY p.object_no",
        *arguments,
        offset,
        limit,
        LARGEST_PAGE,
    )
    return [msgspec.Raw(row[0].encode()) for row in rows], total


async def insert_objects(conn: Connection, tenant_id: int, new: Sequence[NewObject]) -> set[ObjectKey]:
    """Store objects that are not there; gives the keys of those that were not. Waits for others who store the same."""
    ordered = sorted(new, key=lambda one: (one.key.module, one.key.owner, one.key.object_id, one.key.kind))
    names = ", ".join(name for name, _ in _NEW.columns)
    values = ", ".join("n.document::json" if name == "document" else f"n.{name}" for name, _ in _NEW.columns)
    rows = await conn.fetch(
        f"INSERT INTO ocpi_objects (tenant_id, {names}) SELECT ${len(_NEW.columns) + 1}, {values} FROM {_NEW.source('n')} "
        "ON CONFLICT (tenant_id, module, country_code, party_id, object_id, kind) DO NOTHING "
        "RETURNING module, country_code, party_id, object_id, kind",
        *_NEW.parameters(map(_row, ordered)),
        tenant_id,
    )
    return {ObjectKey(row[0], (row[1], row[2]), row[3], row[4]) for row in rows}


async def remove_missing(
    conn: Connection, tenant_id: int, module: str, owner: Folded, kept: Collection[str], before: datetime, at: datetime
) -> int:
    """G10, L7: received objects of an owner that its complete list has not (`kept`: their ids), but for those stored since
    `before`. Tariffs are marked as deleted at `at`, all others go. Gives how many there were."""
    missing = (
        "o.tenant_id = $1 AND o.module = $2 AND o.country_code = $3 AND o.party_id = $4 AND o.origin = 'received' "
        "AND o.deleted_at IS NULL AND o.updated_at < $6 "
        "AND NOT EXISTS (SELECT FROM unnest($5::text[]) AS k(object_id) WHERE k.object_id = o.object_id)"
    )
    arguments: list[Any] = [tenant_id, module, *owner, list(kept), before]
    if module == "tariffs":
        return await _count(
            conn,
            f"UPDATE ocpi_objects o SET deleted_at = $7, last_updated = greatest(o.last_updated, $7), updated_at = now() "
            f"WHERE {missing} RETURNING 1",
            *arguments,
            at,
        )
    return await _count(conn, f"DELETE FROM ocpi_objects o WHERE {missing} RETURNING 1", *arguments)


async def _count(conn: Connection, change: str, *arguments: Any) -> int:
    return int(await conn.fetchval(f"WITH changed AS ({change}) SELECT count(*) FROM changed", *arguments))


async def list_summaries(conn: Connection, tenant_id: int, wanted: ObjectFilter, after: int, limit: int) -> list[ObjectSummary]:
    """In the order of their creation, those behind `after`; deleted tariffs as well."""
    arguments: list[Any] = []
    conditions_ = ["tenant_id = $1", "module = $2", "origin = 'received'", "object_no > $3"]
    for condition, value in (
        ("country_code = {} AND party_id = {}", wanted.owner),
        ("object_id = {}", None if wanted.object_id is None else (wanted.object_id,)),
        ("with_country_code = {} AND with_party_id = {}", wanted.with_party),
        ("partner_id = {}", None if wanted.partner_id is None else (wanted.partner_id,)),
    ):
        if value is not None:
            first = 5 + len(arguments)
            arguments += value
            conditions_.append(condition.format(*(f"${first + place}" for place in range(len(value)))))
    rows = await conn.fetch(
        f"SELECT {_SUMMARY} FROM ocpi_objects WHERE {' AND '.join(conditions_)} ORDER BY object_no LIMIT $4",
        tenant_id,
        wanted.module,
        after,
        limit,
        *arguments,
    )
    return [ObjectSummary(**row) for row in rows]


async def get_numbered(conn: Connection, tenant_id: int, module: str, object_no: int) -> tuple[ObjectSummary, msgspec.Raw] | None:
    """One object by its number, and its document as it is stored."""
    row = await conn.fetchrow(
        f"SELECT {_SUMMARY}, document::text AS text FROM ocpi_objects "
        "WHERE tenant_id = $1 AND module = $2 AND origin = 'received' AND object_no = $3",
        tenant_id,
        module,
        object_no,
    )
    if row is None:
        return None
    fields = dict(row)
    return ObjectSummary(**{name: fields[name] for name in ObjectSummary.__struct_fields__}), msgspec.Raw(fields["text"].encode())


def _row(new: NewObject) -> tuple[Any, ...]:
    encoded = encode(new.document)
    return (
        new.key.module,
        *new.key.owner,
        new.key.object_id,
        new.key.kind,
        new.origin,
        new.partner_id,
        *(new.with_party or (None, None)),
        encoded.decode(),
        new.last_updated,
        len(encoded),
    )
