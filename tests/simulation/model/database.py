"""The store as one gateway process sees it, and the server behind all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import trio

from csms.ledger.port import LedgerTransaction, StationKey
from csms.store import StoreUnavailable
from csms.store.command_records import CommandRecord
from csms.store.replay_records import ReplayError, ReplayRecord
from csms.store.stations import StationRecord
from tests.simulation.model.commands import CommandStatements
from tests.simulation.model.engine import Tables, Transaction
from tests.simulation.model.notices import NoticeStatements
from tests.simulation.model.reservations import ReservationStatements
from tests.simulation.model.rows import GROUPS, PARENTS, Command, Station
from tests.simulation.model.sessions import SessionStatements
from tests.simulation.model.stations import StationStatements
from tests.simulation.timing import SimulatedClock

T = TypeVar("T")
_PER_STATION, _PER_LOOK = 5, 200


class Behaviour:
    """What happens to a process's transactions on their way: awaited at every step, it may wait or raise StoreUnavailable.

    Points: `acquire`, `begin`, the name of each statement, `commit`, `committed` (durable, the caller not told yet), `probe`.
    """

    async def at(self, point: str) -> None:
        await trio.lowlevel.checkpoint()


class ModelTransaction(StationStatements, SessionStatements, NoticeStatements, ReservationStatements, CommandStatements):
    """`csms.ledger.port.LedgerTransaction` on the model."""

    def __init__(self, tx: Transaction, step: Callable[[str], Awaitable[None]]) -> None:
        self.tx = tx
        self.step = step

    def all_station_keys(self) -> list[tuple[int, int]]:
        return [(station.tenant_id, station.station_id) for station in self.tx.rows("stations")]


class ModelDatabase:
    """The server: what is committed stays, also over `crash`."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.tables = Tables(GROUPS, PARENTS)

    def begin(self) -> Transaction:
        return Transaction(self.tables, self.clock.now())

    async def crash(self) -> None:
        """Killed and started again: what had not committed never happened."""
        for transaction in list(self.tables.open):
            transaction.abort()

    def ledger_store(self, behaviour: Behaviour) -> ModelLedgerStore:
        return ModelLedgerStore(self, behaviour)

    def gateway_store(self, behaviour: Behaviour) -> ModelGatewayStore:
        return ModelGatewayStore(self, behaviour)

    # -- what tests put in and look at

    async def add_tenant(self, tenant_id: int, slug: str) -> None:
        self.tables.table("tenants")[tenant_id] = slug

    async def insert_command(
        self, tenant_id: int, command_id: UUID, station_id: int, action: str, payload: dict[str, Any], *, expires_at: datetime
    ) -> None:
        """A raw command, as the hub puts it in."""
        command = Command(
            tenant_id,
            command_id,
            station_id,
            None,
            action,
            msgspec.json.encode(payload),
            "operator",
            self.clock.now(),
            expires_at,
        )
        transaction = self.begin()
        transaction.put("commands", (tenant_id, command_id), command)
        transaction.commit()

    async def place_of(self, tenant_id: int, identity: str) -> tuple[int, UUID | None] | None:
        """(station_id, the process that holds it) of a station that has connected at least once."""
        station = self.station_of(tenant_id, identity)
        return None if station is None else (station.station_id, station.connected_process)

    async def command_status(self, tenant_id: int, command_id: UUID) -> str:
        return self.commands[tenant_id, command_id].status

    def station_of(self, tenant_id: int, identity: str) -> Station | None:
        key = self.tables.table("stations unique").get((tenant_id, identity.lower()))
        return None if key is None else self.tables.table("stations")[key]

    @property
    def commands(self) -> dict[tuple[int, UUID], Command]:
        return self.tables.table("commands")


