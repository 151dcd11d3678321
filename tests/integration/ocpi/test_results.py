"""Results of commands are posted once each, whatever happens to the process that took the command (M2)."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import trio

from csms.clock import SystemClock, SystemIds
from csms.commands import CommandService
from csms.limits import SharedLimits
from csms.store.maintenance import prune_ocpi_authorizations, prune_ocpi_commands
from csms.store.pool import run_with_owner
from hub.ocpi import command_results, wiring
from hub.ocpi.own import ordering
from hub.ocpi.wiring import OcpiPart
from tests.integration.ocpi.street import OWN, Street
from tests.ocpi import documents
from tests.ocpi.documents import instant
from tests.ocpi.wire import Fault


def _another_process(street: Street) -> OcpiPart:
    services = street.hub.services
    clock = SystemClock()
    ids = SystemIds(clock)
    part = OcpiPart(
        settings=services.settings,
        clock=clock,
        ids=ids,
        store=services.store,
        bus=services.bus,
        tenants=services.tenants,
        commands=CommandService(services.store.hub, services.bus, clock, ids),
        secret=services.secret,
        limits=SharedLimits(services.bus, clock),
    )
    part.listens_at(street.hub.url)
    return part


async def test_a_station_that_says_nothing_and_a_partner_that_is_away(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "OURS", timedelta(seconds=0.6))
    monkeypatch.setattr(command_results, "LOOK_EVERY_S", 0.1)
    platform = await street.connected("EMSP:DE:ABC")
    uid = await street.add("CP1")
    station = await street.station("CP1", "ocpp1.6")
    station.answers["RemoteStartTransaction"] = None
    body = street.start_body(documents.token("CARD"), evse_uid=uid)
    done = await platform.command("START_SESSION", body, to=OWN)
    assert done["result"] == {"result": "TIMEOUT"}
    await street.settled()
    (row,) = await street.commands()
    assert (row["status"], row["result"]) == ("done", "TIMEOUT")
    # a partner that does not take it is not posted to again
    platform.faults.add(Fault("code_3000", module="results"))
    key, url = platform.response_url()
    unlock = {"location_id": street.location_id, "evse_uid": uid, "connector_id": "1", "response_url": url}
    reply = await platform.request("POST", "commands", "RECEIVER", "UNLOCK_CONNECTOR", body=unlock, to=OWN)
    assert reply.data["result"] == "ACCEPTED"

    async def failed() -> Any:
        return [row for row in await street.commands(command="UNLOCK_CONNECTOR") if row["status"] in ("failed", "done")]

    (row,) = await street.until(failed, "the result was refused")
    assert platform.results[key] == [], row
    assert row["status"] == "failed"
    assert row["error"].startswith("the result was not taken")
    assert row["result"] in ("ACCEPTED", "TIMEOUT")
    # what is over is deleted after a while
    assert await run_with_owner(street.hub.dsn, partial(prune_ocpi_commands, days=1)) == 0
    await street.sql("UPDATE ocpi_commands SET finished_at = now() - interval '2 days' WHERE command = 'START_SESSION'")
    assert await run_with_owner(street.hub.dsn, partial(prune_ocpi_commands, days=1)) == 1
    await street.sql("UPDATE ocpi_authorizations SET created_at = now() - interval '2 days'")
    assert await run_with_owner(street.hub.dsn, partial(prune_ocpi_authorizations, days=1)) == 1


@pytest.fixture
def without_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub that takes commands dies before it can post a result."""
    monkeypatch.setattr(wiring, "WORKERS", tuple(worker for worker in wiring.WORKERS if worker is not command_results.post_results))


async def test_another_process_goes_on(without_results: None, street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_results, "LEASE", timedelta(seconds=1.5))
    monkeypatch.setattr(command_results, "LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(command_results, "RENEW_S", 0.1)
    platform = await street.connected("EMSP:DE:ABC")
    uid, second = await street.add("CP1"), await street.add("CP2")
    station, other = await street.station("CP1", "ocpp1.6"), await street.station("CP2", "ocpp1.6")
    other.answers["ReserveNow"] = None
    card = documents.token("CARD")
    keys: dict[str, str] = {}
    for command, body in (
        ("START_SESSION", street.start_body(card, evse_uid=uid)),
        ("RESERVE_NOW", street.start_body(card, evse_uid=second, reservation_id="Res-1", expiry_date=instant(hours=1))),
    ):
        keys[command], url = platform.response_url()
        reply = await platform.request("POST", "commands", "RECEIVER", command, body={"response_url": url, **body}, to=OWN)
        assert reply.data["result"] == "ACCEPTED", reply
    await station.ordered("RemoteStartTransaction")
    await trio.sleep(0.2)
    assert not any(platform.results.values())

    async def work(task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        part = _another_process(street)
        with trio.CancelScope() as scope:
            async with part.ocpi.client:
                task_status.started(scope)
                await command_results.CommandResults(part.ocpi).run()

    async def posted() -> Any:
        return [row for row in await street.commands(command="START_SESSION") if row["status"] == "done"]

    async with trio.open_nursery() as nursery:
        # one posts the first result, and dies while a station thinks about the reservation
        first: trio.CancelScope = await nursery.start(work)
        await platform.wait(lambda: platform.results[keys["START_SESSION"]])
        await street.until(posted, "the first result is noted as posted")
        await other.ordered("ReserveNow")
        first.cancel()
        # two more at once; the station answers the order that was given already
        for _ in range(2):
            await nursery.start(work)
        await trio.sleep(2)  # the lease of the dead has ended
        assert platform.results[keys["RESERVE_NOW"]] == []
        await other.behind.send([3, other.unanswered["ReserveNow"], {"status": "Accepted"}])
        await platform.wait(lambda: platform.results[keys["RESERVE_NOW"]])
        # what is told stays told: only the cancellation by the tenant follows (M7)
        (held,) = await street.sql("SELECT reservation_id FROM reservations")
        gone = await street.admin.delete(f"/api/v1/reservations/{held['reservation_id']}")
        assert gone.status_code < 300, gone.text
        await platform.wait(lambda: len(platform.results[keys["RESERVE_NOW"]]) == 2)
        await street.settled()
        await trio.sleep(0.3)
        nursery.cancel_scope.cancel()
    assert platform.results[keys["START_SESSION"]] == [{"result": "ACCEPTED"}]
    assert platform.results[keys["RESERVE_NOW"]] == [{"result": "ACCEPTED"}, {"result": "CANCELED_RESERVATION"}]
    assert other.count("ReserveNow") == 1
    assert [row["status"] for row in await street.commands()] == ["done", "done"]
