"""Charge points with their live state and connectors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.domain.operations import Registration
from csms.store.pool import Connection

Admission = Literal["accept", "pending", "reject"]

ONLINE: Final = (
    "EXISTS (SELECT FROM gateway_processes p WHERE p.process_id = s.connected_process AND p.seen_at > now() - interval '60 s')"
)
"""A station `s` is online when a gateway process holds it that has shown a sign of life within a minute."""

_STATION: Final = (
    "s.station_id, s.identity AS charge_point_id, s.name, s.location_id, s.vendor, s.model, s.serial_number, "
    "s.firmware_version, s.iccid, s.imsi, s.meter_type, s.meter_serial AS meter_serial_number, s.ocpp_version, "
    "s.registration, s.admission, s.password_hash IS NOT NULL AS has_password, s.security_profile, s.certificate_name, "
    f"{ONLINE} AS online, s.last_seen_at AS last_seen, s.connected_at, s.disconnected_at, s.remote_address, s.booted_at, "
    "s.boot_reason, s.call_timeout_s, s.seen_on_wire, s.created_at, s.updated_at"
)


class Connector(msgspec.Struct, frozen=True):
    """One connector by its wire numbers. `status` and `error_code` are the words of the station's OCPP version."""

    evse_id: int
    connector_id: int
    evse_uid: UUID
    type: str | None
    max_power_w: int | None
    status: str | None
    error_code: str | None
    info: str | None
    vendor_id: str | None
    vendor_error_code: str | None
    status_time: datetime | None
    seen_on_wire: bool


class Station(msgspec.Struct, frozen=True):
    """A station's row with its live state; `station_id` is internal and never leaves the product."""

    station_id: int
    charge_point_id: str
    name: str | None
    location_id: UUID | None
    vendor: str | None
    model: str | None
    serial_number: str | None
    firmware_version: str | None
    iccid: str | None
    imsi: str | None
    meter_type: str | None
    meter_serial_number: str | None
    ocpp_version: str | None
    registration: Registration
    admission: Admission
    has_password: bool
    security_profile: int
    certificate_name: str | None
    online: bool
    last_seen: datetime | None
    connected_at: datetime | None
    disconnected_at: datetime | None
    remote_address: str | None
    booted_at: datetime | None
    boot_reason: str | None
    call_timeout_s: int | None
    seen_on_wire: bool
    created_at: datetime
    updated_at: datetime


class StationFilter(msgspec.Struct, frozen=True):
    online: bool | None = None
    location_id: UUID | None = None
    registration: Registration | None = None


class StoredPassword(msgspec.Struct, frozen=True):
    scheme: str
    hash: bytes
    salt: bytes


class ConnectorFields(msgspec.Struct, frozen=True):
    """What an operator says about a connector; None leaves a known one as it is."""

    evse_id: int
    connector_id: int
    type: str | None
    max_power_w: int | None


class StationChange(msgspec.Struct, frozen=True):
    """New values; None leaves one as it is, the `set_…` flags say whether a value that may be None is meant."""

    set_name: bool = False
    name: str | None = None
    set_location: bool = False
    location_id: UUID | None = None
    set_password: bool = False
    password: StoredPassword | None = None
    admission: Admission | None = None
    set_call_timeout: bool = False
    call_timeout_s: int | None = None
    set_certificate_name: bool = False
    certificate_name: str | None = None


async def list_stations(conn: Connection, tenant_id: int, after: str, limit: int, wanted: StationFilter) -> list[Station]:
    """In the order of the identities without regard to case, after the given one in lower case."""
    rows = await conn.fetch(
        f"SELECT {_STATION} FROM stations s WHERE s.tenant_id = $1 AND lower(s.identity) > $2 AND s.retired_at IS NULL "
        f"AND ($4::boolean IS NULL OR $4 = {ONLINE}) AND ($5::uuid IS NULL OR s.location_id = $5) "
        "AND ($6::text IS NULL OR s.registration = $6) ORDER BY lower(s.identity) LIMIT $3",
        tenant_id,
        after,
        limit,
        wanted.online,
        wanted.location_id,
        wanted.registration,
    )
    return [Station(**row) for row in rows]


async def get_station(conn: Connection, tenant_id: int, identity: str) -> Station | None:
    """Retired stations are not there any more."""
    row = await conn.fetchrow(
        f"SELECT {_STATION} FROM stations s "
        "WHERE s.tenant_id = $1 AND lower(s.identity) = lower($2) AND s.identity = $2 AND s.retired_at IS NULL",
        tenant_id,
        identity,
    )
    return None if row is None else Station(**row)


async def list_connectors(conn: Connection, tenant_id: int, station_ids: Sequence[int]) -> dict[int, list[Connector]]:
    """The connectors of several stations by station id, in the order of the wire numbers."""
    rows = await conn.fetch(
        "SELECT c.station_id, c.evse_id, c.connector_id, e.evse_uid, c.connector_type, c.max_power_w, c.status, c.error_code, "
        "c.info, c.vendor_id, c.vendor_error_code, c.status_time, c.seen_on_wire "
        "FROM connectors c JOIN evses e USING (tenant_id, station_id, evse_id) "
        "WHERE c.tenant_id = $1 AND c.station_id = ANY($2::bigint[]) ORDER BY c.station_id, c.evse_id, c.connector_id",
        tenant_id,
        list(station_ids),
    )
    found: dict[int, list[Connector]] = {}
    for row in rows:
        found.setdefault(row["station_id"], []).append(Connector(*list(row.values())[1:]))
    return found


