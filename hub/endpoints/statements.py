"""Monthly statements of charge detail records."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.billing.cdr import Tax
from csms.pricing.tariff import Price
from csms.statements.document import Kind, StatementDocument, Totals
from csms.statements.period import BadPeriod
from csms.statements.service import NotOver
from csms.store.queries import statements as queries
from csms.store.queries.cdr_lists import CdrFilter
from csms.store.queries.statements import BeingMade, StatementFilter, StatementSummary
from hub.api.money import Money, money, money_or_none
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, Document, NoQuery, Stream, route
from hub.endpoints.cdrs import STREAM_PROBLEMS, Exported, stream_cdrs

Month = Annotated[
    str, Meta(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])\Z", description="A month in the tenant's time zone, such as 2026-07")
]
Subject = Annotated[
    str,
    Meta(
        max_length=64,
        description="Contract id, id of the token group, or partner: the party of the tokens, such as DE-ABC, or of tokens of your "
        "own their issuer; empty: of what names none. The whole tenant has the empty one",
    ),
]
StatementDoc = Annotated[
    dict[str, Any],
    Meta(
        title="StatementDocument",
        description="A statement as it was made. Numbers with decimals are texts, digit by digit as they were recorded; `rounding` "
        "is what the amounts due are above the taxed amounts, since every record is rounded by itself",
    ),
]


class StatementQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    period: Month | None = None
    kind: Kind | None = None
    subject: Subject | None = None


class StatementOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`subject` left out: of all that have records. `preview`: store nothing; then the month need not be over."""

    period: Month
    kind: Kind
    subject: Subject | None = None
    preview: bool = False


class StatementView(msgspec.Struct, frozen=True):
    """A statement in a list. `statement_id` and `number` are null in a preview. Without total_incl_vat its records state no VAT."""

    statement_id: UUID | None
    number: int | None
    period: str
    kind: Kind
    subject: str
    total_excl_vat: Money
    total_incl_vat: Money | None
    energy_kwh: Decimal
    cdr_count: int
    credit_count: int
    late_count: int
    created_by: str | None
    created_at: datetime | None


class TaxView(msgspec.Struct, frozen=True):
    """What is taxed at a rate (percent; null: no rate is stated), and the tax."""

    vat: Decimal | None
    excl_vat: Money
    amount: Money


class TotalsView(msgspec.Struct, frozen=True):
    """What a statement comes to, by rates of VAT."""

    statement: StatementView
    taxes: list[TaxView]


class StatementRun(msgspec.Struct, frozen=True):
    """`made` statements were made (in a preview: none) beside the `existing` ones; `items` are the first 500 of them."""

    period: str
    kind: Kind
    preview: bool
    made: int
    existing: int
    items: list[TotalsView]


def _of_summary(one: StatementSummary) -> StatementView:
    return StatementView(
        one.statement_id,
        one.number,
        one.period,
        one.kind,
        one.subject,
        money(one.total_excl_vat, one.currency),
        money_or_none(one.total_incl_vat, one.currency),
        one.energy_kwh,
        one.cdr_count,
        one.credit_count,
        one.late_count,
        one.created_by,
        one.created_at,
    )


def _of_document(one: StatementDocument, by: str) -> TotalsView:
    shown = _shown(one.id, one.number, one.period, one.kind, one.subject, one.currency, one.total, one)
    view = msgspec.structs.replace(shown, created_by=by, created_at=one.made_at)
    return TotalsView(view, _taxes(one.taxes, one.currency))


def _of_totals(one: Totals, period: str, kind: Kind) -> TotalsView:
    return TotalsView(_shown(None, None, period, kind, one.subject, one.currency, one.total, one), _taxes(one.taxes, one.currency))


