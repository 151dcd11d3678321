"""Invoices of partners against the CDRs that they have sent (OCPI 2.3.0, InvoiceReconciliation)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.store import Connection
from csms.store.queries import ocpi_received_invoices as queries
from csms.store.queries.ocpi_received_invoices import CdrState, KnownTotals, NamedCdr, ReceivedRecord
from hub.api.money import Money, money, money_or_none
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.ocpi_agreements import PartyCode
from schemas.ocpi221.base import fold

_TIMEOUT_S = 30.0
"""Each record may name ten thousand CDRs."""


class RecordsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=20, description="How many items at most")] = 20
    owner: PartyCode | None = None


class NamedQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: Annotated[
        CdrState | None,
        Meta(description="known: the CDR was received; unknown: it was not; elsewhere: another record of this party names it too"),
    ] = None


class ReceivedInvoiceView(msgspec.Struct, frozen=True):
    """A record of an invoice. `cdr_count`: CDRs that it names; of them were received `known_count`, and `unknown_count` were not.
    `doubtful_count`: known ones with findings; `elsewhere_count`: those that other records of this party name too."""

    object_no: int
    owner: str
    record_id: str
    invoice_id: str
    partner_id: UUID | None
    cdr_count: int
    known_count: int
    unknown_count: int
    doubtful_count: int
    elsewhere_count: int
    last_updated: datetime
    created_at: datetime
    updated_at: datetime


class KnownView(msgspec.Struct, frozen=True):
    """What the known CDRs come to in a currency, credits taken off. Without total_incl_vat they state no VAT."""

    currency: str
    cdr_count: int
    credit_count: int
    energy_kwh: Decimal
    total_excl_vat: Money
    total_incl_vat: Money | None


class ReceivedInvoiceDetail(msgspec.Struct, frozen=True):
    record: ReceivedInvoiceView
    known: list[KnownView]


class NamedCdrView(msgspec.Struct, frozen=True):
    """A CDR that a record names, its id in lower case. Of an unknown one there are no amounts; of a credit they are negative.
    `elsewhere`: ids of other records that name it, the first 20."""

    cdr_id: str
    known: bool
    credit: bool
    doubtful: bool
    energy_kwh: Decimal | None
    total_excl_vat: Money | None
    total_incl_vat: Money | None
    elsewhere: list[str]


async def list_received_invoices(call: Call[RecordsQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, int) or 0
    owner = None
    if query.owner is not None:
        country_code, _, party_id = fold(query.owner).partition("-")
        owner = (country_code, party_id)
    found = await call.hub.store.hub.tenant_unit(
        tenant_id,
        lambda conn: queries.list_records(conn, tenant_id, after, query.limit + 1, owner=owner),
        timeout=_TIMEOUT_S,
    )
    return Answer(200, page(call, found, lambda one: one.object_no, _of_record))


async def get_received_invoice(call: Call[NoQuery, None]) -> Answer:
    tenant_id, object_no = call.tenant_id, _number(call.path["object_no"])

    async def look(conn: Connection) -> ReceivedInvoiceDetail:
        record = await _record(conn, tenant_id, object_no)
        known = await queries.known_totals(conn, tenant_id, record.key)
        return ReceivedInvoiceDetail(_of_record(record), [_of_totals(one) for one in known])

    return Answer(200, await call.hub.store.hub.tenant_unit(tenant_id, look))


async def list_invoiced_cdrs(call: Call[NamedQuery, None]) -> Answer:
    tenant_id, query, object_no = call.tenant_id, call.query, _number(call.path["object_no"])
    after = position(call, str) or ""

    async def look(conn: Connection) -> list[NamedCdr]:
        record = await _record(conn, tenant_id, object_no)
        return await queries.named_cdrs(conn, tenant_id, record.key, after, query.limit + 1, query.state)

    found = await call.hub.store.hub.tenant_unit(tenant_id, look)
    return Answer(200, page(call, found, lambda one: one.cdr_id, _of_cdr))


async def _record(conn: Connection, tenant_id: int, object_no: int) -> ReceivedRecord:
    found = await queries.get_record(conn, tenant_id, object_no)
    if found is None:
        raise not_found()
    return found


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise not_found()
    return int(text)


def _of_record(one: ReceivedRecord) -> ReceivedInvoiceView:
    return ReceivedInvoiceView(
        object_no=one.object_no,
        owner=f"{one.country_code}-{one.party_id}".upper(),
        record_id=one.record_id,
        invoice_id=one.invoice_id,
        partner_id=one.partner_id,
        cdr_count=one.cdr_count,
        known_count=one.known_count,
        unknown_count=one.cdr_count - one.known_count,
        doubtful_count=one.doubtful_count,
        elsewhere_count=one.elsewhere_count,
        last_updated=one.last_updated,
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


def _of_totals(one: KnownTotals) -> KnownView:
    return KnownView(
        one.currency,
        one.cdr_count,
        one.credit_count,
        one.energy_kwh,
        money(one.total_excl_vat, one.currency),
        money_or_none(one.total_incl_vat, one.currency),
    )


def _of_cdr(one: NamedCdr) -> NamedCdrView:
    currency = one.currency
    return NamedCdrView(
        cdr_id=one.cdr_id,
        known=currency is not None,
        credit=one.credit,
        doubtful=one.doubtful,
        energy_kwh=one.energy_kwh,
        total_excl_vat=None if currency is None else money_or_none(one.total_excl_vat, currency),
        total_incl_vat=None if currency is None else money_or_none(one.total_incl_vat, currency),
        elsewhere=one.elsewhere,
    )


ROUTES = (
    route(
        "GET",
        "/api/v1/ocpi/received-invoices",
        list_received_invoices,
        permission="ocpi.read",
        query=RecordsQuery,
        answers={200: Page[ReceivedInvoiceView]},
        tag="Roaming",
        summary="Records of partners' invoices, against the CDRs that were received",
        description=(
            "In the order in which they became known; those that their owners have withdrawn are left out. A record is compared "
            "with what is known now: a CDR that comes later makes it complete."
        ),
    ),
    route(
        "GET",
        "/api/v1/ocpi/received-invoices/{object_no}",
        get_received_invoice,
        permission="ocpi.read",
        answers={200: ReceivedInvoiceDetail},
        tag="Roaming",
        summary="One record, and what the known CDRs in it come to",
        description="Its document is at `/api/v1/ocpi/objects/invoicereconciliation/{object_no}`.",
    ),
    route(
        "GET",
        "/api/v1/ocpi/received-invoices/{object_no}/cdrs",
        list_invoiced_cdrs,
        permission="ocpi.read",
        query=NamedQuery,
        answers={200: Page[NamedCdrView]},
        tag="Roaming",
        summary="The CDRs that a record names",
        description="In the order of their ids.",
    ),
)
