"""Events of one station that belong to no session: what it reported, and what followed a command."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.store.pool import Connection


class StationEventRecord(msgspec.Struct, frozen=True):
    """`data` is the message as JSON text."""

    event_id: UUID
    type: str
    event_time: datetime | None
    recorded_at: datetime
    command_id: UUID | None
    data: str


_LIST_BYTES: Final = 4 * 1024 * 1024


async def list_station_events(
    conn: Connection,
    tenant_id: int,
    station_id: int,
    before: UUID | None,
    limit: int,
    *,
    type_: str | None,
    command_id: UUID | None,
) -> tuple[list[StationEventRecord], bool]:
    """A station's events, newest first; True when there are more than these although they are fewer than `limit`.

    The data of all of them together have at most 4 MiB, or those of a single one.
    """
    conditions = ["e.tenant_id = $1", "e.station_id = $2"]
    values: list[Any] = [tenant_id, station_id]
    for condition, value in (("e.event_id <", before), ("e.type =", type_), ("e.command_id =", command_id)):
        if value is not None:
            values.append(value)
            conditions.append(f"{condition} ${len(values)}")
    values += [limit, _LIST_BYTES]
    names = ", ".join(StationEventRecord.__struct_fields__)
    found = await conn.fetch(
        f"SELECT {names}, wanted FROM ("
        "SELECT *, sum(size) OVER (ORDER BY event_id DESC) AS size_so_far, count(*) OVER () AS wanted FROM ("
        f"SELECT {names}, octet_length(e.data::text) AS size FROM station_events e "
        f"WHERE {' AND '.join(conditions)} ORDER BY e.event_id DESC LIMIT ${len(values) - 1}"
        f") q) r WHERE size_so_far <= ${len(values)} OR size_so_far = size ORDER BY event_id DESC",
        *values,
    )
    records = [StationEventRecord(**{name: row[name] for name in StationEventRecord.__struct_fields__}) for row in found]
    return records, bool(found) and len(found) < found[0]["wanted"]
