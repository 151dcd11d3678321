"""One simulated run: gateway processes with the product's own code, stations, a network and a store that fail by plan."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol
from unittest.mock import patch
from uuid import UUID

import structlog
import trio
from trio.testing import MockClock

import gateway.server
from csms.bus import BusUnavailable
from csms.bus.local import LocalBus
from csms.credentials import StationPasswords
from csms.health import HealthRegistry
from csms.ledger import Ledger
from csms.ledger.port import LedgerStore
from csms.settings import Settings
from csms.store import StoreUnavailable
from csms.store.gateway_store import GatewayStore
from csms.tenants import TenantConfig, TenantDirectory
from gateway.server import GatewayServices, run_gateway
from tests.simulation.model import Behaviour
from tests.simulation.network import Network, SimulatedEntrance
from tests.simulation.stations import Habits, Station
from tests.simulation.timing import SimulatedClock, SimulatedIds
from tests.simulation.truth import Transaction

TENANTS = ("red", "blue")
SETTLE_S, SILENCE_S, GIVE_UP_S = 20, 60, 3600


@dataclass
class StoreWeather:
    """How the store is now."""

    delay_s: float = 0.002
    fail: float = 0.0
    """Share of the steps that fail with a lost connection."""
    away: bool = False

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.delay_s, self.fail, self.away = StoreWeather.delay_s, 0.0, False


class Faults(Behaviour):
    """What the store does to one process at every step of a transaction."""

    def __init__(self, weather: StoreWeather, chance: Random) -> None:
        self._weather = weather
        self._chance = chance

    async def at(self, point: str) -> None:
        weather = self._weather
        if point in ("begin", "commit", "committed", "find_station"):
            await trio.sleep(weather.delay_s * self._chance.uniform(0.1, 2.0))
        if weather.away or (weather.fail and self._chance.random() < weather.fail):
            raise StoreUnavailable(f"simulated at {point}")


class SimulatedDatabase(Protocol):
    """What a world needs of a database: the model, or PostgreSQL."""

    clock: SimulatedClock

    def ledger_store(self, behaviour: Behaviour) -> LedgerStoreThatDies: ...
    def gateway_store(self, behaviour: Behaviour) -> GatewayStore: ...
    async def crash(self) -> None: ...
    async def add_tenant(self, tenant_id: int, slug: str) -> None: ...
    async def place_of(self, tenant_id: int, identity: str) -> tuple[int, UUID | None] | None: ...
    async def insert_command(
        self, tenant_id: int, command_id: UUID, station_id: int, action: str, payload: dict[str, Any], *, expires_at: datetime
    ) -> None: ...
    async def command_status(self, tenant_id: int, command_id: UUID) -> str: ...


class LedgerStoreThatDies(LedgerStore, Protocol):
    def kill(self) -> None:
        """Its process is gone: nobody hears of its transactions any more."""
        ...


class FlakyBus(LocalBus):
    """The bus of all processes; while `away`, nothing is published."""

    away = False

    async def publish(self, topic: str, body: bytes) -> None:
        if self.away:
            raise BusUnavailable("simulated")
        await super().publish(topic, body)


@dataclass
class Process:
    """One gateway process."""

    name: str
    entrance: SimulatedEntrance
    ledger: Ledger
    ledger_store: LedgerStoreThatDies
    services: GatewayServices
    shutdown: trio.Event
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)

    def kill(self) -> None:
        """As kill -9 does: nothing of what it was about to do happens."""
        self.entrance.kill()
        self.ledger_store.kill()
        self.scope.cancel()


class World:
    """Everything of one run; `run` plays it."""

    def __init__(self, seed: int, *, stations: int, processes: int, seconds: float, database: SimulatedDatabase) -> None:
        self.seed = seed
        self.seconds = seconds
        self.chance = Random(f"world {seed}")
        self.clock = database.clock
        self.ids = SimulatedIds(self.clock, Random(f"ids {seed}"))
        self.database = database
        self.store_weather = StoreWeather()
        self.bus = FlakyBus()
        self.queue_bound = self.chance.choice((8, 50, 500))
        self.batch_size = self.chance.choice((1, 4, 200))
        self.tenants = TenantDirectory(try_out=False)
        self.processes: list[Process] = []
        self.stations: list[Station] = []
        self.trace: list[tuple[float, str, tuple[object, ...]]] = []
        self.complaints: list[str] = []
        """What was wrong while it ran."""
        self.calm = False
        self.furthest_ahead = timedelta(0)
        self._wanted_stations = stations
        self._wanted_processes = processes
        self._numbers = iter(range(1_000_000))

    # -- the run

    async def run(self, play: Callable[[World], Any]) -> None:
        """Bring everything up, let `play` strike, calm down, and see that all stations come to rest."""
        await self._make_tenants()
        async with self.bus, trio.open_nursery() as nursery:
            self.network = Network(Random(f"network {self.seed}"), nursery)
            for _ in range(self._wanted_processes):
                nursery.start_soon(self._keep_one_running)
            self._make_stations()
            for station in self.stations:
                nursery.start_soon(station.run)
            nursery.start_soon(self._watch)
            with trio.move_on_after(self.seconds):
                await play(self)
                await trio.sleep_forever()
            await self._calm_down()
            nursery.cancel_scope.cancel()

    async def _calm_down(self) -> None:
        self.note("calm")
        self.calm = True
        # the clock is right again: it never ran so far ahead that this is behind it
        self.clock.ahead = self.furthest_ahead
        self.bus.away = False
        self.store_weather.clear()
        self.network.weather.clear()
        for station in self.stations:
            station.stopping = True
        with trio.move_on_after(900) as limit:
            while not all(station.idle and station.reachable for station in self.stations):
                await trio.sleep(1)
        if limit.cancelled_caught:
            self.complaints += [
                f"{s.tenant}/{s.identity} never came to rest: {s.queued} messages wait, connected: {s.reachable}, {dict(s.errors)}"
                for s in self.stations
                if not s.idle or not s.reachable
            ]
        await self._reach_all()
        # sessions that nobody ends are asked about and closed, half-open connections are found out
        await trio.sleep(SILENCE_S + SETTLE_S + 60)
        served = Counter(task.name.rpartition(".")[2] for task in _tasks(trio.lowlevel.current_root_task()))
        if served["serve"] > len(self.stations):
            self.complaints.append(f"{served['serve']} connections are served for {len(self.stations)} stations")
        if served["writer"]:
            self.complaints.append(f"{served['writer']} tasks write still")

    async def _reach_all(self) -> None:
        """A command reaches every station that is connected."""
        ordered = {}
        for station in self.stations:
            if station.reachable:
                ordered[await self.order(station, "ClearCache", {})] = station
        await trio.sleep(20)
        for command_id, station in ordered.items():
            status = await self.database.command_status(self.tenant_id(station.tenant), command_id)
            if status != "accepted":
                self.complaints.append(f"a command to {station.tenant}/{station.identity} ended as {status}")

    async def order(self, station: Station, action: str, payload: dict[str, Any]) -> UUID:
        """Put a command into the store, as the hub does, and poke whoever holds the station."""
        command_id = self.ids.uuid7()
        tenant_id = self.tenant_id(station.tenant)
        place = await self.database.place_of(tenant_id, station.identity)
        assert place is not None
        station_id, process_id = place
        expires_at = self.clock.now() + timedelta(seconds=60)
        await self.database.insert_command(tenant_id, command_id, station_id, action, payload, expires_at=expires_at)
        if process_id is not None:
            body = f'{{"tenant_id":{tenant_id},"station_id":{station_id},"command_id":"{command_id}"}}'
            try:
                await self.bus.publish(f"gateway.{process_id}.commands", body.encode())
            except BusUnavailable:
                pass  # the process finds it by itself
        return command_id

    def note(self, what: str, *details: object) -> None:
        """A step of the run: two runs of a seed give the same steps."""
        self.trace.append((round(trio.current_time(), 6), what, details))

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()

    def tenant_id(self, slug: str) -> int:
        return TENANTS.index(slug) + 1

    def running_16(self) -> list[Transaction]:
        """OCPP 1.6 transactions that run and whose ids are known."""
        return [
            t
            for station in self.stations
            for t in station.transactions
            if t.version == "ocpp1.6" and t.ref is not None and not t.over
        ]

    # -- making it

    async def _make_tenants(self) -> None:
        configs = []
        for number, slug in enumerate(TENANTS, 1):
            await self.database.add_tenant(number, slug)
            configs.append(TenantConfig(number, slug, "accept", "accept", True, "UTC", "EUR", 60))
        self.tenants.replace_all(configs)

    def _make_stations(self) -> None:
        for number in range(self._wanted_stations):
            chance = Random(f"station {self.seed} {number}")
            tenant = TENANTS[number % 2]
            # the same identities in both tenants
            identity = f"CS-{number // 2:02d}"
            station = Station(tenant, identity, Habits.draw(chance), self.network, chance, self.running_16, self.note)
            self.stations.append(station)

    async def _keep_one_running(self) -> None:
        while True:
            process = self._new_process()
            self.processes.append(process)
            self.network.entrances.append(process.entrance)
            self.note("process_starts", process.name)
            with process.scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(process.ledger.run)
                    await run_gateway(process.services, process.shutdown, entrance=process.entrance, receiver=False)
                    await process.ledger.close()
            process.entrance.kill()
            self.network.entrances.remove(process.entrance)
            self.processes.remove(process)
            self.note("process_ended", process.name)
            process.ended.set()
            await trio.sleep(1 if self.calm else self.chance.uniform(0.5, 10))

    def _new_process(self) -> Process:
        number = next(self._numbers)
        name = f"gateway-{number}"
        chance = Random(f"process {self.seed} {number}")
        ids = SimulatedIds(self.clock, Random(f"process ids {self.seed} {number}"))
        health = HealthRegistry()
        ledger_store = self.database.ledger_store(Faults(self.store_weather, chance))
        ledger = Ledger(
            ledger_store,
            self.tenants,
            self.clock,
            ids,
            transaction_id_key=bytes(32),
            batch_size=self.batch_size,
            queue_bound=self.queue_bound,
            health=health,
            shared=self._wanted_processes > 1,
        )
        services = GatewayServices(
            settings=Settings(
                session_silence_s=SILENCE_S, session_settle_s=SETTLE_S, session_give_up_s=GIVE_UP_S, drain_s=20, call_timeout_s=15
            ),
            clock=self.clock,
            ids=ids,
            ledger=ledger,
            store=self.database.gateway_store(Faults(self.store_weather, chance)),
            bus=self.bus,
            tenants=self.tenants,
            passwords=StationPasswords(bytes(32), ids),
            health=health,
            process_id=ids.uuid4(),
        )
        return Process(name, SimulatedEntrance(name), ledger, ledger_store, services, trio.Event())

    async def _watch(self) -> None:
        """Bounds hold at every moment."""
        while True:
            await trio.sleep(5)
            for process in self.processes:
                if process.ledger.queued > self.queue_bound:
                    self.complaints.append(f"{process.ledger.queued} operations wait in {process.name}")


@contextmanager
def deterministic(seed: int) -> Iterator[None]:
    """Let Trio's scheduler draw from the seed; leave out what watches the machine instead of the stations."""

    async def nothing(*_: object) -> None:
        return

    @contextmanager
    def as_is(*_: object) -> Iterator[None]:
        yield

    with (
        patch.object(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True),
        patch.object(gateway.server, "watch_loop_lag", nothing),
        patch.object(gateway.server, "collect_young", nothing),
        patch.object(gateway.server, "freeze_after_changes", nothing),
        patch.object(gateway.server, "collector_settings", as_is),
        patch.object(gateway.server, "raise_file_limit", lambda: 0),
    ):
        state = trio._core._run._r.getstate()
        trio._core._run._r.seed(seed)
        try:
            yield
        finally:
            trio._core._run._r.setstate(state)


@contextmanager
def quiet() -> Iterator[None]:
    """No log: a run of faults would write thousands of lines."""
    before = structlog.get_config()
    structlog.configure(processors=[_drop])
    try:
        yield
    finally:
        structlog.configure(**before)


def _drop(*_: object) -> dict[str, Any]:
    raise structlog.DropEvent


def _tasks(root: trio.lowlevel.Task | None) -> Iterator[trio.lowlevel.Task]:
    if root is not None:
        yield root
        for nursery in root.child_nurseries:
            for task in nursery.child_tasks:
                yield from _tasks(task)


def simulate(world: World, play: Callable[[World], Any]) -> None:
    """Run `world` on a clock that jumps whenever everybody waits."""
    with deterministic(world.seed), quiet():
        trio.run(world.run, play, clock=MockClock(autojump_threshold=0))
