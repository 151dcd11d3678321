"""Charge detail records as they are made: numbers without gaps, revisions of a session, what they tell of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.billing.cdr import Basis, Cdr, CdrLocation
from csms.store.pool import Connection

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode
_read_cdr: Final = msgspec.json.Decoder(Cdr).decode
_read_basis: Final = msgspec.json.Decoder(Basis).decode

PLACE: Final = (
    "s.identity, s.meter_serial, coalesce(l.time_zone, t.time_zone) AS time_zone, l.location_id, l.name, l.address, l.city, "
    "l.postal_code, l.country, l.latitude, l.longitude, e.evse_uid, e.emi3_evse_id"
)
"""With the numbers of an EVSE and its connector, and what that is, the columns of `location_of`: of a station `s` of a tenant `t`,
its location `l` and EVSE `e`."""


class StoredCdr(msgspec.Struct, frozen=True):
    """The newest CDR of a session."""

    cdr: Cdr
    revision: int


class BilledSession(msgspec.Struct, frozen=True):
    """What a CDR tells of its session; the ids are those that the row is found by."""

    status: str
    flags: list[str]
    settled_flags: list[str]
    transaction_id: str
    id_token: str | None
    id_token_type: str | None
    by_command: bool
    stop_reason: str | None
    station_id: int
    location: CdrLocation
    readings_gone: bool
    """They are past their retention."""
    updated_at: datetime
    prices: bool
    """Its tenant has assigned a tariff."""
    has_cost: bool
    """There is a row of its costs."""


async def take_number(conn: Connection, tenant_id: int) -> int:
    """The next number of the tenant's CDRs. It is this transaction's until its end, and nobody's if that fails: no gaps."""
    number = await conn.fetchval(
        "INSERT INTO cdr_numbers AS n (tenant_id, last_number) VALUES ($1, 1) "
        "ON CONFLICT (tenant_id) DO UPDATE SET last_number = n.last_number + 1 RETURNING last_number",
        tenant_id,
    )
    return int(number)


async def newest_cdr(conn: Connection, tenant_id: int, session_id: UUID) -> StoredCdr | None:
    row = await conn.fetchrow(
        "SELECT document, revision FROM cdrs WHERE tenant_id = $1 AND session_id = $2 ORDER BY revision DESC LIMIT 1",
        tenant_id,
        session_id,
    )
    return None if row is None else StoredCdr(_read_cdr(row[0]), row[1])


async def load_basis(conn: Connection, tenant_id: int, cdr_id: str) -> Basis | None:
    text = await conn.fetchval("SELECT basis FROM cdrs WHERE tenant_id = $1 AND cdr_id = $2", tenant_id, cdr_id)
    return None if text is None else _read_basis(text)


async def insert_cdr(
    conn: Connection, tenant_id: int, cdr: Cdr, *, revision: int, station_id: int, group_id: UUID | None, basis: Basis
) -> None:
    location, token = cdr.cdr_location, cdr.cdr_token
    await conn.execute(
        "INSERT INTO cdrs (tenant_id, cdr_id, number, session_id, revision, credit_of, start_time, end_time, station_id, "
        "location_id, id_token, contract_id, token_group_id, tariff_id, tariff_version, energy_wh, currency, total_excl_vat, "
        "total_incl_vat, reservation_id, document, basis) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, "
        "$15, $16, $17, $18, $19, $20, $21::json, $22::json)",
        tenant_id,
        cdr.id,
        cdr.number,
        cdr.session_id,
        revision,
        cdr.credit_reference_id,
        cdr.start_date_time,
        cdr.end_date_time,
        station_id,
        location.location_id,
        None if token is None else token.uid,
        None if token is None else token.contract_id,
        group_id,
        cdr.tariffs[0].id,
        cdr.tariff_version,
        cdr.total_energy.scaleb(3),
        cdr.currency,
        cdr.amount_due.excl_vat,
        cdr.amount_due.incl_vat,
        cdr.reservation_id,
        _encode(cdr).decode(),
        _encode(basis).decode(),
    )


async def changed_at(conn: Connection, tenant_id: int, session_id: UUID) -> datetime | None:
    """When the session was changed last."""
    at: datetime | None = await conn.fetchval(
        "SELECT updated_at FROM sessions WHERE tenant_id = $1 AND session_id = $2", tenant_id, session_id
    )
    return at


async def billed_session(conn: Connection, tenant_id: int, session_id: UUID) -> BilledSession | None:
    row: Any = await conn.fetchrow(
        "SELECT x.status, x.flags, x.settled_flags, x.transaction_ref, x.id_token, x.id_token_type, x.command_id, x.stop_reason, "
        f"x.station_id, x.evse_id, x.connector_id, c.connector_type, c.max_power_w, {PLACE}, "
        "coalesce(x.created_at < now() - make_interval(days => t.samples_kept_days), false) AS readings_gone, x.updated_at, "
        "EXISTS (SELECT FROM tariff_assignments a WHERE a.tenant_id = x.tenant_id) AS prices, "
        "EXISTS (SELECT FROM session_costs k WHERE k.tenant_id = x.tenant_id AND k.session_id = x.session_id) AS has_cost "
        "FROM sessions x "
        "JOIN tenants t ON t.tenant_id = x.tenant_id "
        "JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
        "LEFT JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id "
        "LEFT JOIN evses e ON e.tenant_id = x.tenant_id AND e.station_id = x.station_id AND e.evse_id = x.evse_id "
        "LEFT JOIN connectors c ON c.tenant_id = x.tenant_id AND c.station_id = x.station_id AND c.evse_id = x.evse_id "
        "AND c.connector_id = x.connector_id "
        "WHERE x.tenant_id = $1 AND x.session_id = $2",
        tenant_id,
        session_id,
    )
    if row is None:
        return None
    return BilledSession(
        row["status"],
        row["flags"],
        row["settled_flags"],
        row["transaction_ref"],
        row["id_token"],
        row["id_token_type"],
        row["command_id"] is not None,
        row["stop_reason"],
        row["station_id"],
        location_of(row),
        row["readings_gone"],
        row["updated_at"],
        row["prices"],
        row["has_cost"],
    )


def location_of(row: Any) -> CdrLocation:
    """Where a session or a reservation was, from the columns PLACE and those beside them."""
    return CdrLocation(
        row["identity"],
        row["time_zone"],
        row["location_id"],
        row["name"],
        row["address"],
        row["city"],
        row["postal_code"],
        row["country"],
        row["latitude"],
        row["longitude"],
        row["evse_uid"],
        row["emi3_evse_id"],
        row["evse_id"],
        row["connector_id"],
        row["connector_type"],
        row["max_power_w"],
        row["meter_serial"],
    )
