"""Monthly statements: which CDRs are in one, what they come to, and the statements as they are read.

The sums are the database's: a month of a large network is a million CDRs, of which nothing but the sums is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.billing.cdr import Tax
from csms.pricing.tariff import Price
from csms.statements.document import Kind, StatementDocument, Totals
from csms.statements.period import Period
from csms.store.pool import Connection

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode

_SUBJECTS: Final[dict[Kind, str]] = {
    "contract": "coalesce(c.contract_id, '')",
    "token_group": "coalesce(c.token_group_id::text, '')",
    "tenant": "''::text",
    "partner": "coalesce((c.document #>> '{cdr_token,country_code}') || '-' || (c.document #>> '{cdr_token,party_id}'), "
    "c.document #>> '{cdr_token,issuer}', '')",
}


class Scope(msgspec.Struct, frozen=True):
    """Statements of which month and kind; `subject` None: of all."""

    period: Period
    kind: Kind
    subject: str | None


class StatementSummary(msgspec.Struct, frozen=True):
    """A statement as lists show it."""

    statement_id: UUID
    number: int
    period: str
    kind: Kind
    subject: str
    currency: str
    total_excl_vat: Decimal
    total_incl_vat: Decimal | None
    energy_kwh: Decimal
    cdr_count: int
    credit_count: int
    late_count: int
    created_by: str
    created_at: datetime


class StatementFilter(msgspec.Struct, frozen=True):
    """All that are given must hold."""

    period: str | None = None
    kind: str | None = None
    subject: str | None = None


class TenantFacts(msgspec.Struct, frozen=True):
    slug: str
    name: str
    time_zone: str


class Group(msgspec.Struct, frozen=True):
    """What has a statement of its own: amounts of two currencies have no sum, nor have those with VAT and those that state none."""

    subject: str
    currency: str
    vat_stated: bool


class BeingMade(Exception):
    """Statements of this tenant are being made at this moment."""


async def tenant_facts(conn: Connection, tenant_id: int) -> TenantFacts:
    row = await conn.fetchrow("SELECT slug, name, time_zone FROM tenants WHERE tenant_id = $1", tenant_id)
    if row is None:
        raise LookupError("a tenant is never removed")
    return TenantFacts(*row)


async def begin_making(conn: Connection, tenant_id: int) -> None:
    """One maker at a time, until the end of the transaction, whose statements may take long. Raises BeingMade."""
    await prepare(conn)
    await conn.execute("INSERT INTO statement_numbers (tenant_id, last_number) VALUES ($1, 0) ON CONFLICT DO NOTHING", tenant_id)
    if await conn.fetchval("SELECT true FROM statement_numbers WHERE tenant_id = $1 FOR UPDATE SKIP LOCKED", tenant_id) is None:
        raise BeingMade


async def prepare(conn: Connection) -> None:
    """Until the end of the transaction: the time limit of the unit of work is the only one, and tables that have just been filled
    are not read by plans made for empty ones."""
    await conn.execute("SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = off; SET LOCAL enable_mergejoin = off")


async def due_subjects(conn: Connection, tenant_id: int, scope: Scope, after: str | None, limit: int) -> list[str]:
    """Subjects above `after` that have CDRs for a statement and no statement of the month yet."""
    rows = await conn.fetch(
        f"SELECT DISTINCT e.subject FROM ({_eligible(scope.kind)}) e WHERE $7::text IS NULL OR e.subject > $7 "
        "ORDER BY e.subject LIMIT $8",
        *_arguments(tenant_id, scope),
        after,
        limit,
    )
    return [row[0] for row in rows]


async def count_existing(conn: Connection, tenant_id: int, scope: Scope) -> int:
    """Statements of the month that are made already."""
    count: int = await conn.fetchval(
        "SELECT count(*) FROM statements WHERE tenant_id = $1 AND kind = $2 AND period = $3 AND ($4::text IS NULL OR subject = $4)",
        tenant_id,
        scope.kind,
        scope.period.name,
        scope.subject,
    )
    return count


async def preview_totals(conn: Connection, tenant_id: int, scope: Scope, subjects: Sequence[str]) -> dict[Group, Totals]:
    """What statements of these subjects would come to."""
    chosen = f"SELECT e.* FROM ({_eligible(scope.kind)}) e WHERE e.subject = ANY($7::text[])"
    return await _totals(conn, chosen, [*_arguments(tenant_id, scope), list(subjects)])


async def due_groups(conn: Connection, tenant_id: int, scope: Scope, subjects: Sequence[str]) -> list[Group]:
    """The statements that CDRs of these subjects ask for."""
    rows = await conn.fetch(
        f"SELECT DISTINCT e.subject, e.currency, e.vat_stated FROM ({_eligible(scope.kind)}) e WHERE e.subject = ANY($7::text[]) "
        "ORDER BY 1, 2, 3",
        *_arguments(tenant_id, scope),
        list(subjects),
    )
    return [Group(*row) for row in rows]


async def collect(conn: Connection, tenant_id: int, scope: Scope, ids: Mapping[Group, UUID]) -> dict[Group, Totals]:
    """Put CDRs into the statements that are to have these ids; gives what each comes to."""
    await conn.execute(
        "INSERT INTO statement_cdrs (tenant_id, kind, cdr_id, statement_id, late) "
        f"SELECT $1, $2, e.cdr_id, g.statement_id, e.late FROM ({_eligible(scope.kind)}) e "
        "JOIN unnest($7::uuid[], $8::text[], $9::text[], $10::boolean[]) AS g(statement_id, subject, currency, vat_stated) "
        "USING (subject, currency, vat_stated)",
        *_arguments(tenant_id, scope),
        list(ids.values()),
        [group.subject for group in ids],
        [group.currency for group in ids],
        [group.vat_stated for group in ids],
    )
    chosen = (
        f"SELECT {_columns(scope.kind)}, x.late FROM statement_cdrs x "
        "JOIN cdrs c ON c.tenant_id = x.tenant_id AND c.cdr_id = x.cdr_id "
        "WHERE x.tenant_id = $1 AND x.statement_id = ANY($2::uuid[])"
    )
    return await _totals(conn, chosen, [tenant_id, list(ids.values())])


async def take_numbers(conn: Connection, tenant_id: int, count: int) -> int:
    """The first of the next `count` numbers. They are this transaction's until its end, and nobody's if that fails: no gaps."""
    last: int = await conn.fetchval(
        "UPDATE statement_numbers SET last_number = last_number + $2 WHERE tenant_id = $1 RETURNING last_number", tenant_id, count
    )
    return last - count + 1


async def insert_statements(conn: Connection, tenant_id: int, made: Sequence[StatementDocument], by: str) -> None:
    await conn.executemany(
        "INSERT INTO statements (tenant_id, statement_id, number, period, period_start, period_end, kind, subject, currency, "
        "total_excl_vat, total_incl_vat, energy_kwh, cdr_count, credit_count, late_count, document, created_by, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::json, $17, $18)",
        [
            (
                tenant_id,
                one.id,
                one.number,
                one.period,
                one.period_start,
                one.period_end,
                one.kind,
                one.subject,
                one.currency,
                one.total.excl_vat,
                one.total.incl_vat,
                one.energy_kwh,
                one.cdr_count,
                one.credit_count,
                one.late_count,
                _encode(one).decode(),
                by,
                one.made_at,
            )
            for one in made
        ],
    )


async def group_names(conn: Connection, tenant_id: int, subjects: Sequence[str]) -> dict[str, str]:
    """The names of token groups, by their ids as texts."""
    rows = await conn.fetch(
        "SELECT group_id::text, name FROM token_groups WHERE tenant_id = $1 AND group_id::text = ANY($2::text[])",
        tenant_id,
        list(subjects),
    )
    return {row[0]: row[1] for row in rows}


_SUMMARY: Final = ", ".join(StatementSummary.__struct_fields__)


async def list_statements(
    conn: Connection, tenant_id: int, after: int, limit: int, wanted: StatementFilter
) -> list[StatementSummary]:
    """In the order of their numbers, those above `after`."""
    rows = await conn.fetch(
        f"SELECT {_SUMMARY} FROM statements WHERE tenant_id = $1 AND number > $2 AND ($4::text IS NULL OR period = $4) "
        "AND ($5::text IS NULL OR kind = $5) AND ($6::text IS NULL OR subject = $6) ORDER BY number LIMIT $3",
        tenant_id,
        after,
        limit,
        wanted.period,
        wanted.kind,
        wanted.subject,
    )
    return [StatementSummary(*row) for row in rows]


async def statement_document(conn: Connection, tenant_id: int, statement_id: UUID) -> bytes | None:
    """The statement, byte for byte as it was made."""
    text = await conn.fetchval(
        "SELECT document::text FROM statements WHERE tenant_id = $1 AND statement_id = $2", tenant_id, statement_id
    )
    return None if text is None else text.encode()


def _columns(kind: Kind) -> str:
    return (
        f"c.cdr_id, {_SUBJECTS[kind]} AS subject, c.currency, c.total_incl_vat IS NOT NULL AS vat_stated, c.total_excl_vat, "
        "c.total_incl_vat, c.energy_wh, c.credit_of IS NOT NULL AS credit, c.document"
    )


def _eligible(kind: Kind) -> str:
    """CDRs of the month, and late ones: those whose own month's statement of their subject was made without them. None of a subject
    that has its statement of the month already. $1 to $6: see _arguments.

    Scalar subqueries, each a look into an index: a join would be planned by what was known of the tables before they were filled.
    """
    subject = _SUBJECTS[kind]
    made = f"(SELECT true FROM statements s WHERE s.tenant_id = $1 AND s.kind = $2 AND s.subject = {subject} AND"
    return (
        f"SELECT {_columns(kind)}, c.end_time < $4 AS late FROM cdrs c WHERE c.tenant_id = $1 AND c.end_time < $5 "
        f"AND ($6::text IS NULL OR {subject} = $6) "
        "AND (SELECT true FROM statement_cdrs x WHERE x.tenant_id = $1 AND x.kind = $2 AND x.cdr_id = c.cdr_id) IS NULL "
        f"AND {made} s.period = $3 LIMIT 1) IS NULL "
        f"AND (c.end_time >= $4 OR {made} s.period_start <= c.end_time AND c.end_time < s.period_end LIMIT 1))"
    )


def _arguments(tenant_id: int, scope: Scope) -> list[Any]:
    return [tenant_id, scope.kind, scope.period.name, scope.period.start, scope.period.end, scope.subject]


async def _totals(conn: Connection, chosen: str, arguments: list[Any]) -> dict[Group, Totals]:
    sums = await conn.fetch(
        "SELECT subject, currency, vat_stated, sum(total_excl_vat), sum(total_incl_vat), "
        "sum(CASE WHEN credit THEN -energy_wh ELSE energy_wh END) * 0.001, count(*) FILTER (WHERE NOT credit), "
        f"count(*) FILTER (WHERE credit), count(*) FILTER (WHERE late) FROM ({chosen}) f GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        *arguments,
    )
    rates = await conn.fetch(
        f"SELECT subject, currency, vat_stated, t.vat, sum(t.excl_vat), sum(t.amount) FROM ({chosen}) f "
        "CROSS JOIN LATERAL json_to_recordset(f.document -> 'taxes') AS t(vat numeric, excl_vat numeric, amount numeric) "
        "GROUP BY 1, 2, 3, 4 ORDER BY 4 NULLS LAST",
        *arguments,
    )
    taxes: dict[Group, list[Tax]] = {}
    for row in rates:
        taxes.setdefault(Group(*row[:3]), []).append(Tax(*row[3:]))
    found = {}
    for row in sums:
        group = Group(*row[:3])
        excl, incl, *others = row[3:]
        found[group] = Totals(group.subject, group.currency, Price(excl, incl), taxes.get(group, []), *others)
    return found
