"""Stations, their connectors and streams, gateway processes: as csms.store.ledger_stations and ledger_streams do it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy
from datetime import timedelta
from typing import Any
from uuid import UUID

from csms.domain.operations import (
    BootStation,
    CloseEventStream,
    Connected,
    ConnectStation,
    DisconnectStation,
    OpenEventStream,
    ReportConnectorStatus,
    SeenStation,
)
from csms.ledger.port import StationKey, StreamKey
from csms.ledger.rows import Presence, StationRow
from csms.store.ledger_stations import CONNECTORS_MAX, EVSES_MAX, PROCESS_DEAD_AFTER_S
from csms.store.ledger_streams import STREAMS_MAX
from tests.simulation.model.rows import Connector, Process, Station
from tests.simulation.model.statements import Statements


class StationStatements(Statements):
    async def connect_stations(self, ops: Sequence[ConnectStation]) -> list[Connected | None]:
        await self.step("connect_stations")
        created: set[tuple[int, str]] = set()
        for op in sorted((op for op in ops if op.create), key=lambda op: (op.tenant_id, op.identity)):
            station_id = self.tx.tables.next_value("station_id")
            station = Station(
                op.tenant_id,
                station_id,
                op.identity,
                admission=op.admission,
                password_scheme=op.password_scheme,
                password_hash=op.password_hash,
                password_salt=op.password_salt,
                seen_on_wire=True,
            )
            by_identity = (op.tenant_id, op.identity.lower())
            if await self.tx.insert("stations", (op.tenant_id, station_id), station, unique=by_identity):
                created.add((op.tenant_id, op.identity))
        outcomes: list[Connected | None] = []
        for op in ops:
            new = (op.tenant_id, op.identity) in created
            station_or_none = None if op.create and not new else await self._connect(op)
            outcomes.append(
                None
                if station_or_none is None
                else Connected(
                    station_or_none.station_id,
                    station_or_none.connection_epoch,
                    station_or_none.registration,  # type: ignore[arg-type]  # a registration, kept as text
                    new,
                    station_or_none.vendor,
                    station_or_none.model,
                )
            )
        return outcomes

    async def _connect(self, op: ConnectStation) -> Station | None:
        key = self.tx.get("stations unique", (op.tenant_id, op.identity.lower()))
        station: Station | None = None if key is None else await self.tx.locked("stations", key)
        if (
            station is None
            or station.identity != op.identity
            or (not op.create and op.station_id not in (0, station.station_id))
            or station.password_hash != op.password_hash
            or station.retired_at is not None
        ):
            return None
        station.connection_epoch += 1
        station.connected_process = op.process_id
        station.connected_at = station.last_seen_at = self.tx.now
        station.ocpp_version = op.ocpp_version
        station.remote_address = op.remote_address
        station.security_profile = max(station.security_profile, op.security_profile)
        station.seen_on_wire = True
        self.tx.put("stations", key, station)
        return station

    async def disconnect_stations(self, ops: Sequence[DisconnectStation]) -> list[bool]:
        await self.step("disconnect_stations")
        done: list[bool] = []
        for op in ops:
            key = (op.tenant_id, op.station_id)
            # without the row as it looked before the wait there is no update either
            station = self.tx.get("stations", key)
            if station is None or station.connection_epoch != op.epoch or station.connected_process is None:
                done.append(False)
                continue
            station = await self.tx.locked("stations", key)
            gone = station.connection_epoch == op.epoch and station.connected_process is not None
            if gone:
                station.connected_process = None
                station.disconnected_at = self.tx.now
                self.tx.put("stations", key, station)
            done.append(gone)
        return done

    async def see_stations(self, process_id: UUID, seen: Sequence[SeenStation]) -> Presence:
        await self.step("see_stations")
        now = self.tx.now
        before: Process | None = self.tx.get("processes", process_id)
        was_away = before is not None and before.seen_at < now - timedelta(seconds=PROCESS_DEAD_AFTER_S / 2)
        await self.tx.lock("processes", process_id)
        self.tx.put("processes", process_id, Process(now))
        back: list[SeenStation] = []
        overtaken: list[SeenStation] = []
        for sign in seen:
            key = (sign.tenant_id, sign.station_id)
            if not self.tx.is_locked_by_another("stations", key):
                station = await self.tx.locked("stations", key)
                if station is not None:
                    station.last_seen_at = sign.at
                    if station.connected_process is None and station.connection_epoch == sign.epoch:
                        station.connected_process = process_id
                        back.append(sign)
                    elif station.connection_epoch > sign.epoch:
                        overtaken.append(sign)
                    self.tx.put("stations", key, station)
        if was_away:
            return Presence([], back, overtaken)
        dead = await self._dead_processes_stations()
        for process, row in list(self.tx.tables.table("processes").items()):
            if row.seen_at < now - timedelta(days=1) and process != process_id:
                self.tx.remove("processes", process)
        return Presence(dead, back, overtaken)

    async def _dead_processes_stations(self) -> list[StationKey]:
        limit = self.tx.now - timedelta(seconds=PROCESS_DEAD_AFTER_S)
        gone: list[StationKey] = []
        for found in sorted(self.tx.rows("stations"), key=_key):
            if found.connected_process is None or self.tx.is_locked_by_another("stations", _key(found)):
                continue
            process = self.tx.get("processes", found.connected_process)
            if (found.connected_at if process is None else process.seen_at) < limit and len(gone) < 1000:
                station = await self.tx.locked("stations", _key(found))
                station.connected_process = None
                station.disconnected_at = self.tx.now
                self.tx.put("stations", _key(found), station)
                gone.append(_key(found))
        return gone

    async def lock_stations(self, keys: Collection[StationKey]) -> dict[StationKey, StationRow]:
        await self.step("lock_stations")
        found: dict[StationKey, StationRow] = {}
        for key in sorted(keys):
            station = await self.tx.locked("stations", key)
            if station is not None:
                found[key] = StationRow(
                    *key,
                    station.identity,
                    station.registration,
                    station.admission,
                    station.connection_epoch,
                    station.retired_at is not None,
                )
        return found

    async def boot_stations(self, ops: Sequence[BootStation], registrations: Sequence[str]) -> None:
        await self.step("boot_stations")
        for op, registration in zip(ops, registrations, strict=True):
            station = await self.tx.locked("stations", (op.tenant_id, op.station_id))
            if station is None or station.connection_epoch != op.epoch:
                continue
            station.registration = registration
            station.vendor, station.model = op.vendor, op.model
            station.serial_number, station.firmware_version = op.serial_number, op.firmware_version
            station.boot_reason = op.reason
            station.booted_at = station.last_seen_at = self.tx.now
            self.tx.put("stations", (op.tenant_id, op.station_id), station)

    async def set_connector_status(self, ops: Sequence[ReportConnectorStatus]) -> None:
        await self.step("set_connector_status")
        for op in sorted(ops, key=lambda op: (op.tenant_id, op.station_id)):
            evses: dict[int, dict[int, Connector]] = copy(await self._connectors(op.tenant_id, op.station_id))
            if op.evse_id not in evses and len(evses) >= EVSES_MAX:
                continue
            connectors = evses[op.evse_id] = copy(evses.get(op.evse_id, {}))
            known = connectors.get(op.connector_id)
            if known is None and len(connectors) >= CONNECTORS_MAX:
                self.tx.put("connectors", (op.tenant_id, op.station_id), evses)
                continue
            time = None if op.time is None else op.time.ts
            if known is None or known.status_time is None or time is None or time >= min(known.status_time, known.recorded_at):
                connectors[op.connector_id] = Connector(
                    op.status, op.error_code, op.info, op.vendor_id, op.vendor_error_code, time, self.tx.now
                )
            self.tx.put("connectors", (op.tenant_id, op.station_id), evses)

    async def _connectors(self, tenant_id: int, station_id: int) -> dict[int, dict[int, Connector]]:
        await self.tx.lock("connectors", (tenant_id, station_id))
        found: dict[int, dict[int, Connector]] | None = self.tx.get("connectors", (tenant_id, station_id))
        return {} if found is None else found

    async def open_streams(self, ops: Sequence[OpenEventStream]) -> list[bool]:
        await self.step("open_streams")
        return [await self._open(op) for op in ops]

    async def _open(self, op: OpenEventStream) -> bool:
        station = (op.tenant_id, op.station_id)
        key = (*station, op.stream_id)
        open_now = [k for k in self._streams(station) if k != key]
        if len(open_now) >= STREAMS_MAX:
            booted_at = self.tx.get("stations", station).booted_at
            for stale in open_now:
                if booted_at is not None and self.tx.get("streams", stale)[1] < booted_at:
                    self.tx.remove("streams", stale)
            if len([k for k in self._streams(station) if k != key]) >= STREAMS_MAX:
                return False
        await self.tx.lock("streams", key)
        self.tx.put("streams", key, (key, self.tx.now))
        return True

    def _streams(self, station: StationKey) -> list[StreamKey]:
        return [key for key, _ in self.tx.rows("streams") if key[:2] == station]

    async def close_streams(self, ops: Sequence[CloseEventStream]) -> None:
        await self.step("close_streams")
        for op in ops:
            self.tx.remove("streams", (op.tenant_id, op.station_id, op.stream_id))

    async def are_streams_open(self, keys: Collection[StreamKey]) -> set[StreamKey]:
        await self.step("are_streams_open")
        return {key for key in keys if self.tx.get("streams", key) is not None}


def _key(station: Any) -> StationKey:
    return (station.tenant_id, station.station_id)
