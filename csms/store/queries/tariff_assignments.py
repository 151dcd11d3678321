"""Whom tariffs are for, and what of a session decides about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from csms.pricing.tariff import DayOfWeek
from csms.store.pool import Connection
from csms.store.queries.hierarchy import DEEPEST

MOST_ASSIGNMENTS: Final = 10_000
"""Of one tenant."""
MOST_ALIKE: Final = 200
"""For one place and one group of tokens (or none): those that may fit are compared for every session that starts."""


class AssignmentFields(msgspec.Struct, frozen=True):
    """Which sessions a tariff is for: what is null does not matter, all that is given must hold at the session's start.

    Days and times are local to the location; end_time is exclusive, before start_time it is on the next day, 00:00 is the end of
    the day. The higher `priority` wins, whatever else is given.
    """

    tariff_id: str
    charge_point_id: str | None
    evse_id: int | None
    connector_id: int | None
    station_group_id: UUID | None
    location_id: UUID | None
    token_group_id: UUID | None
    user_type: str | None
    days_of_week: list[DayOfWeek] | None
    start_time: str | None
    end_time: str | None
    valid_from: datetime | None
    valid_until: datetime | None
    priority: int


class Assignment(AssignmentFields, frozen=True):
    """An assignment as the API shows it."""

    assignment_id: UUID
    created_by: str
    created_at: datetime
    updated_at: datetime


class StartedSession(msgspec.Struct, frozen=True):
    """What of a session decides which tariff it has."""

    station_id: int
    charge_point_id: str
    evse_id: int | None
    connector_id: int | None
    id_token: str | None
    id_token_type: str | None
    location_id: UUID | None
    time_zone: str
    started_at: datetime


class Place(msgspec.Struct, frozen=True):
    """Where a station stands; `time_zone` is the location's or else the tenant's."""

    station_id: int
    location_id: UUID | None
    time_zone: str


class UnknownReference(Exception):
    """`field` names something that does not exist in this tenant."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class TooManyAssignments(Exception):
    """The tenant has MOST_ASSIGNMENTS already, or MOST_ALIKE for this place and group. `args[0]` says which, in words."""


_ASSIGNMENT: Final = (
    "a.tariff_id, (SELECT s.identity FROM stations s WHERE s.tenant_id = a.tenant_id AND s.station_id = a.station_id) "
    "AS charge_point_id, a.evse_id, a.connector_id, a.station_group_id, a.location_id, a.token_group_id, a.user_type, "
    "a.days_of_week, a.start_time, a.end_time, a.valid_from, a.valid_until, a.priority, a.assignment_id, a.created_by, "
    "a.created_at, a.updated_at"
)
_WRITTEN: Final = (
    "tariff_id",
    "station_id",
    "evse_id",
    "connector_id",
    "station_group_id",
    "location_id",
    "token_group_id",
    "user_type",
    "days_of_week",
    "start_time",
    "end_time",
    "valid_from",
    "valid_until",
    "priority",
)


async def list_assignments(conn: Connection, tenant_id: int, after: UUID, limit: int, *, tariff_id: str | None) -> list[Assignment]:
    """Oldest first."""
    rows = await conn.fetch(
        f"SELECT {_ASSIGNMENT} FROM tariff_assignments a WHERE a.tenant_id = $1 AND a.assignment_id > $2 "
        "AND ($4::text IS NULL OR a.tariff_id = $4) ORDER BY a.assignment_id LIMIT $3",
        tenant_id,
        after,
        limit,
        tariff_id,
    )
    return [Assignment(**row) for row in rows]


async def get_assignment(conn: Connection, tenant_id: int, assignment_id: UUID, *, lock: bool = False) -> Assignment | None:
    row = await conn.fetchrow(
        f"SELECT {_ASSIGNMENT} FROM tariff_assignments a WHERE a.tenant_id = $1 AND a.assignment_id = $2"
        + (" FOR UPDATE" if lock else ""),
        tenant_id,
        assignment_id,
    )
    return None if row is None else Assignment(**row)


async def insert_assignment(
    conn: Connection, tenant_id: int, assignment_id: UUID, fields: AssignmentFields, created_by: str
) -> Assignment:
    """Raises UnknownReference, TooManyAssignments."""
    count = await conn.fetchval("SELECT count(*) FROM tariff_assignments WHERE tenant_id = $1", tenant_id)
    if count >= MOST_ASSIGNMENTS:
        raise TooManyAssignments(f"a tenant has at most {MOST_ASSIGNMENTS} assignments: use groups and locations")
    written = await _written(conn, tenant_id, assignment_id, fields)
    places = ", ".join(f"${number}" for number in range(4, 4 + len(written)))
    row = await _fetch_checked(
        conn,
        f"INSERT INTO tariff_assignments AS a (tenant_id, assignment_id, created_by, {', '.join(_WRITTEN)}) "
        f"VALUES ($1, $2, $3, {places}) RETURNING {_ASSIGNMENT}",
        tenant_id,
        assignment_id,
        created_by,
        *written,
    )
    if row is None:
        raise LookupError("INSERT returned no row")
    return Assignment(**row)


