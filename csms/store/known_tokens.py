"""What a tenant knows of id tokens, read with the groups above them and the tokens that they stand for in one statement."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec

from csms.domain.known_tokens import KnownGroup, KnownToken
from csms.domain.restrictions import Restrictions
from csms.store.pool import Connection
from csms.store.unnest import RowType

_KEY: Final = RowType((("tenant_id", "int4"), ("token_key", "text")))
_PLAIN: Final = (
    "id_token",
    "type",
    "status",
    "valid_from",
    "valid_until",
    "group_id_token",
    "token_id",
    "kind",
    "contract_id",
    "issuer",
    "language",
    "whitelist",
    "user_type",
    "blocked_reason",
    "single_use",
    "used_by_session_id",
    "owner_country_code",
    "owner_party_id",
    "ocpi_type",
)


def _groups_of(alias: str) -> str:
    """JSON of the groups above the token, nearest first; NULL without any: the recursion is not begun then."""
    fields = ("group_id", "name", "group_id_token", "user_type", "status", "blocked_reason", "restrictions")
    members = ", ".join(f"'{name}', g.{name}" for name in fields)
    return (
        f"CASE WHEN {alias}.group_id IS NOT NULL THEN (WITH RECURSIVE above AS ("
        f"SELECT g.*, 1 AS depth FROM token_groups g WHERE g.tenant_id = {alias}.tenant_id AND g.group_id = {alias}.group_id "
        "UNION ALL SELECT g.*, a.depth + 1 FROM above a "
        "JOIN token_groups g ON g.tenant_id = a.tenant_id AND g.group_id = a.parent_id WHERE a.depth < 32) "
        f"SELECT json_agg(json_build_object({members}) ORDER BY g.depth) FROM above g) END"
    )


def _vouched(alias: str) -> str:
    """When the token's party last ordered something for it."""
    return (
        f"CASE WHEN {alias}.owner_party_id IS NOT NULL THEN (SELECT max(a.created_at) FROM ocpi_authorizations a "
        f"WHERE a.tenant_id = {alias}.tenant_id AND a.token_key = {alias}.token_key AND a.method = 'COMMAND' "
        f"AND (a.country_code, a.party_id) = ({alias}.owner_country_code, {alias}.owner_party_id)) END"
    )


_PARENT: Final = (
    "CASE WHEN t.parent_token_id IS NOT NULL THEN (SELECT json_build_object('tenant_id', p.tenant_id, "
    + ", ".join(f"'{name}', p.{name}" for name in _PLAIN)
    + f", 'vouched_at', {_vouched('p')}"
    + ", 'retired', p.retired_at IS NOT NULL, 'restrictions', p.restrictions, "
    + f"'groups', coalesce({_groups_of('p')}, '[]')) "
    + "FROM id_tokens p WHERE p.tenant_id = t.tenant_id AND p.token_id = t.parent_token_id) END"
)
_SELECT: Final = (
    "SELECT t.token_key, t.tenant_id, "
    + ", ".join(f"t.{name}" for name in _PLAIN)
    + f", {_vouched('t')} AS vouched_at"
    + f", t.retired_at IS NOT NULL AS retired, t.restrictions, {_groups_of('t')} AS groups, {_PARENT} AS parent "
    + f"FROM {_KEY.source('k')} JOIN id_tokens t USING (tenant_id, token_key)"
)

_groups: Final = msgspec.json.Decoder(tuple[KnownGroup, ...]).decode
_restrictions: Final = msgspec.json.Decoder(Restrictions).decode
_parent: Final = msgspec.json.Decoder(KnownToken).decode


async def load_known_tokens(conn: Connection, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[KnownToken]]:
    """By (tenant, look-up key), retired ones as well."""
    rows: list[Any] = await conn.fetch(_SELECT, *_KEY.parameters(keys))
    found: dict[tuple[int, str], list[KnownToken]] = {}
    for row in rows:
        key, *fields, retired, restrictions, groups, parent = row
        held = (
            None if restrictions is None else _restrictions(restrictions),
            () if groups is None else _groups(groups),
            None if parent is None else _parent(parent),
        )
        token = KnownToken(*(*fields[:7], retired, *fields[7:], *held))
        found.setdefault((token.tenant_id, key), []).append(token)
    return found
