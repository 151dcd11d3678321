"""CDRs in the database, priced by the engine and stored as billing stores them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec

from csms.billing.cdr import Basis, Cdr, CdrLocation, CdrToken, Snapshot, credit, make_cdr
from csms.billing.session_usage import load_usage
from csms.clock import SystemClock, SystemIds
from csms.pricing import Pricer, Tariff, Usage, read_tariff, write_tariff
from csms.pricing.usage import EnergyReading
from csms.store import Connection
from csms.store.queries import cdrs as queries
from tests.integration.hub.harness import Field, RunningHub, reading

TARIFF = {
    "id": "PLAIN",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.4567, "step_size": 1, "vat": 19}]}],
}
_ids = SystemIds(SystemClock())


def tariff(name: str, currency: str = "EUR", vat: float | None = 19, *, price: float = 0.4567) -> Tariff:
    component = {"type": "ENERGY", "price": price, "step_size": 1} | ({} if vat is None else {"vat": vat})
    return read_tariff(msgspec.json.encode({"id": name, "currency": currency, "elements": [{"price_components": [component]}]}))


async def store_tariffs(hub: RunningHub, tenant_id: int, tariffs: Sequence[Tariff]) -> None:
    for one in tariffs:
        await hub.sql("INSERT INTO tariffs (tenant_id, tariff_id, name) VALUES ($1, $2, $2)", tenant_id, one.id)
        await hub.sql(
            "INSERT INTO tariff_versions (tenant_id, tariff_id, version, valid_from, tariff, created_by) "
            "VALUES ($1, $2, 1, '2020-01-01Z', $3::json, 'user:somebody')",
            tenant_id,
            one.id,
            write_tariff(one).decode(),
        )


def charged(kwh: str, end: datetime, minutes: int = 60) -> Usage:
    """A session that charged evenly until `end`."""
    start = end - timedelta(minutes=minutes)
    readings = [EnergyReading(start, Decimal(0)), EnergyReading(end, Decimal(kwh) * 1000)]
    return Usage(start, end, "Europe/Berlin", readings)


async def store_cdr(
    hub: RunningHub,
    tenant_id: int,
    station_id: int,
    by: Tariff,
    usage: Usage,
    *,
    token: CdrToken | None = None,
    group_id: UUID | None = None,
    session_id: UUID | None = None,
    location: str = "TWIN-1",
    credited: bool = False,
) -> list[Cdr]:
    """The CDR of a session and, when it is credited, the credit."""
    cost = Pricer(by).price(usage)
    snapshot = Snapshot(
        session_id=session_id or _ids.uuid7(),
        transaction_id="4711",
        token=token,
        location=CdrLocation(location, usage.time_zone, name="=1+1 Street"),
        auth_method="AUTH_REQUEST",
        stop_reason="Local",
    )

    async def work(conn: Connection) -> list[Cdr]:
        made = [make_cdr(str(_ids.uuid7()), await queries.take_number(conn, tenant_id), snapshot, by, 1, cost)]
        if credited:
            made.append(credit(made[0], f"{made[0].id}-C", await queries.take_number(conn, tenant_id)))
        for revision, cdr in enumerate(made, 1):
            basis = Basis(usage.start, usage.end, usage.time_zone)
            await queries.insert_cdr(conn, tenant_id, cdr, revision=revision, station_id=station_id, group_id=group_id, basis=basis)
        return made

    return await hub.store.hub.tenant_unit(tenant_id, work)


async def billed_session(hub: RunningHub, field: Field, slug: str, identity: str) -> tuple[UUID, Cdr]:
    """A session that a station has reported, and its CDR."""
    tenant_id, station_id = await field.tenant_id(slug), await field.connect(slug, identity)
    transaction = await field.start(slug, station_id)
    await field.meter(slug, station_id, transaction, *[reading(minute, str(1000 + 60 * minute)) for minute in range(1, 59)])
    await field.stop(slug, station_id, transaction)
    rows = await hub.sql(
        "SELECT session_id FROM sessions WHERE tenant_id = $1 AND station_id = $2 ORDER BY created_at DESC LIMIT 1",
        tenant_id,
        station_id,
    )
    session_id = rows[0]["session_id"]
    usage = await hub.store.hub.tenant_unit(tenant_id, lambda conn: load_usage(conn, tenant_id, session_id))
    assert usage is not None
    plain = tariff("PLAIN")
    await store_tariffs(hub, tenant_id, [plain])
    (cdr,) = await store_cdr(
        hub, tenant_id, station_id, plain, usage, token=CdrToken("TAG1"), session_id=session_id, location=identity
    )
    return session_id, cdr


MONTH_END = datetime(2026, 3, 31, 21, 30, tzinfo=UTC)
