"""What conversions between versions of OCPI have to look up among what a tenant knows."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from csms.roaming.parties import Folded
from csms.store.pool import Connection
from csms.store.queries.ocpi_objects import decode_document
from schemas.ocpi221.base import fold
from schemas.ocpi221.writing import encode

MOST_NUMBERED: Final = 20_000
"""Reservations that one party has numbers for at one partner; they are forgotten some time after they were last sent."""

MOST_SHOWN: Final = 20_000
"""Tokens of one party that are remembered as shown to one partner; the oldest go first."""
_MOST_FOUND: Final = 100

_LARGEST: Final = 2**31 - 1
"""Many read 2.1.1's int as one of 32 bits."""
_MADE: Final = 2**30 - 1
"""Numbers that are made up begin below this one, so that there is always room above."""
_TRIES: Final = 8


async def tokens_of(
    conn: Connection, tenant_id: int, contract_ids: Collection[str], token_uids: Collection[str]
) -> list[dict[str, Any]]:
    """The tokens with one of these contracts or uids, all folded."""
    rows = await conn.fetch(
        "SELECT document FROM ocpi_objects WHERE tenant_id = $1 AND module = 'tokens' AND object_id = ANY($3::text[]) "
        "UNION ALL SELECT document FROM ocpi_objects WHERE tenant_id = $1 AND module = 'tokens' "
        "AND lower(document ->> 'contract_id') = ANY($2::text[]) AND object_id <> ALL($3::text[])",
        tenant_id,
        list(contract_ids),
        list(token_uids),
    )
    return [decode_document(row["document"]) for row in rows]


async def shown_tokens(conn: Connection, tenant_id: int, partner_id: UUID, names: Collection[str]) -> list[dict[str, Any]]:
    """What `remember_shown` knows of tokens with one of these contracts or uids, folded; the last one first."""
    rows = await conn.fetch(
        "SELECT document FROM ocpi_shown_tokens WHERE tenant_id = $1 AND partner_id = $2 "
        f"AND (contract_id = ANY($3::text[]) OR uid = ANY($3::text[])) ORDER BY seen_at DESC LIMIT {_MOST_FOUND}",
        tenant_id,
        partner_id,
        list(names),
    )
    return [decode_document(row["document"]) for row in rows]


async def remember_shown(conn: Connection, tenant_id: int, partner_id: UUID, token: dict[str, Any]) -> None:
    """A partner was shown a token (a CdrToken) and will name it by its contract alone."""
    owner = (fold(token["country_code"]), fold(token["party_id"]))
    await conn.execute(
        "INSERT INTO ocpi_shown_tokens (tenant_id, partner_id, country_code, party_id, uid, contract_id, document) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7::json) ON CONFLICT ON CONSTRAINT ocpi_shown_tokens_pkey "
        "DO UPDATE SET document = excluded.document, seen_at = now()",
        tenant_id,
        partner_id,
        *owner,
        fold(token["uid"]),
        fold(token["contract_id"]),
        encode(token).decode(),
    )
    await conn.execute(
        "DELETE FROM ocpi_shown_tokens WHERE ctid = ANY(ARRAY(SELECT ctid FROM ocpi_shown_tokens WHERE tenant_id = $1 "
        "AND partner_id = $2 AND country_code = $3 AND party_id = $4 ORDER BY seen_at DESC OFFSET $5 LIMIT 10))",
        tenant_id,
        partner_id,
        *owner,
        MOST_SHOWN,
    )


async def number_of_reservation(
    conn: Connection, tenant_id: int, partner_id: UUID, owner: Folded, reservation_id: str, wanted: int | None
) -> int | None:
    """The number that the reservation `reservation_id` (folded) of `owner` has towards a partner; it keeps the one that it has got.

    `wanted`: the number that the id is itself, taken unless another reservation has it. None: `owner` has MOST_NUMBERED already.
    """
    key = (tenant_id, partner_id, *owner, reservation_id)
    begin = zlib.crc32("*".join((*owner, reservation_id)).encode()) & _MADE  # so that one that was forgotten gets the same again
    own = wanted if wanted is not None and 0 <= wanted <= _LARGEST else None
    for _ in range(_TRIES):  # another process may take the number, or number the same reservation, at the same time
        number = await conn.fetchval(
            "UPDATE ocpi_reservation_numbers SET seen_at = now() WHERE tenant_id = $1 AND partner_id = $2 AND country_code = $3 "
            "AND party_id = $4 AND reservation_id = $5 RETURNING number",
            *key,
        )
        if number is None:
            if await _has_too_many(conn, tenant_id, partner_id, owner):
                return None
            number = await _take_number(conn, key, own, begin)
        if number is not None:
            return int(number)
    return None


async def _has_too_many(conn: Connection, tenant_id: int, partner_id: UUID, owner: Folded) -> bool:
    found = await conn.fetchval(
        "SELECT true FROM ocpi_reservation_numbers WHERE tenant_id = $1 AND partner_id = $2 AND country_code = $3 "
        "AND party_id = $4 OFFSET $5 LIMIT 1",
        tenant_id,
        partner_id,
        *owner,
        MOST_NUMBERED - 1,
    )
    return found is True


async def _take_number(conn: Connection, key: tuple[Any, ...], own: int | None, begin: int) -> int | None:
    """`own` if it is free, else the first free one from `begin` on. None: somebody was faster."""
    taken = "(SELECT FROM ocpi_reservation_numbers WHERE tenant_id = $1 AND partner_id = $2 AND number = {})"
    number: int | None = await conn.fetchval(
        "INSERT INTO ocpi_reservation_numbers (tenant_id, partner_id, country_code, party_id, reservation_id, number) "
        f"SELECT $1, $2, $3, $4, $5, CASE WHEN $6::integer IS NOT NULL AND NOT EXISTS {taken.format('$6')} THEN $6 "
        f"WHEN NOT EXISTS {taken.format('$7')} THEN $7::integer "
        "ELSE (SELECT t.number::bigint + 1 FROM ocpi_reservation_numbers t WHERE t.tenant_id = $1 AND t.partner_id = $2 "
        f"AND t.number >= $7 AND NOT EXISTS {taken.format('t.number::bigint + 1')} ORDER BY t.number LIMIT 1) END "
        "ON CONFLICT DO NOTHING RETURNING number",
        *key,
        own,
        begin,
    )
    return number
