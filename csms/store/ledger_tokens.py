"""Id tokens in the ledger's transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from csms.ledger.rows import TokenRow
from csms.store.pool import Connection
from csms.store.unnest import RowType

UNKNOWN_TOKENS_MAX: Final = 10_000
"""Tokens kept as unknown per tenant: a hostile station must not fill the table."""

_TOKEN_KEY: Final = RowType((("tenant_id", "int4"), ("lower_token", "text")))
_UNKNOWN: Final = RowType((("tenant_id", "int4"), ("id_token", "text"), ("type", "text")))


class TokenStatements:
    connection: Connection

    async def load_tokens(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[TokenRow]]:
        rows = await self.connection.fetch(
            "SELECT k.lower_token, t.tenant_id, t.id_token, t.type, t.status, t.valid_from, t.valid_until, t.group_id_token, "
            f"t.retired_at IS NOT NULL FROM {_TOKEN_KEY.source('k')} "
            "JOIN id_tokens t ON t.tenant_id = k.tenant_id AND lower(t.id_token) = k.lower_token",
            *_TOKEN_KEY.parameters(keys),
        )
        found: dict[tuple[int, str], list[TokenRow]] = {}
        for row in rows:
            found.setdefault((row[1], row[0]), []).append(TokenRow(*row[1:]))
        return found

    async def open_token_sessions(
        self, keys: Collection[tuple[int, str]]
    ) -> dict[tuple[int, str], list[tuple[int, int | None, str]]]:
        rows = await self.connection.fetch(
            "SELECT k.tenant_id, k.lower_token, x.station_id, x.evse_id, x.transaction_ref "
            f"FROM {_TOKEN_KEY.source('k')} "
            "JOIN sessions x ON x.tenant_id = k.tenant_id AND lower(x.id_token) = k.lower_token AND x.status = 'active' "
            "JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
            "WHERE x.updated_at > now() - interval '24 h' AND (s.booted_at IS NULL OR s.booted_at <= x.updated_at)",
            *_TOKEN_KEY.parameters(keys),
        )
        found: dict[tuple[int, str], list[tuple[int, int | None, str]]] = {}
        for row in rows:
            found.setdefault((row[0], row[1]), []).append((row[2], row[3], row[4]))
        return found

    async def add_unknown_tokens(self, tokens: Collection[tuple[int, str, str]]) -> None:
        await self.connection.execute(
            "INSERT INTO id_tokens (tenant_id, id_token, type, status) SELECT u.tenant_id, u.id_token, u.type, 'unknown' "
            f"FROM {_UNKNOWN.source('u')} "
            "WHERE (SELECT count(*) FROM id_tokens t WHERE t.tenant_id = u.tenant_id AND t.status = 'unknown') < $4 "
            "ON CONFLICT (tenant_id, lower(id_token), type) DO NOTHING",
            *_UNKNOWN.parameters(sorted(tokens)),
            UNKNOWN_TOKENS_MAX,
        )
