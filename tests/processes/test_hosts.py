"""Two hosts with a gateway and a hub each, on one database and one Redis: a hub dies, the other does all of its work."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from csms.store.queries.events import EVENT_ID
from tests.processes.charging import charging, command, differences, holders
from tests.processes.conftest import Shared
from tests.processes.installation import Server, events_of, rows, running, until

pytestmark = pytest.mark.slow

LEASE_S = 15 + 5  # of a dead reader, and until the others look for it


@dataclass(frozen=True)
class Host:
    """One with an address, a folder and a copy of the secret of its own."""

    address: str
    folder: Path
    gateway: Server
    hub: Server

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"


def _host(number: int, shared: Shared, folder: Path) -> Host:
    folder.mkdir()
    secret = folder / "secret"
    shutil.copy(shared.environment["CSMS_SECRET_FILE"], secret)
    secret.chmod(0o600)
    address = f"127.0.0.{number}"
    environment = {
        **shared.environment,
        "CSMS_SECRET_FILE": str(secret),
        "CSMS_OCPP_HOST": address,
        "CSMS_HTTP_HOST": address,
        "CSMS_EVENT_FILE": str(folder / "events.jsonl"),
        "CSMS_EVENT_FILE_MB": "1000",
    }
    servers = Server(folder, environment, "gateway"), Server(folder, environment, "hub")
    for server in servers:
        server.http_url = f"http://{address}:{server.http_port if server.command == 'hub' else server.metrics_port}"
    return Host(address, folder, *servers)


@pytest.fixture
def hosts(shared: Shared, tmp_path: Path) -> Iterator[list[Host]]:
    found = [_host(2, shared, tmp_path / "two"), _host(3, shared, tmp_path / "three")]
    first, second = found
    # the first hub comes first to the lease of the events
    with running(first.gateway, second.gateway, first.hub), running(second.hub):
        yield found


async def test_a_hub_is_killed(hosts: list[Host], shared: Shared) -> None:
    first, second = hosts
    async with trio.open_nursery() as nursery, charging(_url(first), 6, "TWO") as here, charging(_url(second), 6, "THREE") as there:
        identities = [*here.identities, *there.identities]
        assert sorted((await holders(shared.database_url, identities)).values()) == [6, 6]
        with first.hub.api() as api:
            assert [(await command(api, identity))[1] for identity in identities] == ["accepted"] * 12
        assert second.hub.health()["components"]["gateways"]["detail"] == "2 alive"
        await until(lambda: len(events_of(first.events)) > 50, "the first hub writes the events")
        assert not second.events.exists()

        first.hub.kill()
        with second.hub.api() as api:
            ends = [await command(api, identity) for identity in identities]
            assert [end for _, end in ends] == ["accepted"] * 12
            assert max(seconds for seconds, _ in ends) < 1, ends
            await until(lambda: len(events_of(second.events)) > 50, "the second hub writes the events", within=LEASE_S + 5)
            for fleet in (here, there):
                report = await fleet.finish()
                assert await trio.to_thread.run_sync(differences, api, report) == []
        first.gateway.stop()
        second.gateway.stop()
        await _all_events_are_written(shared, hosts)
        nursery.cancel_scope.cancel()


def _url(host: Host) -> str:
    return f"ws://{host.address}:{host.gateway.ocpp_port}/ocpp"


async def _all_events_are_written(shared: Shared, hosts: list[Host]) -> None:
    """Every event, in its order, by one hub or the other; only what was under way when the first was killed comes twice."""
    expected = [str(row[0]) for row in await rows(shared.database_url, f"SELECT {EVENT_ID} FROM outbox o ORDER BY o.xid, o.id")]
    assert len(expected) > 200
    by_first, by_second = hosts
    await until(lambda: expected[-1] in {event["event_id"] for event in events_of(by_second.events)}, "the last event is written")
    first = [event["event_id"] for event in events_of(by_first.events)]
    second = [event["event_id"] for event in events_of(by_second.events)]
    twice = len(set(first) & set(second))
    assert first + second[twice:] == expected
    assert second[:twice] == first[len(first) - twice :]
