"""`csms serve --gateways`: stations on several processes, which die, are replaced, and never outlive their launcher."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.processes.charging import charging, command, differences, holders, stored
from tests.processes.conftest import Shared
from tests.processes.installation import Redis, Server, alive, rows, running, until

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that PostgreSQL's account can enter when root runs the tests."""
    path = Path(tempfile.mkdtemp(prefix="csms-processes-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


async def test_stations_of_all_processes_are_served_and_commanded(redis: Redis, folder: Path) -> None:
    """On the embedded database, on a port that the launcher chose."""
    environment = {"CSMS_REDIS_URL": redis.url, "CSMS_OCPP_PORT": "0"}
    with running(Server(folder, environment, "serve", "--gateways", "2")) as launcher:
        pids = launcher.gateways
        assert len(pids) == 2
        (url,) = {line.split()[1] for line in launcher.log.read_text().splitlines() if "ws://" in line and "stations" in line}
        async with charging(url, 20) as fleet:
            with launcher.api() as api, trio.fail_after(30):
                while True:
                    points = await trio.to_thread.run_sync(api.items, "/chargepoints")
                    if sum(point["status"] == "online" and point["registration"] == "accepted" for point in points) == 20:
                        break
                    await trio.sleep(0.1)
                ends = [await command(api, identity) for identity in fleet.identities]
                assert [end for _, end in ends] == ["accepted"] * 20
                assert max(seconds for seconds, _ in ends) < 1.5, "a poke takes no sweep"
                connected = [int(_metric(launcher, number, "csms_gateway_connections")) for number in range(2)]
                assert sum(connected) == 20
                assert min(connected) > 0, "both serve stations"
                assert [launcher.told(number)[0] for number in (None, 0, 1)] == [200, 200, 200]
                assert launcher.health()["components"]["gateways"] == {"state": "ok", "detail": "2 alive"}
                report = await fleet.finish()
                assert await trio.to_thread.run_sync(differences, api, report) == []
        assert launcher.stop() == 0
        assert [pid for pid in pids if alive(pid)] == []
        log = launcher.log.read_text()
        assert log.count('"event":"gateway.draining"') == 2
        assert "a password for tests" not in log


def _metric(launcher: Server, number: int, name: str) -> float:
    import httpx

    text = httpx.get(f"http://127.0.0.1:{launcher.metrics_port + 1 + number}/metrics", timeout=5).text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + "{"))


async def test_a_killed_process_costs_its_stations_a_reconnect(shared: Shared, tmp_path: Path) -> None:
    with running(Server(tmp_path, shared.environment, "serve", "--gateways", "2")) as launcher:
        async with charging(launcher.ws_url, 12) as fleet:
            before = await holders(shared.database_url, fleet.identities)
            assert len(before) == 2
            victim = launcher.gateways[0]
            os.kill(victim, signal.SIGKILL)
            await until(lambda: launcher.says("gateway.process_ready") == 3, "another process in its place")
            assert victim not in launcher.gateways
            assert len(launcher.gateways) == 2
            readings = await stored(shared.database_url, fleet.identities)
            with trio.fail_after(20):
                # one of the two is no more
                while len(set(await holders(shared.database_url, fleet.identities)) & set(before)) != 1:
                    await trio.sleep(0.1)
            with launcher.api() as api:
                ends = [await command(api, identity) for identity in fleet.identities]
                assert [end for _, end in ends] == ["accepted"] * 12
                assert max(seconds for seconds, _ in ends) < 1.5
                assert await stored(shared.database_url, fleet.identities) > readings, "sessions go on"
                report = await fleet.finish()
                assert len(report.sessions) >= 12
                assert await trio.to_thread.run_sync(differences, api, report) == []
        assert launcher.says("gateway.process_died") == 1


