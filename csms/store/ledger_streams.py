"""The open event streams of stations in the ledger's transaction (OCPP 2.1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from csms.domain.operations import CloseEventStream, OpenEventStream
from csms.ledger.port import StreamKey
from csms.store.pool import Connection
from csms.store.unnest import RowType

STREAMS_MAX: Final = 100
"""Open streams of one station. Its ids are its own choice, so it must not fill the table."""

_KEY: Final = RowType((("tenant_id", "int4"), ("station_id", "int8"), ("stream_id", "int4")))
_OPEN: Final = RowType((*_KEY.columns, ("variable_monitoring_id", "int4")))


class StreamStatements:
    connection: Connection

    async def open_streams(self, ops: Sequence[OpenEventStream]) -> list[bool]:
        opened = await self._insert_streams(ops)
        refused = [op for op in ops if _key(op) not in opened]
        if refused:
            await self._drop_streams_of_earlier_boots(refused)
            opened |= await self._insert_streams(refused)
        return [_key(op) in opened for op in ops]

    async def _insert_streams(self, ops: Sequence[OpenEventStream]) -> set[StreamKey]:
        rows = await self.connection.fetch(
            "INSERT INTO event_streams (tenant_id, station_id, stream_id, variable_monitoring_id) "
            f"SELECT n.* FROM {_OPEN.source('n')} WHERE (SELECT count(*) FROM event_streams e WHERE e.tenant_id = n.tenant_id "
            "AND e.station_id = n.station_id AND e.stream_id <> n.stream_id) < $5 "
            "ON CONFLICT (tenant_id, station_id, stream_id) DO UPDATE "
            "SET variable_monitoring_id = excluded.variable_monitoring_id, opened_at = now() "
            "RETURNING tenant_id, station_id, stream_id",
            *_OPEN.parameters((*_key(op), op.variable_monitoring_id) for op in ops),
            STREAMS_MAX,
        )
        return {(row[0], row[1], row[2]) for row in rows}

    async def _drop_streams_of_earlier_boots(self, ops: Sequence[OpenEventStream]) -> None:
        """Make room: a station that numbers its streams anew after each boot never closes the earlier ones."""
        await self.connection.execute(
            f"DELETE FROM event_streams e USING {_KEY.source('n')}, stations s "
            "WHERE e.tenant_id = n.tenant_id AND e.station_id = n.station_id "
            "AND s.tenant_id = n.tenant_id AND s.station_id = n.station_id AND e.opened_at < s.booted_at",
            *_KEY.parameters(_key(op) for op in ops),
        )

    async def close_streams(self, ops: Sequence[CloseEventStream]) -> None:
        await self.connection.execute(
            f"DELETE FROM event_streams e USING {_KEY.source('n')} "
            "WHERE e.tenant_id = n.tenant_id AND e.station_id = n.station_id AND e.stream_id = n.stream_id",
            *_KEY.parameters(_key(op) for op in ops),
        )

    async def are_streams_open(self, keys: Collection[StreamKey]) -> set[StreamKey]:
        rows = await self.connection.fetch(
            f"SELECT e.tenant_id, e.station_id, e.stream_id FROM {_KEY.source('n')} "
            "JOIN event_streams e USING (tenant_id, station_id, stream_id)",
            *_KEY.parameters(keys),
        )
        return {(row[0], row[1], row[2]) for row in rows}


def _key(op: OpenEventStream | CloseEventStream) -> StreamKey:
    return (op.tenant_id, op.station_id, op.stream_id)
