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


Refusal = Literal["rejected", "away", "full"]


class Placed(msgspec.Struct, frozen=True):
    """The station that a command is for; `process_id` only when it is online. `refusal`: why the command was not recorded; None: it
    was."""

    station_id: int
    process_id: UUID | None
    refusal: Refusal | None


_COMMAND: Final = (
    "c.command_id, s.identity AS charge_point_id, c.command, c.action, c.parameters, c.status, c.result, c.error, "
    "c.requested_by, c.session_id, c.created_at, c.expires_at, c.sent_at, c.finished_at"
)
_LIST_BYTES: Final = 4 * 1024 * 1024
_FROM: Final = "commands c JOIN stations s ON s.tenant_id = c.tenant_id AND s.station_id = c.station_id"


async def place_command(
    conn: Connection, tenant_id: int, identity: str, row: CommandRow, *, may_wait: bool, most_open: int
) -> Placed | None:
    """Record a new command, its status the table's default, queued; None: there is no such station.

    Refused: a station that was rejected, one that is away unless the command `may_wait`, one with `most_open` open commands.
    """
    found = await conn.fetchrow(
        "WITH target AS MATERIALIZED ("
        f"SELECT s.station_id, s.registration, CASE WHEN {ONLINE} THEN s.connected_process END AS process_id "
        "FROM stations s WHERE s.tenant_id = $1 AND lower(s.identity) = lower($2) AND s.identity = $2 AND s.retired_at IS NULL), "
        "judged AS MATERIALIZED (SELECT t.station_id, t.process_id, CASE WHEN t.registration = 'rejected' THEN 'rejected' "
        "WHEN t.process_id IS NULL AND NOT $11::boolean THEN 'away' "
        "WHEN (SELECT count(*) FROM commands c WHERE c.tenant_id = $1 AND c.station_id = t.station_id "
        "AND c.status IN ('queued', 'sent') AND c.expires_at > now()) >= $12::bigint THEN 'full' END AS refusal FROM target t), "
        "placed AS (INSERT INTO commands (tenant_id, command_id, station_id, command, action, parameters, requested_by, "
        "session_id, created_at, expires_at) SELECT $1, $3::uuid, j.station_id, $4::text, $5::text, $6::jsonb, $7::text, $8::uuid, "
        "$9::timestamptz, $10::timestamptz FROM judged j WHERE j.refusal IS NULL) "
        "SELECT station_id, process_id, refusal FROM judged",
        tenant_id,
        identity,
        row.command_id,
        row.command,
        row.action,
        row.parameters,
        row.requested_by,
        row.session_id,
        row.created_at,
        row.expires_at,
        may_wait,
        most_open,
    )
    return None if found is None else Placed(**found)


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