async def test_all_processes_are_replaced_and_nothing_is_lost(shared: Shared, tmp_path: Path) -> None:
    with running(Server(tmp_path, shared.environment, "serve", "--gateways", "2")) as launcher:
        async with charging(launcher.ws_url, 12, speed=60, meter_interval=12) as fleet:
            before = await holders(shared.database_url, fleet.identities)
            old = launcher.gateways
            launcher.signal(signal.SIGUSR1)
            least = 2
            with trio.fail_after(40):
                while not launcher.says("gateway.replaced_all"):
                    least = min(least, _listening(launcher.ocpp_port))
                    await trio.sleep(0.02)
            assert least == 1, "one after the other, and never none"
            assert not set(old) & set(launcher.gateways)
            assert len(launcher.gateways) == 2
            after = await holders(shared.database_url, fleet.identities)
            assert not set(before) & set(after)
            report = await fleet.finish()
            assert report.counters.connections >= 24, "every station had to come again"
            assert sum(record.samples for record in report.sessions) > 100
            with launcher.api() as api:
                assert await trio.to_thread.run_sync(differences, api, report) == []
        assert launcher.says("gateway.process_died") == 0


def _listening(port: int) -> int:
    """How many sockets of this host listen on a port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(field[3] == "0A" and field[1].endswith(f":{port:04X}") for field in fields)


async def test_no_process_outlives_a_killed_launcher(shared: Shared, tmp_path: Path) -> None:
    with running(Server(tmp_path, shared.environment, "serve", "--gateways", "2")) as launcher:
        pids = launcher.gateways
        async with charging(launcher.ws_url, 4) as fleet:
            await holders(shared.database_url, fleet.identities)
            launcher.kill()
            await until(lambda: not any(alive(pid) for pid in pids), "the processes end")
        found = await rows(shared.database_url, "SELECT count(*) FROM stations WHERE connected_process IS NOT NULL")
        assert found[0][0] == 0, "they said goodbye"


async def test_a_process_that_does_not_start_is_one_line(shared: Shared, tmp_path: Path) -> None:
    nowhere = {"CSMS_OCPP_TLS_CERTIFICATE": "/nowhere.pem", "CSMS_OCPP_TLS_KEY": "/nowhere.pem"}
    server = Server(tmp_path, {**shared.environment, **nowhere}, "serve", "--gateways", "2")
    server.launch()
    assert await trio.to_thread.run_sync(server.wait, 30.0) == 1
    lines = server.tail().splitlines()
    assert "Traceback" not in server.tail()
    assert [line for line in lines if line.startswith("error: ") and "nowhere.pem" in line], lines
    assert lines[-1] == "error: a gateway process ended with status 1 before it was ready; it said why above"


@pytest.mark.parametrize("offset", [None, 2])
async def test_a_taken_port_is_one_line(shared: Shared, tmp_path: Path, offset: int | None) -> None:
    """That of the stations, and that for the figures of the second process."""
    server = Server(tmp_path, shared.environment, "serve", "--gateways", "2")
    port = server.ocpp_port if offset is None else server.metrics_port + offset
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        server.launch()
        assert await trio.to_thread.run_sync(server.wait, 30.0) == 1
    assert "Traceback" not in server.tail()
    assert server.tail().splitlines()[-1] == f"error: Address already in use: 127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--gateways", "2"], "error: several gateway processes need Redis or Valkey: set CSMS_REDIS_URL, for example to "),
        (["--gateways", "65"], "csms serve: error: argument --gateways: '65' is not a whole number from 1 to 64"),
    ],
)
def test_what_is_refused(folder: Path, arguments: list[str], line: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CSMS_")}
    refused = subprocess.run(
        [sys.executable, "-c", "import sys; from csms.cli import main; sys.exit(main())", "serve", *arguments],
        env={**environment, "CSMS_DATA_DIR": str(folder / "data")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode in (1, 2)
    assert refused.stderr.splitlines()[-1].startswith(line)
    assert not (folder / "data").exists()
