"""Counts of what stations were forgiven, in the ledger's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from csms.domain.tolerance import MOST_COUNTS, Relaxation
from csms.ledger.rows import RelaxationKey
from csms.store.pool import Connection
from csms.store.unnest import RowType

_KEY_COLUMNS: Final = (
    ("tenant_id", "int4"),
    ("station_id", "int8"),
    ("kind", "text"),
    ("ocpp_version", "text"),
    ("action", "text"),
    ("path", "text"),
    ("rule", "text"),
)
_COUNT: Final = RowType((*_KEY_COLUMNS, ("cause", "text"), ("rule_id", "uuid"), ("times", "int8")))
_STATION: Final = RowType((("tenant_id", "int4"), ("station_id", "int8")))
_SAME: Final = " AND ".join(f"r.{name} = n.{name}" for name, _ in _KEY_COLUMNS)
_NAMES: Final = ", ".join(name for name, _ in _COUNT.columns)


class RelaxationStatements:
    connection: Connection

    async def count_relaxations(self, counts: Mapping[RelaxationKey, Relaxation], now: datetime) -> None:
        rows = _rows(counts)
        known = await self.connection.fetch(
            "UPDATE relaxations r SET times = r.times + n.times, cause = n.cause, rule_id = n.rule_id, last_at = $11 "
            f"FROM {_COUNT.source('n')} WHERE {_SAME} "
            f"RETURNING {', '.join(f'r.{name}' for name, _ in _KEY_COLUMNS)}",
            *_COUNT.parameters(rows),
            now,
        )
        found = {tuple(row) for row in known}
        fresh = {key: relaxation for key, relaxation in counts.items() if key not in found}
        if fresh:
            await self._add(fresh, now)

    async def _add(self, fresh: Mapping[RelaxationKey, Relaxation], now: datetime) -> None:
        stations = sorted({key[:2] for key in fresh})
        rows = await self.connection.fetch(
            "SELECT k.tenant_id, k.station_id, (SELECT count(*) FROM relaxations r "
            "WHERE r.tenant_id = k.tenant_id AND r.station_id = k.station_id AND r.kind <> '*') "
            f"FROM {_STATION.source('k')}",
            *_STATION.parameters(stations),
        )
        room = {(row[0], row[1]): MOST_COUNTS - row[2] for row in rows}
        counts: dict[RelaxationKey, Relaxation] = {}
        for key, relaxation in fresh.items():
            station = key[:2]
            if room[station] > 0:
                room[station] -= 1
                counts[key] = relaxation
                continue
            other: RelaxationKey = (*station, "*", "*", "*", "*", "*")
            before = counts.get(other)
            times = relaxation.times + (0 if before is None else before.times)
            counts[other] = Relaxation("call", "*", "*", "*", "*", relaxation.cause, None, times)
        # another process may have made the same row meanwhile: an old connection of the station
        await self.connection.execute(
            f"INSERT INTO relaxations ({_NAMES}, first_at, last_at) SELECT n.*, $11, $11 FROM {_COUNT.source('n')} "
            f"ON CONFLICT ({', '.join(name for name, _ in _KEY_COLUMNS)}) DO UPDATE SET "
            "times = relaxations.times + excluded.times, cause = excluded.cause, rule_id = excluded.rule_id, "
            "last_at = excluded.last_at",
            *_COUNT.parameters(_rows(counts)),
            now,
        )


def _rows(counts: Mapping[RelaxationKey, Relaxation]) -> list[tuple[Any, ...]]:
    """In the order of the keys, so that two group commits take their locks alike."""
    return [(*key, counts[key].cause, counts[key].rule_id, counts[key].times) for key in sorted(counts)]
