"""Some seeds on a real PostgreSQL: what the model forgives, it does not."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from csms.store import open_store
from tests.simulation.oracle import judge
from tests.simulation.plan import Plan
from tests.simulation.real import RATE, RealDatabase
from tests.simulation.world import deterministic, quiet


@pytest.mark.parametrize("seed", [7, 57])
def test_a_seed_on_postgresql(database: str, seed: int) -> None:
    plan = Plan(seed)

    async def play() -> list[str]:
        async with open_store(database, connections=4) as store:
            real = RealDatabase(store, database)
            world = plan.world(real)
            await world.run(plan.play)
            # the server's clock is slower than the run's: nobody was silent for long enough to be asked about
            unasked = [fault for fault in judge(world.stations, await real.facts()) if not fault.endswith("is active still")]
            assert world.stations
            return [*world.complaints, *unasked]

    with deterministic(seed), quiet():
        wrong: list[str] = trio.run(play, clock=MockClock(rate=RATE))
    assert not wrong, f"{plan}\n" + "\n".join(wrong)
