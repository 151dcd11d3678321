"""Many id tokens at once: what an import would do with each line, and doing it. Set-based: a statement per chunk, not per line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.domain.token_identity import canonical
from csms.store.pool import Connection
from csms.store.queries.id_tokens import NAMES, IdToken, IdTokenFields, token_of
from csms.store.unnest import RowType

CHUNK: Final = 2000
"""Lines of one transaction: short ones, because events of all tenants wait for them (design 4)."""

OnExisting = Literal["skip", "update", "fail"]
Outcome = Literal["created", "updated", "skipped", "failed"]


class ImportedToken(msgspec.Struct, frozen=True):
    """One line. `changes`: what it says, by field; what it does not say is left as it is in a token that exists."""

    token_id: UUID
    id_token: str
    type: str
    changes: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """Lines with the same key are about the same token."""
        return canonical(self.id_token, self.type).lower(), self.type


class Planned(msgspec.Struct, frozen=True):
    """What becomes of a line; `fields`: the whole token, where it is written. `problem`: (field, message)."""

    line: ImportedToken
    outcome: Outcome
    fields: IdTokenFields | None = None
    problem: tuple[str, str] | None = None


class References(msgspec.Struct, frozen=True):
    """What is there of what lines refer to: groups; tokens that others may stand for; tokens that others stand for."""

    groups: frozenset[UUID]
    parents: frozenset[UUID]
    stood_for: frozenset[UUID]


_KEY: Final = RowType((("token_key", "text"), ("type", "text")))
_TYPES: Final = {
    "valid_from": "timestamptz",
    "valid_until": "timestamptz",
    "group_id": "uuid",
    "single_use": "bool",
    "parent_token_id": "uuid",
}
_FIELDS: Final = tuple((name, _TYPES.get(name, "text")) for name in NAMES)
_NEW: Final = RowType((("token_id", "uuid"), ("id_token", "text"), ("type", "text"), *_FIELDS))
_CHANGED: Final = RowType((("token_id", "uuid"), *_FIELDS))
_VALUES: Final = ", ".join(f"n.{name}{'::jsonb' if name == 'restrictions' else ''}" for name in NAMES)
_COLUMNS: Final = ", ".join(IdToken.__struct_fields__)


async def find_references(conn: Connection, tenant_id: int, lines: Collection[ImportedToken]) -> References:
    """For all lines of a file."""
    groups = {line.changes["group_id"] for line in lines if line.changes.get("group_id") is not None}
    parents = {line.changes["parent_token_id"] for line in lines if line.changes.get("parent_token_id") is not None}
    rows = await conn.fetch(
        "SELECT group_id AS id, 'group' AS kind FROM token_groups WHERE tenant_id = $1 AND group_id = ANY($2::uuid[]) "
        "UNION ALL SELECT token_id, 'parent' FROM id_tokens WHERE tenant_id = $1 AND token_id = ANY($3::uuid[]) "
        "AND parent_token_id IS NULL AND retired_at IS NULL "
        "UNION ALL SELECT DISTINCT parent_token_id, 'stood_for' FROM id_tokens WHERE tenant_id = $1 AND $4 "
        "AND parent_token_id IS NOT NULL",
        tenant_id,
        list(groups),
        list(parents),
        bool(parents),
    )
    found: dict[str, set[UUID]] = {"group": set(), "parent": set(), "stood_for": set()}
    for row in rows:
        found[row["kind"]].add(row["id"])
    return References(frozenset(found["group"]), frozenset(found["parent"]), frozenset(found["stood_for"]))


async def plan_chunk(
    conn: Connection,
    tenant_id: int,
    lines: Sequence[ImportedToken],
    references: References,
    on_existing: OnExisting,
    *,
    lock: bool,
) -> list[Planned]:
    """What becomes of each line. `lock`: the tokens that exist stay as they are until the end of the transaction."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS}, retired_at IS NOT NULL AS retired, token_key FROM {_KEY.source('k', 2)} "
        "JOIN id_tokens USING (token_key, type) WHERE tenant_id = $1 ORDER BY token_id"
        + (" FOR UPDATE OF id_tokens" if lock else ""),
        tenant_id,
        *_KEY.parameters(sorted({line.key for line in lines})),
    )
    known = {(row["token_key"], row["type"]): row for row in rows}
    return [_plan(line, known.get(line.key), references, on_existing) for line in lines]


