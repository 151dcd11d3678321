"""How much of partners is stored: counted by indexes, without reading documents."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from csms.roaming.parties import Folded
from csms.store.pool import Connection

_COUNTED: Final = "SELECT module, count(*), coalesce(sum(size), 0)::int8 FROM ocpi_objects WHERE tenant_id = $1 AND "


class Stored(msgspec.Struct, frozen=True):
    """What is stored of one module of a partner, or of a party within this installation. Codes folded; `bytes`: of documents as
    they were received."""

    partner_id: UUID | None
    partner_name: str | None
    country_code: str | None
    party_id: str | None
    module: str
    objects: int
    bytes: int


async def count_stored(conn: Connection, tenant_id: int, filler: UUID | Folded) -> dict[str, tuple[int, int]]:
    """Module -> (objects, bytes) of what came through a partner, or of a party without one."""
    if isinstance(filler, UUID):
        rows = await conn.fetch(f"{_COUNTED} partner_id = $2 AND origin = 'received' GROUP BY module", tenant_id, filler)
    else:
        rows = await conn.fetch(
            f"{_COUNTED} country_code = $2 AND party_id = $3 AND partner_id IS NULL AND origin = 'received' GROUP BY module",
            tenant_id,
            *filler,
        )
    return {row[0]: (row[1], row[2]) for row in rows}


async def list_stored(conn: Connection, tenant_id: int) -> list[Stored]:
    """All that is stored of others, the most first; goes through the indexes once."""
    rows = await conn.fetch(
        "SELECT s.partner_id, p.name, s.country_code, s.party_id, s.module, s.objects, s.bytes FROM ("
        "SELECT partner_id, NULL::text AS country_code, NULL::text AS party_id, module, count(*) AS objects, "
        "sum(size)::int8 AS bytes "
        "FROM ocpi_objects WHERE tenant_id = $1 AND partner_id IS NOT NULL AND origin = 'received' GROUP BY partner_id, module "
        "UNION ALL SELECT NULL, country_code, party_id, module, count(*), sum(size)::int8 "
        "FROM ocpi_objects WHERE tenant_id = $1 AND partner_id IS NULL AND origin = 'received' "
        "GROUP BY country_code, party_id, module) s "
        "LEFT JOIN ocpi_partners p ON p.tenant_id = $1 AND p.partner_id = s.partner_id "
        "ORDER BY s.bytes DESC, s.partner_id, s.country_code, s.party_id, s.module LIMIT 10000",
        tenant_id,
    )
    return [Stored(*row) for row in rows]
