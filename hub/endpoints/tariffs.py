"""Tariffs: what charging costs, in versions that never change."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from csms.pricing.tariff import Tariff
from csms.pricing.tariff_check import check_tariff, write_tariff
from csms.store import Connection
from csms.store.queries import price_series as series_queries
from csms.store.queries import tariffs as queries
from csms.store.queries.tariffs import NewVersion, OnChange, StoredTariff, StoredVersion
from hub.api.fields import Name, Time
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import FieldError, Problem, conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

Note = Annotated[str, Meta(min_length=1, max_length=500, description="Kept with the version")]

# OCPI allows every printable character; an id of ours is part of addresses too
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:*+@-]*")
_LATENESS: Final = timedelta(minutes=1)
_AFTER_ALL: Final = 2**31 - 1


class NewTariff(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`valid_from`: when version 1 begins, by default now; it may lie in the past."""

    name: Name
    tariff: Tariff
    on_change: OnChange = "keep"
    valid_from: Time | None = None
    note: Note | None = None


class TariffChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not named stays. Prices change by a new version only."""

    name: Name | None = None
    on_change: OnChange | None = None


class NewTariffVersion(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`valid_from`: by default now."""

    tariff: Tariff
    valid_from: Time | None = None
    note: Note | None = None


class TariffQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    retired: Annotated[bool, Meta(description="The retired ones instead of the others")] = False


async def list_tariffs(call: Call[TariffQuery, None]) -> Answer:
    tenant_id, query, now = call.tenant_id, call.query, call.hub.clock.now()
    after = position(call, str) or ""
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_tariffs(conn, tenant_id, now, after, query.limit + 1, retired=query.retired)
    )
    return Answer(200, page(call, found, lambda tariff: tariff.tariff_id, lambda tariff: tariff))


async def get_tariff(call: Call[NoQuery, None]) -> Answer:
    tenant_id, tariff_id, now = call.tenant_id, call.path["id"], call.hub.clock.now()
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_tariff(conn, tenant_id, tariff_id, now))
    if found is None:
        raise not_found()
    return Answer(200, found)


async def create_tariff(call: Call[NoQuery, NewTariff]) -> Answer:
    body, tenant_id, now = call.body, call.tenant_id, call.hub.clock.now()
    check_contents(body.tariff, "tariff")
    tariff_id = body.tariff.id
    first = NewVersion(body.valid_from or now, write_tariff(body.tariff), body.note, call.caller.label)

    async def create(conn: Connection) -> StoredTariff | None:
        await check_series_of(conn, tenant_id, body.tariff, "tariff")
        if await queries.insert_tariff(conn, tenant_id, tariff_id, body.name, body.on_change, first) is None:
            raise conflict("a tariff with this id, in this or another case, exists already or did once")
        return await queries.get_tariff(conn, tenant_id, tariff_id, now)

    made = await call.hub.store.hub.tenant_unit(tenant_id, create)
    return Answer(201, made, {"Location": f"/api/v1/tariffs/{tariff_id}"})


async def change_tariff(call: Call[NoQuery, TariffChange]) -> Answer:
    body, tenant_id, tariff_id, now = call.body, call.tenant_id, call.path["id"], call.hub.clock.now()

    async def change(conn: Connection) -> StoredTariff | None:
        await _lock(conn, tenant_id, tariff_id, now)
        await queries.change_tariff(conn, tenant_id, tariff_id, body.name, body.on_change)
        return await queries.get_tariff(conn, tenant_id, tariff_id, now)

    return Answer(200, await call.hub.store.hub.tenant_unit(tenant_id, change))


async def retire_tariff(call: Call[NoQuery, None]) -> Answer:
    tenant_id, tariff_id, now = call.tenant_id, call.path["id"], call.hub.clock.now()
    if not await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.retire_tariff(conn, tenant_id, tariff_id, now)):
        raise not_found()
    return Answer(204)


async def put_version(call: Call[NoQuery, NewTariffVersion]) -> Answer:
    body, tenant_id, tariff_id, now = call.body, call.tenant_id, call.path["id"], call.hub.clock.now()
    check_contents(body.tariff, "tariff")
    new = NewVersion(body.valid_from or now, write_tariff(body.tariff), body.note, call.caller.label)

    async def put(conn: Connection) -> tuple[int, StoredVersion]:
        known = await _lock(conn, tenant_id, tariff_id, now)
        if body.tariff.id != tariff_id:
            raise invalid("tariff.id", "is not the id of this tariff")
        newest = await queries.get_version(conn, tenant_id, tariff_id, known.newest_version)
        if newest is not None and newest.tariff == body.tariff and body.valid_from in (None, newest.valid_from):
            return 200, newest  # the same request again
        if new.valid_from < now - _LATENESS:
            raise invalid("valid_from", "is in the past: what sessions were priced by stays as it was")
        if body.tariff.currency != known.currency:
            raise invalid("tariff.currency", f"is not {known.currency}, which the tariff began with")
        await check_series_of(conn, tenant_id, body.tariff, "tariff")
        return 201, await queries.insert_version(conn, tenant_id, tariff_id, new)

    status, version = await call.hub.store.hub.tenant_unit(tenant_id, put)
    return Answer(status, version, {"Location": f"/api/v1/tariffs/{tariff_id}/versions/{version.version}"})


