"""Reading the commands of stations, for the process that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from csms.store.pool import Connection
from csms.store.unnest import RowType


class CommandRecord(msgspec.Struct, frozen=True):
    """One row of `commands`. A domain command has `command` and its fields as JSON; a raw one `action` and the payload.

    `hearsay`: it was told by another process; the row was not looked at.
    """

    tenant_id: int
    station_id: int
    command_id: UUID
    command: str | None
    action: str | None
    parameters: bytes
    status: str
    expires_at: datetime
    epoch: int | None
    hearsay: bool = False


_KEY: Final = RowType((("tenant_id", "int4"), ("command_id", "uuid")))
_PER_STATION: Final = 5
_PER_LOOK: Final = 200

_COLUMNS: Final = "c.tenant_id, c.station_id, c.command_id, c.command, c.action, c.parameters, c.status, c.expires_at, c.epoch"


async def load_commands(conn: Connection, keys: Sequence[tuple[int, UUID]]) -> list[CommandRecord]:
    """Those of (tenant_id, command_id) that exist, in this order."""
    return _records(
        await conn.fetch(
            f"SELECT {_COLUMNS} FROM {_KEY.source('n')} CROSS JOIN LATERAL (SELECT * FROM commands c "
            "WHERE c.tenant_id = n.tenant_id AND c.command_id = n.command_id OFFSET 0) c",
            *_KEY.parameters(keys),
        )
    )


async def queued_for_process(conn: Connection, process_id: UUID) -> list[CommandRecord]:
    """The oldest commands that wait for each station which this process holds: the truth behind the bus's pokes.

    A few of each station, so that nobody's full queue keeps the commands of others waiting.
    """
    return _records(
        await conn.fetch(
            # each waiting command asks for its station, by the key: so it stays with the waiting ones whatever the planner knows
            f"SELECT {_COLUMNS} FROM (SELECT q.*, "
            "row_number() OVER (PARTITION BY q.tenant_id, q.station_id ORDER BY q.created_at) AS place FROM commands q "
            "WHERE q.status = 'queued') c CROSS JOIN LATERAL (SELECT s.connected_process FROM stations s "
            "WHERE s.tenant_id = c.tenant_id AND s.station_id = c.station_id OFFSET 0) s "
            "WHERE s.connected_process = $1 AND c.place <= $2 ORDER BY c.place, c.created_at LIMIT $3",
            process_id,
            _PER_STATION,
            _PER_LOOK,
        )
    )


async def close_abandoned(conn: Connection, call_timeout_s: int) -> int:
    """Commands that a dead process had sent become unknown, those that nobody took in time expired (design 5)."""
    done = await conn.fetch(
        "UPDATE commands SET status = CASE status WHEN 'sent' THEN 'unknown' ELSE 'expired' END, finished_at = now(), "
        "error = CASE status WHEN 'sent' THEN 'the connection or the process was lost before an answer came' "
        "ELSE 'the station did not connect in time' END "
        "WHERE (status = 'sent' AND sent_at < now() - make_interval(secs => $1)) "
        "OR (status = 'queued' AND expires_at < now() - interval '5 s') RETURNING 1",
        float(2 * call_timeout_s + 30),
    )
    return len(done)


def _records(rows: Sequence[asyncpg.Record]) -> list[CommandRecord]:
    return [
        CommandRecord(
            row["tenant_id"],
            row["station_id"],
            row["command_id"],
            row["command"],
            row["action"],
            row["parameters"].encode(),
            row["status"],
            row["expires_at"],
            row["epoch"],
        )
        for row in rows
    ]
