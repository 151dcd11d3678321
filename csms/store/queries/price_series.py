"""Price series: prices of energy by time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from csms.pricing.tariff import MOST_SERIES_STEPS, SeriesStep
from csms.store.pool import Connection


class StoredSeries(msgspec.Struct, frozen=True):
    """A price series as the API shows it; `first_start` and `last_end` tell the time that its prices lie in."""

    series_id: str
    name: str
    currency: str
    first_start: datetime | None
    last_end: datetime | None
    created_at: datetime
    updated_at: datetime


class StoredStep(msgspec.Struct, frozen=True):
    """A price per kWh without VAT, from `start` (inclusive) to `end` (exclusive). `replaced_at`: corrected by a later upload."""

    start: datetime
    end: datetime
    price: Decimal
    recorded_at: datetime
    replaced_at: datetime | None


class Written(msgspec.Struct, frozen=True):
    """What became of an upload. `unchanged`: steps that were stored already, with this price; `replaced`: stored ones that others
    took the place of."""

    stored: int
    unchanged: int
    replaced: int


class StepsTaken(Exception):
    """Steps of the upload, by their places in it, overlap stored ones."""

    def __init__(self, places: list[int]) -> None:
        super().__init__(f"{len(places)} steps overlap stored ones")
        self.places = places


_SERIES: Final = (
    "p.series_id, p.name, p.currency, "
    "(SELECT min(s.start_time) FROM price_series_steps s WHERE s.tenant_id = p.tenant_id AND s.series_id = p.series_id "
    "AND s.replaced_at IS NULL) AS first_start, "
    # steps never overlap, so the last to begin is the last to end
    "(SELECT s.end_time FROM price_series_steps s WHERE s.tenant_id = p.tenant_id AND s.series_id = p.series_id "
    "AND s.replaced_at IS NULL ORDER BY s.start_time DESC LIMIT 1) AS last_end, p.created_at, p.updated_at"
)


async def list_series(conn: Connection, tenant_id: int, after: str, limit: int) -> list[StoredSeries]:
    rows = await conn.fetch(
        f"SELECT {_SERIES} FROM price_series p WHERE p.tenant_id = $1 AND p.series_id > $2 ORDER BY p.series_id LIMIT $3",
        tenant_id,
        after,
        limit,
    )
    return [StoredSeries(**row) for row in rows]


async def get_series(conn: Connection, tenant_id: int, series_id: str) -> StoredSeries | None:
    row = await conn.fetchrow(
        f"SELECT {_SERIES} FROM price_series p WHERE p.tenant_id = $1 AND p.series_id = $2", tenant_id, series_id
    )
    return None if row is None else StoredSeries(**row)


async def insert_series(conn: Connection, tenant_id: int, series_id: str, name: str, currency: str) -> StoredSeries | None:
    """None when there is one with this id."""
    made = await conn.fetchval(
        "INSERT INTO price_series (tenant_id, series_id, name, currency) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (tenant_id, series_id) DO NOTHING RETURNING true",
        tenant_id,
        series_id,
        name,
        currency,
    )
    return await get_series(conn, tenant_id, series_id) if made else None


async def rename_series(conn: Connection, tenant_id: int, series_id: str, name: str) -> StoredSeries | None:
    await conn.execute(
        "UPDATE price_series SET name = $3, updated_at = now() WHERE tenant_id = $1 AND series_id = $2", tenant_id, series_id, name
    )
    return await get_series(conn, tenant_id, series_id)


async def currency_of(conn: Connection, tenant_id: int, series_id: str) -> str | None:
    """None when there is no such series."""
    found: str | None = await conn.fetchval(
        "SELECT currency FROM price_series WHERE tenant_id = $1 AND series_id = $2", tenant_id, series_id
    )
    return found


async def list_steps(
    conn: Connection, tenant_id: int, series_id: str, start: datetime, end: datetime, after: datetime | None, limit: int
) -> list[StoredStep]:
    """Those that hold and overlap a time, in its order; `after`: that begin later."""
    rows = await conn.fetch(
        "SELECT start_time AS start, end_time AS end, price, recorded_at, replaced_at FROM price_series_steps "
        "WHERE tenant_id = $1 AND series_id = $2 AND replaced_at IS NULL AND start_time < $4 AND end_time > $3 "
        "AND ($5::timestamptz IS NULL OR start_time > $5) ORDER BY start_time LIMIT $6",
        tenant_id,
        series_id,
        start,
        end,
        after,
        limit,
    )
    return [StoredStep(**row) for row in rows]


async def steps_between(conn: Connection, tenant_id: int, series_id: str, start: datetime, end: datetime) -> list[SeriesStep]:
    """Those that hold and overlap a time, in its order."""
    rows = await conn.fetch(
        "SELECT start_time AS start, end_time AS end, price FROM price_series_steps "
        "WHERE tenant_id = $1 AND series_id = $2 AND replaced_at IS NULL AND start_time < $4 AND end_time > $3 "
        "ORDER BY start_time LIMIT $5",
        tenant_id,
        series_id,
        start,
        end,
        MOST_SERIES_STEPS,
    )
    return [SeriesStep(**row) for row in rows]


async def write_steps(
    conn: Connection, tenant_id: int, series_id: str, steps: Sequence[SeriesStep], *, replace: bool, dry_run: bool
) -> Written | None:
    """Store steps that do not overlap each other; None when there is no such series.

    Stored steps that they overlap are marked as replaced or, without `replace`, the reason to store nothing: StepsTaken.
    """
    locked = await conn.fetchval(
        "UPDATE price_series SET updated_at = CASE WHEN $3 THEN updated_at ELSE now() END "
        "WHERE tenant_id = $1 AND series_id = $2 RETURNING true",
        tenant_id,
        series_id,
        dry_run,
    )
    if not locked:
        return None
    known, overlapping, overlapped = await _compare(conn, tenant_id, series_id, steps)
    if overlapping and not replace:
        raise StepsTaken(sorted(overlapping))
    new = [step for place, step in enumerate(steps) if place not in known]
    if not dry_run:
        await conn.execute(
            "UPDATE price_series_steps SET replaced_at = now() "
            "WHERE tenant_id = $1 AND series_id = $2 AND step_id = ANY($3::uuid[])",
            tenant_id,
            series_id,
            overlapped,
        )
        await conn.execute(
            "INSERT INTO price_series_steps (tenant_id, series_id, step_id, start_time, end_time, price) "
            "SELECT $1, $2, gen_random_uuid(), n.start, n.stop, n.price "
            "FROM unnest($3::timestamptz[], $4::timestamptz[], $5::numeric[]) AS n (start, stop, price)",
            tenant_id,
            series_id,
            *_columns(new),
        )
    return Written(stored=len(new), unchanged=len(known), replaced=len(overlapped))


async def _compare(
    conn: Connection, tenant_id: int, series_id: str, steps: Sequence[SeriesStep]
) -> tuple[set[int], list[int], list[UUID]]:
    """Places of new steps that are stored as they are, places of new ones that overlap stored ones, and the ids of those."""
    # each side looks at the other in the order of time: one walk each way, however many steps there are
    rows = await conn.fetch(
        "WITH new AS (SELECT n.place, n.start, n.stop, s.step_id IS NOT NULL AS known "
        "FROM unnest($3::timestamptz[], $4::timestamptz[], $5::numeric[]) WITH ORDINALITY AS n (start, stop, price, place) "
        "LEFT JOIN price_series_steps s ON s.tenant_id = $1 AND s.series_id = $2 AND s.replaced_at IS NULL "
        "AND s.start_time = n.start AND s.end_time = n.stop AND s.price = n.price), "
        "both_sides AS (SELECT place, NULL::uuid AS step_id, start, stop FROM new WHERE NOT known "
        "UNION ALL SELECT NULL, step_id, start_time, end_time FROM price_series_steps "
        "WHERE tenant_id = $1 AND series_id = $2 AND replaced_at IS NULL AND start_time < $7 AND end_time > $6), "
        "looked AS (SELECT place, step_id, start, stop, "
        "max(stop) FILTER (WHERE step_id IS NULL) OVER forward AS new_until, "
        "min(start) FILTER (WHERE step_id IS NULL) OVER backward AS new_from, "
        "max(stop) FILTER (WHERE place IS NULL) OVER forward AS stored_until, "
        "min(start) FILTER (WHERE place IS NULL) OVER backward AS stored_from "
        "FROM both_sides WINDOW forward AS (ORDER BY start), backward AS (ORDER BY start DESC)) "
        "SELECT place, step_id FROM looked WHERE CASE WHEN place IS NULL THEN new_until > start OR new_from < stop "
        "ELSE stored_until > start OR stored_from < stop END "
        "UNION ALL SELECT -place, NULL FROM new WHERE known",
        tenant_id,
        series_id,
        *_columns(steps),
        min(step.start for step in steps),
        max(step.end for step in steps),
    )
    known = {-row["place"] - 1 for row in rows if row["place"] is not None and row["place"] < 0}
    overlapping = [row["place"] - 1 for row in rows if row["place"] is not None and row["place"] > 0]
    return known, overlapping, [row["step_id"] for row in rows if row["step_id"] is not None]


def _columns(steps: Sequence[SeriesStep]) -> tuple[list[datetime], list[datetime], list[Decimal]]:
    return [step.start for step in steps], [step.end for step in steps], [step.price for step in steps]
