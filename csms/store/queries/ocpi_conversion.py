"""What conversions between versions of OCPI have to look up among the objects that a tenant knows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from csms.store.pool import Connection
from csms.store.queries.ocpi_objects import decode_document


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
