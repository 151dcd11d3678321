"""Random operations of a few stations, most of them about something that is there: repeats, late ones, ones of somebody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.domain.metering import Channel, Reading
from csms.domain.operations import (
    Authorize,
    BootStation,
    ClaimCommand,
    CloseEventStream,
    ConnectStation,
    CountRelaxations,
    DeviceVariable,
    DisconnectStation,
    FinishCommand,
    Hearsay,
    OpenEventStream,
    Operation,
    QuarantineFrame,
    ReconcileSessions,
    RecordDeviceEvents,
    RecordMeterValues,
    RecordStationEvent,
    RecordStreamValues,
    RecordTransactionEvent,
    ReportConnectorStatus,
    SeenStation,
    SeeStations,
    StartTransaction,
    StationTime,
    StopTransaction,
    StoreDeviceReport,
)
from csms.domain.tolerance import Relaxation
from csms.ledger.context import QUESTION
from tests.simulation.comparison.orders import REFERENCES, TOKENS
from tests.simulation.comparison.sides import Batch
from tests.simulation.comparison.tables import Tables
from tests.simulation.timing import EPOCH

PROCESSES: Final = tuple(UUID(int=number) for number in (1, 2, 3))
IDENTITIES: Final = ("CP-1", "CP-1", "CP-1", "CP-1", "CP-2", "CP-2", "CP-2", "cp-2", "CP-3")
_STATUSES: Final = ("Available", "Charging", "Preparing", "Faulted")
_PAUSES: Final = {0: 3, 0.5: 3, 3: 6, 20: 5, 40: 3, 70: 3, 400: 2, 1000: 2, 4000: 1, 90_000: 0.4, 200_000: 0.2}
"""Seconds between group commits, and how often."""
_REGISTER, _POWER, _SIGNED = (
    (Channel(),),
    (Channel(), Channel("Power.Active.Import", unit="W")),
    (Channel(format="SignedData"),),
)
_INVENTED: Final = tuple((Channel("Power.Active.Import", unit=f"unit {n}"),) for n in range(3))


class Generator:
    """Looks at what is committed to find something to talk about."""

    def __init__(self, seed: str) -> None:
        self.chance = Random(f"operations {seed}")
        self.now = EPOCH
        self._said: list[Operation] = []
        self._tables: Tables = {}

    def batch(self, tables: Tables, most: int = 6) -> Batch:
        """One operation each of several stations, as the ledger groups them."""
        chance = self.chance
        self._tables = tables
        self.now += timedelta(seconds=chance.choices(list(_PAUSES), list(_PAUSES.values()))[0])
        operations: dict[Any, Operation] = {}
        for _ in range(chance.randint(1, most)):
            operation = self._operation()
            if isinstance(operation, SeeStations | ReconcileSessions):
                lane: Any = 0
            elif isinstance(operation, ConnectStation):
                lane = (operation.tenant_id, operation.identity.lower())
            else:
                lane = (operation.tenant_id, operation.station_id)
            if lane not in operations:
                operations[lane] = operation
                self._said.append(operation)
        skew = timedelta(seconds=chance.choice((0, 0, 0.001, -0.001, 2, -2)))
        return Batch(list(operations.values()), self.now, chance.getrandbits(32), skew, abort=chance.random() < 0.08)

    def pair(self, tables: Tables) -> tuple[Batch, Batch]:
        """Of two processes at once, often about the same stations, and now and then the very same."""
        one = self.batch(tables, most=4)
        other = self.batch(tables, most=4)
        if self.chance.random() < 0.25:
            other = msgspec.structs.replace(other, operations=one.operations)
        return one, msgspec.structs.replace(other, now=one.now + timedelta(milliseconds=1))

    # -- choosing

    def _operation(self) -> Operation:
        chance = self.chance
        if self._said and chance.random() < 0.15:
            return copy(chance.choice(self._said[-40:]))
        if len(self._tables["stations"]) < 3:
            return self._connect()
        (make,) = chance.choices(list(_MAKERS), weights=list(_MAKERS.values()))
        operation = make(self)
        if chance.random() < 0.05:
            operation.relaxations = tuple(self._relaxation() for _ in range(chance.randint(1, 3)))
        return operation

    def _station(self) -> dict[str, Any]:
        stations = sorted(self._tables["stations"])
        tenant_id, station_id = stations[0] if self.chance.random() < 0.4 else self.chance.choice(stations)
        return {"tenant_id": tenant_id, "station_id": station_id}

    def _epoch(self, tenant_id: int, station_id: int) -> int:
        epoch: int = self._tables["stations"][tenant_id, station_id]["connection_epoch"]
        return epoch + self.chance.choice((0, 0, 0, 0, -1, 1))

    def _time(self) -> StationTime:
        chance = self.chance
        kind = chance.random()
        if kind < 0.05:
            return StationTime(None, f"no time {chance.randint(0, 2)}", suspect=True)
        if kind < 0.1:
            ts = datetime(1970, 1, 1, 0, chance.randint(0, 3), tzinfo=UTC)
        elif kind < 0.2:  # a clock that is ahead
            ts = self.now.replace(microsecond=0) + timedelta(minutes=chance.randint(3, 180))
        elif kind < 0.5:
            ts = self.now.replace(microsecond=0) - timedelta(seconds=chance.randint(0, 5))
        else:
            ts = self.now.replace(microsecond=0) + timedelta(minutes=chance.randint(-90, 3))
        return StationTime(ts, ts.isoformat(), suspect=chance.random() < 0.05)

    def _readings(self, most: int = 3) -> list[Reading]:
        chance = self.chance
        readings = []
        for _ in range(chance.randint(0, most)):
            time = self._time()
            context = chance.choice((0, 0, 1, 2))
            shape = chance.choice((_REGISTER, _REGISTER, _REGISTER, _POWER, _SIGNED, *_INVENTED))
            values = [chance.choice(("1000", "1500.5", "1500.50", "2000", "-3", "")) for _ in shape]
            texts: list[str | None] | None = None
            if shape is _SIGNED:
                values, texts = [""], [chance.choice(("a", "b"))]
            elif "" in values:
                texts = [None if value else "odd" for value in values]
            readings.append(Reading(time.ts, None if time.ts else time.text, context, shape, values, texts))
        return readings

    def _sessions(self, station: dict[str, Any], version: str, **wanted: str) -> list[str]:
        fitting = {"ocpp_version": version, **station, **wanted}
        rows = self._tables["sessions"].values()
        return sorted(row["transaction_ref"] for row in rows if all(row[name] == value for name, value in fitting.items()))

    def _reference(self, station: dict[str, Any]) -> str:
        """A transaction id of OCPP 1.6: mostly one of the station."""
        chance = self.chance
        kind = chance.random()
        own = self._sessions(station, "ocpp1.6")
        running = self._sessions(station, "ocpp1.6", status="active")
        if running and kind < 0.5:
            return chance.choice(running)
        if own and kind < 0.75:
            return chance.choice(own)
        others: list[str] = sorted(
            row["transaction_ref"] for row in self._tables["sessions"].values() if row["ocpp_version"] == "ocpp1.6"
        )
        if others and kind < 0.85:
            return chance.choice(others)
        return "-1" if kind < 0.93 else str(chance.choice((7, 8)))

    def _some_command(self, **wanted: str) -> dict[str, Any] | None:
        found = [
            dict(row)
            for row in sorted(self._tables["commands"].values(), key=lambda row: (row["created_at"], row["command_id"]))
            if all(row[name] == value for name, value in wanted.items())
        ]
        return self.chance.choice(found[-6:]) if found else None

    # -- stations

    def _connect(self) -> ConnectStation:
        chance = self.chance
        tenant_id = chance.choice((1, 1, 2))
        identity = chance.choice(IDENTITIES)
        stations = {(key[0], row["identity"].lower()): row for key, row in self._tables["stations"].items()}
        known = stations.get((tenant_id, identity.lower()))
        create = known is None if chance.random() < 0.9 else known is not None
        station_id = 0 if create or known is None else known["station_id"] + chance.choice((*(0,) * 12, 1))
        password = None if known is None else known["password_hash"]
        if chance.random() < 0.1:
            password = chance.choice((None, b"hash"))
        return ConnectStation(
            tenant_id=tenant_id,
            station_id=station_id,
            identity=identity,
            process_id=chance.choice(PROCESSES),
            ocpp_version=chance.choice(("ocpp1.6", "ocpp2.0.1")),
            remote_address="127.0.0.1",
            security_profile=chance.randint(0, 2),
            create=create,
            admission=chance.choice(("accept", "accept", "accept", "pending", "reject")),
            password_scheme=None if password is None else "hmac",
            password_hash=password,
            password_salt=None if password is None else b"salt",
            certificate_name="another" if chance.random() < 0.03 else None,
        )

    def _disconnect(self) -> DisconnectStation:
        station = self._station()
        return DisconnectStation(**station, epoch=self._epoch(**station), reason="closed")

    def _see(self) -> SeeStations:
        chance = self.chance
        keys: list[tuple[int, int]] = sorted(self._tables["stations"])
        seen = [
            SeenStation(*key, self._epoch(*key), self.now - timedelta(seconds=chance.randint(0, 20)))
            for key in chance.sample(keys, chance.randint(0, len(keys)))
        ]
        return SeeStations(
            tenant_id=0, station_id=0, process_id=chance.choice(PROCESSES), seen=seen, look_around=chance.random() < 0.7
        )

    def _boot(self) -> BootStation:
        station = self._station()
        reason = self.chance.choice((None, "PowerUp"))
        return BootStation(
            **station, epoch=self._epoch(**station), ocpp_version="ocpp1.6", vendor="Vendor", model="Model", reason=reason
        )

    def _connector_status(self, station: dict[str, Any]) -> ReportConnectorStatus:
        chance = self.chance
        return ReportConnectorStatus(
            **station,
            evse_id=chance.choice((1, 1, 1, 1, 0, 2, 3, 4)),
            connector_id=chance.choice((1, 1, 1, 0, 2, 3)),
            status=chance.choice(_STATUSES),
            time=self._time() if chance.random() < 0.8 else None,
            error_code=chance.choice((None, "NoError")),
        )

    def _status(self) -> ReportConnectorStatus:
        return self._connector_status(self._station())

    def _device_events(self) -> RecordDeviceEvents:
        station = self._station()
        statuses = {
            (status.evse_id, status.connector_id): status
            for status in (self._connector_status(station) for _ in range(self.chance.randint(0, 4)))
        }
        return RecordDeviceEvents(
            **station, type="device_event", data=b'{"a":1}', statuses=list(statuses.values()), time=self._time()
        )

    # -- transactions

    def _authorize(self) -> Authorize:
        kind = self.chance.choice((None, "ISO14443", "eMAID"))
        return Authorize(**self._station(), id_token=self.chance.choice(TOKENS), token_type=kind)

    def _start(self) -> StartTransaction:
        chance = self.chance
        connector = chance.choice((1, 1, 2))
        station, token = self._station(), chance.choice((*TOKENS[:3], *TOKENS))
        ordered = self._some_command(action="RemoteStartTransaction", status="sent") if chance.random() < 0.5 else None
        if ordered is not None:
            station = _of(ordered)
            parameters = ordered["parameters"]
            token = parameters.get("idTag") or parameters.get("id_token") or token
            connector = parameters.get("connectorId") or parameters.get("connector_id") or parameters.get("evse_id") or connector
        return StartTransaction(
            **station,
            evse_id=connector,
            connector_id=connector,
            id_token=token,
            time=self._time(),
            meter_start_wh=chance.choice((0, 1000)),
            replayed=chance.random() < 0.05,
        )

    def _stop(self) -> StopTransaction:
        chance = self.chance
        station = self._station()
        return StopTransaction(
            **station,
            transaction_ref=self._reference(station),
            time=self._time(),
            meter_stop_wh=chance.choice((900, 2000, 3000)),
            payload=b'{"meterStop":%d}' % chance.choice((2000, 3000)),
            id_token=chance.choice((None, *TOKENS)),
            readings=self._readings(),
            replayed=chance.random() < 0.1,
        )

    def _meter_values(self) -> RecordMeterValues:
        chance = self.chance
        station = self._station()
        connector = chance.choice((1, 1, 1, 2, 0))
        return RecordMeterValues(
            **station,
            evse_id=connector,
            connector_id=connector,
            readings=self._readings(),
            payload=b'[{"n":%d}]' % chance.randint(0, 2),
            transaction_ref=self._reference(station) if chance.random() < 0.85 else None,
            replayed=chance.random() < 0.1,
        )

    def _transaction_event(self) -> RecordTransactionEvent:
        chance = self.chance
        station, reference = self._station(), f"tx-{chance.randint(1, 3)}"
        ordered = self._some_command(action="RequestStartTransaction", status="sent") if chance.random() < 0.2 else None
        running = self._sessions(station, "ocpp2.0.1", status="active")
        if ordered is not None:
            station = _of(ordered)
        elif running and chance.random() < 0.4:
            reference = chance.choice(running)
        seq_no = chance.randint(0, 6)
        kind = "Started" if seq_no == 0 else chance.choice(("Started", "Updated", "Updated", "Updated", "Ended"))
        return RecordTransactionEvent(
            **station,
            ocpp_version="ocpp2.0.1",
            type=kind,  # type: ignore[arg-type]  # one of the three
            transaction_ref=reference,
            seq_no=seq_no,
            time=self._time(),
            trigger_reason=chance.choice(("Authorized", "MeterValuePeriodic", "TxResumed")),
            details=b'{"seqNo":%d}' % seq_no,
            payload=b"{}",
            offline=chance.random() < 0.2,
            evse_id=chance.choice((None, 1, 2)),
            connector_id=chance.choice((None, 1)),
            id_token=chance.choice((None, None, *TOKENS)),
            token_type=chance.choice((None, "ISO14443", "eMAID")),
            charging_state=chance.choice((None, "Charging")),
            remote_start_id=7 if ordered is not None else chance.choice((None, None, 7, 8)),
            readings=self._readings(2),
            replayed=chance.random() < 0.05,
        )

    def _reconcile(self) -> ReconcileSessions:
        chance = self.chance
        give_up = chance.choice((3000, 86_000, 150_000, 150_000))
        silence = chance.choice((60, 3600))
        return ReconcileSessions(
            tenant_id=0, station_id=0, process_id=chance.choice(PROCESSES), silence_s=silence, settle_s=20, give_up_s=give_up
        )

    # -- notices

    def _station_event(self) -> RecordStationEvent:
        chance = self.chance
        reference, caused_by = chance.choice(((None, ()), ("r1", ("ClearCache",)), ("r2", ("TriggerMessage", "ClearCache"))))
        command = None if reference is None else self._some_command(reference=reference)
        return RecordStationEvent(
            **(self._station() if command is None else _of(command)),
            type=chance.choice(("security_event", "firmware_status")),
            data=b'{"a":%d}' % chance.randint(0, 1),
            time=chance.choice((None, self._time(), StationTime(EPOCH, "epoch"))),
            reference=reference,
            caused_by=caused_by,
        )

    def _device_report(self) -> StoreDeviceReport:
        chance = self.chance
        variables = [
            DeviceVariable(
                chance.choice(("EVSE", "Connector")),
                chance.choice(("Power", "State")),
                evse_id=chance.randint(0, 1),
                value=chance.choice((None, "1", "2")),
                persistent=chance.choice((None, True)),
                characteristics=chance.choice((None, b'{"unit":"W"}', b'{"unit":"A"}')),
            )
            for _ in range(chance.randint(0, 3))
        ]
        if chance.random() < 0.2:
            kept = DeviceVariable("SmartChargingCtrlr", "ChargingProfilePersistence", variable_instance="TxProfile")
            variables.append(msgspec.structs.replace(kept, value=chance.choice((None, "true", "false", "True"))))
        return StoreDeviceReport(
            **self._station(), request_id=1, seq_no=0, to_be_continued=False, variables=variables, time=self._time()
        )

    def _stream(self) -> dict[str, Any]:
        return {**self._station(), "stream_id": self.chance.randint(0, 3)}

    def _open_stream(self) -> OpenEventStream:
        return OpenEventStream(**self._stream(), variable_monitoring_id=self.chance.randint(1, 2), data=b"{}")

    def _close_stream(self) -> CloseEventStream:
        return CloseEventStream(**self._stream(), data=b"{}")

    def _stream_values(self) -> RecordStreamValues:
        return RecordStreamValues(**self._stream(), data=b'{"v":1}', time=self._time())

    def _quarantine(self) -> QuarantineFrame:
        chance = self.chance
        return QuarantineFrame(
            **self._station(),
            ocpp_version="ocpp1.6",
            action=chance.choice(("MeterValues", "StopTransaction")),
            reason="schema",
            payload=b"x" * chance.randint(1, 40),
            taken=chance.random() < 0.3,
        )

    def _count(self) -> CountRelaxations:
        relaxations = tuple(self._relaxation() for _ in range(self.chance.randint(1, 4)))
        return CountRelaxations(**self._station(), relaxations=relaxations)

    def _relaxation(self) -> Relaxation:
        chance = self.chance
        path = f"/{chance.choice('abcdefg')}"
        return Relaxation("call", "ocpp1.6", "StatusNotification", path, "maxLength", chance.choice(("always", "tolerant")))

    # -- commands

    def _claim(self) -> Operation:
        chance = self.chance
        command = self._some_command(**({"status": "queued"} if chance.random() < 0.8 else {}))
        if command is None:
            return self._connect()
        station = (command["tenant_id"], command["station_id"])
        action = command["action"] or chance.choice(("RemoteStartTransaction", "RequestStartTransaction"))
        return ClaimCommand(
            tenant_id=station[0],
            station_id=station[1] if chance.random() < 0.95 else station[1] + 1,
            command_id=command["command_id"],
            epoch=self._epoch(*station),
            action=action,
            reference=chance.choice(REFERENCES.get(action, (None,))),
            hearsay=self._hearsay(command),
        )

    def _hearsay(self, command: dict[str, Any]) -> Hearsay | None:
        chance = self.chance
        if chance.random() < 0.5:
            return None
        right = Hearsay(command["command"], command["action"], json.dumps(command["parameters"]).encode())
        if chance.random() < 0.8:
            return right
        wrong: dict[str, Any] = chance.choice(({"command": "reset"}, {"action": "Reset"}, {"parameters": b'{"other":1}'}))
        return msgspec.structs.replace(right, **wrong)

    def _finish(self) -> Operation:
        chance = self.chance
        wanted = chance.choice(({}, {"status": "sent"}, {"requested_by": QUESTION}, {"requested_by": QUESTION, "status": "sent"}))
        command = self._some_command(**wanted)
        if command is None:
            return self._connect()
        status = chance.choice(("accepted", "accepted", "accepted", "rejected", "timed_out", "unknown"))
        result = b'{"ongoingIndicator":%b,"messagesInQueue":%b}' % (
            chance.choice((b"true", b"false")),
            chance.choice((b"true", b"false", b"false")),
        )
        return FinishCommand(
            tenant_id=command["tenant_id"],
            station_id=command["station_id"],
            command_id=command["command_id"],
            status=status,  # type: ignore[arg-type]  # one of them
            result=result if status == "accepted" else None,
            error=None if status == "accepted" else status,
            hearsay=self._hearsay(command),
        )


def _of(command: dict[str, Any]) -> dict[str, Any]:
    """The station of a command."""
    return {"tenant_id": command["tenant_id"], "station_id": command["station_id"]}


_MAKERS: Final[dict[Callable[[Generator], Operation], int]] = {
    Generator._connect: 5,
    Generator._disconnect: 3,
    Generator._see: 6,
    Generator._boot: 4,
    Generator._status: 6,
    Generator._device_events: 3,
    Generator._authorize: 3,
    Generator._start: 12,
    Generator._stop: 8,
    Generator._meter_values: 12,
    Generator._transaction_event: 16,
    Generator._reconcile: 4,
    Generator._station_event: 5,
    Generator._device_report: 3,
    Generator._open_stream: 6,
    Generator._close_stream: 2,
    Generator._stream_values: 3,
    Generator._quarantine: 6,
    Generator._count: 3,
    Generator._claim: 12,
    Generator._finish: 8,
}
