"""The newest authenticated connection wins (rules C10, C11, vectors 57 and 58, attack V3), liveness, drain."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from csms.domain.operations import SeeStations
from gateway.connection import FRAMES_PER_TURN
from gateway.wire import Wire
from tests.integration.gateway import frames
from tests.integration.gateway.site import Station, running

PASSWORD = b"a password of a station"


async def test_a_newcomer_with_a_wrong_password_changes_nothing(database: str) -> None:
    async with running(database) as site:
        await site.add_station("CP1", PASSWORD)
        async with site.station(password=PASSWORD) as station:
            await station.boot()
            assert await site.refusal("CP1", password=b"wrong") == 401
            assert await site.refusal("CP1") == 401
            assert (await station.call("Heartbeat", {}))[0] == 3
            (row,) = await site.rows("SELECT connection_epoch FROM stations")
            assert row["connection_epoch"] == 1


async def test_the_newest_connection_gets_the_commands_also_after_the_late_close_of_the_old(database: str) -> None:
    async with running(database) as site, await site.raw() as old:
        await frames.become_station(old, "CP1")  # says nothing from now on, not even a pong
        async with site.station() as new:
            await new.call("Heartbeat", {})
            command_id = await site.order("CP1", "clear_cache", {})
            frame = await new.receive()
            await new.send([3, frame[1], {"status": "Accepted"}])
            await site.command(command_id, until="accepted")
            closing = await frames.read_until(old, b"replaced", timeout=8)
            assert b"\x03\xf0replaced" in closing, "1008"
            await old.aclose()
            await trio.sleep(0.2)
            command_id = await site.order("CP1", "clear_cache", {})
            frame = await new.receive()
            await new.send([3, frame[1], {"status": "Accepted"}])
            await site.command(command_id, until="accepted")
            (row,) = await site.rows("SELECT * FROM stations")
            assert (row["connection_epoch"], row["connected_process"]) == (2, site.services.process_id)


async def test_two_live_clients_are_an_event_and_the_old_one_is_closed(database: str) -> None:
    async with running(database) as site, site.station() as old:
        await old.boot()
        async with site.station() as new:
            assert await old.closed() == (1008, "replaced")
            assert (await new.call("Heartbeat", {}))[0] == 3
        with trio.fail_after(5):
            while not await site.rows("SELECT * FROM station_events WHERE type = 'security_event'"):
                await trio.sleep(0.02)


async def test_flapping_live_clients_are_damped(database: str) -> None:
    async with running(database) as site, trio.open_nursery() as nursery:
        await site.add_station("CP1")

        async def client(*, task_status: trio.TaskStatus[Station]) -> None:
            async with site.station() as station:
                task_status.started(station)
                await station.closed(30)

        stations: list[Station] = [await nursery.start(client)]
        for _ in range(3):
            stations.append(await nursery.start(client))
            assert await stations[-2].closed() == (1008, "replaced")
        assert await site.refusal("CP1") == 409
        assert await site.refusal("CP1") == 409
        with trio.fail_after(5):
            await stations[-1].socket.ping()
        assert await site.refusal("another") == 101, "other stations are not concerned"
        nursery.cancel_scope.cancel()


async def test_who_sends_much_at_once_takes_turns_with_others(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0
    answered: Counter[int] = Counter()
    send = Wire.send

    def noted(wire: Wire, data: bytes) -> None:
        if data.startswith(b"\x8a"):
            answered[turns] += 1
        send(wire, data)

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with running(database) as site, site.raw_station("CP1") as eager, trio.open_nursery() as nursery:
        monkeypatch.setattr(Wire, "send", noted)
        nursery.start_soon(other)
        await eager.send_all(frames.frame(b"", opcode=9) * (5 * FRAMES_PER_TURN) + frames.frame(b"last", opcode=9))
        await frames.read_until(eager, b"last")
        nursery.cancel_scope.cancel()
    assert sum(answered.values()) == 5 * FRAMES_PER_TURN + 1
    # tasks of one batch run in any order, so two turns may follow on each other
    assert max(answered.values()) <= 2 * FRAMES_PER_TURN


async def test_l3_a_dead_station_is_pinged_and_closed(database: str) -> None:
    async with running(database, ping_interval_s=1, pong_timeout_s=1) as site, await site.raw() as dead:
        await frames.become_station(dead, "dead")
        async with site.station("live") as live:
            await live.boot()
            received = await frames.read_until(dead, b"\x03\xf3pong_timeout")
            assert b"\x89\x00" in received, "a ping came first"
            await dead.aclose()
            await trio.sleep(1.5)
            assert (await live.call("Heartbeat", {}))[0] == 3, "who answers pings stays"
            rows = await site.rows("SELECT identity, connected_process IS NOT NULL AS online FROM stations ORDER BY 1")
            assert [tuple(row.values()) for row in rows] == [("dead", False), ("live", True)]


async def test_l3_nobody_is_closed_for_silence_while_the_store_is_away(database: str) -> None:
    async with running(database, ping_interval_s=1, pong_timeout_s=1) as site, await site.raw() as quiet:
        await frames.become_station(quiet, "CP1")
        site.ledger.away = True
        await trio.sleep(3)
        await quiet.send_all(frames.frame(b'[2,"h","Heartbeat",{}]'))
        assert b"currentTime" in await frames.read_until(quiet, b"currentTime")


async def test_signs_of_life_reach_the_ledger_in_batches(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sweeper.SEEN_EVERY_S", 0.3)
    async with running(database) as site, site.station("A") as a, site.station("B") as b:
        await a.boot()
        await b.boot()
        await trio.sleep(1)
        seen = [operation for operation in site.ledger.submitted if isinstance(operation, SeeStations)]
        assert {key[:2] for operation in seen for key in operation.seen} == {(1, 1), (1, 2)}
        assert sum(len(operation.seen) for operation in seen) <= 4, "who was not heard is not told again"
        assert any(not operation.seen for operation in seen), "the process renews itself also in silence"


async def test_a_drain_finishes_what_is_under_way_and_says_goodbye(database: str) -> None:
    async with running(database) as site, site.station("A") as idle, site.station("B") as busy:
        await idle.boot()
        await busy.boot()
        site.ledger.held = True
        start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
        await busy.send([2, "s", "StartTransaction", start])
        with trio.fail_after(5):
            while not site.ledger.waiting:
                await trio.sleep(0.01)
        site.shutdown.set()
        assert await idle.closed() == (1012, "restart")
        await busy.send([2, "late", "Heartbeat", {}])
        assert await busy.silent(0.3)
        with pytest.raises(OSError):  # noqa: PT011 - refused or reset, whatever the system says
            await site.raw()
        site.ledger.release()
        assert (await busy.receive())[0:2] == [3, "s"]
        assert await busy.closed() == (1012, "restart")
        with trio.fail_after(5):
            await site.stopped.wait()
        rows = await site.rows("SELECT connected_process FROM stations")
        assert [row["connected_process"] for row in rows] == [None, None]


async def test_a_drain_does_not_wait_for_a_peer_that_has_stopped_reading(database: str) -> None:
    async with running(database, drain_s=3) as site, await site.raw() as stuck:
        await frames.become_station(stuck, "CP1")
        site.shutdown.set()
        with trio.fail_after(6):
            await site.stopped.wait()


async def test_an_outstanding_command_is_unknown_after_a_drain(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        command_id = await site.order("CP1", "clear_cache", {})
        await station.receive()
        site.shutdown.set()
        await station.closed()
        await site.command(command_id, until="unknown")
