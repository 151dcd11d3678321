"""The writer itself: order, groups, poisoned rows, the store going away, connection epochs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import trio

from csms.domain.metering import Channel, Reading
from csms.domain.operations import (
    Authorize,
    BootStation,
    ClaimCommand,
    Connected,
    ConnectStation,
    DisconnectStation,
    FinishCommand,
    OperationFailed,
    RecordMeterValues,
    RecordStationEvent,
    ReportConnectorStatus,
    SeenStation,
    SeeStations,
    StartTransaction,
)
from csms.domain.times import parse_station_time
from csms.ledger import LedgerClosed
from csms.ledger.metrics import RETRIES
from csms.store.ledger_transaction import PostgresLedgerTransaction
from tests.integration.ledger.conftest import Bench, open_bench, reading


async def test_a_poisoned_row_fails_alone(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    others = [(await bench.connect(f"OK{n}")).station_id for n in range(5)]
    poison = Reading(reading(1, "1").ts, None, 0, (Channel(),), ["not a number"])
    results: dict[int, Any] = {}

    async def report(station_id: int, value: Reading) -> None:
        try:
            await bench.meter(station_id, None, value)
            results[station_id] = "stored"
        except OperationFailed:
            results[station_id] = "refused"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(report, station, poison)
        for other in others:
            nursery.start_soon(report, other, reading(1, "5"))
    assert results == {station: "refused", **dict.fromkeys(others, "stored")}
    assert len(await bench.rows("SELECT 1 FROM station_samples")) == 5


async def test_what_the_driver_refuses_is_poison_not_an_outage(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    with trio.fail_after(5), pytest.raises(OperationFailed):
        await bench.meter(station, None, reading(1, "5"), evse_id=2**40)
    assert bench.ledger.available


async def test_a_burst_is_committed_in_groups_and_each_caller_gets_his_own_outcome(bench: Bench) -> None:
    stations = [(await bench.connect(f"S{n}")).station_id for n in range(60)]
    outcomes: dict[int, int] = {}

    async def one(station_id: int) -> None:
        started = await bench.start(station_id, id_token=f"TAG{station_id}", meter_start_wh=station_id)
        outcomes[station_id] = started.transaction_id

    async with trio.open_nursery() as nursery:
        for station_id in stations:
            nursery.start_soon(one, station_id)
    rows = await bench.rows("SELECT station_id, transaction_ref, start_meter_wh FROM sessions")
    assert {r["station_id"]: int(r["transaction_ref"]) for r in rows} == outcomes
    assert all(r["start_meter_wh"] == r["station_id"] for r in rows)
    groups = await bench.rows("SELECT count(DISTINCT xmin::text) AS n FROM sessions")
    assert groups[0]["n"] < 60


async def test_a_busy_ledger_lingers_but_not_with_a_command(database: str) -> None:
    async with open_bench(database, linger_s=60.0) as bench:
        for station_id in range(200):  # any: each has a lane of its own
            event = RecordStationEvent(tenant_id=1, station_id=station_id + 1, type="test", data=b"{}")
            bench.ledger.submit(event, lambda _: None)
            await trio.sleep(0.005)
        assert bench.ledger.queued > 1
        claim = ClaimCommand(tenant_id=1, station_id=1000, command_id=uuid4(), epoch=1, action="Reset")
        with trio.fail_after(5):
            assert await bench.ledger.commit(claim) is False  # there is no such command


async def test_what_came_together_is_not_lingered_with(database: str) -> None:
    async with open_bench(database, linger_s=60.0) as bench:
        committed: list[Any] = []
        for station_id in range(200):
            event = RecordStationEvent(tenant_id=1, station_id=station_id + 1, type="test", data=b"{}")
            bench.ledger.submit(event, committed.append)
            await trio.sleep(0.005)
        assert bench.ledger.queued > 1
        bench.ledger.hurry()
        with trio.fail_after(5):
            while len(committed) < 200:
                await trio.sleep(0.01)


async def test_a_card_waits_neither_for_company_nor_for_those_that_write(database: str) -> None:
    async with open_bench(database, linger_s=3.0) as bench:
        stations = [(await bench.connect(f"S{n}")).station_id for n in range(2)]
        locked, release = trio.Event(), asyncio.Event()
        token = trio.lowlevel.current_trio_token()
        loop: list[asyncio.AbstractEventLoop] = []

        async def lock(conn: Any) -> None:
            await conn.execute("LOCK TABLE station_events IN ACCESS EXCLUSIVE MODE")
            loop.append(asyncio.get_running_loop())
            token.run_sync_soon(locked.set)
            await release.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.owner_unit, lock)
            await locked.wait()
            answered: list[Any] = []
            first = RecordStationEvent(tenant_id=1, station_id=stations[0], type="test", data=b"{}")
            bench.ledger.submit(first, answered.append)
            for station_id in range(200):
                bench.ledger.submit(
                    RecordStationEvent(tenant_id=1, station_id=1000 + station_id, type="test", data=b"{}"), lambda _: None
                )
                await trio.sleep(0.002)
            asked = Authorize(tenant_id=1, station_id=stations[1], id_token="T1")
            with trio.fail_after(2):
                assert (await bench.ledger.commit(asked)).accepted
            # behind an earlier message of its own station it waits, as everything does
            behind: list[Any] = []
            bench.ledger.submit(Authorize(tenant_id=1, station_id=stations[0], id_token="T1"), behind.append)
            await trio.sleep(0.5)
            assert (answered, behind) == ([], [])
            loop[0].call_soon_threadsafe(release.set)
            with trio.fail_after(10):
                while not behind:
                    await trio.sleep(0.05)
            assert answered == [None]


async def test_the_order_of_a_station_is_kept(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    finished: list[int] = []
    for n in range(50):
        operation = RecordStationEvent(tenant_id=1, station_id=station, type="test", data=b'{"n":%d}' % n)
        bench.ledger.submit(operation, lambda _, n=n: finished.append(n))
    while len(finished) < 50:
        await trio.sleep(0.01)
    assert finished == list(range(50))


async def test_operations_wait_for_a_store_that_is_away_and_commit_when_it_is_back(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id

    async def lock(conn: Any) -> None:
        await conn.execute("LOCK TABLE station_events IN ACCESS EXCLUSIVE MODE")
        import asyncio

        await asyncio.sleep(3)

    committed = trio.Event()

    async def write() -> None:
        await bench.ledger.commit(RecordStationEvent(tenant_id=1, station_id=station, type="test", data=b"{}"))
        committed.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.owner_unit, lock)
        await trio.sleep(0.3)
        nursery.start_soon(write)
        await trio.sleep(2.4)
        assert not committed.is_set()
        assert not bench.ledger.available
        assert bench.health.snapshot()["database"].state == "degraded"
    assert committed.is_set()
    with trio.fail_after(3):
        while not bench.ledger.available:
            await trio.sleep(0.05)


async def test_connections_of_the_server_that_are_killed_lose_nothing(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    done = 0

    async def write(n: int) -> None:
        nonlocal done
        await bench.ledger.commit(RecordStationEvent(tenant_id=1, station_id=station, type="test", data=b'{"n":%d}' % n))
        done += 1

    async with trio.open_nursery() as nursery:
        for n in range(40):
            nursery.start_soon(write, n)
            if n % 10 == 5:
                await bench.kill_backends()
            await trio.sleep(0.01)
    assert done == 40
    assert len(await bench.rows("SELECT 1 FROM station_events")) == 40


async def test_a_closed_ledger_takes_nothing(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.ledger.close()
    with pytest.raises(LedgerClosed):
        bench.ledger.submit(RecordStationEvent(tenant_id=1, station_id=station, type="test", data=b"{}"), lambda _: None)


async def test_c11_the_late_end_of_an_old_connection_keeps_the_new_one(bench: Bench) -> None:
    first = await bench.connect("S1")
    second = await bench.connect("S1")
    assert second.epoch == first.epoch + 1
    await bench.ledger.commit(DisconnectStation(tenant_id=1, station_id=first.station_id, epoch=first.epoch, reason="replaced"))
    (row,) = await bench.rows("SELECT connected_process FROM stations")
    assert row["connected_process"] is not None
    await bench.ledger.commit(DisconnectStation(tenant_id=1, station_id=first.station_id, epoch=second.epoch, reason="closed"))
    (row,) = await bench.rows("SELECT connected_process FROM stations")
    assert row["connected_process"] is None


async def test_c2_identities_that_differ_by_case_only_are_not_two_stations(bench: Bench) -> None:
    await bench.connect("Station")
    outcome = await bench.ledger.commit(
        ConnectStation(
            tenant_id=1, station_id=0, identity="STATION", process_id=uuid4(), ocpp_version="ocpp1.6",
            remote_address="", security_profile=0, create=True,
        )
    )  # fmt: skip
    assert outcome is None


def connecting(**changes: Any) -> ConnectStation:
    fields: dict[str, Any] = {
        "tenant_id": 1,
        "station_id": 0,
        "identity": "S1",
        "process_id": uuid4(),
        "ocpp_version": "ocpp1.6",
        "remote_address": "",
        "security_profile": 0,
    }
    return ConnectStation(**(fields | changes))


async def test_who_comes_second_to_make_a_station_has_proved_nothing(bench: Bench) -> None:
    adopted = {"create": True, "password_scheme": "argon2", "password_salt": b""}
    assert await bench.ledger.commit(connecting(**adopted, password_hash=b"mine")) is not None
    assert await bench.ledger.commit(connecting(**adopted, password_hash=b"theirs")) is None
    assert await bench.ledger.commit(connecting(create=True)) is None
    (row,) = await bench.rows("SELECT connection_epoch FROM stations")
    assert row["connection_epoch"] == 1


async def test_a_password_that_changed_since_it_was_checked_lets_nobody_in(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.owner("UPDATE stations SET password_scheme = 'hmac', password_hash = 'new', password_salt = 'x'")
    assert await bench.ledger.commit(connecting(station_id=station)) is None
    assert await bench.ledger.commit(connecting(station_id=station, password_hash=b"old")) is None
    assert await bench.ledger.commit(connecting(station_id=station, password_hash=b"new")) is not None


async def test_a_certificate_that_changed_since_it_was_checked_lets_nobody_in(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.owner("UPDATE stations SET certificate_name = 'SN-2'")
    for old in ("SN-1", None):
        assert await bench.ledger.commit(connecting(station_id=station, certificate_name=old)) is None
    assert await bench.ledger.commit(connecting(station_id=station, certificate_name="SN-2")) is not None


async def test_admission_decides_the_answer_to_a_boot(bench: Bench) -> None:
    station = await bench.connect("S1")
    boot = BootStation(
        tenant_id=1, station_id=station.station_id, epoch=station.epoch, ocpp_version="ocpp1.6", vendor="V", model="M"
    )
    booted = await bench.ledger.commit(boot)
    assert (booted.registration, booted.interval) == ("accepted", 300)
    await bench.owner("UPDATE stations SET admission = 'pending'")
    booted = await bench.ledger.commit(boot)
    assert (booted.registration, booted.interval) == ("pending", 60)


async def test_an_older_status_does_not_replace_a_newer_one(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    for status, time in (("Charging", "2026-03-01T10:05:00Z"), ("Available", "2026-03-01T10:00:00Z")):
        await bench.ledger.commit(
            ReportConnectorStatus(
                tenant_id=1, station_id=station, evse_id=1, connector_id=1, status=status, time=parse_station_time(time)
            )
        )
    (row,) = await bench.rows("SELECT status FROM connectors")
    assert row["status"] == "Charging"


async def test_stations_of_a_dead_process_are_offline(bench: Bench) -> None:
    station = await bench.connect("S1")
    (row,) = await bench.rows("SELECT connected_process FROM stations")
    process = row["connected_process"]
    await bench.ledger.commit(SeeStations(tenant_id=0, station_id=0, process_id=process, seen=[]))
    await bench.owner("UPDATE gateway_processes SET seen_at = now() - interval '61 s'")
    await bench.ledger.commit(SeeStations(tenant_id=0, station_id=0, process_id=uuid4(), seen=[]))
    (row,) = await bench.rows("SELECT connected_process FROM stations WHERE station_id = $1", station.station_id)
    assert row["connected_process"] is None


async def test_stations_of_a_process_that_was_only_slow_are_connected_again(bench: Bench) -> None:
    station = await bench.connect("S1")
    (row,) = await bench.rows("SELECT connected_process FROM stations")
    slow = row["connected_process"]
    await bench.ledger.commit(SeeStations(tenant_id=0, station_id=0, process_id=slow, seen=[]))
    await bench.owner("UPDATE gateway_processes SET seen_at = now() - interval '61 s'")
    await bench.ledger.commit(SeeStations(tenant_id=0, station_id=0, process_id=uuid4(), seen=[]))
    now = datetime.now(UTC)
    for epoch, holder in ((station.epoch - 1, None), (station.epoch, slow)):
        seen = [SeenStation(1, station.station_id, epoch, now)]
        overtaken = await bench.ledger.commit(SeeStations(tenant_id=0, station_id=0, process_id=slow, seen=seen))
        assert overtaken == (seen if holder is None else []), "an older connection is void"
        (row,) = await bench.rows("SELECT connected_process FROM stations")
        assert row["connected_process"] == holder
    events = await bench.rows("SELECT type FROM outbox ORDER BY xid, id")
    assert [event["type"] for event in events] == [
        "station.connected",
        "station.online",
        "station.disconnected",
        "station.connected",
    ]


async def test_a_command_is_claimed_once_by_the_newest_epoch_and_finished_once(bench: Bench) -> None:
    station = await bench.connect("S1")
    command_id = uuid4()
    await bench.owner(
        "INSERT INTO commands (tenant_id, command_id, station_id, command, parameters, requested_by, expires_at) "
        f"VALUES (1, '{command_id}', {station.station_id}, 'reset', '{{}}', 'test', now() + interval '1 min')"
    )
    key = {"tenant_id": 1, "station_id": station.station_id, "command_id": command_id}
    claim = {**key, "action": "Reset"}
    assert await bench.ledger.commit(ClaimCommand(**claim, epoch=station.epoch - 1)) is False
    assert await bench.ledger.commit(ClaimCommand(**claim, epoch=station.epoch)) is True
    (row,) = await bench.rows("SELECT action, reference FROM commands")
    assert (row["action"], row["reference"]) == ("Reset", None)
    # tried again because the outcome of the commit was lost: it is still his
    assert await bench.ledger.commit(ClaimCommand(**claim, epoch=station.epoch)) is True
    assert await bench.ledger.commit(FinishCommand(**key, status="accepted", result=b'{"status":"Accepted"}')) is True
    assert await bench.ledger.commit(FinishCommand(**key, status="timed_out")) is False
    assert await bench.ledger.commit(ClaimCommand(**claim, epoch=station.epoch)) is False


@pytest.mark.parametrize(
    ("command", "parameters"),
    [
        ("'remote_start'", '{"id_token":"TAG1","connector_id":1}'),
        ("'remote_start'", '{"id_token":"TAG1","evse_id":1}'),
        ("NULL", '{"idTag":"TAG1","connectorId":1}'),
    ],
    ids=["connector_id", "evse_id", "raw"],
)
async def test_a_remote_start_is_linked_to_the_session_it_caused(bench: Bench, command: str, parameters: str) -> None:
    station = await bench.connect("S1")
    command_id = uuid4()
    await bench.owner(
        "INSERT INTO commands (tenant_id, command_id, station_id, command, action, parameters, status, requested_by, expires_at, "
        f"sent_at) VALUES (1, '{command_id}', {station.station_id}, {command}, 'RemoteStartTransaction', '{parameters}', "
        "'accepted', 'test', now() + interval '1 min', now())"
    )
    await bench.start(station.station_id, evse_id=2, connector_id=2, id_token="tag1")
    await bench.start(station.station_id, id_token="tag1", meter_start_wh=5)
    rows = await bench.rows("SELECT connector_id, command_id FROM sessions ORDER BY connector_id")
    assert [(r["connector_id"], r["command_id"]) for r in rows] == [(1, command_id), (2, None)]


@pytest.mark.parametrize("command", ["'remote_start'", "NULL"], ids=["domain", "raw"])
async def test_a_2x_remote_start_is_linked_by_its_number(bench: Bench, command: str) -> None:
    """Of two commands with the same number the newest one."""
    station = await bench.connect("S1")
    older, newest, other = uuid4(), uuid4(), uuid4()
    for command_id, reference, age in ((older, 17, 60), (newest, 17, 30), (other, 18, 10)):
        await bench.owner(
            "INSERT INTO commands (tenant_id, command_id, station_id, command, action, parameters, reference, status, "
            "requested_by, expires_at, sent_at) "
            f"VALUES (1, '{command_id}', {station.station_id}, {command}, 'RequestStartTransaction', '{{}}', '{reference}', "
            f"'accepted', 'test', now() + interval '1 min', now() - interval '{age} s')"
        )
    await bench.event(station.station_id, "Started", 0, "2026-03-01T10:00:00Z", remote_start_id=17, id_token="T")
    (row,) = await bench.rows("SELECT command_id FROM sessions")
    assert row["command_id"] == newest


async def test_a_message_of_many_readings_is_one_row_each(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    started = await bench.start(station)
    shape = (Channel(), Channel(measurand="Voltage", unit="V", phase="L1"))
    readings = [Reading(reading(m, "0").ts, None, 0, shape, [str(1000 + m), "230.1"]) for m in range(20)]
    await bench.ledger.commit(
        RecordMeterValues(
            tenant_id=1, station_id=station, evse_id=1, connector_id=1, readings=readings, payload=b"[]",
            transaction_ref=str(started.transaction_id),
        )
    )  # fmt: skip
    assert len(await bench.rows("SELECT 1 FROM samples")) == 20
    assert len(await bench.rows("SELECT 1 FROM sample_shapes")) == 1


def wild(station_id: int, number: int, *, values: int) -> RecordMeterValues:
    shape = tuple(Channel(unit=f"unit-{station_id}-{number}-{n}"[:20]) for n in range(values))
    readings = [Reading(reading(1, "0").ts, None, 0, shape, ["1"] * values)]
    return RecordMeterValues(tenant_id=1, station_id=station_id, evse_id=1, connector_id=1, readings=readings, payload=b"[]")


async def test_a_shape_too_long_to_be_interned_is_kept_with_its_reading(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    await bench.ledger.commit(wild(station, 0, values=150))
    (row,) = await bench.rows("SELECT shape_id, shape FROM station_samples")
    assert row["shape_id"] is None
    assert row["shape"].count("unit-") == 150
    started = await bench.start(station)
    for _ in range(2):
        in_session = wild(station, 1, values=150)
        in_session.transaction_ref = str(started.transaction_id)
        await bench.ledger.commit(in_session)
    (row,) = await bench.rows("SELECT shape_id, shape FROM samples")
    assert (row["shape_id"], row["shape"].count("unit-")) == (None, 150)


async def test_a_station_that_invents_shapes_keeps_nobody_from_being_stored(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csms.store.ledger_samples.SHAPES_MAX", 3)
    station = (await bench.connect("S1")).station_id
    for number in range(5):
        await bench.ledger.commit(wild(station, number, values=1))
    await bench.meter((await bench.connect("S2")).station_id, None, reading(5, "1500"))
    rows = await bench.rows("SELECT shape_id, shape FROM station_samples ORDER BY recorded_at")
    assert [row["shape"] is None for row in rows] == [True, True, True, False, False, False]
    assert len(await bench.rows("SELECT 1 FROM sample_shapes")) == 3


async def test_shapes_of_a_commit_that_failed_are_interned_again(bench: Bench) -> None:
    """The poisoned reading makes the first try of the group roll back after it has interned the shape of both."""
    good = (await bench.connect("S1")).station_id
    bad = (await bench.connect("S2")).station_id
    poison = Reading(reading(1, "1").ts, None, 0, (Channel(measurand="Voltage"),), ["not a number"])

    async def refused() -> None:
        with pytest.raises(OperationFailed):
            await bench.meter(bad, None, poison)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refused)
        nursery.start_soon(bench.meter, good, None, reading(1, "5"))
    await bench.meter(good, None, reading(2, "6"))
    rows = await bench.rows("SELECT 1 FROM station_samples r JOIN sample_shapes h USING (tenant_id, shape_id)")
    assert len(rows) == 2


async def test_a_clock_that_ran_ahead_freezes_no_connector(bench: Bench) -> None:
    station = (await bench.connect("S1")).station_id
    for status, time in (("Charging", "2036-03-01T10:05:00Z"), ("Available", "2099-01-01T00:00:00Z")):
        report = ReportConnectorStatus(
            tenant_id=1, station_id=station, evse_id=1, connector_id=1, status=status, time=parse_station_time(time)
        )
        await bench.ledger.commit(report)
    (row,) = await bench.rows("SELECT status FROM connectors")
    assert row["status"] == "Available"
    await bench.owner("UPDATE connectors SET status_recorded_at = now() - interval '1 min'")
    now = ReportConnectorStatus(
        tenant_id=1,
        station_id=station,
        evse_id=1,
        connector_id=1,
        status="Preparing",
        time=parse_station_time((await bench.rows("SELECT now()::text AS t"))[0]["t"].replace(" ", "T") + ":00"),
    )
    await bench.ledger.commit(now)
    (row,) = await bench.rows("SELECT status FROM connectors")
    assert row["status"] == "Preparing"


async def test_a_boot_of_an_older_connection_is_void(bench: Bench) -> None:
    old = await bench.connect("S1")
    await bench.connect("S1")
    boot = BootStation(tenant_id=1, station_id=old.station_id, epoch=old.epoch, ocpp_version="ocpp1.6", vendor="V", model="M")
    assert (await bench.ledger.commit(boot)).registration == "pending"
    (row,) = await bench.rows("SELECT registration FROM stations")
    assert row["registration"] == "unknown"


async def test_an_outage_makes_nobody_call_the_other_processes_dead(bench: Bench) -> None:
    station = await bench.connect("S1")
    (row,) = await bench.rows("SELECT connected_process FROM stations")
    me = uuid4()
    for process in (row["connected_process"], me):
        await bench.ledger.commit(SeeStations(tenant_id=0, station_id=0, process_id=process, seen=[]))
    await bench.owner("UPDATE gateway_processes SET seen_at = now() - interval '70 s'")
    await bench.ledger.commit(SeeStations(tenant_id=0, station_id=0, process_id=me, seen=[]))
    (row,) = await bench.rows("SELECT connected_process FROM stations WHERE station_id = $1", station.station_id)
    assert row["connected_process"] is not None
    await bench.ledger.commit(SeeStations(tenant_id=0, station_id=0, process_id=me, seen=[]))
    (row,) = await bench.rows("SELECT connected_process FROM stations WHERE station_id = $1", station.station_id)
    assert row["connected_process"] is None


async def test_two_processes_that_take_the_same_stations_do_not_deadlock(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all stations come back at once, a station connects in one process while its messages wait in another."""
    first, second = await bench.connect("S1"), await bench.connect("S2")
    connect = PostgresLedgerTransaction.connect_stations

    async def slow(self: PostgresLedgerTransaction, ops: Any) -> Any:
        connected = await connect(self, ops)
        await asyncio.sleep(0.3)
        return connected

    monkeypatch.setattr(PostgresLedgerTransaction, "connect_stations", slow)
    before = RETRIES._value.get()
    async with open_bench(bench.dsn) as other, trio.open_nursery() as nursery:
        for ledger, connecting, starting in ((bench.ledger, ("S1", first), second), (other.ledger, ("S2", second), first)):
            # both in one group commit
            nursery.start_soon(ledger.commit, _connect_again(*connecting))
            nursery.start_soon(ledger.commit, _start(starting.station_id))
    assert RETRIES._value.get() == before, "a group commit was tried again"