def _plan(line: ImportedToken, row: Any, references: References, on_existing: OnExisting) -> Planned:
    existing = None
    if row is not None and not row["retired"] and row["status"] != "unknown":
        existing = _without(row)
        if existing.owner is not None and on_existing != "skip":
            return Planned(line, "failed", problem=("id_token", f"is a token of {existing.owner}"))
        if on_existing == "skip":
            return Planned(line, "skipped")
        if on_existing == "fail":
            return Planned(line, "failed", problem=("id_token", "exists already, in this or another spelling"))
    before = IdTokenFields() if existing is None else IdTokenFields(**{name: getattr(existing, name) for name in NAMES})
    after = msgspec.structs.replace(before, **line.changes)
    if after.status != "blocked" and "blocked_reason" not in line.changes:
        after = msgspec.structs.replace(after, blocked_reason=None)  # it goes with the block
    token_id = line.token_id if row is None else row["token_id"]
    problem = _problem(after, token_id, references, line.changes)
    if problem is not None:
        return Planned(line, "failed", problem=problem)
    if existing is None:
        spelling = canonical(line.id_token, line.type)
        if spelling != line.id_token and after.visual_id is None:
            after = msgspec.structs.replace(after, visual_id=line.id_token[:64])
        return Planned(line, "created", after)
    if after == before:
        return Planned(line, "skipped")
    return Planned(msgspec.structs.replace(line, token_id=token_id), "updated", after)


def _without(row: Any) -> IdToken:
    return token_of({name: row[name] for name in IdToken.__struct_fields__})


def _problem(fields: IdTokenFields, token_id: UUID, references: References, changes: dict[str, Any]) -> tuple[str, str] | None:
    if fields.valid_from is not None and fields.valid_until is not None and fields.valid_until <= fields.valid_from:
        return "valid_until", "is not after valid_from"
    if fields.blocked_reason is not None and fields.status != "blocked":
        return "blocked_reason", "is for a token that is blocked"
    if changes.get("group_id") is not None and fields.group_id not in references.groups:
        return "group_id", "is not a token group"
    parent = changes.get("parent_token_id")
    if parent is not None and (parent not in references.parents or parent == token_id or token_id in references.stood_for):
        return "parent_token_id", "is not a token that stands for itself"
    return None


async def write_chunk(conn: Connection, tenant_id: int, plan: Sequence[Planned]) -> list[Planned]:
    """Write what is planned; a line whose token was made by somebody else meanwhile has failed."""
    created = [p for p in plan if p.outcome == "created"]
    updated = [p for p in plan if p.outcome == "updated"]
    made: set[tuple[str, str]] = set()
    if created:
        taken_over = ", ".join(f"{name} = excluded.{name}" for name in ("id_token", *NAMES))
        rows = await conn.fetch(
            f"INSERT INTO id_tokens AS t (tenant_id, token_id, id_token, type, {', '.join(NAMES)}) "
            f"SELECT $1, n.token_id, n.id_token, n.type, {_VALUES} FROM {_NEW.source('n', 2)} "
            f"ON CONFLICT (tenant_id, lower(id_token), type) DO UPDATE SET {taken_over}, used_at = NULL, "
            "used_by_session_id = NULL, retired_at = NULL, updated_at = now(), owner_country_code = NULL, owner_party_id = NULL, "
            "ocpi_type = NULL WHERE t.retired_at IS NOT NULL OR t.status = 'unknown' RETURNING t.token_key, t.type",
            tenant_id,
            *_NEW.parameters(
                (p.line.token_id, canonical(p.line.id_token, p.line.type), p.line.type, *_stored(p.fields)) for p in created
            ),
        )
        made = {(row["token_key"], row["type"]) for row in rows}
    if updated:
        await conn.execute(
            f"UPDATE id_tokens t SET ({', '.join(NAMES)}) = ROW ({_VALUES}), updated_at = now() "
            f"FROM {_CHANGED.source('n', 2)} WHERE t.tenant_id = $1 AND t.token_id = n.token_id",
            tenant_id,
            *_CHANGED.parameters((p.line.token_id, *_stored(p.fields)) for p in updated),
        )
    return [
        Planned(p.line, "failed", problem=("id_token", "was made by somebody else at the same time"))
        if p.outcome == "created" and p.line.key not in made
        else p
        for p in plan
    ]


def _stored(fields: IdTokenFields | None) -> list[Any]:
    if fields is None:
        raise LookupError("a line that is written has fields")
    values = {name: getattr(fields, name) for name in NAMES}
    if fields.restrictions is not None:
        values["restrictions"] = msgspec.json.encode(fields.restrictions).decode()
    return list(values.values())


async def page_of_tokens(conn: Connection, tenant_id: int, after: UUID, limit: int) -> list[IdToken]:
    """The tokens that an export holds: those of the tenant's own that somebody has registered."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM id_tokens WHERE tenant_id = $1 AND token_id > $2 AND retired_at IS NULL AND status <> 'unknown' "
        "AND owner_party_id IS NULL ORDER BY token_id LIMIT $3",
        tenant_id,
        after,
        limit,
    )
    return [token_of(row) for row in rows]
