"""The quarantine in the ledger's transaction: what a station may fill, and what happens beyond."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from csms.ledger.rows import Kept, QuarantineRow
from csms.store.pool import Connection
from csms.store.unnest import RowType

MESSAGES_MAX: Final = 10_000
BYTES_MAX: Final = 64 * 1024 * 1024
"""Unresolved messages of one station, and their bytes; beyond them they are counted, not kept."""
READINGS_SHARE: Final = 0.9
"""How much of that MeterValues may fill: the rest is for the messages that begin and end transactions."""
TAKEN_SHARE: Final = 0.5
"""How much messages that were taken all the same may fill: the rest is for those that would be lost."""
TOLD_AGAIN_AFTER_S: Final = 3600
"""How often a tenant is told that a station's quarantine is full."""

_QUARANTINE: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("quarantine_id", "uuid"),
        ("station_id", "int8"),
        ("ocpp_version", "text"),
        ("action", "text"),
        ("reason", "text"),
        ("error_code", "text"),
        ("path", "text"),
        ("rule", "text"),
        ("payload", "bytea"),
        ("digest", "bytea"),
        ("taken", "bool"),
    )
)
_STATION: Final = RowType((("tenant_id", "int4"), ("station_id", "int8")))
_DIGEST: Final = RowType((("tenant_id", "int4"), ("station_id", "int8"), ("digest", "bytea"), ("taken", "bool")))
_USAGE: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("station_id", "int8"),
        ("messages", "int4"),
        ("bytes", "int8"),
        ("refused", "int8"),
        ("told", "bool"),
    )
)

_Key = tuple[int, int]


class _Room:
    """What is left for one station while the rows of a group commit are added."""

    __slots__ = ("added", "added_bytes", "bytes", "messages", "refused", "telling", "told")

    def __init__(self, messages: int, size: int, *, told: bool) -> None:
        self.messages = messages
        self.bytes = size
        self.told = told
        self.added = 0
        self.added_bytes = 0
        self.refused = 0
        self.telling = False

    def take(self, row: QuarantineRow) -> Kept:
        share = TAKEN_SHARE if row.taken else READINGS_SHARE if row.action == "MeterValues" else 1.0
        size = len(row.payload)
        if self.messages + 1 <= MESSAGES_MAX * share and self.bytes + size <= BYTES_MAX * share:
            self.messages += 1
            self.bytes += size
            self.added += 1
            self.added_bytes += size
            return "kept"
        if row.taken:
            return "dispensable"
        self.refused += 1
        if self.told:
            return "refused"
        self.told = self.telling = True
        return "refused_untold"


class QuarantineStatements:
    connection: Connection

    async def insert_quarantine(self, rows: Sequence[QuarantineRow], now: datetime) -> list[Kept]:
        stations = sorted({(row.tenant_id, row.station_id) for row in rows})
        rooms = await self._rooms(stations, now)
        known = await self._count_known(rows, now)
        outcomes: list[Kept] = []
        fresh: dict[tuple[int, int, bytes], QuarantineRow] = {}
        for row in rows:
            key = (row.tenant_id, row.station_id, row.digest)
            if key in known or key in fresh:
                outcomes.append("known")
                continue
            outcome = rooms[row.tenant_id, row.station_id].take(row)
            if outcome == "kept":
                fresh[key] = row
            outcomes.append(outcome)
        if fresh:
            await self._insert(list(fresh.values()))
        changed = [(key, room) for key, room in rooms.items() if room.added or room.refused]
        if changed:
            await self._save(changed, now)
        return outcomes

    async def _rooms(self, stations: Sequence[_Key], now: datetime) -> dict[_Key, _Room]:
        """The usage of each station, locked, in the order of the keys."""
        parameters = _STATION.parameters(stations)
        await self.connection.execute(
            f"INSERT INTO quarantine_usage (tenant_id, station_id) SELECT n.* FROM {_STATION.source('n')} ON CONFLICT DO NOTHING",
            *parameters,
        )
        found = await self.connection.fetch(
            "SELECT u.tenant_id, u.station_id, u.messages, u.bytes, "
            "coalesce(u.told_at > $3::timestamptz - make_interval(secs => $4), false) AS told "
            f"FROM {_STATION.source('k')} JOIN quarantine_usage u USING (tenant_id, station_id) "
            "ORDER BY u.tenant_id, u.station_id FOR UPDATE OF u",
            *parameters,
            now,
            float(TOLD_AGAIN_AFTER_S),
        )
        return {(row["tenant_id"], row["station_id"]): _Room(row["messages"], row["bytes"], told=row["told"]) for row in found}

    async def _count_known(self, rows: Sequence[QuarantineRow], now: datetime) -> set[tuple[int, int, bytes]]:
        """Those that are there already are counted there, resolved or not."""
        found = await self.connection.fetch(
            f"UPDATE quarantine q SET times = q.times + 1, last_at = $5, taken = q.taken OR n.taken FROM {_DIGEST.source('n')} "
            "WHERE q.tenant_id = n.tenant_id AND q.station_id = n.station_id AND q.digest = n.digest "
            "RETURNING q.tenant_id, q.station_id, q.digest",
            *_DIGEST.parameters(sorted({(row.tenant_id, row.station_id, row.digest, row.taken) for row in rows})),
            now,
        )
        return {(row[0], row[1], row[2]) for row in found}

    async def _insert(self, rows: Sequence[QuarantineRow]) -> None:
        names = ", ".join(name for name, _ in _QUARANTINE.columns)
        await self.connection.execute(
            f"INSERT INTO quarantine ({names}) SELECT n.* FROM {_QUARANTINE.source('n')}",
            *_QUARANTINE.parameters(tuple(getattr(row, name) for name, _ in _QUARANTINE.columns) for row in rows),
        )

    async def _save(self, changed: Sequence[tuple[_Key, _Room]], now: datetime) -> None:
        await self.connection.execute(
            "UPDATE quarantine_usage u SET messages = u.messages + n.messages, bytes = u.bytes + n.bytes, "
            "refused = u.refused + n.refused, told_at = CASE WHEN n.told THEN $7 ELSE u.told_at END "
            f"FROM {_USAGE.source('n')} WHERE u.tenant_id = n.tenant_id AND u.station_id = n.station_id",
            *_USAGE.parameters((*key, room.added, room.added_bytes, room.refused, room.telling) for key, room in changed),
            now,
        )