async def list_versions(call: Call[PageQuery, None]) -> Answer:
    tenant_id, tariff_id, limit = call.tenant_id, call.path["id"], call.query.limit
    before = position(call, int) or _AFTER_ALL
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_versions(conn, tenant_id, tariff_id, before, limit + 1)
    )
    if not found and before == _AFTER_ALL:
        raise not_found()  # every tariff has a version 1
    return Answer(200, page(call, found, lambda version: version.version, lambda version: version))


async def get_version(call: Call[NoQuery, None]) -> Answer:
    tenant_id, tariff_id, number = call.tenant_id, call.path["id"], version_number(call.path["version"])
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_version(conn, tenant_id, tariff_id, number))
    if found is None:
        raise not_found()
    return Answer(200, found)


def version_number(text: str) -> int:
    """A version in a path; raises Problem 404 for what can be none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise not_found()
    return int(text)


def check_contents(tariff: Tariff, field: str) -> None:
    """Raises Problem 422 that names every field of the tariff that cannot be used."""
    errors = [FieldError(f"{field}.{problem.field}".removesuffix("."), problem.reason) for problem in check_tariff(tariff)]
    if not _ID.fullmatch(tariff.id):
        errors.append(FieldError(f"{field}.id", "is not a letter or digit followed by letters, digits and _.:*+@-"))
    if errors:
        raise Problem(422, "invalid-input", "the tariff is not acceptable", errors=errors)


async def check_series_of(conn: Connection, tenant_id: int, tariff: Tariff, field: str) -> None:
    """Raises Problem 422 unless the price series that the tariff names is there, in the tariff's currency."""
    if tariff.extensions is None or tariff.extensions.dynamic_energy is None:
        return
    currency = await series_queries.currency_of(conn, tenant_id, tariff.extensions.dynamic_energy.series)
    if currency is None:
        raise invalid(f"{field}.extensions.dynamic_energy.series", "there is no such price series")
    if currency != tariff.currency:
        raise invalid(f"{field}.extensions.dynamic_energy.series", f"is in {currency}")


async def _lock(conn: Connection, tenant_id: int, tariff_id: str, now: datetime) -> StoredTariff:
    """Raises Problem 404 for a tariff that is not there, 409 for a retired one."""
    known = await queries.get_tariff(conn, tenant_id, tariff_id, now, lock=True)
    if known is None:
        raise not_found()
    if known.retired_at is not None:
        raise conflict("the tariff is retired")
    return known


ROUTES = (
    route(
        "GET",
        "/api/v1/tariffs",
        list_tariffs,
        permission="tariffs.read",
        query=TariffQuery,
        answers={200: Page[StoredTariff]},
        tag="Tariffs",
        summary="The tenant's tariffs",
    ),
    route(
        "POST",
        "/api/v1/tariffs",
        create_tariff,
        permission="tariffs.write",
        body=NewTariff,
        answers={201: StoredTariff},
        tag="Tariffs",
        summary="Make a tariff with its version 1",
        description=(
            "`tariff` is a Tariff of OCPI 2.2.1 without its owner and last_updated, and with what OCPI does not know in "
            "`extensions`. Numbers are kept to the digit. Nobody is charged by it before it is assigned."
        ),
        problems={409: "the id is or was taken"},
    ),
    route(
        "GET",
        "/api/v1/tariffs/{id}",
        get_tariff,
        permission="tariffs.read",
        answers={200: StoredTariff},
        tag="Tariffs",
        summary="One tariff, retired or not",
    ),
    route(
        "PATCH",
        "/api/v1/tariffs/{id}",
        change_tariff,
        permission="tariffs.write",
        body=TariffChange,
        answers={200: StoredTariff},
        tag="Tariffs",
        summary="Rename a tariff, or change what running sessions do at a new version",
        problems={409: "the tariff is retired"},
    ),
    route(
        "DELETE",
        "/api/v1/tariffs/{id}",
        retire_tariff,
        permission="tariffs.write",
        answers={204: None},
        tag="Tariffs",
        summary="Retire a tariff",
        description="Sessions that start from now on do not get it; those that have it keep it. Its id stays taken.",
    ),
    route(
        "GET",
        "/api/v1/tariffs/{id}/versions",
        list_versions,
        permission="tariffs.read",
        query=PageQuery,
        answers={200: Page[StoredVersion]},
        tag="Tariffs",
        summary="The versions of a tariff, newest first",
    ),
    route(
        "PUT",
        "/api/v1/tariffs/{id}/versions",
        put_version,
        permission="tariffs.write",
        body=NewTariffVersion,
        answers={200: StoredVersion, 201: StoredVersion},
        tag="Tariffs",
        summary="Make the next version of a tariff",
        description=(
            "It is in force from `valid_from` on, and never changes. Versions after the first do not begin in the past. What is "
            "the newest version already is answered with 200 and makes none."
        ),
        problems={409: "the tariff is retired"},
    ),
    route(
        "GET",
        "/api/v1/tariffs/{id}/versions/{version}",
        get_version,
        permission="tariffs.read",
        answers={200: StoredVersion},
        tag="Tariffs",
        summary="One version of a tariff",
    ),
)
