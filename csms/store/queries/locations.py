"""Places where stations stand."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from csms.roaming.details import LocationDetails, read_location
from csms.store.pool import Connection


class LocationFields(msgspec.Struct, frozen=True):
    """What an operator says about a location. Coordinates are WGS 84 degrees, `time_zone` an IANA name."""

    name: str
    address: str | None
    city: str | None
    postal_code: str | None
    country: str | None
    latitude: Decimal | None
    longitude: Decimal | None
    time_zone: str | None
    roaming: LocationDetails | None = None
    """What partners are told beyond that."""


class Location(LocationFields, frozen=True, kw_only=True):
    """A location as the API shows it."""

    location_id: UUID
    created_at: datetime
    updated_at: datetime


_LOCATION: Final = (
    "name, address, city, postal_code, country, latitude, longitude, time_zone, roaming, location_id, created_at, updated_at"
)


async def list_locations(conn: Connection, tenant_id: int, after: UUID, limit: int) -> list[Location]:
    rows = await conn.fetch(
        f"SELECT {_LOCATION} FROM locations WHERE tenant_id = $1 AND location_id > $2 ORDER BY location_id LIMIT $3",
        tenant_id,
        after,
        limit,
    )
    return [_location(row) for row in rows]


async def get_location(conn: Connection, tenant_id: int, location_id: UUID, *, lock: bool = False) -> Location | None:
    row = await conn.fetchrow(
        f"SELECT {_LOCATION} FROM locations WHERE tenant_id = $1 AND location_id = $2" + (" FOR UPDATE" if lock else ""),
        tenant_id,
        location_id,
    )
    return None if row is None else _location(row)


async def insert_location(conn: Connection, tenant_id: int, location_id: UUID, fields: LocationFields) -> Location:
    row = await conn.fetchrow(
        "INSERT INTO locations (tenant_id, location_id, name, address, city, postal_code, country, latitude, longitude, "
        f"time_zone, roaming) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::json) RETURNING {_LOCATION}",
        tenant_id,
        location_id,
        *_columns(fields),
    )
    if row is None:
        raise LookupError("INSERT returned no row")
    return _location(row)


async def replace_location(conn: Connection, tenant_id: int, location_id: UUID, fields: LocationFields) -> Location | None:
    row = await conn.fetchrow(
        "UPDATE locations SET name = $3, address = $4, city = $5, postal_code = $6, country = $7, latitude = $8, "
        "longitude = $9, time_zone = $10, roaming = $11::json, updated_at = now() "
        f"WHERE tenant_id = $1 AND location_id = $2 RETURNING {_LOCATION}",
        tenant_id,
        location_id,
        *_columns(fields),
    )
    return None if row is None else _location(row)


class LocationInUse(Exception):
    """Stations stand at this location."""


async def delete_location(conn: Connection, tenant_id: int, location_id: UUID) -> bool:
    """False when there is no such location. Retired stations let go of it. Raises LocationInUse."""
    await conn.execute(
        "UPDATE stations SET location_id = NULL WHERE tenant_id = $1 AND location_id = $2 AND retired_at IS NOT NULL",
        tenant_id,
        location_id,
    )
    used = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM stations WHERE tenant_id = $1 AND location_id = $2)", tenant_id, location_id
    )
    if used:
        raise LocationInUse
    try:
        done = await conn.fetchval(
            "DELETE FROM locations WHERE tenant_id = $1 AND location_id = $2 RETURNING true", tenant_id, location_id
        )
    except asyncpg.ForeignKeyViolationError:  # a station came to stand here since the look above
        raise LocationInUse from None
    return done is not None


def _columns(fields: LocationFields) -> tuple[Any, ...]:
    *plain, roaming = msgspec.structs.astuple(fields)
    return *plain, None if roaming is None else msgspec.json.encode(roaming).decode()


def _location(row: Any) -> Location:
    fields = dict(row)
    roaming = fields.pop("roaming")
    return Location(**fields, roaming=None if roaming is None else read_location(roaming))
