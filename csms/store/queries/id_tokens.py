"""Id tokens: cards, keys and contracts that may charge."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg
import msgspec

from csms.domain.restrictions import Restrictions
from csms.domain.token_identity import canonical
from csms.store.pool import Connection

TokenStatus = Literal["accepted", "blocked", "unknown"]
Whitelist = Literal["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"]


class IdTokenFields(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says about a token. `type` has the OCPP 2.x names, `kind` our own finer ones.

    `visual_id`: what is printed on it; `contract_id`: eMAID recommended; `language`: ISO 639-1; `whitelist`: whether stations may
    decide without asking (OCPI); `user_type`: for tariffs; `single_use`: the first session uses it up; `parent_token_id`: the
    token that it stands for, whose verdict and restrictions hold as well.
    """

    kind: str | None = None
    label: str | None = None
    status: TokenStatus = "accepted"
    blocked_reason: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    visual_id: str | None = None
    issuer: str | None = None
    contract_id: str | None = None
    language: str | None = None
    whitelist: Whitelist = "ALLOWED"
    user_type: str | None = None
    group_id: UUID | None = None
    group_id_token: str | None = None
    restrictions: Restrictions | None = None
    single_use: bool = False
    parent_token_id: UUID | None = None


class IdToken(IdTokenFields, frozen=True, kw_only=True):
    """A token as the API shows it. `unknown`: seen on the wire, never entered by a person. `used_by_session_id`: the session that
    used it up. `owner_country_code`, `owner_party_id`: the partner's party whose token it is, null for your own; `ocpi_type`: what
    OCPI calls its type."""

    token_id: UUID
    id_token: str
    type: str
    used_at: datetime | None
    used_by_session_id: UUID | None
    created_at: datetime
    updated_at: datetime
    owner_country_code: str | None = None
    owner_party_id: str | None = None
    ocpi_type: str | None = None

    @property
    def owner(self) -> str | None:
        """Whose it is, such as DE-ABC; None: the tenant's own."""
        return None if self.owner_party_id is None else f"{self.owner_country_code}-{self.owner_party_id}"


class TokenFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What is None does not matter. `starts_with`: how the token or what is printed on it begins, in any case."""

    id_token: str | None = None
    starts_with: str | None = None
    status: TokenStatus | None = None
    kind: str | None = None
    group_id: UUID | None = None
    contract_id: str | None = None


class ReferenceMissing(Exception):
    """The group, or the token that this one stands for, is not there. `args[0]`: the field."""


NAMES: Final = IdTokenFields.__struct_fields__
_COLUMNS: Final = ", ".join(IdToken.__struct_fields__)
_VALUES: Final = ", ".join(f"${n}{'::text::jsonb' if name == 'restrictions' else ''}" for n, name in enumerate(NAMES, 5))
_TAKEN_OVER: Final = ", ".join(f"{name} = excluded.{name}" for name in ("id_token", *NAMES))
_REPLACED: Final = ", ".join(f"{name} = ${n}{'::text::jsonb' if name == 'restrictions' else ''}" for n, name in enumerate(NAMES, 3))
_read_restrictions: Final = msgspec.json.Decoder(Restrictions).decode


async def list_tokens(conn: Connection, tenant_id: int, after: UUID, limit: int, wanted: TokenFilter) -> list[IdToken]:
    conditions = ["tenant_id = $1", "token_id > $2", "retired_at IS NULL"]
    values: list[Any] = [tenant_id, after, limit]

    def add(condition: str, value: Any) -> None:
        if value is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))

    if wanted.id_token is not None:
        spellings = {wanted.id_token.lower(), *(canonical(wanted.id_token, kind).lower() for kind in (None, "eMAID", "MacAddress"))}
        add("token_key = ANY({}::text[])", sorted(spellings))
    if wanted.starts_with is not None:
        add("(starts_with(token_key, {0}) OR starts_with(lower(visual_id), {0}))", wanted.starts_with.lower())
    add("status = {}", wanted.status)
    add("kind = {}", wanted.kind)
    add("group_id = {}", wanted.group_id)
    add("contract_id = {}", wanted.contract_id)
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM id_tokens WHERE {' AND '.join(conditions)} ORDER BY token_id LIMIT $3", *values
    )
    return [token_of(row) for row in rows]


async def get_token(conn: Connection, tenant_id: int, token_id: UUID, *, lock: bool = False) -> IdToken | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM id_tokens WHERE tenant_id = $1 AND token_id = $2 AND retired_at IS NULL"
        + (" FOR UPDATE" if lock else ""),
        tenant_id,
        token_id,
    )
    return None if row is None else token_of(row)


async def insert_token(
    conn: Connection, tenant_id: int, token_id: UUID, id_token: str, type_: str, fields: IdTokenFields
) -> IdToken | None:
    """None when the token exists. A retired one comes back to life, unused, and so does one that was only seen on the wire.

    Contracts and vehicles are kept in their one spelling (`csms.domain.token_identity`). Raises ReferenceMissing.
    """
    spelling = canonical(id_token, type_)
    if spelling != id_token and fields.visual_id is None:
        fields = msgspec.structs.replace(fields, visual_id=id_token[:64])
    await _check_references(conn, tenant_id, token_id, fields)
    row = await conn.fetchrow(
        f"INSERT INTO id_tokens AS t (tenant_id, token_id, id_token, type, {', '.join(NAMES)}) VALUES ($1, $2, $3, $4, {_VALUES}) "
        f"ON CONFLICT (tenant_id, lower(id_token), type) DO UPDATE SET {_TAKEN_OVER}, used_at = NULL, used_by_session_id = NULL, "
        "retired_at = NULL, updated_at = now(), owner_country_code = NULL, owner_party_id = NULL, ocpi_type = NULL "
        f"WHERE t.retired_at IS NOT NULL OR t.status = 'unknown' RETURNING {_COLUMNS}",
        tenant_id,
        token_id,
        spelling,
        type_,
        *_stored(fields),
    )
    return None if row is None else token_of(row)


async def replace_token(conn: Connection, tenant_id: int, token_id: UUID, fields: IdTokenFields) -> IdToken | None:
    """None when there is no such token. Raises ReferenceMissing."""
    await _check_references(conn, tenant_id, token_id, fields)
    row = await conn.fetchrow(
        f"UPDATE id_tokens SET {_REPLACED}, updated_at = now() "
        f"WHERE tenant_id = $1 AND token_id = $2 AND retired_at IS NULL RETURNING {_COLUMNS}",
        tenant_id,
        token_id,
        *_stored(fields),
    )
    return None if row is None else token_of(row)


async def retire_token(conn: Connection, tenant_id: int, token_id: UUID) -> bool:
    """The token is refused from now on; its sessions stay. False when the tenant has no such token of its own."""
    done = await conn.fetchval(
        "UPDATE id_tokens SET retired_at = now(), status = 'blocked', updated_at = now() "
        "WHERE tenant_id = $1 AND token_id = $2 AND retired_at IS NULL AND owner_party_id IS NULL RETURNING true",
        tenant_id,
        token_id,
    )
    return done is not None


def token_of(row: asyncpg.Record | dict[str, Any]) -> IdToken:
    fields = dict(row)
    restrictions = fields.pop("restrictions")
    return IdToken(**fields, restrictions=None if restrictions is None else _read_restrictions(restrictions))


def _stored(fields: IdTokenFields) -> list[Any]:
    return [_json(value) if name == "restrictions" else value for name, value in msgspec.structs.asdict(fields).items()]


def _json(restrictions: Restrictions | None) -> str | None:
    return None if restrictions is None else msgspec.json.encode(restrictions).decode()


async def _check_references(conn: Connection, tenant_id: int, token_id: UUID, fields: IdTokenFields) -> None:
    """The group must be there, and so must the parent, which stands for itself: one level is enough to hold a verdict on both.

    Held to the end of the transaction, so that neither goes away meanwhile.
    """
    if fields.group_id is not None:
        found = await conn.fetchval(
            "SELECT true FROM token_groups WHERE tenant_id = $1 AND group_id = $2 FOR KEY SHARE", tenant_id, fields.group_id
        )
        if found is None:
            raise ReferenceMissing("group_id")
    if fields.parent_token_id is not None:
        found = await conn.fetchval(
            "SELECT true FROM id_tokens WHERE tenant_id = $1 AND token_id = $2 AND token_id <> $3 AND parent_token_id IS NULL "
            "AND retired_at IS NULL FOR SHARE",
            tenant_id,
            fields.parent_token_id,
            token_id,
        )
        has_children = await conn.fetchval(
            "SELECT EXISTS (SELECT FROM id_tokens WHERE tenant_id = $1 AND parent_token_id = $2)", tenant_id, token_id
        )
        if found is None or has_children:
            raise ReferenceMissing("parent_token_id")
