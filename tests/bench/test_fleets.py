"""A fleet that cannot do what it is told says so to whoever drives it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from bench.fleets import open_fleet
from bench.processes import BenchError
from tests.e2e.running import free_port


async def test_an_order_that_cannot_be_followed_ends_the_wait_for_its_result(fleet: Path) -> None:
    plan = {
        "url": f"ws://127.0.0.1:{free_port()}/ocpp",  # nobody is there
        "groups": [{"name": "all", "prefix": "CP-", "stations": 1}],
    }
    with trio.fail_after(20):
        async with open_fleet(fleet, [plan]) as stations:
            with pytest.raises(BenchError, match="cannot do what it is told: speed: must be"):
                await stations.run("all", 1.0, speed=0.0)
