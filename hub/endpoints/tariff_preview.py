"""What a session cost or would have cost by a tariff, line by line; nothing is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.billing.cdr import due
from csms.billing.session_usage import load_usage
from csms.pricing import BadUsage, Cost, Pricer, PriceSeries, Tariff, Usage
from csms.pricing.tariff import Price
from csms.store import Connection
from csms.store.queries import tariffs as queries
from csms.store.queries.tariffs import Charged
from csms.tariffs.service import load_series_of, load_version, newer_version
from hub.api.problems import invalid
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.tariffs import check_contents, check_series_of

_TIMEOUT_S: Final = 25


class Preview(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A `tariff` that may never have been stored, or `tariff_id` with a `version` (by default the one in force at the start); and
    a `session_id` or the `usage` of a session that never was."""

    tariff: Tariff | None = None
    tariff_id: Annotated[str, Meta(min_length=1, max_length=36)] | None = None
    version: Annotated[int, Meta(ge=1, le=999_999_999)] | None = None
    session_id: UUID | None = None
    usage: Usage | None = None


class PreviewAnswer(msgspec.Struct, frozen=True):
    """`due`: the total in the smallest unit of its currency, as it is billed. `charged`: what the session did cost so far, if it
    was priced. `difference`: what is due minus what was charged, if both are in one currency."""

    version: int | None
    cost: Cost
    due: Price
    charged: Charged | None
    difference: Price | None


class _Basis(msgspec.Struct, frozen=True):
    version: int | None
    tariff: Tariff
    series: PriceSeries
    usage: Usage
    charged: Charged | None


async def preview_tariff(call: Call[NoQuery, Preview]) -> Answer:
    body, tenant_id = call.body, call.tenant_id
    if (body.tariff is None) == (body.tariff_id is None):
        raise invalid("tariff", "either tariff or tariff_id is needed")
    if (body.usage is None) == (body.session_id is None):
        raise invalid("usage", "either usage or session_id is needed")
    if body.version is not None and body.tariff_id is None:
        raise invalid("version", "goes with tariff_id")
    if body.tariff is not None:
        check_contents(body.tariff, "tariff")
    basis = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: _load(conn, tenant_id, body), timeout=_TIMEOUT_S)
    try:
        cost = await call.hub.workers.run(_price, basis)
    except BadUsage as error:
        raise invalid(f"usage.{error.field}", str(error).removeprefix(f"{error.field}: ")) from None
    total = due(cost.total_cost, cost.currency)
    return Answer(200, PreviewAnswer(basis.version, cost, total, basis.charged, _difference(total, cost.currency, basis.charged)))


async def _load(conn: Connection, tenant_id: int, body: Preview) -> _Basis:
    usage, charged = body.usage, None
    if body.session_id is not None:
        usage = await load_usage(conn, tenant_id, body.session_id)
        charged = await queries.charged(conn, tenant_id, body.session_id)
    if usage is None:
        raise invalid("session_id", "there is no such session")
    tariff, version = body.tariff, body.version
    if tariff is None:
        tariff, version = await _stored(conn, tenant_id, body.tariff_id or "", version, usage.start)
    else:
        await check_series_of(conn, tenant_id, tariff, "tariff")
    series = await load_series_of(conn, tenant_id, tariff, usage.start, usage.end)
    return _Basis(version, tariff, series, usage, charged)


async def _stored(conn: Connection, tenant_id: int, tariff_id: str, version: int | None, at: datetime) -> tuple[Tariff, int]:
    number = version or await newer_version(conn, tenant_id, tariff_id, at)
    if number is None:
        raise invalid("tariff_id", "there is no such tariff, or no version of it was in force at the start: name a version")
    try:
        return (await load_version(conn, tenant_id, tariff_id, number)).tariff, number
    except LookupError:
        raise invalid("version", "there is no such version of such a tariff") from None


def _price(basis: _Basis) -> Cost:
    return Pricer(basis.tariff, basis.series).price(basis.usage)


def _difference(new: Price, currency: str, charged: Charged | None) -> Price | None:
    if charged is None or charged.currency != currency:
        return None
    old = due(charged.total_cost, currency)
    incl_vat = None if new.incl_vat is None or old.incl_vat is None else new.incl_vat - old.incl_vat
    return Price(new.excl_vat - old.excl_vat, incl_vat)


ROUTES = (
    route(
        "POST",
        "/api/v1/tariffs/preview",
        preview_tariff,
        permission="tariffs.preview",
        body=Preview,
        answers={200: PreviewAnswer},
        tag="Tariffs",
        summary="Price a past session, or a usage, by a tariff",
        description="Nothing is stored. A running session is priced up to its last meter value.",
    ),
)
