"""Invoices of ours that partners are told of (tables ocpi_invoices, ocpi_invoice_records), each over the CDRs of one statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.roaming.parties import Folded
from csms.store.pool import Connection
from csms.store.queries.ocpi_objects import ObjectKey

MODULE: Final = "invoicereconciliation"


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice, with what its statement comes to. `country_code` and `party_id` of who is to pay, in capitals. `waiting`: the
    partner is still to be told of a record, or of its end."""

    invoice_key: UUID
    invoice_id: str
    statement_id: UUID
    statement_number: int
    period: str
    country_code: str
    party_id: str
    currency: str
    total_excl_vat: Decimal
    total_incl_vat: Decimal | None
    energy_kwh: Decimal
    cdr_count: int
    credit_count: int
    waiting: bool
    created_by: str
    created_at: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None


class InvoiceRecord(msgspec.Struct, frozen=True):
    """One of its records, by the key of its object."""

    owner: Folded
    record_id: str
    cdr_count: int

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(MODULE, self.owner, self.record_id)


class StatementFacts(msgspec.Struct, frozen=True):
    """What is asked of a statement before it is invoiced."""

    kind: str
    subject: str
    cdr_count: int
    """Credits among them."""


class StatedCdr(msgspec.Struct, frozen=True):
    """A CDR of a statement. `owner`: which of our parties has told it to the partner, folded; None: nobody has yet."""

    cdr_id: str
    owner: Folded | None


class Untold(msgspec.Struct, frozen=True):
    """CDRs of a statement that the partner was not told: how many, and the first of them."""

    count: int
    cdr_ids: list[str]


_INVOICE: Final = (
    "i.invoice_key, i.invoice_id, i.statement_id, s.number AS statement_number, s.period, i.country_code, i.party_id, s.currency, "
    "s.total_excl_vat, s.total_incl_vat, s.energy_kwh, s.cdr_count, s.credit_count, EXISTS (SELECT FROM ocpi_invoice_records r "
    "JOIN ocpi_pushes p ON p.tenant_id = r.tenant_id AND p.to_country_code = lower(i.country_code) "
    f"AND p.to_party_id = lower(i.party_id) AND p.module = '{MODULE}' AND p.country_code = r.country_code "
    "AND p.party_id = r.party_id AND p.object_id = r.record_id WHERE r.tenant_id = i.tenant_id AND r.invoice_key = i.invoice_key) "
    "AS waiting, i.created_by, i.created_at, i.withdrawn_by, i.withdrawn_at"
)
_FROM: Final = "FROM ocpi_invoices i JOIN statements s ON s.tenant_id = i.tenant_id AND s.statement_id = i.statement_id"
_TOLD: Final = (
    "o.tenant_id = x.tenant_id AND o.module = 'cdrs' AND o.object_id = lower(x.cdr_id) AND o.origin = 'own' "
    "AND o.with_country_code = $3 AND o.with_party_id = $4"
)


async def statement_facts(conn: Connection, tenant_id: int, statement_id: UUID) -> StatementFacts | None:
    row = await conn.fetchrow(
        "SELECT kind, subject, cdr_count + credit_count FROM statements WHERE tenant_id = $1 AND statement_id = $2",
        tenant_id,
        statement_id,
    )
    return None if row is None else StatementFacts(*row)


async def insert_invoice(
    conn: Connection, tenant_id: int, invoice_key: UUID, invoice_id: str, statement_id: UUID, payer: Folded, by: str, at: datetime
) -> bool:
    """False: the statement is in an invoice already, or the number is another's."""
    made = await conn.fetchval(
        "INSERT INTO ocpi_invoices "
        "(tenant_id, invoice_key, invoice_id, statement_id, country_code, party_id, created_by, created_at) "
        "VALUES ($1, $2, $3, $4, upper($5), upper($6), $7, $8) ON CONFLICT DO NOTHING RETURNING true",
        tenant_id,
        invoice_key,
        invoice_id,
        statement_id,
        *payer,
        by,
        at,
    )
    return made is not None


async def invoice_of(conn: Connection, tenant_id: int, statement_id: UUID) -> str | None:
    """The number of the invoice that a statement is in."""
    found: str | None = await conn.fetchval(
        "SELECT invoice_id FROM ocpi_invoices WHERE tenant_id = $1 AND statement_id = $2 AND withdrawn_at IS NULL",
        tenant_id,
        statement_id,
    )
    return found