def _shown(
    statement_id: UUID | None,
    number: int | None,
    period: str,
    kind: Kind,
    subject: str,
    currency: str,
    total: Price,
    counted: Totals | StatementDocument,
) -> StatementView:
    return StatementView(
        statement_id,
        number,
        period,
        kind,
        subject,
        money(total.excl_vat, currency),
        money_or_none(total.incl_vat, currency),
        counted.energy_kwh,
        counted.cdr_count,
        counted.credit_count,
        counted.late_count,
        None,
        None,
    )


def _taxes(taxes: list[Tax], currency: str) -> list[TaxView]:
    return [TaxView(tax.vat, money(tax.excl_vat, currency), money(tax.amount, currency)) for tax in taxes]


async def list_statements(call: Call[StatementQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after, wanted = position(call, int) or 0, StatementFilter(query.period, query.kind, query.subject)
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_statements(conn, tenant_id, after, query.limit + 1, wanted)
    )
    return Answer(200, page(call, found, lambda one: one.number, _of_summary))


async def make_statements(call: Call[NoQuery, StatementOrder]) -> Answer:
    order, statements = call.body, call.hub.statements
    try:
        if order.preview:
            preview = await statements.preview(call.tenant_id, order.period, order.kind, order.subject)
            items = [_of_totals(one, order.period, order.kind) for one in preview.totals]
            return Answer(200, StatementRun(order.period, order.kind, True, 0, preview.existing, items))
        by = call.caller.label
        made = await statements.make(call.tenant_id, order.period, order.kind, order.subject, by)
    except BadPeriod as error:
        raise invalid("period", str(error)) from None
    except NotOver:
        raise invalid("period", "is not over yet in the tenant's time zone") from None
    except BeingMade:
        raise conflict("statements of this tenant are being made at this moment") from None
    items = [_of_document(one, by) for one in made.statements]
    return Answer(201 if made.count else 200, StatementRun(order.period, order.kind, False, made.count, made.existing, items))


async def get_statement(call: Call[NoQuery, None]) -> Document:
    return Document(await _document(call), "application/json")


async def get_statement_csv(call: Call[NoQuery, None]) -> Stream:
    await _document(call)
    statement_id = call.uuid("id")
    return await stream_cdrs(call, CdrFilter(statement_id=statement_id), "csv", f"statement-{statement_id}")


async def _document(call: Call[NoQuery, None]) -> bytes:
    tenant_id, statement_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.statement_document(conn, tenant_id, statement_id))
    if found is None:
        raise not_found()
    return found


ROUTES = (
    route(
        "GET",
        "/api/v1/statements",
        list_statements,
        permission="statements.read",
        query=StatementQuery,
        answers={200: Page[StatementView]},
        tag="Statements",
        summary="Statements, in the order of their numbers",
        description="Numbers have no gaps. A statement is never changed.",
    ),
    route(
        "POST",
        "/api/v1/statements",
        make_statements,
        permission="statements.write",
        body=StatementOrder,
        answers={200: StatementRun, 201: StatementRun},
        tag="Statements",
        summary="Make the statements of a month",
        description=(
            "A record is in one statement of each kind. A statement that is made already stays as it is: records that come later, "
            "credits among them, are in the statement of a later month (`late_count`). Each currency has statements of its own, "
            "and so have records that state no VAT. Asking again makes only what is missing."
        ),
        problems={409: "statements of this tenant are being made at this moment"},
        waits=True,
    ),
    route(
        "GET",
        "/api/v1/statements/{id}",
        get_statement,
        permission="statements.read",
        answers={200: StatementDoc},
        tag="Statements",
        summary="One statement, byte for byte as it was made",
        description="Its records are at `/api/v1/cdrs?statement_id=`.",
    ),
    route(
        "GET",
        "/api/v1/statements/{id}/csv",
        get_statement_csv,
        permission="statements.read",
        answers={200: Exported},
        tag="Statements",
        summary="The records of a statement as CSV",
        problems=STREAM_PROBLEMS,
        media_type="text/csv",
    ),
)
