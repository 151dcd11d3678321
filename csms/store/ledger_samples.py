"""Meter readings in the ledger's transaction: one row per meterValue, its shape interned (design 4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from csms.domain.metering import Channel, Reading
from csms.ledger.rows import SampleRow, StationSampleRow
from csms.store.in_order import InOrder
from csms.store.pool import Connection
from csms.store.unnest import RowType, array_literal

Shape = tuple[Channel, ...]

SHAPES_MAX: Final = 5_000
"""Interned shapes per tenant. A station that keeps inventing units uses them up; readings carry their shape themselves then."""
LONGEST_INTERNED: Final = 2_000
"""Characters of an interned shape; an index entry has room for no more than 2,704 bytes."""

_READING_COLUMNS: Final = (
    ("ts", "timestamptz"),
    ("ts_text", "text"),
    ("context", "int2"),
    ("shape_id", "int4"),
    ("shape", "text"),
    ("numbers", "text"),
    ("texts", "text"),
)
_SAMPLE_COLUMNS: Final = (
    ("tenant_id", "int4"),
    ("session_id", "uuid"),
    ("station_id", "int8"),
    ("wh", "text"),
    ("event", "text"),
    ("ts", "timestamptz"),
    ("context", "int2"),
    ("shape_id", "int4"),
    ("numbers", "text"),
)
_RARE_COLUMNS: Final = (("ts_text", "text"), ("shape", "text"), ("texts", "text"))
_SAMPLE: Final = RowType((*_SAMPLE_COLUMNS, *_RARE_COLUMNS))
_ORDINARY_SAMPLE: Final = RowType(_SAMPLE_COLUMNS)
"""Of a reading whose shape is interned, and whose time and values are a time and numbers. Each column costs both ends of the
connection as much as the values in it."""
_STATION_SAMPLE: Final = RowType((("tenant_id", "int4"), ("station_id", "int8"), ("evse_id", "int4"), *_READING_COLUMNS))
_SHAPE: Final = RowType((("tenant_id", "int4"), ("shape", "text")))

_TEXTS: Final = "CASE WHEN n.texts IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(n.texts::jsonb)) END"


def _store_and_move(source: str) -> str:
    return (
        f"n AS (SELECT * FROM {source}), "
        # A repeated message brings nothing new: it moves no register and publishes no event.
        'fresh AS (INSERT INTO samples (tenant_id, session_id, ts, ts_text, context, shape_id, shape, "values", texts) '
        f"SELECT n.tenant_id, n.session_id, n.ts, n.ts_text, n.context, n.shape_id, n.shape, n.numbers::numeric[], {_TEXTS} "
        "FROM n WHERE NOT EXISTS (SELECT FROM samples s WHERE s.tenant_id = n.tenant_id "
        "AND s.session_id = n.session_id AND s.ts = n.ts AND s.context = n.context "
        "AND s.shape_id IS NOT DISTINCT FROM n.shape_id AND s.shape IS NOT DISTINCT FROM n.shape "
        'AND s."values" = n.numbers::numeric[]) RETURNING session_id), '
        "news AS (SELECT n.tenant_id, n.session_id, n.station_id, n.ts, n.wh::numeric AS wh, n.event FROM n "
        "WHERE n.event IS NOT NULL AND n.session_id IN (SELECT session_id FROM fresh)), "
        "moved AS (UPDATE sessions x SET last_meter_wh = news.wh, last_meter_time = news.ts, "
        "energy_wh = news.wh - x.start_meter_wh, updated_at = now() FROM news "
        # the empty text keeps the planner from walking all active sessions by their partial index
        "WHERE x.tenant_id = news.tenant_id AND x.session_id = news.session_id AND x.station_id = news.station_id "
        "AND x.status || '' = 'active' "
        # a clock that once ran ahead must not hold the register for ever
        "AND news.wh IS NOT NULL AND (x.last_meter_time IS NULL OR least(x.last_meter_time, x.updated_at) <= news.ts) "
        "RETURNING x.session_id), "
        "told AS (INSERT INTO outbox (tenant_id, type, station_id, session_id, occurred_at, data) "
        "SELECT n.tenant_id, 'session.meter_values', n.station_id, n.session_id, n.ts, n.event FROM news n)"
    )


_STORE_AND_MOVE: Final = _store_and_move(_SAMPLE.source("s"))
_STORE_AND_MOVE_ORDINARY: Final = _store_and_move(
    f"(SELECT *, {', '.join(f'NULL::{kind} AS {name}' for name, kind in _RARE_COLUMNS)} FROM {_ORDINARY_SAMPLE.source('o')}) s"
)
_UNMOVED: Final = (
    "SELECT session_id FROM news WHERE wh IS NOT NULL AND ts IS NOT NULL AND session_id NOT IN (SELECT session_id FROM moved)"
)


class ShapeCache:
    """Ids of interned shapes that are committed, by tenant. Ids never change; the cache begins anew when it grows too big."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, Shape], int] = {}

    def find(self, tenant_id: int, shape: Shape) -> int | None:
        return self._ids.get((tenant_id, shape))

    def learn(self, ids: Mapping[tuple[int, Shape], int]) -> None:
        if len(self._ids) >= 100_000:
            self._ids = {}
        self._ids.update(ids)