async def stated_cdrs(conn: Connection, tenant_id: int, statement_id: UUID, payer: Folded) -> list[StatedCdr]:
    """The CDRs of a statement, credits among them, in the order of their numbers."""
    rows = await conn.fetch(
        "SELECT x.cdr_id, t.country_code, t.party_id FROM statement_cdrs x "
        f"LEFT JOIN LATERAL (SELECT o.country_code, o.party_id FROM ocpi_objects o WHERE {_TOLD} LIMIT 1) t ON true "
        "JOIN cdrs c ON c.tenant_id = x.tenant_id AND c.cdr_id = x.cdr_id "
        "WHERE x.tenant_id = $1 AND x.statement_id = $2 ORDER BY c.number",
        tenant_id,
        statement_id,
        *payer,
    )
    return [StatedCdr(row[0], None if row[1] is None else (row[1], row[2])) for row in rows]


async def untold_cdrs(conn: Connection, tenant_id: int, statement_id: UUID, payer: Folded, limit: int) -> Untold:
    rows = await conn.fetch(
        "SELECT x.cdr_id, count(*) OVER () FROM statement_cdrs x WHERE x.tenant_id = $1 AND x.statement_id = $2 "
        f"AND NOT EXISTS (SELECT FROM ocpi_objects o WHERE {_TOLD}) ORDER BY x.cdr_id LIMIT $5",
        tenant_id,
        statement_id,
        *payer,
        limit,
    )
    return Untold(rows[0][1] if rows else 0, [row[0] for row in rows])


async def insert_records(conn: Connection, tenant_id: int, invoice_key: UUID, records: Sequence[InvoiceRecord]) -> None:
    await conn.executemany(
        "INSERT INTO ocpi_invoice_records (tenant_id, country_code, party_id, record_id, invoice_key, cdr_count) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        [(tenant_id, *record.owner, record.record_id, invoice_key, record.cdr_count) for record in records],
    )


async def records_of(conn: Connection, tenant_id: int, invoice_key: UUID) -> list[InvoiceRecord]:
    """In the order in which they were made."""
    rows = await conn.fetch(
        "SELECT country_code, party_id, record_id, cdr_count FROM ocpi_invoice_records WHERE tenant_id = $1 AND invoice_key = $2 "
        "ORDER BY record_id",
        tenant_id,
        invoice_key,
    )
    return [InvoiceRecord((row[0], row[1]), row[2], row[3]) for row in rows]


async def get_invoice(conn: Connection, tenant_id: int, invoice_key: UUID) -> Invoice | None:
    row = await conn.fetchrow(f"SELECT {_INVOICE} {_FROM} WHERE i.tenant_id = $1 AND i.invoice_key = $2", tenant_id, invoice_key)
    return None if row is None else _invoice(row)


async def list_invoices(
    conn: Connection, tenant_id: int, after: UUID, limit: int, *, payer: Folded | None = None, withdrawn: bool = False
) -> list[Invoice]:
    """In the order in which they were made, those behind `after`. `withdrawn`: these too."""
    rows = await conn.fetch(
        f"SELECT {_INVOICE} {_FROM} WHERE i.tenant_id = $1 AND i.invoice_key > $2 "
        "AND ($4::text IS NULL OR (i.country_code = upper($4) AND i.party_id = upper($5))) AND ($6 OR i.withdrawn_at IS NULL) "
        "ORDER BY i.invoice_key LIMIT $3",
        tenant_id,
        after,
        limit,
        *(payer or (None, None)),
        withdrawn,
    )
    return [_invoice(row) for row in rows]


async def withdraw(conn: Connection, tenant_id: int, invoice_key: UUID, by: str, at: datetime) -> Folded | None:
    """Who was to pay, folded; None: there is no such invoice, or it was withdrawn before."""
    row = await conn.fetchrow(
        "UPDATE ocpi_invoices SET withdrawn_by = $3, withdrawn_at = $4 WHERE tenant_id = $1 AND invoice_key = $2 "
        "AND withdrawn_at IS NULL RETURNING lower(country_code), lower(party_id)",
        tenant_id,
        invoice_key,
        by,
        at,
    )
    return None if row is None else (row[0], row[1])


def _invoice(row: Any) -> Invoice:
    return Invoice(**row)