async def replace_assignment(conn: Connection, tenant_id: int, assignment_id: UUID, fields: AssignmentFields) -> Assignment | None:
    """None when there is no such assignment. Raises UnknownReference, TooManyAssignments."""
    written = await _written(conn, tenant_id, assignment_id, fields)
    changes = ", ".join(f"{name} = ${number}" for number, name in enumerate(_WRITTEN, 3))
    row = await _fetch_checked(
        conn,
        f"UPDATE tariff_assignments AS a SET {changes}, updated_at = now() WHERE a.tenant_id = $1 AND a.assignment_id = $2 "
        f"RETURNING {_ASSIGNMENT}",
        tenant_id,
        assignment_id,
        *written,
    )
    return None if row is None else Assignment(**row)


async def delete_assignment(conn: Connection, tenant_id: int, assignment_id: UUID) -> bool:
    """False when there is no such assignment."""
    done = await conn.fetchval(
        "DELETE FROM tariff_assignments WHERE tenant_id = $1 AND assignment_id = $2 RETURNING true", tenant_id, assignment_id
    )
    return done is not None


async def has_assignments(conn: Connection, tenant_id: int) -> bool:
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM tariff_assignments WHERE tenant_id = $1)", tenant_id))


# of all conditions those that leave few: place and group of tokens
_MAY_FIT: Final = (
    "(a.station_id IS NULL OR a.station_id = $2) AND (a.location_id IS NULL OR a.location_id = $3) "
    "AND (a.station_group_id IS NULL OR a.station_group_id = ANY($4::uuid[])) "
    "AND (a.token_group_id IS NULL OR a.token_group_id = ANY($5::uuid[]))"
)


async def candidates(
    conn: Connection,
    tenant_id: int,
    station_id: int,
    location_id: UUID | None,
    station_groups: list[UUID],
    token_groups: list[UUID],
) -> list[Assignment]:
    """Assignments for this place, and for these groups of tokens or none."""
    rows = await conn.fetch(
        f"SELECT {_ASSIGNMENT} FROM tariff_assignments a WHERE a.tenant_id = $1 AND {_MAY_FIT}",
        tenant_id,
        station_id,
        location_id,
        station_groups,
        token_groups,
    )
    return [Assignment(**row) for row in rows]


async def open_to_all(conn: Connection, tenant_id: int) -> list[Assignment]:
    """Assignments that ask for no group of tokens and no user type: what somebody has of whom nothing is known."""
    rows = await conn.fetch(
        f"SELECT {_ASSIGNMENT} FROM tariff_assignments a WHERE a.tenant_id = $1 AND a.token_group_id IS NULL "
        "AND a.user_type IS NULL",
        tenant_id,
    )
    return [Assignment(**row) for row in rows]


async def others(
    conn: Connection,
    tenant_id: int,
    station_id: int,
    location_id: UUID | None,
    station_groups: list[UUID],
    token_groups: list[UUID],
    limit: int,
) -> list[Assignment]:
    """Assignments that are no candidates: those with the highest priority first, then the newest."""
    rows = await conn.fetch(
        f"SELECT {_ASSIGNMENT} FROM tariff_assignments a WHERE a.tenant_id = $1 AND ({_MAY_FIT}) IS NOT TRUE "
        "ORDER BY a.priority DESC, a.created_at DESC, a.assignment_id DESC LIMIT $6",
        tenant_id,
        station_id,
        location_id,
        station_groups,
        token_groups,
        limit,
    )
    return [Assignment(**row) for row in rows]


async def started_session(conn: Connection, tenant_id: int, session_id: UUID) -> StartedSession | None:
    row = await conn.fetchrow(
        "SELECT x.station_id, s.identity AS charge_point_id, x.evse_id, x.connector_id, x.id_token, x.id_token_type, "
        "s.location_id, coalesce(l.time_zone, t.time_zone) AS time_zone, coalesce(x.start_time, x.created_at) AS started_at "
        "FROM sessions x JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
        "JOIN tenants t ON t.tenant_id = x.tenant_id "
        "LEFT JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id "
        "WHERE x.tenant_id = $1 AND x.session_id = $2",
        tenant_id,
        session_id,
    )
    return None if row is None else StartedSession(**row)


