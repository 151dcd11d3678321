"""What partners have told us, and what the CDRs of others come to."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from csms.roaming.parties import Folded
from csms.statements.period import BadPeriod, month
from csms.store import Connection
from csms.store.queries import ocpi_received as queries
from csms.store.queries import ocpi_received_cdrs as cdr_queries
from csms.store.queries.ocpi_objects import ObjectKey
from csms.store.queries.ocpi_received import ObjectFilter, ObjectSummary
from csms.store.queries.ocpi_received_cdrs import BookedCdr, PartyTotals
from csms.store.queries.statements import tenant_facts
from hub.api.money import Money, money, money_or_none
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.statements import Month
from schemas.ocpi221.base import fold

Module = Literal["locations", "sessions", "cdrs", "tariffs", "tokens", "invoicereconciliation"]
PartyCode = Annotated[
    str, Meta(pattern=r"^[A-Za-z]{2}-[A-Za-z0-9]{3}\Z", description="Country code and party id, such as DE-ABC, in any case")
]
ObjectId = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]+\Z", description="In any case")]


class ObjectQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    module: Module = "locations"
    owner: PartyCode | None = None
    object_id: ObjectId | None = None
    driver: Annotated[PartyCode, Meta(description="Sessions and CDRs: the party of their token")] | None = None
    partner_id: UUID | None = None


class FindingView(msgspec.Struct, frozen=True):
    """Something doubtful about a CDR: where, the rule, and what it is."""

    field: str
    rule: str
    text: str


class BookedView(msgspec.Struct, frozen=True):
    """A CDR of somebody else's as it is in the books. Of a credit the amounts are negative. `computed_…`: what the CDR's own tariff
    makes of its periods; null where that cannot be told."""

    total_excl_vat: Money
    total_incl_vat: Money | None
    computed_excl_vat: Money | None
    computed_incl_vat: Money | None
    findings: list[FindingView]


class ObjectView(msgspec.Struct, frozen=True):
    """An object of OCPI. `object_no` is its number in lists. Owner and `driver` (the party of the token of a session or CDR) are in
    capitals, `object_id` in lower case: the document spells it as its owner does. `deleted_at`: of a tariff that is gone."""

    object_no: int
    module: str
    owner: str
    object_id: str
    type: str | None
    partner_id: UUID | None
    driver: str | None
    last_updated: datetime
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ObjectDetail(msgspec.Struct, frozen=True):
    """An object, and its document as it was told. `booked`: of CDRs of others."""

    object: ObjectView
    document: Annotated[Any, Meta(description="As OCPI 2.2.1 has it, with members that we do not know")]
    booked: BookedView | None


class StatementQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    period: Annotated[Month | None, Meta(description="Left out: this month")] = None


class PartyStatement(msgspec.Struct, frozen=True):
    """What the CDRs of one party, in one currency, come to; credits are taken off. Without total_incl_vat they state no VAT.

    `doubtful_count`: those with findings. `computed_count` of them could be priced again by their own tariffs: those say
    `said_excl_vat` together, and it makes `computed_excl_vat`.
    """

    party: str
    currency: str
    cdr_count: int
    credit_count: int
    doubtful_count: int
    energy_kwh: Decimal
    total_excl_vat: Money
    total_incl_vat: Money | None
    computed_count: int
    said_excl_vat: Money | None
    computed_excl_vat: Money | None


async def list_objects(call: Call[ObjectQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, int) or 0
    wanted = ObjectFilter(
        module=query.module,
        owner=_folded(query.owner),
        object_id=None if query.object_id is None else fold(query.object_id),
        with_party=_folded(query.driver),
        partner_id=query.partner_id,
    )
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_summaries(conn, tenant_id, wanted, after, query.limit + 1)
    )
    return Answer(200, page(call, found, lambda one: one.object_no, _of_summary))


async def get_object(call: Call[NoQuery, None]) -> Answer:
    tenant_id, number = call.tenant_id, call.path["object_no"]
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise not_found()

    async def look(conn: Connection) -> tuple[ObjectSummary, msgspec.Raw, BookedCdr | None]:
        found = await queries.get_numbered(conn, tenant_id, call.path["module"], int(number))
        if found is None:
            raise not_found()
        summary, document = found
        booked = None
        if summary.module == "cdrs":
            key = ObjectKey("cdrs", (summary.country_code, summary.party_id), summary.object_id)
            booked = await cdr_queries.get_cdr(conn, tenant_id, key)
        return summary, document, booked

    summary, document, booked = await call.hub.store.hub.tenant_unit(tenant_id, look)
    return Answer(200, ObjectDetail(_of_summary(summary), document, None if booked is None else _of_booked(booked)))


async def received_statements(call: Call[StatementQuery, None]) -> Answer:
    tenant_id, query, now = call.tenant_id, call.query, call.hub.clock.now()
    after = position(call, tuple[str, str, str, bool])

    async def look(conn: Connection) -> list[PartyTotals]:
        tenant = await tenant_facts(conn, tenant_id)
        name = query.period or now.astimezone(ZoneInfo(tenant.time_zone)).strftime("%Y-%m")
        period = month(name, tenant.time_zone)
        return await cdr_queries.month_totals(conn, tenant_id, period.start, period.end, after, query.limit + 1)

    try:
        found = await call.hub.store.hub.tenant_unit(tenant_id, look)
    except BadPeriod as error:
        raise invalid("period", str(error)) from None
    return Answer(200, page(call, found, lambda one: (one.country_code, one.party_id, one.currency, one.vat_stated), _of_totals))


def _folded(party: str | None) -> Folded | None:
    if party is None:
        return None
    country_code, _, party_id = fold(party).partition("-")
    return country_code, party_id


def _code(country_code: str, party_id: str) -> str:
    return f"{country_code}-{party_id}".upper()


def _of_summary(one: ObjectSummary) -> ObjectView:
    return ObjectView(
        object_no=one.object_no,
        module=one.module,
        owner=_code(one.country_code, one.party_id),
        object_id=one.object_id,
        type=one.kind or None,
        partner_id=one.partner_id,
        driver=None
        if one.with_country_code is None or one.with_party_id is None
        else _code(one.with_country_code, one.with_party_id),
        last_updated=one.last_updated,
        deleted_at=one.deleted_at,
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


def _of_booked(one: BookedCdr) -> BookedView:
    computed = one.computed
    return BookedView(
        money(one.total.excl_vat, one.currency),
        money_or_none(one.total.incl_vat, one.currency),
        money_or_none(None if computed is None else computed.excl_vat, one.currency),
        money_or_none(None if computed is None else computed.incl_vat, one.currency),
        [FindingView(finding.field, finding.rule, finding.text) for finding in one.findings],
    )


def _of_totals(one: PartyTotals) -> PartyStatement:
    return PartyStatement(
        party=_code(one.country_code, one.party_id),
        currency=one.currency,
        cdr_count=one.cdr_count,
        credit_count=one.credit_count,
        doubtful_count=one.doubtful_count,
        energy_kwh=one.energy_kwh,
        total_excl_vat=money(one.total_excl_vat, one.currency),
        total_incl_vat=money_or_none(one.total_incl_vat, one.currency),
        computed_count=one.computed_count,
        said_excl_vat=money_or_none(one.priced_excl_vat, one.currency),
        computed_excl_vat=money_or_none(one.computed_excl_vat, one.currency),
    )


ROUTES = (
    route(
        "GET",
        "/api/v1/ocpi/objects",
        list_objects,
        permission="ocpi.read",
        query=ObjectQuery,
        answers={200: Page[ObjectView]},
        tag="Roaming",
        summary="Objects that partners have told us of",
        description="In the order in which they became known. The documents are with each object.",
    ),
    route(
        "GET",
        "/api/v1/ocpi/objects/{module}/{object_no}",
        get_object,
        permission="ocpi.read",
        answers={200: ObjectDetail},
        tag="Roaming",
        summary="One object of a partner with its document",
        description="Of CDRs of others also what is in the books, and what is doubtful about them.",
    ),
    route(
        "GET",
        "/api/v1/ocpi/received-statements",
        received_statements,
        permission="ocpi.read",
        query=StatementQuery,
        answers={200: Page[PartyStatement]},
        tag="Roaming",
        summary="What the CDRs of others come to in a month, by their party",
        description=(
            "A CDR is in the month, of the tenant's time zone, in which its session ended. Those with and without VAT are apart, "
            "as are currencies. Nothing is left out for being doubtful."
        ),
    ),
)
