"""The log of OCPI messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.store.pool import Connection

Direction = Literal["in", "out", "inside"]

KEPT_DAYS: Final = 14


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message and its answer. `direction`: `in`, `out`, or `inside` between two tenants of this installation. `http_status`
    null: there was no answer. `duration_ms`: until the answer. `remarks`: how many there are."""

    message_id: UUID
    recorded_at: datetime
    direction: Direction
    partner_id: UUID | None
    ocpi_version: str | None
    module: str
    role: str | None
    method: str
    path: str
    from_party: str | None
    to_party: str | None
    request_id: str | None
    correlation_id: str | None
    http_status: int | None
    status_code: int | None
    status_message: str | None
    duration_ms: int
    remarks: int


class LoggedMessage(msgspec.Struct, frozen=True):
    """A message with its bodies, shortened if they are long. `remarks`: what had to be forgiven, or was lost between versions."""

    message: Message
    request: str | None
    response: str | None
    remarks: list[dict[str, str]]


_HEAD: Final = tuple(name for name in Message.__struct_fields__ if name != "remarks")
_COLUMNS: Final = f"{', '.join(_HEAD)}, request, response, remarks"
_SHOWN: Final = f"{', '.join(_HEAD)}, coalesce(json_array_length(remarks), 0) AS remarks"


class MessageFilter(msgspec.Struct, frozen=True):
    """All that are given must hold. `failed`: True for those without success, False for the others."""

    partner_id: UUID | None = None
    module: str | None = None
    party: str | None = None
    correlation_id: str | None = None
    request_id: str | None = None
    failed: bool | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def insert_messages(conn: Connection, tenant_id: int, messages: Sequence[LoggedMessage]) -> None:
    await conn.executemany(
        f"INSERT INTO ocpi_messages (tenant_id, {_COLUMNS}) VALUES "
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21::json)",
        [(tenant_id, *_values(message)) for message in messages],
    )


async def list_messages(conn: Connection, tenant_id: int, filter_: MessageFilter, before: UUID | None, limit: int) -> list[Message]:
    """The newest first, those before `before`."""
    rows = await conn.fetch(
        f"SELECT {_SHOWN} FROM ocpi_messages WHERE tenant_id = $1 AND ($2::uuid IS NULL OR message_id < $2) "
        "AND ($3::uuid IS NULL OR partner_id = $3) AND ($4::text IS NULL OR module = $4) "
        "AND ($5::text IS NULL OR from_party = upper($5) OR to_party = upper($5)) "
        "AND ($6::text IS NULL OR correlation_id = $6) AND ($7::text IS NULL OR request_id = $7) "
        "AND ($8::boolean IS NULL OR $8 = (http_status IS NULL OR http_status >= 300 OR status_code NOT BETWEEN 1000 AND 1999)) "
        "AND ($9::text IS NULL OR strpos(path, $9) > 0 OR strpos(request, $9) > 0 OR strpos(response, $9) > 0) "
        "AND ($10::timestamptz IS NULL OR recorded_at >= $10) AND ($11::timestamptz IS NULL OR recorded_at < $11) "
        "ORDER BY message_id DESC LIMIT $12",
        tenant_id,
        before,
        filter_.partner_id,
        filter_.module,
        filter_.party,
        filter_.correlation_id,
        filter_.request_id,
        filter_.failed,
        filter_.text,
        filter_.since,
        filter_.until,
        limit,
    )
    return [Message(**row) for row in rows]


async def get_message(conn: Connection, tenant_id: int, message_id: UUID) -> LoggedMessage | None:
    row = await conn.fetchrow(
        f"SELECT {_SHOWN}, request, response, remarks AS texts FROM ocpi_messages WHERE tenant_id = $1 AND message_id = $2",
        tenant_id,
        message_id,
    )
    if row is None:
        return None
    fields = dict(row)
    request, response, texts = (fields.pop(name) for name in ("request", "response", "texts"))
    return LoggedMessage(Message(**fields), request, response, msgspec.json.decode(texts or "[]"))


async def delete_old(conn: Connection, most: int) -> int:
    """Delete some of the messages past KEPT_DAYS, of all tenants (the gateway role); how many."""
    done = await conn.fetchval(
        "WITH old AS (SELECT ctid FROM ocpi_messages WHERE recorded_at < now() - make_interval(days => $1) LIMIT $2), "
        "gone AS (DELETE FROM ocpi_messages WHERE ctid IN (SELECT ctid FROM old) RETURNING 1) SELECT count(*) FROM gone",
        KEPT_DAYS,
        most,
    )
    return int(done)


def _values(logged: LoggedMessage) -> tuple[Any, ...]:
    head = (getattr(logged.message, name) for name in _HEAD)
    return (*head, logged.request, logged.response, msgspec.json.encode(logged.remarks).decode())
