"""Commands to stations, from the caller's side."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.store.pool import Connection
from csms.store.queries.stations import ONLINE

CommandStatus = Literal["queued", "sent", "accepted", "rejected", "failed", "timed_out", "unknown", "expired", "cancelled"]

OPEN: Final = frozenset({"queued", "sent"})
"""The states from which a command still goes on."""


class CommandRow(msgspec.Struct, frozen=True):
    """`parameters` and `result` are JSON texts."""

    command_id: UUID
    charge_point_id: str
    command: str | None
    action: str | None
    parameters: str
    status: CommandStatus
    result: str | None
    error: str | None
    requested_by: str
    session_id: UUID | None
    created_at: datetime
    expires_at: datetime
    sent_at: datetime | None
    finished_at: datetime | None


class Target(msgspec.Struct, frozen=True):
    """The station that a command is for; `process_id` only when it is online."""

    station_id: int
    registration: str
    process_id: UUID | None


_COMMAND: Final = (
    "c.command_id, s.identity AS charge_point_id, c.command, c.action, c.parameters, c.status, c.result, c.error, "
    "c.requested_by, c.session_id, c.created_at, c.expires_at, c.sent_at, c.finished_at"
)
_LIST_BYTES: Final = 4 * 1024 * 1024
_FROM: Final = "commands c JOIN stations s ON s.tenant_id = c.tenant_id AND s.station_id = c.station_id"


async def find_target(conn: Connection, tenant_id: int, identity: str) -> Target | None:
    row = await conn.fetchrow(
        f"SELECT s.station_id, s.registration, CASE WHEN {ONLINE} THEN s.connected_process END AS process_id "
        "FROM stations s WHERE s.tenant_id = $1 AND lower(s.identity) = lower($2) AND s.identity = $2 AND s.retired_at IS NULL",
        tenant_id,
        identity,
    )
    return None if row is None else Target(**row)


async def count_open(conn: Connection, tenant_id: int, station_id: int) -> int:
    count: int = await conn.fetchval(
        "SELECT count(*) FROM commands WHERE tenant_id = $1 AND station_id = $2 AND status IN ('queued', 'sent') "
        "AND expires_at > now()",
        tenant_id,
        station_id,
    )
    return count


async def insert_command(conn: Connection, tenant_id: int, station_id: int, row: CommandRow) -> None:
    """Record a new command; its status is the table's default, queued."""
    await conn.execute(
        "INSERT INTO commands (tenant_id, command_id, station_id, command, action, parameters, requested_by, session_id, "
        "created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10)",
        tenant_id,
        row.command_id,
        station_id,
        row.command,
        row.action,
        row.parameters,
        row.requested_by,
        row.session_id,
        row.created_at,
        row.expires_at,
    )


async def get_command(conn: Connection, tenant_id: int, command_id: UUID) -> CommandRow | None:
    row = await conn.fetchrow(f"SELECT {_COMMAND} FROM {_FROM} WHERE c.tenant_id = $1 AND c.command_id = $2", tenant_id, command_id)
    return None if row is None else CommandRow(**row)


async def list_commands(
    conn: Connection, tenant_id: int, identity: str, before: UUID | None, limit: int, status: CommandStatus | None
) -> tuple[list[CommandRow], bool]:
    """A station's commands, newest first; True when there are more than these although they are fewer than `limit`.

    Parameters and results of all of them together have at most 4 MiB, or those of a single one.
    """
    conditions = ["c.tenant_id = $1", "lower(s.identity) = lower($2)", "s.identity = $2"]
    values: list[Any] = [tenant_id, identity]
    if before is not None:
        values.append(before)
        conditions.append(f"c.command_id < ${len(values)}")
    if status is not None:
        values.append(status)
        conditions.append(f"c.status = ${len(values)}")
    values.append(limit)
    values.append(_LIST_BYTES)
    found = await conn.fetch(
        f"SELECT {', '.join(CommandRow.__struct_fields__)}, wanted FROM ("
        "SELECT *, sum(size) OVER (ORDER BY command_id DESC) AS size_so_far, count(*) OVER () AS wanted FROM ("
        f"SELECT {_COMMAND}, octet_length(c.parameters::text) + coalesce(octet_length(c.result::text), 0) AS size "
        f"FROM {_FROM} WHERE {' AND '.join(conditions)} ORDER BY c.command_id DESC LIMIT ${len(values) - 1}"
        f") q) r WHERE size_so_far <= ${len(values)} OR size_so_far = size ORDER BY command_id DESC",
        *values,
    )
    rows = [CommandRow(**{name: row[name] for name in CommandRow.__struct_fields__}) for row in found]
    return rows, bool(found) and len(found) < found[0]["wanted"]
