"""Records of invoices that partners have told us of, against the CDRs that we have had of them (ocpi_invoiced_cdrs,
ocpi_received_cdrs). What a record is compared with is what is known at the moment of the question."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.roaming.parties import Folded
from csms.store.pool import Connection
from csms.store.queries.ocpi_objects import ObjectKey

MODULE: Final = "invoicereconciliation"

CdrState = Literal["known", "unknown", "elsewhere"]
"""known: we have it; unknown: we have never had it; elsewhere: it is in another record of this party too, known or not."""


class ReceivedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a party, with how many CDRs it names: in all, known ones, doubtful ones among these, and such as other records of
    the party name too. Owner and `record_id` folded."""

    object_no: int
    country_code: str
    party_id: str
    record_id: str
    invoice_id: str
    partner_id: UUID | None
    last_updated: datetime
    created_at: datetime
    updated_at: datetime
    cdr_count: int
    known_count: int
    doubtful_count: int
    elsewhere_count: int

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(MODULE, (self.country_code, self.party_id), self.record_id)


class KnownTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What the known CDRs of a record come to in a currency, credits taken off; those that state VAT and those that do not are
    apart."""

    currency: str
    cdr_count: int
    credit_count: int
    energy_kwh: Decimal
    total_excl_vat: Decimal
    total_incl_vat: Decimal | None


class NamedCdr(msgspec.Struct, frozen=True, kw_only=True):
    """A CDR that a record names. `currency` None: it is unknown, and so are the amounts. `elsewhere`: other records that name it,
    the first 20."""

    cdr_id: str
    currency: str | None
    energy_kwh: Decimal | None
    total_excl_vat: Decimal | None
    total_incl_vat: Decimal | None
    credit: bool
    doubtful: bool
    elsewhere: list[str]


_NAMED: Final = (
    "ocpi_invoiced_cdrs x LEFT JOIN ocpi_received_cdrs b ON b.tenant_id = x.tenant_id AND b.country_code = x.country_code "
    "AND b.party_id = x.party_id AND b.object_id = x.cdr_id"
)
_OTHERS: Final = (
    "SELECT e.record_id FROM ocpi_invoiced_cdrs e WHERE e.tenant_id = x.tenant_id AND e.country_code = x.country_code "
    "AND e.party_id = x.party_id AND e.cdr_id = x.cdr_id AND e.record_id <> x.record_id"
)
_RECORD: Final = (
    "SELECT o.object_no, o.country_code, o.party_id, o.object_id AS record_id, o.document ->> 'invoice_id' AS invoice_id, "
    "o.partner_id, o.last_updated, o.created_at, o.updated_at, n.* FROM (SELECT * FROM ocpi_objects WHERE tenant_id = $1 "
    f"AND module = '{MODULE}' AND origin = 'received' AND deleted_at IS NULL AND {{}}) o "
    "CROSS JOIN LATERAL (SELECT count(*) AS cdr_count, count(b.object_id) AS known_count, "
    f"count(*) FILTER (WHERE b.doubtful) AS doubtful_count, count(*) FILTER (WHERE EXISTS ({_OTHERS})) AS elsewhere_count "
    f"FROM {_NAMED} WHERE x.tenant_id = o.tenant_id AND x.country_code = o.country_code AND x.party_id = o.party_id "
    "AND x.record_id = o.object_id) n ORDER BY o.object_no"
)
_STATES: Final[dict[CdrState, str]] = {
    "known": "b.object_id IS NOT NULL",
    "unknown": "b.object_id IS NULL",
    "elsewhere": f"EXISTS ({_OTHERS})",
}


async def list_records(
    conn: Connection, tenant_id: int, after: int, limit: int, *, owner: Folded | None = None
) -> list[ReceivedRecord]:
    """In the order in which they became known, those behind `after`; withdrawn ones are left out."""
    rows = await conn.fetch(
        _RECORD.format(
            "object_no > $2 AND ($4::text IS NULL OR (country_code = $4 AND party_id = $5)) ORDER BY object_no LIMIT $3"
        ),
        tenant_id,
        after,
        limit,
        *(owner or (None, None)),
    )
    return [ReceivedRecord(**row) for row in rows]


async def get_record(conn: Connection, tenant_id: int, object_no: int) -> ReceivedRecord | None:
    row = await conn.fetchrow(_RECORD.format("object_no = $2"), tenant_id, object_no)
    return None if row is None else ReceivedRecord(**row)


async def known_totals(conn: Connection, tenant_id: int, key: ObjectKey) -> list[KnownTotals]:
    rows = await conn.fetch(
        "SELECT b.currency, count(*) FILTER (WHERE b.credit_of IS NULL) AS cdr_count, "
        "count(*) FILTER (WHERE b.credit_of IS NOT NULL) AS credit_count, sum(b.energy_kwh) AS energy_kwh, "
        f"sum(b.total_excl_vat) AS total_excl_vat, sum(b.total_incl_vat) AS total_incl_vat FROM {_NAMED} "
        "WHERE x.tenant_id = $1 AND x.country_code = $2 AND x.party_id = $3 AND x.record_id = $4 AND b.object_id IS NOT NULL "
        "GROUP BY b.currency, b.total_incl_vat IS NOT NULL ORDER BY b.currency, b.total_incl_vat IS NOT NULL",
        tenant_id,
        *key.owner,
        key.object_id,
    )
    return [KnownTotals(**row) for row in rows]


async def named_cdrs(
    conn: Connection, tenant_id: int, key: ObjectKey, after: str, limit: int, state: CdrState | None = None
) -> list[NamedCdr]:
    """In the order of their ids, those behind `after`; `state` None: all."""
    rows: list[Any] = await conn.fetch(
        "SELECT x.cdr_id, b.currency, b.energy_kwh, b.total_excl_vat, b.total_incl_vat, b.credit_of IS NOT NULL AS credit, "
        f"coalesce(b.doubtful, false) AS doubtful, ARRAY({_OTHERS} ORDER BY e.record_id LIMIT 20) AS elsewhere FROM {_NAMED} "
        "WHERE x.tenant_id = $1 AND x.country_code = $2 AND x.party_id = $3 AND x.record_id = $4 AND x.cdr_id > $5 "
        f"AND {'true' if state is None else _STATES[state]} ORDER BY x.cdr_id LIMIT $6",
        tenant_id,
        *key.owner,
        key.object_id,
        after,
        limit,
    )
    return [NamedCdr(**row) for row in rows]