async def insert_station(
    conn: Connection,
    tenant_id: int,
    identity: str,
    *,
    name: str | None,
    location_id: UUID | None,
    admission: Admission,
    password: StoredPassword | None,
    certificate_name: str | None,
) -> int | None:
    """The new station's internal id; None when the identity is taken, in any spelling. A retired station comes back."""
    station_id: int | None = await conn.fetchval(
        "INSERT INTO stations AS s (tenant_id, identity, name, location_id, admission, password_scheme, password_hash, "
        "password_salt, certificate_name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT (tenant_id, lower(identity)) DO UPDATE SET identity = excluded.identity, name = excluded.name, "
        "location_id = excluded.location_id, admission = excluded.admission, registration = 'unknown', "
        "password_scheme = excluded.password_scheme, password_hash = excluded.password_hash, "
        "password_salt = excluded.password_salt, certificate_name = excluded.certificate_name, "
        "security_profile = 0, retired_at = NULL, updated_at = now() "
        "WHERE s.retired_at IS NOT NULL RETURNING station_id",
        tenant_id,
        identity,
        name,
        location_id,
        admission,
        *_password_columns(password),
        certificate_name,
    )
    return station_id


async def change_station(conn: Connection, tenant_id: int, identity: str, change: StationChange) -> int | None:
    """The changed station's internal id, None when there is none. A station that is not admitted any more loses its
    registration at once; one that is admitted gains it with its next BootNotification."""
    registration = {"pending": "pending", "reject": "rejected"}.get(change.admission or "")
    station_id: int | None = await conn.fetchval(
        "UPDATE stations SET name = CASE WHEN $3 THEN $4 ELSE name END, "
        "location_id = CASE WHEN $5 THEN $6::uuid ELSE location_id END, "
        "password_scheme = CASE WHEN $7 THEN $8 ELSE password_scheme END, "
        "password_hash = CASE WHEN $7 THEN $9::bytea ELSE password_hash END, "
        "password_salt = CASE WHEN $7 THEN $10::bytea ELSE password_salt END, "
        "admission = coalesce($11, admission), registration = coalesce($12, registration), "
        "call_timeout_s = CASE WHEN $13 THEN $14::smallint ELSE call_timeout_s END, "
        "certificate_name = CASE WHEN $15 THEN $16 ELSE certificate_name END, updated_at = now() "
        "WHERE tenant_id = $1 AND lower(identity) = lower($2) AND identity = $2 AND retired_at IS NULL RETURNING station_id",
        tenant_id,
        identity,
        change.set_name,
        change.name,
        change.set_location,
        change.location_id,
        change.set_password,
        *_password_columns(change.password),
        change.admission,
        registration,
        change.set_call_timeout,
        change.call_timeout_s,
        change.set_certificate_name,
        change.certificate_name,
    )
    return station_id


async def save_connectors(conn: Connection, tenant_id: int, station_id: int, connectors: Sequence[ConnectorFields]) -> None:
    """Make the connectors that are not there yet and set what is given of the others. Each may be named once."""
    evses = [c.evse_id for c in connectors]
    await conn.execute(
        "INSERT INTO evses (tenant_id, station_id, evse_id) SELECT DISTINCT $1::integer, $2::bigint, unnest($3::integer[]) "
        "ON CONFLICT DO NOTHING",
        tenant_id,
        station_id,
        evses,
    )
    await conn.execute(
        "INSERT INTO connectors AS c (tenant_id, station_id, evse_id, connector_id, connector_type, max_power_w) "
        "SELECT $1, $2, * FROM unnest($3::integer[], $4::integer[], $5::text[], $6::integer[]) "
        "ON CONFLICT (tenant_id, station_id, evse_id, connector_id) DO UPDATE SET "
        "connector_type = coalesce(excluded.connector_type, c.connector_type), "
        "max_power_w = coalesce(excluded.max_power_w, c.max_power_w)",
        tenant_id,
        station_id,
        evses,
        [c.connector_id for c in connectors],
        [c.type for c in connectors],
        [c.max_power_w for c in connectors],
    )


async def retire_station(conn: Connection, tenant_id: int, identity: str) -> int | None:
    """The station is gone for stations and operators; its sessions stay. None when there is none."""
    station_id: int | None = await conn.fetchval(
        "UPDATE stations SET retired_at = now(), updated_at = now() "
        "WHERE tenant_id = $1 AND lower(identity) = lower($2) AND identity = $2 AND retired_at IS NULL RETURNING station_id",
        tenant_id,
        identity,
    )
    return station_id


async def holding_process(conn: Connection, tenant_id: int, station_id: int) -> UUID | None:
    """The living gateway process that holds the station's connection, if any; retired stations too."""
    process_id: UUID | None = await conn.fetchval(
        f"SELECT s.connected_process FROM stations s WHERE s.tenant_id = $1 AND s.station_id = $2 AND {ONLINE}",
        tenant_id,
        station_id,
    )
    return process_id


async def location_exists(conn: Connection, tenant_id: int, location_id: UUID) -> bool:
    """Also keeps the location from being removed until the transaction ends."""
    found = await conn.fetchval(
        "SELECT true FROM locations WHERE tenant_id = $1 AND location_id = $2 FOR SHARE", tenant_id, location_id
    )
    return found is not None


def _password_columns(password: StoredPassword | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if password is None else (password.scheme, password.hash, password.salt)
