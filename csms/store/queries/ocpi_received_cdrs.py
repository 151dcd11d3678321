"""What the CDRs of others come to (table ocpi_received_cdrs), and what is known here of what they are about."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from csms.pricing.tariff import Price
from csms.store.pool import Connection
from csms.store.queries.ocpi_objects import ObjectKey
from schemas.ocpi221.base import Remark, fold
from schemas.ocpi221.cdrs import CDR

_encode: Final = msgspec.json.encode
_read_findings: Final = msgspec.json.Decoder(tuple[Remark, ...]).decode


class BookedCdr(msgspec.Struct, frozen=True, kw_only=True):
    """A CDR in the books. Ids folded. Of a credit (`credit_of`: the CDR that it takes back) amounts and energy are negative."""

    key: ObjectKey
    end_time: datetime
    session_id: str | None
    credit_of: str | None
    currency: str
    energy_kwh: Decimal
    total: Price
    computed: Price | None
    findings: tuple[Remark, ...]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside a CDR. `token`: whether its token was ever told to partners. `session_status`: of its session;
    `billed_by`: the CDR that bills the same session and is not taken back. Of the CDR that a credit takes back: its currency and
    total without VAT, and whether another credit did that before."""

    token: bool
    session_status: str | None
    billed_by: str | None
    credited_currency: str | None
    credited_total: Decimal | None
    credited_before: bool


class PartyTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What the CDRs of one party, currency and manner of stating VAT come to in a month; credits are taken off. Codes folded.
    `computed_excl_vat`: what their own tariffs make of those `computed_count` of them that can be priced again."""

    country_code: str
    party_id: str
    currency: str
    vat_stated: bool
    cdr_count: int
    credit_count: int
    doubtful_count: int
    energy_kwh: Decimal
    total_excl_vat: Decimal
    total_incl_vat: Decimal | None
    computed_count: int
    priced_excl_vat: Decimal | None
    computed_excl_vat: Decimal | None


async def time_zone_of(conn: Connection, tenant_id: int, key: ObjectKey) -> str | None:
    """Of a location that its owner has told us of."""
    zone: str | None = await conn.fetchval(
        "SELECT document ->> 'time_zone' FROM ocpi_objects WHERE tenant_id = $1 AND module = 'locations' AND country_code = $2 "
        "AND party_id = $3 AND object_id = $4 AND kind = '' AND origin = 'received'",
        tenant_id,
        *key.owner,
        key.object_id,
    )
    return zone


async def load_known(conn: Connection, tenant_id: int, key: ObjectKey, cdr: CDR) -> Known:
    """What there is of the token, the session and the CDR that a CDR names."""
    token, owner = cdr.cdr_token, key.owner
    row: Any = await conn.fetchrow(
        "SELECT EXISTS (SELECT FROM ocpi_objects WHERE tenant_id = $1 AND module = 'tokens' AND country_code = $4 "
        "AND party_id = $5 AND object_id = $6 AND kind = $7 AND origin = 'own') AS token, "
        "(SELECT document ->> 'status' FROM ocpi_objects WHERE tenant_id = $1 AND module = 'sessions' AND country_code = $2 "
        "AND party_id = $3 AND object_id = $8 AND kind = '' AND origin = 'received') AS session_status, "
        "(SELECT c.object_id FROM ocpi_received_cdrs c WHERE c.tenant_id = $1 AND c.country_code = $2 AND c.party_id = $3 "
        "AND c.session_id = $8 AND c.object_id <> $9 AND c.credit_of IS NULL AND NOT EXISTS (SELECT FROM ocpi_received_cdrs b "
        "WHERE b.tenant_id = $1 AND b.country_code = $2 AND b.party_id = $3 AND b.credit_of = c.object_id) LIMIT 1) AS billed_by, "
        "(SELECT currency FROM ocpi_received_cdrs WHERE tenant_id = $1 AND country_code = $2 AND party_id = $3 "
        "AND object_id = $10) AS credited_currency, "
        "(SELECT total_excl_vat FROM ocpi_received_cdrs WHERE tenant_id = $1 AND country_code = $2 AND party_id = $3 "
        "AND object_id = $10) AS credited_total, "
        "EXISTS (SELECT FROM ocpi_received_cdrs WHERE tenant_id = $1 AND country_code = $2 AND party_id = $3 AND credit_of = $10 "
        "AND object_id <> $9) AS credited_before",
        tenant_id,
        *owner,
        fold(token.country_code),
        fold(token.party_id),
        fold(token.uid),
        token.type.upper(),
        None if cdr.session_id is None else fold(cdr.session_id),
        key.object_id,
        None if cdr.credit_reference_id is None else fold(cdr.credit_reference_id),
    )
    return Known(**row)


async def insert_cdr(conn: Connection, tenant_id: int, booked: BookedCdr) -> None:
    computed = booked.computed
    await conn.execute(
        "INSERT INTO ocpi_received_cdrs (tenant_id, country_code, party_id, object_id, end_time, session_id, credit_of, currency, "
        "energy_kwh, total_excl_vat, total_incl_vat, computed_excl_vat, computed_incl_vat, findings, doubtful) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::json, $15)",
        tenant_id,
        *booked.key.owner,
        booked.key.object_id,
        booked.end_time,
        booked.session_id,
        booked.credit_of,
        booked.currency,
        booked.energy_kwh,
        booked.total.excl_vat,
        booked.total.incl_vat,
        None if computed is None else computed.excl_vat,
        None if computed is None else computed.incl_vat,
        _encode(booked.findings).decode(),
        bool(booked.findings),
    )


async def get_cdr(conn: Connection, tenant_id: int, key: ObjectKey) -> BookedCdr | None:
    row = await conn.fetchrow(
        "SELECT end_time, session_id, credit_of, currency, energy_kwh, total_excl_vat, total_incl_vat, computed_excl_vat, "
        "computed_incl_vat, findings FROM ocpi_received_cdrs WHERE tenant_id = $1 AND country_code = $2 AND party_id = $3 "
        "AND object_id = $4",
        tenant_id,
        *key.owner,
        key.object_id,
    )
    if row is None:
        return None
    computed = None if row["computed_excl_vat"] is None else Price(row["computed_excl_vat"], row["computed_incl_vat"])
    return BookedCdr(
        key=key,
        **{name: row[name] for name in ("end_time", "session_id", "credit_of", "currency", "energy_kwh")},
        total=Price(row["total_excl_vat"], row["total_incl_vat"]),
        computed=computed,
        findings=_read_findings(row["findings"]),
    )


async def month_totals(
    conn: Connection,
    tenant_id: int,
    start: datetime,
    end: datetime,
    after: tuple[str, str, str, bool] | None,
    limit: int,
) -> list[PartyTotals]:
    """By party, currency and whether VAT is stated, in this order, those behind `after`. `start` is inclusive, `end` is not."""
    rows = await conn.fetch(
        "SELECT country_code, party_id, currency, total_incl_vat IS NOT NULL AS vat_stated, "
        "count(*) FILTER (WHERE credit_of IS NULL) AS cdr_count, count(*) FILTER (WHERE credit_of IS NOT NULL) AS credit_count, "
        "count(*) FILTER (WHERE doubtful) AS doubtful_count, sum(energy_kwh) AS energy_kwh, sum(total_excl_vat) AS total_excl_vat, "
        "sum(total_incl_vat) AS total_incl_vat, count(computed_excl_vat) AS computed_count, "
        "sum(total_excl_vat) FILTER (WHERE computed_excl_vat IS NOT NULL) AS priced_excl_vat, "
        "sum(computed_excl_vat) AS computed_excl_vat "
        "FROM ocpi_received_cdrs WHERE tenant_id = $1 AND end_time >= $2 AND end_time < $3 GROUP BY 1, 2, 3, 4 "
        "HAVING $4::text IS NULL OR (country_code, party_id, currency, total_incl_vat IS NOT NULL) > ($4, $5, $6, $7::boolean) "
        "ORDER BY 1, 2, 3, 4 LIMIT $8",
        tenant_id,
        start,
        end,
        *(after or (None, None, None, None)),
        limit,
    )
    return [PartyTotals(**row) for row in rows]
