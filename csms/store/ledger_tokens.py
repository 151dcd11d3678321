"""Id tokens in the ledger's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from csms.domain.restrictions import Place, first_id_of
from csms.ledger.rows import OpenSession, TokenRow, TokenUse, Usage, UsageQuestion
from csms.store.known_tokens import load_known_tokens
from csms.store.pool import Connection
from csms.store.unnest import RowType

UNKNOWN_TOKENS_MAX: Final = 10_000
"""Tokens kept as unknown per tenant: a hostile station must not fill the table."""

_TOKEN_KEY: Final = RowType((("tenant_id", "int4"), ("token_key", "text")))
_UNKNOWN: Final = RowType((("tenant_id", "int4"), ("id_token", "text"), ("type", "text")))
_STATION: Final = RowType((("tenant_id", "int4"), ("station_id", "int8")))
_USAGE: Final = RowType((("number", "int4"), ("tenant_id", "int4"), ("token_key", "text"), ("first_id", "uuid")))
_USE: Final = RowType((("tenant_id", "int4"), ("token_id", "uuid"), ("session_id", "uuid")))

# The sessions of a token are those that it was shown for, and those of the tokens that stand for it.
_OPENED: Final = "o.tenant_id, o.station_id, o.evse_id, o.transaction_ref, o.session_id, o.updated_at"
_OPEN: Final = (
    "SELECT k.tenant_id, k.token_key, x.station_id, x.evse_id, x.transaction_ref, x.session_id "
    f"FROM {_TOKEN_KEY.source('k')} CROSS JOIN LATERAL ("
    f"SELECT {_OPENED} FROM sessions o WHERE o.tenant_id = k.tenant_id AND lower(o.id_token) = k.token_key AND o.status = 'active' "
    f"UNION ALL SELECT {_OPENED} FROM id_tokens t "
    "JOIN id_tokens c ON c.tenant_id = t.tenant_id AND c.parent_token_id = t.token_id "
    "JOIN sessions o ON o.tenant_id = c.tenant_id AND o.session_id = c.used_by_session_id AND o.status = 'active' "
    "WHERE t.tenant_id = k.tenant_id AND t.token_key = k.token_key) x "
    "JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
    "WHERE x.updated_at > now() - interval '24 h' AND (s.booted_at IS NULL OR s.booted_at <= x.updated_at)"
)
_USED: Final = (
    "SELECT k.number, count(*) FILTER (WHERE x.authorization_status = 'Accepted'), "
    "coalesce(sum(coalesce(s.total_incl_vat, s.total_excl_vat)), 0) "
    f"FROM {_USAGE.source('k')} CROSS JOIN LATERAL ("
    "SELECT o.tenant_id, o.session_id, o.authorization_status FROM sessions o "
    "WHERE o.tenant_id = k.tenant_id AND lower(o.id_token) = k.token_key AND o.session_id >= k.first_id "
    "UNION ALL SELECT o.tenant_id, o.session_id, o.authorization_status FROM id_tokens t "
    "JOIN id_tokens c ON c.tenant_id = t.tenant_id AND c.parent_token_id = t.token_id AND c.used_by_session_id >= k.first_id "
    "JOIN sessions o ON o.tenant_id = c.tenant_id AND o.session_id = c.used_by_session_id "
    "WHERE t.tenant_id = k.tenant_id AND t.token_key = k.token_key) x "
    "LEFT JOIN session_costs s ON s.tenant_id = x.tenant_id AND s.session_id = x.session_id GROUP BY k.number"
)
_PLACES: Final = (
    "SELECT s.tenant_id, s.station_id, s.identity, l.location_id, l.country, l.latitude::float8, l.longitude::float8, l.time_zone, "
    "array(WITH RECURSIVE above AS (SELECT m.group_id FROM station_group_members m "
    "WHERE m.tenant_id = s.tenant_id AND m.station_id = s.station_id "
    "UNION SELECT g.parent_id FROM above a JOIN station_groups g ON g.tenant_id = s.tenant_id AND g.group_id = a.group_id "
    "WHERE g.parent_id IS NOT NULL) SELECT group_id FROM above) AS station_groups, "
    "(SELECT json_agg(json_build_array(c.evse_id, c.connector_type)) FROM connectors c "
    "WHERE c.tenant_id = s.tenant_id AND c.station_id = s.station_id AND c.connector_type IS NOT NULL) AS connector_types "
    f"FROM {_STATION.source('k')} JOIN stations s USING (tenant_id, station_id) "
    "LEFT JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id"
)


class TokenStatements:
    connection: Connection

    async def load_tokens(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[TokenRow]]:
        return await load_known_tokens(self.connection, keys)

    async def open_token_sessions(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[OpenSession]]:
        rows = await self.connection.fetch(_OPEN, *_TOKEN_KEY.parameters(keys))
        found: dict[tuple[int, str], list[OpenSession]] = {}
        for row in rows:
            found.setdefault((row[0], row[1]), []).append(OpenSession(*row[2:]))
        return found

    async def token_usage(self, questions: Collection[UsageQuestion]) -> dict[UsageQuestion, Usage]:
        asked = list(questions)
        rows = await self.connection.fetch(
            _USED, *_USAGE.parameters((n, q.tenant_id, q.token_key, first_id_of(q.since)) for n, q in enumerate(asked))
        )
        return dict.fromkeys(asked, Usage(0, Decimal(0))) | {asked[row[0]]: Usage(row[1], row[2]) for row in rows}

    async def places(self, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], Place]:
        rows = await self.connection.fetch(_PLACES, *_STATION.parameters(keys))
        return {
            (row[0], row[1]): Place(*(*row[2:8], frozenset(row[8]), _by_evse([] if row[9] is None else _read_types(row[9]))))
            for row in rows
        }

    async def use_tokens(self, uses: Sequence[TokenUse], now: datetime) -> set[TokenUse]:
        rows = await self.connection.fetch(
            "WITH unused AS (SELECT t.tenant_id, t.token_id, u.session_id "
            f"FROM {_USE.source('u')} JOIN id_tokens t USING (tenant_id, token_id) "
            "WHERE t.used_by_session_id IS NULL ORDER BY t.tenant_id, t.token_id FOR UPDATE OF t) "
            "UPDATE id_tokens t SET used_at = $4, used_by_session_id = u.session_id, updated_at = now() FROM unused u "
            "WHERE t.tenant_id = u.tenant_id AND t.token_id = u.token_id RETURNING t.tenant_id, t.token_id, t.used_by_session_id",
            *_USE.parameters(uses),
            now,
        )
        return {TokenUse(*row) for row in rows}

    async def add_unknown_tokens(self, tokens: Collection[tuple[int, str, str]]) -> None:
        await self.connection.execute(
            "INSERT INTO id_tokens (tenant_id, id_token, type, status) SELECT u.tenant_id, u.id_token, u.type, 'unknown' "
            f"FROM {_UNKNOWN.source('u')} "
            "WHERE (SELECT count(*) FROM id_tokens t WHERE t.tenant_id = u.tenant_id AND t.status = 'unknown') < $4 "
            "ON CONFLICT (tenant_id, lower(id_token), type) DO NOTHING",
            *_UNKNOWN.parameters(sorted(tokens)),
            UNKNOWN_TOKENS_MAX,
        )


_read_types: Final = msgspec.json.Decoder(list[tuple[int, str]]).decode


def _by_evse(types: list[tuple[int, str]]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for evse_id, kind in types:
        found[evse_id] = (*found.get(evse_id, ()), kind)
    return found


class TokenLookups(TokenStatements):
    """The same questions outside of the ledger, on whatever role's connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
