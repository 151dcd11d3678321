"""Charge detail records as they are read: lists, single ones, the records of a session, and rows for exports."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.billing.cdr import Basis, Cdr
from csms.store.pool import Connection

_read_cdr: Final = msgspec.json.Decoder(Cdr).decode
_read_basis: Final = msgspec.json.Decoder(Basis).decode


class CdrSummary(msgspec.Struct, frozen=True):
    """A CDR as lists show it; amounts are negative in a credit."""

    cdr_id: str
    number: int
    session_id: UUID | None
    reservation_id: int | None
    revision: int
    credit_reference_id: str | None
    start_time: datetime
    end_time: datetime
    charge_point_id: str
    location_id: UUID | None
    id_token: str | None
    contract_id: str | None
    token_group_id: UUID | None
    tariff_id: str
    tariff_version: int
    energy_wh: Decimal
    currency: str
    total_excl_vat: Decimal
    total_incl_vat: Decimal | None
    created_at: datetime


class CdrFilter(msgspec.Struct, frozen=True):
    """All that are given must hold. Times bound the end of the session: from inclusive, to exclusive."""

    end_from: datetime | None = None
    end_to: datetime | None = None
    session_id: UUID | None = None
    reservation_id: int | None = None
    charge_point_id: str | None = None
    contract_id: str | None = None
    id_token: str | None = None
    tariff_id: str | None = None
    credit: bool | None = None
    statement_id: UUID | None = None


class Numbers(msgspec.Struct, frozen=True):
    """CDRs from the number `first` to the number `last`, both inclusive."""

    first: int
    last: int


_SUMMARY: Final = (
    "c.cdr_id, c.number, c.session_id, c.reservation_id, c.revision, c.credit_of, c.start_time, c.end_time, s.identity, "
    "c.location_id, c.id_token, c.contract_id, c.token_group_id, c.tariff_id, c.tariff_version, c.energy_wh, c.currency, "
    "c.total_excl_vat, c.total_incl_vat, c.created_at"
)
_FROM: Final = "FROM cdrs c JOIN stations s ON s.tenant_id = c.tenant_id AND s.station_id = c.station_id"


async def list_cdrs(conn: Connection, tenant_id: int, after: int, limit: int, wanted: CdrFilter) -> list[CdrSummary]:
    """In the order of their numbers, those above `after`."""
    where, arguments = _conditions(tenant_id, wanted)
    rows = await conn.fetch(
        f"SELECT {_SUMMARY} {_FROM} WHERE {where} AND c.number > ${len(arguments) + 1} "
        f"ORDER BY c.number LIMIT ${len(arguments) + 2}",
        *arguments,
        after,
        limit,
    )
    return [CdrSummary(*row) for row in rows]


async def cdrs_of_session(conn: Connection, tenant_id: int, session_id: UUID, after: int, limit: int) -> list[CdrSummary]:
    """Every revision of a session above `after`, the first first."""
    rows = await conn.fetch(
        f"SELECT {_SUMMARY} {_FROM} WHERE c.tenant_id = $1 AND c.session_id = $2 AND c.revision > $3 ORDER BY c.revision LIMIT $4",
        tenant_id,
        session_id,
        after,
        limit,
    )
    return [CdrSummary(*row) for row in rows]


async def cdr_document(conn: Connection, tenant_id: int, cdr_id: str) -> bytes | None:
    """The record, byte for byte as it was made."""
    text = await conn.fetchval("SELECT document::text FROM cdrs WHERE tenant_id = $1 AND cdr_id = $2", tenant_id, cdr_id)
    return None if text is None else text.encode()


async def cdr_and_basis(conn: Connection, tenant_id: int, cdr_id: str) -> tuple[Cdr, Basis] | None:
    """The record, and what else its cost was computed from."""
    row = await conn.fetchrow(
        "SELECT document::text, basis::text FROM cdrs WHERE tenant_id = $1 AND cdr_id = $2", tenant_id, cdr_id
    )
    return None if row is None else (_read_cdr(row[0]), _read_basis(row[1]))


async def readings_gone(conn: Connection, tenant_id: int, session_id: UUID) -> bool:
    """True when the readings or the events of a session are past the time that the tenant keeps them, or will be any moment."""
    gone: bool | None = await conn.fetchval(
        "SELECT coalesce(x.created_at < now() - make_interval(days => least(t.samples_kept_days, t.events_kept_days)), false) "
        "FROM sessions x JOIN tenants t ON t.tenant_id = x.tenant_id WHERE x.tenant_id = $1 AND x.session_id = $2",
        tenant_id,
        session_id,
    )
    return gone is not False


async def numbers_between(conn: Connection, tenant_id: int, wanted: CdrFilter) -> Numbers | None:
    """Which CDRs an export is of: what is made while it runs has a higher number, so it is as of this moment."""
    where, arguments = _conditions(tenant_id, wanted)
    row = await conn.fetchrow(f"SELECT min(c.number), max(c.number) FROM cdrs c WHERE {where}", *arguments)
    return None if row is None or row[0] is None else Numbers(row[0], row[1])


async def export_rows(
    conn: Connection, tenant_id: int, numbers: Numbers, after: int, limit: int, wanted: CdrFilter
) -> list[tuple[Any, ...]]:
    """Flat rows (csms.export.cdrs.CDRS) in the order of their numbers; the document is taken apart by the database, so that what
    comes here is small, however long a session was."""
    where, arguments = _conditions(tenant_id, wanted)
    count = len(arguments)
    rows = await conn.fetch(
        f"SELECT {_EXPORTED} FROM cdrs c CROSS JOIN LATERAL json_to_record(c.document) AS d({_DOCUMENT}) "
        "CROSS JOIN LATERAL json_to_record(coalesce(d.cdr_token, '{}')) AS t(type text, issuer text) "
        "CROSS JOIN LATERAL json_to_record(d.cdr_location) AS l(charge_point_id text, time_zone text, name text, address text, "
        "city text, postal_code text, country text, emi3_evse_id text, evse_id integer, connector_id integer, meter_serial text) "
        f"WHERE {where} AND c.number > ${count + 1} AND c.number BETWEEN ${count + 2} AND ${count + 3} "
        f"ORDER BY c.number LIMIT ${count + 4}",
        *arguments,
        after,
        numbers.first,
        numbers.last,
        limit,
    )
    return [tuple(row) for row in rows]


_AMOUNTS: Final = ("fixed", "energy", "time", "parking", "reservation", "peak_power")
_DOCUMENT: Final = (
    "transaction_id text, auth_method text, stop_reason text, total_energy numeric, total_time numeric, "
    "total_parking_time numeric, cdr_token json, cdr_location json, taxes text, "
    + ", ".join(f"total_{part}_cost json" for part in _AMOUNTS)
)
_EXPORTED: Final = (
    "c.number, c.cdr_id, c.credit_of IS NOT NULL, c.credit_of, c.revision, c.session_id, c.reservation_id, d.transaction_id, "
    "c.start_time, c.end_time, c.created_at, d.auth_method, d.stop_reason, c.id_token, t.type, c.contract_id, t.issuer, "
    "c.token_group_id, "
    "l.charge_point_id, l.evse_id, l.connector_id, l.emi3_evse_id, l.meter_serial, c.location_id, l.name, l.address, "
    "l.postal_code, l.city, l.country, l.time_zone, c.tariff_id, c.tariff_version, d.total_energy, d.total_time, "
    "d.total_parking_time, c.currency, c.total_excl_vat, c.total_incl_vat, c.total_incl_vat - c.total_excl_vat, "
    + ", ".join(f"(d.total_{part}_cost ->> 'excl_vat')::numeric" for part in _AMOUNTS)
    + ", d.taxes"
)


def _conditions(tenant_id: int, wanted: CdrFilter) -> tuple[str, list[Any]]:
    conditions, arguments = ["c.tenant_id = $1"], [tenant_id]

    def add(condition: str, value: object) -> None:
        if value is not None:
            arguments.append(value)  # type: ignore[arg-type]  # a list of whatever PostgreSQL takes
            conditions.append(condition.format(f"${len(arguments)}"))

    add("c.end_time >= {}", wanted.end_from)
    add("c.end_time < {}", wanted.end_to)
    add("c.session_id = {}", wanted.session_id)
    add("c.reservation_id = {}", wanted.reservation_id)
    add(
        "c.station_id = (SELECT p.station_id FROM stations p WHERE p.tenant_id = $1 AND lower(p.identity) = lower({0}) "
        "AND p.identity = {0})",
        wanted.charge_point_id,
    )
    add("c.contract_id = {}", wanted.contract_id)
    add("lower(c.id_token) = lower({})", wanted.id_token)
    add("c.tariff_id = {}", wanted.tariff_id)
    add("c.cdr_id IN (SELECT x.cdr_id FROM statement_cdrs x WHERE x.tenant_id = $1 AND x.statement_id = {})", wanted.statement_id)
    if wanted.credit is not None:
        conditions.append(f"c.credit_of IS {'NOT ' if wanted.credit else ''}NULL")
    return " AND ".join(conditions), arguments
