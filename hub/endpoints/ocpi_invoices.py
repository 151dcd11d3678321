"""Invoices of the tenant's that partners are told of (OCPI 2.3.0, InvoiceReconciliation): which records each is about."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.roaming.invoices import NotInvoiced
from csms.store import Connection
from csms.store.queries import ocpi_invoices as queries
from csms.store.queries.ocpi_invoices import Invoice, InvoiceRecord, Untold
from hub.api.money import Money, money, money_or_none
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.ocpi_agreements import PartyCode
from schemas.ocpi221.base import fold

InvoiceNumber = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=r"^[!-~]([ -~]*[!-~])?\Z", description="As on the invoice; printable ASCII")
]
_MOST_UNTOLD: Final = 100
_TIMEOUT_S: Final = 30.0
"""A large statement is compared with what was told."""


class InvoicesQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    party: PartyCode | None = None
    withdrawn: Annotated[bool, Meta(description="Those that were withdrawn, too")] = False


class InvoiceOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The statement must be of kind `partner`, about a party such as DE-ABC."""

    statement_id: UUID
    invoice_id: InvoiceNumber


class InvoiceView(msgspec.Struct, frozen=True):
    """An invoice, and what its statement comes to. `waiting`: the partner is still to be told something of it. Once it is withdrawn
    its statement may be invoiced again."""

    id: UUID
    invoice_id: str
    statement_id: UUID
    statement_number: int
    period: str
    party: str
    total_excl_vat: Money
    total_incl_vat: Money | None
    energy_kwh: Decimal
    cdr_count: int
    credit_count: int
    waiting: bool
    created_by: str
    created_at: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None


class RecordView(msgspec.Struct, frozen=True):
    """An InvoiceReconciliationRecord as partners are told it, by its owner and id; `cdr_count`: credits among them."""

    owner: str
    record_id: str
    cdr_count: int


class UntoldView(msgspec.Struct, frozen=True):
    """CDRs that the partner has not been told of, so that it cannot know them; `cdr_ids` are the first 100."""

    count: int
    cdr_ids: list[str]


class InvoiceDetail(msgspec.Struct, frozen=True):
    """An invoice with its records: one for each of the tenant's parties that has told the CDRs, and one more for every 10,000."""

    invoice: InvoiceView
    records: list[RecordView]
    untold: UntoldView


async def list_invoices(call: Call[InvoicesQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, UUID) or NIL
    payer = None
    if query.party is not None:
        country_code, _, party_id = fold(query.party).partition("-")
        payer = (country_code, party_id)
    found = await call.hub.store.hub.tenant_unit(
        tenant_id,
        lambda conn: queries.list_invoices(conn, tenant_id, after, query.limit + 1, payer=payer, withdrawn=query.withdrawn),
    )
    return Answer(200, page(call, found, lambda one: one.invoice_key, _of_invoice))


async def make_invoice(call: Call[NoQuery, InvoiceOrder]) -> Answer:
    order = call.body
    try:
        key = await call.hub.invoicing.make(call.tenant_id, order.statement_id, order.invoice_id, call.caller.label)
    except NotInvoiced as error:
        if error.field is not None:
            raise invalid(error.field, error.message) from None
        raise conflict(error.message) from None
    return Answer(201, await _detail(call, key), {"Location": f"/api/v1/ocpi/invoices/{key}"})


async def get_invoice(call: Call[NoQuery, None]) -> Answer:
    return Answer(200, await _detail(call, call.uuid("id")))


async def withdraw_invoice(call: Call[NoQuery, None]) -> Answer:
    tenant_id, key = call.tenant_id, call.uuid("id")
    if not await call.hub.invoicing.withdraw(tenant_id, key, call.caller.label):
        if await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_invoice(conn, tenant_id, key)) is None:
            raise not_found()
        raise conflict("the invoice was withdrawn before")
    return Answer(204)


async def _detail(call: Call[NoQuery, InvoiceOrder] | Call[NoQuery, None], key: UUID) -> InvoiceDetail:
    tenant_id = call.tenant_id

    async def look(conn: Connection) -> tuple[Invoice, list[InvoiceRecord], Untold]:
        invoice = await queries.get_invoice(conn, tenant_id, key)
        if invoice is None:
            raise not_found()
        payer = (fold(invoice.country_code), fold(invoice.party_id))
        untold = await queries.untold_cdrs(conn, tenant_id, invoice.statement_id, payer, _MOST_UNTOLD)
        return invoice, await queries.records_of(conn, tenant_id, key), untold

    invoice, records, untold = await call.hub.store.hub.tenant_unit(tenant_id, look, timeout=_TIMEOUT_S)
    shown = [RecordView("-".join(record.owner).upper(), record.record_id, record.cdr_count) for record in records]
    return InvoiceDetail(_of_invoice(invoice), shown, UntoldView(untold.count, untold.cdr_ids))


def _of_invoice(one: Invoice) -> InvoiceView:
    return InvoiceView(
        id=one.invoice_key,
        invoice_id=one.invoice_id,
        statement_id=one.statement_id,
        statement_number=one.statement_number,
        period=one.period,
        party=f"{one.country_code}-{one.party_id}",
        total_excl_vat=money(one.total_excl_vat, one.currency),
        total_incl_vat=money_or_none(one.total_incl_vat, one.currency),
        energy_kwh=one.energy_kwh,
        cdr_count=one.cdr_count,
        credit_count=one.credit_count,
        waiting=one.waiting,
        created_by=one.created_by,
        created_at=one.created_at,
        withdrawn_by=one.withdrawn_by,
        withdrawn_at=one.withdrawn_at,
    )


ROUTES = (
    route(
        "GET",
        "/api/v1/ocpi/invoices",
        list_invoices,
        permission="ocpi.read",
        query=InvoicesQuery,
        answers={200: Page[InvoiceView]},
        tag="Roaming",
        summary="Invoices that partners are told of",
        description="In the order in which they were made.",
    ),
    route(
        "POST",
        "/api/v1/ocpi/invoices",
        make_invoice,
        permission="ocpi.write",
        body=InvoiceOrder,
        answers={201: InvoiceDetail},
        tag="Roaming",
        summary="Tell a partner which records an invoice is about",
        description=(
            "They are those of a statement, credits among them, and stay the same for good. A statement is in one invoice at most. "
            "Partners with OCPI 2.3.0 are sent the records and find them in the list of the module invoicereconciliation; partners "
            "with an older version cannot be told."
        ),
        problems={409: "the statement is in an invoice already, the number is that of another, or the tenant is no CPO"},
    ),
    route(
        "GET",
        "/api/v1/ocpi/invoices/{id}",
        get_invoice,
        permission="ocpi.read",
        answers={200: InvoiceDetail},
        tag="Roaming",
        summary="One invoice with its records",
    ),
    route(
        "DELETE",
        "/api/v1/ocpi/invoices/{id}",
        withdraw_invoice,
        permission="ocpi.write",
        answers={204: None},
        tag="Roaming",
        summary="Withdraw an invoice",
        description="The partner is told so, and the statement may be invoiced again.",
        problems={409: "it was withdrawn before"},
    ),
)
