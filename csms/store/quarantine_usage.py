"""How much of a station's is unresolved in quarantine, where something is taken out of it.

The usage is locked before the message, as the ledger does it, so that the two never wait for each other.
"""

from __future__ import annotations

from uuid import UUID

from csms.store.pool import Connection


async def lock_usage(conn: Connection, tenant_id: int, quarantine_id: UUID) -> None:
    """Lock the usage of the station that this message is of."""
    await conn.execute(
        "SELECT FROM quarantine q JOIN quarantine_usage u USING (tenant_id, station_id) "
        "WHERE q.tenant_id = $1 AND q.quarantine_id = $2 FOR UPDATE OF u",
        tenant_id,
        quarantine_id,
    )


async def release(conn: Connection, tenant_id: int, quarantine_id: UUID) -> None:
    """A message has just been resolved: it counts no more."""
    await conn.execute(
        "UPDATE quarantine_usage u SET messages = u.messages - 1, bytes = u.bytes - octet_length(q.payload) FROM quarantine q "
        "WHERE q.tenant_id = $1 AND q.quarantine_id = $2 AND u.tenant_id = q.tenant_id AND u.station_id = q.station_id",
        tenant_id,
        quarantine_id,
    )