def _connect_again(identity: str, connected: Connected) -> ConnectStation:
    return ConnectStation(
        tenant_id=1,
        station_id=connected.station_id,
        identity=identity,
        process_id=uuid4(),
        ocpp_version="ocpp1.6",
        remote_address="127.0.0.1",
        security_profile=0,
    )


def _start(station_id: int) -> StartTransaction:
    return StartTransaction(
        tenant_id=1,
        station_id=station_id,
        evse_id=1,
        connector_id=1,
        id_token="TAG",
        time=parse_station_time("2026-03-01T10:00:00Z"),
        meter_start_wh=0,
    )


async def test_a_message_that_two_processes_commit_at_once_is_there_once(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One holds the message of a connection that has gone, the other its repeat on the new one: neither sees the other's rows."""
    for name in ("insert_station_events", "insert_samples"):

        def slowed(insert: Any) -> Any:
            async def slow(self: PostgresLedgerTransaction, *arguments: Any) -> Any:
                inserted = await insert(self, *arguments)
                await asyncio.sleep(0.3)
                return inserted

            return slow

        monkeypatch.setattr(PostgresLedgerTransaction, name, slowed(getattr(PostgresLedgerTransaction, name)))
    async with open_bench(database, shared=True) as one, open_bench(database, shared=True) as other:
        station = (await one.connect("S1")).station_id
        started = await one.start(station)
        event = RecordStationEvent(
            tenant_id=1,
            station_id=station,
            type="security_event",
            data=b'{"type":"TamperDetectionActivated"}',
            time=parse_station_time("2026-03-01T10:00:00Z"),
        )
        for send in (
            lambda bench: bench.ledger.commit(event),
            lambda bench: bench.meter(station, started.transaction_id, reading(5, "1500")),
        ):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, one)
                nursery.start_soon(send, other)
        assert len(await one.rows("SELECT FROM station_events WHERE type = 'security_event'")) == 1
        assert len(await one.rows("SELECT FROM samples")) == 1
        published = await one.rows("SELECT type, count(*) FROM outbox WHERE type LIKE 's%.%e%' GROUP BY 1 ORDER BY 1")
        counts = {row["type"]: row["count"] for row in published}
        assert (counts["session.meter_values"], counts["station.security_event"]) == (1, 1)
