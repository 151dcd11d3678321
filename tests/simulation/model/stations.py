"""Stations, their connectors and streams, gateway processes: as csms.store.ledger_stations and ledger_streams do it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from uuid import UUID

from csms.domain.operations import (
    BootStation,
    CloseEventStream,
    Connected,
    ConnectStation,
    DisconnectStation,
    OpenEventStream,
    Operation,
    ReportConnectorStatus,
    SeenStation,
)
from csms.ledger.port import SessionKey, StationKey, StreamKey
from csms.ledger.rows import GoneStation, Presence, PricedSession, StateRow, StationRow
from csms.store.ledger_stations import CONNECTORS_MAX, EVSES_MAX, PROCESS_DEAD_AFTER_S
from csms.store.ledger_streams import STREAMS_MAX
from tests.simulation.model.engine import Mode
from tests.simulation.model.rows import Connector, Process, Station, Stream
from tests.simulation.model.statements import Statements, statement


class StationStatements(Statements):
    @statement
    async def connect_stations(self, ops: Sequence[ConnectStation]) -> list[Connected | None]:
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
        await self.tx.end_statement()
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
                    station_or_none.call_timeout_s,
                    station_or_none.offline_epoch == station_or_none.connection_epoch - 1,
                )
            )
        return outcomes

    async def _connect(self, op: ConnectStation) -> Station | None:
        def fits(station: Station) -> bool:
            return (
                station.identity == op.identity
                and (op.create or op.station_id in (0, station.station_id))
                and (station.password_hash, station.certificate_name) == (op.password_hash, op.certificate_name)
                and station.retired_at is None
            )

        key = self.tx.get("stations unique", (op.tenant_id, op.identity.lower()))
        station: Station | None = None if key is None else await self.tx.to_update("stations", key, fits)
        if station is None:
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

    @statement
    async def disconnect_stations(self, ops: Sequence[DisconnectStation]) -> list[bool]:
        done: list[bool] = []
        for op in ops:
            key = _station(op)
            station = await self.tx.to_update("stations", key, _connected_with(op.epoch))
            if station is not None:
                station.connected_process = None
                station.disconnected_at = self.tx.now
                self.tx.put("stations", key, station)
            done.append(station is not None)
        return done

    @statement
    async def see_stations(self, process_id: UUID, seen: Sequence[SeenStation], *, look_around: bool) -> Presence:
        now = self.tx.now
        before: Process | None = self.tx.get("processes", process_id)
        was_away = before is not None and before.seen_at < now - timedelta(seconds=PROCESS_DEAD_AFTER_S / 2)
        if not await self.tx.insert("processes", process_id, Process(now)):
            await self.tx.lock("processes", process_id, Mode.NO_KEY_UPDATE)
            self.tx.put("processes", process_id, Process(now))
        await self.tx.end_statement()
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
        if was_away or not look_around:
            return Presence([], back, overtaken)
        await self.tx.end_statement()
        dead = await self._dead_processes_stations()
        await self.tx.end_statement()
        for process in [process for process, _ in self.tx.items("processes")]:
            await self.tx.remove("processes", process, lambda row: row.seen_at < now - timedelta(days=1))
        return Presence(dead, back, overtaken)

    async def _dead_processes_stations(self) -> list[StationKey]:
        limit = self.tx.now - timedelta(seconds=PROCESS_DEAD_AFTER_S)
        gone: list[StationKey] = []
        for key, found in sorted(self.tx.items("stations"), key=lambda item: item[0]):
            if found.connected_process is None or self.tx.is_locked_by_another("stations", key):
                continue
            process = self.tx.get("processes", found.connected_process)
            if (found.connected_at if process is None else process.seen_at) < limit and len(gone) < 1000:
                station = await self.tx.locked("stations", key)
                station.connected_process = None
                station.disconnected_at = self.tx.now
                self.tx.put("stations", key, station)
                gone.append(key)
        return gone

    @statement
    async def tell_offline(self, after: timedelta, limit: int) -> list[GoneStation]:
        told: list[GoneStation] = []
        for key, found in sorted(self.tx.items("stations"), key=lambda item: item[0]):
            gone = found.connected_process is None and found.offline_epoch < found.connection_epoch
            if not gone or found.disconnected_at is None or found.disconnected_at >= self.tx.now - after:
                continue
            if len(told) < limit and not self.tx.is_locked_by_another("stations", key):
                station = await self.tx.locked("stations", key)
                station.offline_epoch = station.connection_epoch
                self.tx.put("stations", key, station)
                told.append(GoneStation(key[0], key[1], station.connection_epoch, station.disconnected_at))
        return told

    @statement
    async def tell_online(self, keys: Collection[StationKey]) -> list[StationKey]:
        told: list[StationKey] = []
        for key in sorted(keys):
            station = await self.tx.to_update(
                "stations", key, lambda s: s.connected_process is not None and s.offline_epoch == s.connection_epoch
            )
            if station is not None:
                station.offline_epoch = station.connection_epoch - 1
                self.tx.put("stations", key, station)
                told.append(key)
        return told

    @statement
    async def lock_stations(self, keys: Collection[StationKey]) -> dict[StationKey, StationRow]:
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

    @statement
    async def boot_stations(self, ops: Sequence[BootStation], registrations: Sequence[str]) -> None:
        for op, registration in zip(ops, registrations, strict=True):
            key = _station(op)
            station = await self.tx.to_update("stations", key, _of_epoch(op.epoch))
            if station is None:
                continue
            station.registration = registration
            station.vendor, station.model = op.vendor, op.model
            station.serial_number, station.firmware_version = op.serial_number, op.firmware_version
            station.boot_reason = op.reason
            station.booted_at = station.last_seen_at = self.tx.now
            self.tx.put("stations", key, station)

    @statement
    async def set_connector_status(self, ops: Sequence[ReportConnectorStatus]) -> None:
        ops = sorted(ops, key=lambda op: (op.tenant_id, op.station_id))
        # the rows of one statement do not see each other
        full = {station for station in map(_station, ops) if len(self.tx.group("evses", station)) >= EVSES_MAX}
        for op in ops:
            evse = (*_station(op), op.evse_id)
            if _station(op) not in full:
                await self.tx.insert("evses", evse, True)
        await self.tx.end_statement()
        known = {(*_station(op), op.evse_id): self.tx.group("connectors", (*_station(op), op.evse_id)) for op in ops}
        for op in ops:
            evse = (*_station(op), op.evse_id)
            others = [key for key, _ in known[evse] if key[3] != op.connector_id]
            if self.tx.get("evses", evse) is not None and len(others) < CONNECTORS_MAX:
                await self._set_connector((*evse, op.connector_id), op)

    async def _set_connector(self, key: tuple[int, int, int, int], op: ReportConnectorStatus) -> None:
        time = None if op.time is None else op.time.ts
        told = Connector(op.status, op.error_code, op.info, op.vendor_id, op.vendor_error_code, time, self.tx.now)
        if await self.tx.insert("connectors", key, told):
            return
        known: Connector = await self.tx.conflicting("connectors", key)
        if known.status_time is None or time is None or time >= min(known.status_time, known.status_recorded_at):
            self.tx.put("connectors", key, told)

    @statement
    async def note_states(self, rows: Sequence[StateRow]) -> None:
        for row in rows:
            for _, session in self.tx.group("sessions", row[:2]):
                state = session.state
                if (state.status, state.connector_id, state.ocpp_version) == ("active", row.connector_id, "ocpp1.6"):
                    await self.tx.insert("session_states", (state.tenant_id, state.session_id, row.time, row.status), True)

    @statement
    async def priced_sessions(self, keys: Collection[SessionKey], most_readings: int) -> dict[SessionKey, PricedSession]:
        """There are no tariffs in the model."""
        return {}

    @statement
    async def open_streams(self, ops: Sequence[OpenEventStream]) -> list[bool]:
        opened = [await self._open(op) for op in ops]
        await self.tx.end_statement()
        return [is_open or await self._open_after_boot(op) for op, is_open in zip(ops, opened, strict=True)]

    async def _open(self, op: OpenEventStream) -> bool:
        key = (*_station(op), op.stream_id)
        if len([k for k, _ in self.tx.group("streams", _station(op)) if k != key]) >= STREAMS_MAX:
            return False
        stream = Stream(op.variable_monitoring_id, self.tx.now)
        if not await self.tx.insert("streams", key, stream):
            await self.tx.lock("streams", key, Mode.NO_KEY_UPDATE)
            self.tx.put("streams", key, stream)
        return True

    async def _open_after_boot(self, op: OpenEventStream) -> bool:
        """Without the streams that the station opened before its last boot."""
        booted_at = self.tx.get("stations", _station(op)).booted_at
        if booted_at is not None:
            for key, _ in self.tx.group("streams", _station(op)):
                await self.tx.remove("streams", key, lambda stream: stream.opened_at < booted_at)
        await self.tx.end_statement()
        return await self._open(op)

    @statement
    async def close_streams(self, ops: Sequence[CloseEventStream]) -> None:
        for op in ops:
            await self.tx.remove("streams", (*_station(op), op.stream_id))

    @statement
    async def are_streams_open(self, keys: Collection[StreamKey]) -> set[StreamKey]:
        return {key for key in keys if self.tx.get("streams", key) is not None}


def _of_epoch(epoch: int) -> Callable[[Station], bool]:
    return lambda station: station.connection_epoch == epoch


def _connected_with(epoch: int) -> Callable[[Station], bool]:
    return lambda station: station.connection_epoch == epoch and station.connected_process is not None


def _station(op: Operation) -> StationKey:
    return (op.tenant_id, op.station_id)
