"""Redis stopped, killed, and back: stations notice nothing, commands go on, nobody restarts anything."""

from __future__ import annotations

import signal
import time
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

from tests.e2e.running import Api
from tests.processes.charging import Charging, charging, command, differences, holders, stored
from tests.processes.conftest import Shared
from tests.processes.installation import Server, rows, running, until

pytestmark = pytest.mark.slow

COMMAND_S = 2.0


async def test_stations_and_commands_go_on_without_redis(shared: Shared, tmp_path: Path) -> None:
    redis = shared.redis
    with running(Server(tmp_path, shared.environment, "serve", "--gateways", "2")) as launcher, launcher.api() as api:
        async with charging(launcher.ws_url, 8) as fleet:
            await holders(shared.database_url, fleet.identities)
            connected_at = await _connected_at(shared, fleet)
            await _commands_are_poked(api, fleet)

            redis.signal(signal.SIGSTOP)
            await _commands_end(api, fleet, launcher)
            await _readings_come(shared, fleet)
            assert launcher.told(0)[0] == 200, "it goes on serving stations"
            assert launcher.told(0)[1]["components"]["bus"]["state"] == "degraded"
            redis.signal(signal.SIGCONT)
            await _commands_are_poked_again(api, fleet, launcher)

            redis.kill()
            await _commands_end(api, fleet, launcher)
            await _readings_come(shared, fleet)
            redis.start_again()
            await _commands_are_poked_again(api, fleet, launcher)

            assert await _connected_at(shared, fleet) == connected_at, "no station lost its connection"
            report = await fleet.finish()
            assert await trio.to_thread.run_sync(differences, api, report) == []
            assert report.counters.timed_out == 0


async def test_wrong_passwords_at_two_processes_count_together(shared: Shared, tmp_path: Path) -> None:
    """10 a minute from one address for one account, wherever they arrive."""
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    one, other = (Server(folder, shared.environment, "serve") for folder in folders)
    with running(one, other):
        # each process knows what the others counted a moment after it has counted for the first time
        for attempt, wrong in ((_sign_in, 401), (_refused, 401)):
            assert [await attempt(one) for _ in range(9)] == [wrong] * 9
            await trio.sleep(0.5)
            assert await attempt(other) == wrong
            await trio.sleep(0.5)
            assert await attempt(other) == 429
            assert await attempt(one) == wrong, "the tenth of its own"
            assert await attempt(one) == 429


async def _sign_in(server: Server) -> int:
    body = {"email": "nobody@example.test", "password": "wrong"}
    answer = await trio.to_thread.run_sync(partial(httpx.post, f"{server.http_url}/api/v1/auth/login", json=body, timeout=10))
    return answer.status_code


async def _refused(server: Server) -> int:
    """The status of a WebSocket upgrade with a password, where nobody is called so."""
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": "ocpp1.6",
    }
    url = f"http://127.0.0.1:{server.ocpp_port}/ocpp/nosuch/CP-1"
    get = partial(httpx.get, url, headers=headers, auth=("CP-1", "wrong"), timeout=10)
    return (await trio.to_thread.run_sync(get)).status_code


async def _connected_at(shared: Shared, fleet: Charging) -> dict[str, object]:
    found = await rows(
        shared.database_url, "SELECT identity, connection_epoch FROM stations WHERE identity = ANY($1)", fleet.identities
    )
    return {row[0]: row[1] for row in found}


async def _commands_are_poked(api: Api, fleet: Charging) -> None:
    """Faster than any sweep, all of them."""
    ends = [await command(api, identity) for identity in fleet.identities]
    assert [end for _, end in ends] == ["accepted"] * len(ends)
    assert max(seconds for seconds, _ in ends) < 0.5, ends


async def _commands_are_poked_again(api: Api, fleet: Charging, launcher: Server) -> None:
    def well() -> bool:
        return all(launcher.told(number)[1]["components"]["bus"]["state"] == "ok" for number in (None, 0, 1))

    await until(well, "all processes have the bus again", within=10)
    await _commands_are_poked(api, fleet)


async def _commands_end(api: Api, fleet: Charging, launcher: Server) -> None:
    """From the first moment on, one after the other, to stations of both processes."""
    for identity in fleet.identities:
        seconds, end = await command(api, identity)
        assert end == "accepted"
        assert seconds < COMMAND_S
    assert launcher.health()["components"]["bus"]["state"] == "degraded"


async def _readings_come(shared: Shared, fleet: Charging) -> None:
    before = await stored(shared.database_url, fleet.identities)
    began = time.monotonic()
    with trio.fail_after(5):
        while await stored(shared.database_url, fleet.identities) < before + 2 * len(fleet.identities):
            await trio.sleep(0.1)
    assert time.monotonic() - began < 5