class ModelLedgerStore:
    """`csms.ledger.port.LedgerStore` of one process."""

    def __init__(self, database: ModelDatabase, behaviour: Behaviour) -> None:
        self._database = database
        self._behaviour = behaviour
        self._open: dict[Transaction, None] = {}
        self._killed = False

    def kill(self) -> None:
        """The process is gone: its transactions end as they are, and nobody hears of them any more."""
        self._killed = True
        for transaction in list(self._open):
            transaction.abort()

    async def transact(
        self, work: Callable[[LedgerTransaction], Awaitable[T]], *, timeout: float, lanes: Collection[StationKey] = ()
    ) -> T:
        with trio.move_on_after(timeout):
            await self._at("acquire")
            transaction = self._database.begin()
            self._open[transaction] = None

            async def step(point: str) -> None:
                await self._at(point)
                transaction.check()

            try:
                await step("begin")
                for key in sorted(lanes):
                    await transaction.lock("lanes", key)
                result = await work(ModelTransaction(transaction, step))
                await step("commit")
                transaction.commit()
            finally:
                transaction.abort()
                del self._open[transaction]
            await self._at("committed")
            return result
        raise StoreUnavailable("no answer in time")

    async def look(self, work: Callable[[LedgerTransaction], Awaitable[T]], *, timeout: float) -> T:
        # a transaction of its own reads what is committed, and has nothing to commit
        return await self.transact(work, timeout=timeout)

    async def probe(self, timeout: float) -> None:
        await self._at("probe")

    async def _at(self, point: str) -> None:
        if not self._killed:
            await self._behaviour.at(point)
        if self._killed:
            raise StoreUnavailable("this process is dead")


class ModelGatewayStore:
    """`csms.store.gateway_store.GatewayStore` of one process."""

    def __init__(self, database: ModelDatabase, behaviour: Behaviour) -> None:
        self._database = database
        self._behaviour = behaviour

    async def find_station(self, tenant_id: int, identity: str) -> StationRecord | None:
        await self._behaviour.at("find_station")
        station = self._database.station_of(tenant_id, identity)
        if station is None:
            return None
        return StationRecord(
            station.station_id,
            station.identity,
            station.registration,  # type: ignore[arg-type]  # a registration, kept as text
            station.admission,
            station.password_scheme,
            station.password_hash,
            station.password_salt,
            station.security_profile,
            station.certificate_name,
            station.connection_epoch,
            station.ocpp_version,
            station.retired_at,
        )

    async def load_commands(self, keys: Sequence[tuple[int, UUID]]) -> list[CommandRecord]:
        await self._behaviour.at("load_commands")
        commands = self._database.commands
        return [_record(commands[key]) for key in keys if key in commands]

    async def queued_commands(self, process_id: UUID) -> list[CommandRecord]:
        await self._behaviour.at("queued_commands")
        stations = self._database.tables.table("stations")
        places: dict[tuple[int, int], int] = {}
        ranked: list[tuple[int, datetime, Command]] = []
        for command in sorted(self._database.commands.values(), key=lambda c: (c.created_at, c.command_id)):
            if command.status != "queued":
                continue
            station = (command.tenant_id, command.station_id)
            place = places[station] = places.get(station, 0) + 1
            if place <= _PER_STATION and stations[station].connected_process == process_id:
                ranked.append((place, command.created_at, command))
        ranked.sort(key=lambda entry: (entry[0], entry[1], entry[2].command_id))
        return [_record(command) for _, _, command in ranked[:_PER_LOOK]]

    async def claim_replays(self, process_id: UUID, limit: int) -> list[ReplayRecord]:
        """None: nobody orders any, they are the hub's matter."""
        await self._behaviour.at("claim_replays")
        return []

    async def finish_replay(self, record: ReplayRecord, outcome: bytes | ReplayError) -> None:
        raise AssertionError("no replay was claimed")


def _record(command: Command) -> CommandRecord:
    return CommandRecord(
        command.tenant_id,
        command.station_id,
        command.command_id,
        command.command,
        command.action,
        command.parameters,
        command.status,
        command.expires_at,
        command.epoch,
    )
