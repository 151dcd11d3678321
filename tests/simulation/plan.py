"""The faults of a run, drawn from its seed: what strikes, when, for how long. A failing seed's plan is printed in these words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import trio

from tests.simulation.network import Line
from tests.simulation.world import SimulatedDatabase, World


@dataclass(frozen=True)
class Strike:
    """One fault: at which second of the run, and for how long."""

    at: float
    fault: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.fault} ({self.seconds:.1f} s)"


async def _kill_process(world: World, strike: Strike, chance: Random) -> None:
    if world.processes:
        chance.choice(world.processes).kill()


async def _restart_process(world: World, strike: Strike, chance: Random) -> None:
    if world.processes:
        chance.choice(world.processes).shutdown.set()


async def _crash_store(world: World, strike: Strike, chance: Random) -> None:
    await world.database.crash()
    world.store_weather.away = True
    await trio.sleep(strike.seconds / 4)
    world.store_weather.away = False


async def _store_away(world: World, strike: Strike, chance: Random) -> None:
    world.store_weather.away = True
    await trio.sleep(strike.seconds)
    world.store_weather.away = False


async def _store_slow(world: World, strike: Strike, chance: Random) -> None:
    world.store_weather.delay_s = chance.choice((0.2, 1.0, 5.0))
    await trio.sleep(strike.seconds)
    world.store_weather.delay_s = 0.002


async def _store_flaky(world: World, strike: Strike, chance: Random) -> None:
    world.store_weather.fail = chance.choice((0.02, 0.1, 0.3))
    await trio.sleep(strike.seconds)
    world.store_weather.fail = 0.0


async def _kill_both(world: World, strike: Strike, chance: Random) -> None:
    await _kill_process(world, strike, chance)
    await _crash_store(world, strike, chance)


async def _cut_all(world: World, strike: Strike, chance: Random) -> None:
    for line in world.network.lines:
        line.cut()


async def _each_line(world: World, strike: Strike, chance: Random, act: Callable[[Line], None]) -> None:
    """Strike some lines, again and again for a while."""
    end = trio.current_time() + strike.seconds
    while trio.current_time() < end:
        open_lines = [line for line in world.network.lines if line.open]
        if open_lines:
            act(chance.choice(open_lines))
        await trio.sleep(chance.uniform(0.1, 4))


async def _cut_some(world: World, strike: Strike, chance: Random) -> None:
    await _each_line(world, strike, chance, Line.cut)


async def _half_open(world: World, strike: Strike, chance: Random) -> None:
    await _each_line(world, strike, chance, lambda line: line.half_open(chance.uniform(0.5, 90)))


async def _deaf(world: World, strike: Strike, chance: Random) -> None:
    await _each_line(world, strike, chance, Line.go_deaf)


async def _stall(world: World, strike: Strike, chance: Random) -> None:
    def stall(line: Line) -> None:
        line.stall(chance.choice(("up", "down")), trio.current_time() + chance.uniform(1, 45))

    await _each_line(world, strike, chance, stall)


async def _lossy(world: World, strike: Strike, chance: Random) -> None:
    world.network.weather.lose = chance.choice((0.05, 0.2))
    await trio.sleep(strike.seconds)
    world.network.weather.lose = 0.0


async def _repeating(world: World, strike: Strike, chance: Random) -> None:
    world.network.weather.repeat = chance.choice((0.1, 0.5))
    await trio.sleep(strike.seconds)
    world.network.weather.repeat = 0.0


async def _slow_network(world: World, strike: Strike, chance: Random) -> None:
    world.network.weather.latency_s = chance.choice((0.5, 3.0))
    world.network.weather.slice = True
    await trio.sleep(strike.seconds)
    world.network.weather.latency_s = 0.01
    world.network.weather.slice = False


async def _power_losses(world: World, strike: Strike, chance: Random) -> None:
    end = trio.current_time() + strike.seconds
    while trio.current_time() < end:
        chance.choice(world.stations).lose_power()
        await trio.sleep(chance.uniform(2, 15))


async def _clock_jump(world: World, strike: Strike, chance: Random) -> None:
    world.clock.ahead += timedelta(seconds=chance.uniform(-600, 600))
    world.furthest_ahead = max(world.furthest_ahead, world.clock.ahead)


async def _commands(world: World, strike: Strike, chance: Random) -> None:
    """Operators start, stop and ask."""
    end = trio.current_time() + strike.seconds
    while trio.current_time() < end:
        await trio.sleep(chance.uniform(0.2, 5))
        station = chance.choice(world.stations)
        if await world.database.place_of(world.tenant_id(station.tenant), station.identity) is None:
            continue
        version = station.habits.version
        kind = chance.choice(("start", "stop", "ask"))
        if kind == "start" and version == "ocpp1.6":
            await world.order(station, "RemoteStartTransaction", {"idTag": f"{station.tenant}-TAG-0", "connectorId": 1})
        elif kind == "start":
            token = {"idToken": f"{station.tenant}-TAG-0", "type": "ISO14443"}
            started = {"idToken": token, "remoteStartId": chance.randrange(1, 10**6), "evseId": 1}
            await world.order(station, "RequestStartTransaction", started)
        elif kind == "stop" and version == "ocpp1.6":
            running = [t for t in station.transactions if t.ref is not None and not t.over]
            if running:
                await world.order(station, "RemoteStopTransaction", {"transactionId": int(running[0].ref or 0)})
        elif kind == "stop":
            running = [t for t in station.transactions if not t.over]
            if running:
                await world.order(station, "RequestStopTransaction", {"transactionId": running[0].ref})
        else:
            await world.order(station, "ClearCache", {})


async def _bus_away(world: World, strike: Strike, chance: Random) -> None:
    world.bus.away = True
    await trio.sleep(strike.seconds)
    world.bus.away = False


FAULTS: dict[str, Callable[[World, Strike, Random], Awaitable[None]]] = {
    "kill a gateway process": _kill_process,
    "restart a gateway process": _restart_process,
    "crash the store": _crash_store,
    "kill a gateway process and crash the store": _kill_both,
    "store away": _store_away,
    "store slow": _store_slow,
    "store flaky": _store_flaky,
    "cut all lines": _cut_all,
    "cut some lines": _cut_some,
    "half-open lines": _half_open,
    "deaf lines": _deaf,
    "stalled lines": _stall,
    "lossy network": _lossy,
    "repeating network": _repeating,
    "slow network": _slow_network,
    "power losses": _power_losses,
    "clock jump": _clock_jump,
    "commands": _commands,
    "bus away": _bus_away,
}


class Plan:
    """What happens in the run of a seed."""

    def __init__(self, seed: int) -> None:
        chance = Random(f"plan {seed}")
        self.seed = seed
        self.stations = chance.randrange(3, 11)
        self.processes = chance.choice((1, 2, 2))
        self.seconds = chance.uniform(150, 360)
        self.strikes = sorted(
            (
                Strike(chance.uniform(5, self.seconds - 20), chance.choice(list(FAULTS)), chance.uniform(2, 70))
                for _ in range(chance.randrange(2, 9))
            ),
            key=lambda strike: strike.at,
        )

    def world(self, database: SimulatedDatabase) -> World:
        return World(self.seed, stations=self.stations, processes=self.processes, seconds=self.seconds, database=database)

    async def play(self, world: World) -> None:
        """Let the faults strike; cancelled when the run calms down."""
        async with trio.open_nursery() as nursery:
            for number, strike in enumerate(self.strikes):
                nursery.start_soon(self._strike, world, strike, Random(f"strike {self.seed} {number}"))

    async def _strike(self, world: World, strike: Strike, chance: Random) -> None:
        await trio.sleep(strike.at)
        world.note("strike", strike.fault)
        await FAULTS[strike.fault](world, strike, chance)

    def __str__(self) -> str:
        head = f"seed {self.seed}: {self.stations} stations, {self.processes} gateway processes, {self.seconds:.0f} s"
        return "\n".join([head, *map(str, self.strikes)])
