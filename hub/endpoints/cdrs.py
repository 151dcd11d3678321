"""Charge detail records: lists, the records themselves, computing them again, exports."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.billing.cdr import Basis, Cdr
from csms.billing.check import CdrCheck, price_again
from csms.billing.reservations import unused
from csms.billing.session_usage import load_usage
from csms.export import Format, ParquetMissing, make_writer
from csms.export.cdrs import CDRS
from csms.export.streams import cdr_numbers, export_cdrs
from csms.export.writers import MEDIA_TYPES
from csms.pricing import Tariff, Usage
from csms.store import Connection
from csms.store.queries import cdr_lists as queries
from csms.store.queries import sessions as session_queries
from csms.store.queries.cdr_lists import CdrFilter, CdrSummary
from csms.tariffs.service import load_version
from hub.api.export_slots import LONGEST_S
from hub.api.fields import Time
from hub.api.money import Money, money, money_or_none
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import Problem, not_found
from hub.api.routing import Answer, Call, Document, NoQuery, Stream, route

CdrDocument = Annotated[
    dict[str, Any],
    Meta(
        title="Cdr",
        description="A charge detail record in the shape of OCPI 2.2.1 (mod_cdrs) with `amount_due`, what is invoiced, and "
        "`lines`, which explain every amount. Numbers with decimals are texts, digit by digit as they were recorded.",
    ),
]
Exported = Annotated[str, Meta(description="One row for each record, in the order of their numbers")]


Station = Annotated[str, Meta(min_length=1, max_length=48)]
ContractId = Annotated[str, Meta(min_length=1, max_length=36)]
IdTag = Annotated[str, Meta(min_length=1, max_length=255, description="The token, in any case")]
ReservationNumber = Annotated[int, Meta(ge=1, le=2_147_483_647, description="A reservation that nobody came for")]
TariffId = Annotated[str, Meta(min_length=1, max_length=36)]
Credit = Annotated[bool, Meta(description="Credits, which take another record back; or all others")]


class CdrQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`from` (inclusive) and `to` (exclusive) bound the end of the session, or of a reservation that nobody came for."""

    end_from: Time | None = msgspec.field(default=None, name="from")
    end_to: Time | None = msgspec.field(default=None, name="to")
    session_id: UUID | None = None
    reservation_id: ReservationNumber | None = None
    charge_point_id: Station | None = None
    contract_id: ContractId | None = None
    id_tag: IdTag | None = None
    tariff_id: TariffId | None = None
    credit: Credit | None = None
    statement_id: UUID | None = None


class ExportQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same filters, and how the records are written."""

    format: Annotated[Format, Meta(description="`jsonl`: one object on each line")] = "csv"
    end_from: Time | None = msgspec.field(default=None, name="from")
    end_to: Time | None = msgspec.field(default=None, name="to")
    session_id: UUID | None = None
    reservation_id: ReservationNumber | None = None
    charge_point_id: Station | None = None
    contract_id: ContractId | None = None
    id_tag: IdTag | None = None
    tariff_id: TariffId | None = None
    credit: Credit | None = None
    statement_id: UUID | None = None


def _wanted(query: CdrQuery | ExportQuery) -> CdrFilter:
    return CdrFilter(
        query.end_from,
        query.end_to,
        query.session_id,
        query.reservation_id,
        query.charge_point_id,
        query.contract_id,
        query.id_tag,
        query.tariff_id,
        query.credit,
        query.statement_id,
    )


class CdrView(msgspec.Struct, frozen=True):
    """A record in a list; `/api/v1/cdrs/{id}` has all of it. Totals are what is due, and negative in a credit. `reservation_id`: of
    one that nobody came for, which has no session."""

    cdr_id: str
    number: int
    session_id: UUID | None
    reservation_id: int | None
    revision: int
    credit: bool
    credit_reference_id: str | None
    start_time: datetime
    end_time: datetime
    charge_point_id: str
    location_id: UUID | None
    id_tag: str | None
    contract_id: str | None
    token_group_id: UUID | None
    tariff_id: str
    tariff_version: int
    energy_wh: Decimal
    total_excl_vat: Money
    total_incl_vat: Money | None
    created_at: datetime


def _view(cdr: CdrSummary) -> CdrView:
    return CdrView(
        cdr_id=cdr.cdr_id,
        number=cdr.number,
        session_id=cdr.session_id,
        reservation_id=cdr.reservation_id,
        revision=cdr.revision,
        credit=cdr.credit_reference_id is not None,
        credit_reference_id=cdr.credit_reference_id,
        start_time=cdr.start_time,
        end_time=cdr.end_time,
        charge_point_id=cdr.charge_point_id,
        location_id=cdr.location_id,
        id_tag=cdr.id_token,
        contract_id=cdr.contract_id,
        token_group_id=cdr.token_group_id,
        tariff_id=cdr.tariff_id,
        tariff_version=cdr.tariff_version,
        energy_wh=cdr.energy_wh,
        total_excl_vat=money(cdr.total_excl_vat, cdr.currency),
        total_incl_vat=money_or_none(cdr.total_incl_vat, cdr.currency),
        created_at=cdr.created_at,
    )


async def list_cdrs(call: Call[CdrQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after, wanted = position(call, int) or 0, _wanted(query)
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_cdrs(conn, tenant_id, after, query.limit + 1, wanted)
    )
    return Answer(200, page(call, found, lambda cdr: cdr.number, _view))


async def list_cdrs_of_session(call: Call[PageQuery, None]) -> Answer:
    tenant_id, session_id, limit = call.tenant_id, call.uuid("id"), call.query.limit
    after = position(call, int) or 0

    async def read(conn: Connection) -> list[CdrSummary] | None:
        if await session_queries.get_session(conn, tenant_id, session_id) is None:
            return None
        return await queries.cdrs_of_session(conn, tenant_id, session_id, after, limit + 1)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    return Answer(200, page(call, found, lambda cdr: cdr.revision, _view))


async def get_cdr(call: Call[NoQuery, None]) -> Document:
    tenant_id, cdr_id = call.tenant_id, call.path["id"]
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.cdr_document(conn, tenant_id, cdr_id))
    if found is None:
        raise not_found()
    return Document(found, "application/json")


async def check_cdr(call: Call[NoQuery, None]) -> Answer:
    tenant_id, cdr_id = call.tenant_id, call.path["id"]

    async def read(conn: Connection) -> tuple[Cdr, Basis, Tariff, Usage | None] | None:
        found = await queries.cdr_and_basis(conn, tenant_id, cdr_id)
        if found is None:
            return None
        cdr, basis = found
        tariff = (await load_version(conn, tenant_id, cdr.tariffs[0].id, cdr.tariff_version)).tariff
        if cdr.session_id is None:
            return cdr, basis, tariff, unused(basis)
        gone = await queries.readings_gone(conn, tenant_id, cdr.session_id)
        return cdr, basis, tariff, None if gone else await load_usage(conn, tenant_id, cdr.session_id)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read, timeout=60.0)
    if found is None:
        raise not_found()
    cdr, basis, tariff, usage = found
    if usage is None:
        return Answer(200, CdrCheck(cdr.id, cdr.number, "readings_gone", []))
    return Answer(200, await call.hub.workers.run(price_again, cdr, basis, tariff, usage))


async def export(call: Call[ExportQuery, None]) -> Stream:
    return await stream_cdrs(call, _wanted(call.query), call.query.format, "cdrs")


async def stream_cdrs(call: Call[Any, Any], wanted: CdrFilter, form: Format, name: str) -> Stream:
    """An export of some records; `name` is that of the file."""
    try:
        writer = make_writer(form, CDRS)
    except ParquetMissing:
        raise Problem(501, "not-installed", "exports in Parquet need `pip install open-csms[export]`") from None
    database, tenant_id = call.hub.store.hub, call.tenant_id
    numbers = await cdr_numbers(database, tenant_id, wanted)
    return Stream(
        export_cdrs(database, tenant_id, numbers, wanted, writer),
        MEDIA_TYPES[form],
        LONGEST_S,
        call.hub.export_slots.take(tenant_id),
        {"Content-Disposition": f'attachment; filename="{name}.{form}"'},
    )


STREAM_PROBLEMS = {
    429: "the tenant has as many exports under way as it may have",
    501: "the format needs a part that is not installed",
}

ROUTES = (
    route(
        "GET",
        "/api/v1/cdrs",
        list_cdrs,
        permission="cdrs.read",
        query=CdrQuery,
        answers={200: Page[CdrView]},
        tag="Charge detail records",
        summary="Charge detail records, in the order of their numbers",
        description="Numbers have no gaps. A record is never changed: a credit takes it back, and a new one corrects it.",
    ),
    route(
        "GET",
        "/api/v1/cdrs/export",
        export,
        permission="cdrs.read",
        query=ExportQuery,
        answers={200: Exported},
        tag="Charge detail records",
        summary="Charge detail records as a file",
        description=(
            "One row for each record, as CSV, JSON, JSON lines or Parquet, of those that there are when it begins. An answer that "
            "breaks off in the midst is not complete. In CSV, texts that a spreadsheet would take for a formula begin with an "
            "apostrophe."
        ),
        problems=STREAM_PROBLEMS,
        media_type="text/csv",
    ),
    route(
        "GET",
        "/api/v1/cdrs/{id}",
        get_cdr,
        permission="cdrs.read",
        answers={200: CdrDocument},
        tag="Charge detail records",
        summary="One charge detail record, byte for byte as it was made",
    ),
    route(
        "GET",
        "/api/v1/cdrs/{id}/check",
        check_cdr,
        permission="cdrs.read",
        answers={200: CdrCheck},
        tag="Charge detail records",
        summary="Compute a charge detail record again",
        description=(
            "Prices the stored session again, by the version of the tariff and the prices that the record was made from, and names "
            "every field that comes to something else. `readings_gone`: the tenant keeps readings for a shorter time."
        ),
    ),
    route(
        "GET",
        "/api/v1/sessions/{id}/cdrs",
        list_cdrs_of_session,
        permission="cdrs.read",
        query=PageQuery,
        answers={200: Page[CdrView]},
        tag="Charge detail records",
        summary="All charge detail records of a session, the first first",
    ),
)