async def place_of(conn: Connection, tenant_id: int, charge_point_id: str) -> Place | None:
    """Where a station stands that is not retired."""
    row = await conn.fetchrow(
        "SELECT s.station_id, s.location_id, coalesce(l.time_zone, t.time_zone) AS time_zone "
        "FROM stations s JOIN tenants t ON t.tenant_id = s.tenant_id "
        "LEFT JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id "
        "WHERE s.tenant_id = $1 AND s.identity = $2 AND s.retired_at IS NULL",
        tenant_id,
        charge_point_id,
    )
    return None if row is None else Place(**row)


async def station_groups_of(conn: Connection, tenant_id: int, station_id: int) -> dict[UUID, int]:
    """The groups that a station is in, and the groups above them: 0 for its own, 1 for the group above …, by the shortest way."""
    rows = await conn.fetch(
        "WITH RECURSIVE above AS ("
        "SELECT g.group_id, g.parent_id, 0 AS distance FROM station_group_members m "
        "JOIN station_groups g ON g.tenant_id = m.tenant_id AND g.group_id = m.group_id "
        "WHERE m.tenant_id = $1 AND m.station_id = $2 "
        "UNION SELECT g.group_id, g.parent_id, b.distance + 1 FROM above b "
        "JOIN station_groups g ON g.tenant_id = $1 AND g.group_id = b.parent_id WHERE b.distance < $3) "
        "SELECT group_id, min(distance) AS distance FROM above GROUP BY group_id ORDER BY distance, group_id",
        tenant_id,
        station_id,
        DEEPEST,
    )
    return {row["group_id"]: row["distance"] for row in rows}


async def groups_of_stations(conn: Connection, tenant_id: int, station_ids: list[int]) -> dict[int, dict[UUID, int]]:
    """As `station_groups_of`, for several stations; those in no group are left out."""
    rows = await conn.fetch(
        "WITH RECURSIVE above AS ("
        "SELECT m.station_id, g.group_id, g.parent_id, 0 AS distance FROM station_group_members m "
        "JOIN station_groups g ON g.tenant_id = m.tenant_id AND g.group_id = m.group_id "
        "WHERE m.tenant_id = $1 AND m.station_id = ANY($2::bigint[]) "
        "UNION SELECT b.station_id, g.group_id, g.parent_id, b.distance + 1 FROM above b "
        "JOIN station_groups g ON g.tenant_id = $1 AND g.group_id = b.parent_id WHERE b.distance < $3) "
        "SELECT station_id, group_id, min(distance) AS distance FROM above GROUP BY station_id, group_id "
        "ORDER BY station_id, distance, group_id",
        tenant_id,
        station_ids,
        DEEPEST,
    )
    found: dict[int, dict[UUID, int]] = {}
    for row in rows:
        found.setdefault(row["station_id"], {})[row["group_id"]] = row["distance"]
    return found


async def _written(conn: Connection, tenant_id: int, assignment_id: UUID, fields: AssignmentFields) -> list[Any]:
    """The values of _WRITTEN; what they refer to must be there and not be retired. Raises UnknownReference, TooManyAssignments."""
    found = await conn.fetchrow(
        "SELECT EXISTS (SELECT FROM tariffs WHERE tenant_id = $1 AND tariff_id = $2 AND retired_at IS NULL) AS tariff, "
        "(SELECT station_id FROM stations WHERE tenant_id = $1 AND identity = $3 AND retired_at IS NULL) AS station_id",
        tenant_id,
        fields.tariff_id,
        fields.charge_point_id,
    )
    if found is None or not found["tariff"]:
        raise UnknownReference("tariff_id")
    if fields.charge_point_id is not None and found["station_id"] is None:
        raise UnknownReference("charge_point_id")
    alike = await conn.fetchval(
        "SELECT count(*) FROM tariff_assignments WHERE tenant_id = $1 AND assignment_id <> $2 "
        "AND (station_id, station_group_id, location_id, token_group_id) "
        "IS NOT DISTINCT FROM ($3::bigint, $4::uuid, $5::uuid, $6::uuid)",
        tenant_id,
        assignment_id,
        found["station_id"],
        fields.station_group_id,
        fields.location_id,
        fields.token_group_id,
    )
    if alike >= MOST_ALIKE:
        raise TooManyAssignments(f"there are {MOST_ALIKE} assignments for this place and group of tokens")
    values = {**msgspec.structs.asdict(fields), "station_id": found["station_id"]}
    return [values[name] for name in _WRITTEN]


async def _fetch_checked(conn: Connection, statement: str, *arguments: Any) -> asyncpg.Record | None:
    try:
        return await conn.fetchrow(statement, *arguments)
    except asyncpg.ForeignKeyViolationError as error:
        for field in ("station_group_id", "location_id", "token_group_id", "tariff_id"):
            if field in (error.constraint_name or ""):
                raise UnknownReference(field) from None
        raise
