"""Price series: what energy costs by time, for tariffs with dynamic prices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from csms.domain.times import EARLIEST, LATEST
from csms.pricing.tariff import MOST_SERIES_STEPS
from csms.pricing.tariff_check import Problem as StepProblem
from csms.store import Connection
from csms.store.queries import price_series as queries
from csms.store.queries.price_series import StepsTaken, StoredSeries, StoredStep, Written
from csms.tariffs.upload import BadSteps, Step, Steps, check_steps, name_steps, read_csv
from hub.api.decoding import Upload, decode_body
from hub.api.fields import Name, Time
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import FieldError, Problem, conflict, not_found
from hub.api.routing import Answer, Call, NoQuery, route

SeriesId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:*+@-]*\Z")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="ISO 4217")]

_MOST_NAMED: Final = 100
_WRITE_TIMEOUT_S: Final = 25
_MOST_BYTES: Final = 12_000_000


class NewPriceSeries(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    series_id: SeriesId
    name: Name
    currency: Currency


class PriceSeriesChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Name


class StepsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`start` and `end`: steps that overlap this time."""

    start: Time | None = None
    end: Time | None = None


class UploadQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    on_existing: Annotated[
        Literal["replace", "fail"], Meta(description="What becomes of stored steps that the new ones overlap, if prices differ")
    ] = "fail"
    dry_run: Annotated[bool, Meta(description="Answer as if, and store nothing")] = False


class UploadReport(msgspec.Struct, frozen=True):
    """`stored` steps are new, `unchanged` ones were there with this price; `replaced` stored ones were marked as replaced."""

    dry_run: bool
    steps: int
    stored: int
    unchanged: int
    replaced: int


async def list_price_series(call: Call[PageQuery, None]) -> Answer:
    tenant_id, limit = call.tenant_id, call.query.limit
    after = position(call, str) or ""
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.list_series(conn, tenant_id, after, limit + 1))
    return Answer(200, page(call, found, lambda series: series.series_id, lambda series: series))


async def get_price_series(call: Call[NoQuery, None]) -> Answer:
    tenant_id, series_id = call.tenant_id, call.path["id"]
    return _found(await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_series(conn, tenant_id, series_id)))


async def create_price_series(call: Call[NoQuery, NewPriceSeries]) -> Answer:
    body, tenant_id = call.body, call.tenant_id
    made = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.insert_series(conn, tenant_id, body.series_id, body.name, body.currency)
    )
    if made is None:
        raise conflict("a price series with this id exists already")
    return Answer(201, made, {"Location": f"/api/v1/price-series/{body.series_id}"})


async def change_price_series(call: Call[NoQuery, PriceSeriesChange]) -> Answer:
    tenant_id, series_id, name = call.tenant_id, call.path["id"], call.body.name
    return _found(
        await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.rename_series(conn, tenant_id, series_id, name))
    )


async def list_price_steps(call: Call[StepsQuery, None]) -> Answer:
    tenant_id, series_id, query = call.tenant_id, call.path["id"], call.query
    after = position(call, datetime)
    start, end = query.start or EARLIEST, query.end or LATEST

    async def read(conn: Connection) -> list[StoredStep] | None:
        if await queries.currency_of(conn, tenant_id, series_id) is None:
            return None
        return await queries.list_steps(conn, tenant_id, series_id, start, end, after, query.limit + 1)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    return Answer(200, page(call, found, lambda step: step.start, lambda step: step))


async def upload_price_steps(call: Call[UploadQuery, Upload]) -> Answer:
    tenant_id, series_id, query = call.tenant_id, call.path["id"], call.query
    named = await call.hub.workers.run(_READERS[call.body.media_type], call.body.content)
    steps = [one.step for one in named]

    async def write(conn: Connection) -> Written | None:
        return await queries.write_steps(
            conn, tenant_id, series_id, steps, replace=query.on_existing == "replace", dry_run=query.dry_run
        )

    try:
        written = await call.hub.store.hub.tenant_unit(tenant_id, write, timeout=_WRITE_TIMEOUT_S)
    except StepsTaken as error:
        errors = [
            FieldError(named[place].name, "overlaps a stored step with another price") for place in error.places[:_MOST_NAMED]
        ]
        detail = f"{len(error.places)} steps overlap stored ones; on_existing=replace would replace those"
        raise Problem(409, "conflict", detail, errors=errors) from None
    if written is None:
        raise not_found()
    return Answer(200, UploadReport(query.dry_run, len(steps), written.stored, written.unchanged, written.replaced))


def _from_json(content: bytes) -> list[Step]:
    return _checked(lambda: name_steps(decode_body(content, "application/json", Steps)))


def _from_csv(content: bytes) -> list[Step]:
    return _checked(lambda: read_csv(content))


_READERS: Final[dict[str, Callable[[bytes], list[Step]]]] = {"application/json": _from_json, "text/csv": _from_csv}


def _checked(read: Callable[[], list[Step]]) -> list[Step]:
    """In the order of time, in UTC. Raises Problem 422 that names what is wrong."""
    try:
        return check_steps(read())
    except BadSteps as error:
        raise Problem(422, "invalid-input", "the steps are not acceptable", errors=_errors(error.problems)) from None


def _errors(problems: Sequence[StepProblem]) -> list[FieldError]:
    return [FieldError(problem.field, problem.reason) for problem in problems[:_MOST_NAMED]]


def _found(series: StoredSeries | None) -> Answer:
    if series is None:
        raise not_found()
    return Answer(200, series)


ROUTES = (
    route(
        "GET",
        "/api/v1/price-series",
        list_price_series,
        permission="tariffs.read",
        query=PageQuery,
        answers={200: Page[StoredSeries]},
        tag="Tariffs",
        summary="The tenant's price series",
    ),
    route(
        "POST",
        "/api/v1/price-series",
        create_price_series,
        permission="tariffs.write",
        body=NewPriceSeries,
        answers={201: StoredSeries},
        tag="Tariffs",
        summary="Make a price series",
        problems={409: "the id is taken"},
    ),
    route(
        "GET",
        "/api/v1/price-series/{id}",
        get_price_series,
        permission="tariffs.read",
        answers={200: StoredSeries},
        tag="Tariffs",
        summary="One price series",
    ),
    route(
        "PATCH",
        "/api/v1/price-series/{id}",
        change_price_series,
        permission="tariffs.write",
        body=PriceSeriesChange,
        answers={200: StoredSeries},
        tag="Tariffs",
        summary="Rename a price series",
    ),
    route(
        "GET",
        "/api/v1/price-series/{id}/steps",
        list_price_steps,
        permission="tariffs.read",
        query=StepsQuery,
        answers={200: Page[StoredStep]},
        tag="Tariffs",
        summary="The prices of a time",
    ),
    route(
        "POST",
        "/api/v1/price-series/{id}/steps",
        upload_price_steps,
        permission="tariffs.write",
        query=UploadQuery,
        body=Upload,
        takes={"application/json": Steps, "text/csv": str},
        most_bytes=_MOST_BYTES,
        answers={200: UploadReport},
        tag="Tariffs",
        summary="Store prices",
        description=(
            f"At most {MOST_SERIES_STEPS} steps, all or nothing; prices per kWh without VAT. CSV is UTF-8 with a header of "
            "the columns start, end and price. Steps must not overlap each other. Steps that are stored already change nothing."
        ),
        problems={409: "the steps overlap stored ones with other prices"},
    ),
)
