"""What was charged with tokens of ours at stations of others, as those have told: it counts towards the limits of the tokens."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from csms.ledger.rows import OpenSession, Usage, UsageQuestion
from csms.roaming.parties import Folded
from csms.store.pool import Connection
from csms.store.unnest import RowType

STATION: Final = -2
"""Stands for every station of others."""

_QUESTION: Final = RowType((("number", "int4"), ("token_key", "text"), ("since", "timestamptz")))
_OF_KEY: Final = (
    "(SELECT k.token_key AS uid UNION SELECT c.token_key FROM id_tokens t "
    "JOIN id_tokens c ON c.tenant_id = t.tenant_id AND c.parent_token_id = t.token_id "
    "WHERE t.tenant_id = {tenant} AND t.token_key = k.token_key) u"
)
"""As the sessions at our own stations: of a token, and of those that stand for it."""
_OURS: Final = (
    "o.tenant_id = {tenant} AND lower(o.document -> 'cdr_token' ->> 'uid') = u.uid AND o.origin = 'received' "
    "AND o.with_country_code = {country} AND o.with_party_id = {party}"
)
_NUMBER: Final = (
    "CASE WHEN json_typeof(o.document #> '{{total_cost,{name}}}') = 'number' "
    "AND length(o.document #>> '{{total_cost,{name}}}') < 40 THEN (o.document #>> '{{total_cost,{name}}}')::numeric END"
)
_COST: Final = f"coalesce({_NUMBER.format(name='incl_vat')}, {_NUMBER.format(name='excl_vat')})"

_FIRST: Final = {"tenant": "$2", "country": "$3", "party": "$4"}
_OPEN: Final = (
    f"SELECT k.token_key, x.object_no FROM unnest($1::text[]) AS k(token_key) CROSS JOIN LATERAL {_OF_KEY.format(**_FIRST)} "
    f"CROSS JOIN LATERAL (SELECT o.object_no FROM ocpi_objects o WHERE {_OURS.format(**_FIRST)} AND o.module = 'sessions' "
    # as at our own stations: one of which nothing is heard for longer keeps nobody from charging
    "AND o.updated_at > now() - interval '24 h' AND o.document ->> 'status' = 'ACTIVE' "
    "AND NOT (o.country_code = $5 AND o.party_id = $6 AND lower(o.document ->> 'location_id') = $7 "
    "AND (cardinality($8::text[]) = 0 OR lower(o.document ->> 'evse_uid') = ANY($8::text[]))) LIMIT 200) x"
)
_SECOND: Final = {"tenant": "$4", "country": "$5", "party": "$6"}
_USED: Final = (
    "SELECT k.number, count(*) FILTER (WHERE x.counts), coalesce(sum(x.amount), 0) "
    f"FROM {_QUESTION.source('k')} CROSS JOIN LATERAL {_OF_KEY.format(**_SECOND)} CROSS JOIN LATERAL ("
    f"SELECT true AS counts, coalesce(c.amount, CASE WHEN o.document ->> 'currency' = $7 THEN {_COST} END) AS amount "
    "FROM ocpi_objects o LEFT JOIN LATERAL (SELECT sum(coalesce(r.total_incl_vat, r.total_excl_vat)) AS amount "
    "FROM ocpi_received_cdrs r WHERE r.tenant_id = o.tenant_id AND r.country_code = o.country_code AND r.party_id = o.party_id "
    "AND r.session_id = o.object_id AND r.currency = $7) c ON true "
    f"WHERE {_OURS.format(**_SECOND)} AND o.module = 'sessions' AND o.created_at >= k.since "
    "AND o.document ->> 'status' NOT IN ('INVALID', 'RESERVATION') "
    # of partners that tell of CDRs alone
    "UNION ALL SELECT r.credit_of IS NULL, CASE WHEN r.currency = $7 THEN coalesce(r.total_incl_vat, r.total_excl_vat) END "
    "FROM ocpi_objects o JOIN ocpi_received_cdrs r USING (tenant_id, country_code, party_id, object_id) "
    f"WHERE {_OURS.format(**_SECOND)} AND o.module = 'cdrs' AND o.created_at >= k.since AND NOT EXISTS ("
    "SELECT FROM ocpi_objects s WHERE s.tenant_id = o.tenant_id AND s.module = 'sessions' AND s.country_code = o.country_code "
    "AND s.party_id = o.party_id AND s.object_id = r.session_id AND s.kind = '')) x GROUP BY k.number"
)


class Spot(msgspec.Struct, frozen=True):
    """Where somebody stands. Folded; `evse_uids` empty: anywhere at the location."""

    owner: Folded
    location_id: str
    evse_uids: tuple[str, ...] = ()


async def open_sessions(
    conn: Connection, tenant_id: int, party: Folded, token_keys: Collection[str], but: Spot | None
) -> dict[str, list[OpenSession]]:
    """Sessions that run abroad, by the key of their token. `party`: whose tokens they are. `but`: not those there, as whoever
    stands there may want to end one."""
    spot = but or Spot(("", ""), "")
    rows = await conn.fetch(_OPEN, list(token_keys), tenant_id, *party, *spot.owner, spot.location_id, list(spot.evse_uids))
    found: dict[str, list[OpenSession]] = {}
    for key, object_no in rows:
        found.setdefault(key, []).append(OpenSession(STATION, None, "", UUID(int=object_no)))
    return found


async def usage(
    conn: Connection, tenant_id: int, party: Folded, currency: str, questions: Collection[UsageQuestion]
) -> dict[UsageQuestion, Usage]:
    """What was used abroad, as far as it is known: of what has its CDR, that. Amounts in other currencies do not count."""
    asked = list(questions)
    rows = await conn.fetch(
        _USED, *_QUESTION.parameters((n, q.token_key, q.since) for n, q in enumerate(asked)), tenant_id, *party, currency
    )
    return dict.fromkeys(asked, Usage(0, Decimal(0))) | {asked[row[0]]: Usage(row[1], row[2]) for row in rows}