class SampleStatements:
    connection: Connection
    later: InOrder
    shapes: ShapeCache
    shape_ids: dict[tuple[int, int], int | None]
    """What this transaction uses, by tenant and `id(shape)`: version modules hand out the same tuple for the same layout, and
    hashing one costs more than all the rest of a row. The rows keep the tuples alive."""
    learnt: dict[tuple[int, Shape], int]
    """What this transaction interned: it may still be rolled back, so nobody else sees it before the commit."""

    async def insert_samples(self, rows: Sequence[SampleRow]) -> list[SampleRow]:
        await self._intern([(row.tenant_id, row.reading.shape) for row in rows])
        columns = _SAMPLE.parameters(map(self._sample, rows))
        statement, common = _STORE_AND_MOVE, len(_SAMPLE_COLUMNS)
        if all(column.count(None) == len(rows) for column in columns[common:]):
            statement, columns = _STORE_AND_MOVE_ORDINARY, columns[:common]
        left = {row[0] for row in await self.later.fetch_along(statement, _UNMOVED, columns)}
        return [row for row in rows if row.update is not None and row.session_id in left] if left else []

    def _sample(self, row: SampleRow) -> tuple[Any, ...]:
        ts, ts_text, context, shape_id, shape, numbers, texts = self._columns(row.tenant_id, row.reading)
        update = row.update
        told: tuple[int | None, str | None, str | None] = (None, None, None)
        if update is not None:
            told = (update.station_id, None if update.wh is None else str(update.wh), update.event.decode())
        return (row.tenant_id, row.session_id, *told, ts, context, shape_id, numbers, ts_text, shape, texts)

    async def insert_station_samples(self, rows: Sequence[StationSampleRow]) -> None:
        await self._intern([(row.tenant_id, row.reading.shape) for row in rows])
        await self.connection.execute(
            'INSERT INTO station_samples (tenant_id, station_id, evse_id, ts, ts_text, context, shape_id, shape, "values", texts) '
            "SELECT n.tenant_id, n.station_id, n.evse_id, n.ts, n.ts_text, n.context, n.shape_id, n.shape, "
            f"n.numbers::numeric[], {_TEXTS} FROM {_STATION_SAMPLE.source('n')} "
            "WHERE NOT EXISTS (SELECT FROM station_samples s WHERE s.tenant_id = n.tenant_id AND s.station_id = n.station_id "
            "AND s.evse_id = n.evse_id AND s.ts = n.ts AND s.context = n.context "
            "AND s.shape_id IS NOT DISTINCT FROM n.shape_id AND s.shape IS NOT DISTINCT FROM n.shape "
            'AND s."values" = n.numbers::numeric[])',
            *_STATION_SAMPLE.parameters(
                (row.tenant_id, row.station_id, row.evse_id, *self._columns(row.tenant_id, row.reading)) for row in rows
            ),
        )

    def _columns(self, tenant_id: int, reading: Reading) -> tuple[Any, ...]:
        shape_id = self.shape_ids[tenant_id, id(reading.shape)]
        return (
            reading.ts,
            reading.ts_text,
            reading.context,
            shape_id,
            _shape_text(reading.shape) if shape_id is None else None,
            array_literal(reading.values),
            None if reading.texts is None else msgspec.json.encode(reading.texts).decode(),
        )

    async def _intern(self, shapes: Collection[tuple[int, Shape]]) -> None:
        """Find the ids of shapes, interning new ones; None for those that readings must carry themselves."""
        missing: dict[tuple[int, str], list[Shape]] = {}
        for key, shape in {(tenant_id, id(shape)): shape for tenant_id, shape in shapes}.items():
            if key in self.shape_ids:
                continue
            shape_id = self.shape_ids[key] = self.shapes.find(key[0], shape)
            if shape_id is None:
                text = _shape_text(shape)
                if len(text) <= LONGEST_INTERNED:
                    missing.setdefault((key[0], text), []).append(shape)
        if not missing:
            return
        keys = _SHAPE.parameters(sorted(missing))
        await self.connection.execute(
            f"INSERT INTO sample_shapes (tenant_id, shape) SELECT n.tenant_id, n.shape FROM {_SHAPE.source('n')} "
            "WHERE (SELECT count(*) FROM sample_shapes s WHERE s.tenant_id = n.tenant_id) < $3 "
            "AND NOT EXISTS (SELECT FROM sample_shapes s WHERE s.tenant_id = n.tenant_id AND s.shape = n.shape) "
            "ON CONFLICT DO NOTHING",
            *keys,
            SHAPES_MAX,
        )
        rows = await self.connection.fetch(
            f"SELECT s.tenant_id, s.shape, s.shape_id FROM {_SHAPE.source('n')} JOIN sample_shapes s USING (tenant_id, shape)",
            *keys,
        )
        for tenant_id, text, shape_id in rows:
            for shape in missing[tenant_id, text]:
                self.shape_ids[tenant_id, id(shape)] = self.learnt[tenant_id, shape] = shape_id

    def committed(self) -> None:
        """The transaction has committed: others may use what it interned."""
        self.shapes.learn(self.learnt)


def _shape_text(shape: Shape) -> str:
    return msgspec.json.encode(shape).decode()
