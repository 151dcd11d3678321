"""Vector 33 of ocpp-j-rules.md section 12: what one gateway process did, another one of the cluster knows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from tests.conformance.scene import OCPP16, at
from tests.conformance.wire import Station, Wire
from tests.e2e.databases import external_database
from tests.e2e.running import Api, RunningServer


@pytest.fixture
def cluster(
    postgres: EmbeddedPostgres, migrated_template: str, root_secret: RootSecret, redis_url: str, tmp_path: Path
) -> Iterator[tuple[RunningServer, RunningServer]]:
    """Two processes on one database and one Redis, each with a hub of its own."""
    with external_database(postgres, migrated_template, root_secret, tmp_path) as (_, environment):
        folders = [tmp_path / name for name in ("one", "other")]
        for folder in folders:
            folder.mkdir()
        one, other = (RunningServer(folder, {**environment, "CSMS_REDIS_URL": redis_url}) for folder in folders)
        try:
            one.start()
            other.start()
            yield one, other
        finally:
            one.ensure_gone()
            other.ensure_gone()


def _connect(server: RunningServer, identity: str) -> Station:
    return Station(Wire.connect(server.ocpp_port, f"/ocpp/{identity}", OCPP16), identity)


@pytest.mark.slow
@pytest.mark.parametrize("repeated_id", ["first", "second"])
def test_vector_33_start_repeated_at_another_gateway(cluster: tuple[RunningServer, RunningServer], repeated_id: str) -> None:
    one, other = cluster
    identity = "CLUSTER-1"
    station = _connect(one, identity)
    assert station.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})["status"] == "Accepted"
    start = {"connectorId": 1, "idTag": "TOKEN", "meterStart": 100, "timestamp": at(-60)}
    first = station.call("StartTransaction", start, "first")
    station.wire.reset()

    again = _connect(other, identity)
    assert again.call("StartTransaction", start, repeated_id) == first
    stop = {"transactionId": first["transactionId"], "meterStop": 1100, "timestamp": at()}
    assert again.call("StopTransaction", stop) == {}
    for server in cluster:
        with server.api() as api:
            (session,) = api.sessions(identity)
            assert (session["status"], session["energy_wh"]) == ("completed", 1000)
    _commanded_from_the_other_process(one, again)


def _commanded_from_the_other_process(server: RunningServer, station: Station) -> None:
    """An order at one process reaches the station at the other one."""
    with ThreadPoolExecutor(1) as threads, server.api() as api:
        ordered = threads.submit(_clear_cache, api, station.identity)
        call = station.receive()
        assert call[2] == "ClearCache"
        station.send([3, call[1], {"status": "Accepted"}])
        assert ordered.result(10)["status"] == "accepted"
    station.wire.close()


def _clear_cache(api: Api, identity: str) -> dict[str, str]:
    command: dict[str, str] = api.command(identity, "clear_cache")
    return command
