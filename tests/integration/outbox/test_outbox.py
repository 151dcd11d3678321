"""Readers of the outbox on a real database: safe position, leases, sinks that fail, the file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import RFC_4122, UUID, uuid4

import asyncpg
import pytest
import trio

from csms.bus.local import LocalBus
from csms.health import HealthRegistry
from csms.outbox import OutboxReader, Poker, SinkUnavailable
from csms.outbox import reader as reader_module
from csms.outbox.file_sink import FileSink
from csms.outbox.poke import WRITTEN_TOPIC
from csms.secret import RootSecret
from csms.store import Connection, SchemaError, Store, check_schema, migrate, open_store
from csms.store.maintenance import OUTBOX_PATIENCE, prune_outbox
from csms.store.outbox import START, OutboxStore
from csms.store.pool import run_with_owner
from csms.store.queries.events import Event, list_events
from tests.crash.surroundings import in_asyncio

INSERT = "INSERT INTO outbox (tenant_id, type, data) VALUES (1, $1, '{}')"


class ListSink:
    """Keeps what it takes; `broken` it takes nothing."""

    name = "list"
    takes: frozenset[str] | None = None
    chunk = 500

    def __init__(self) -> None:
        self.taken: list[Event] = []
        self.broken = False
        self.offered = trio.Event()
        self.go_on = trio.Event()
        self.go_on.set()

    async def publish(self, events: Sequence[Event]) -> None:
        self.offered.set()
        await self.go_on.wait()
        if self.broken:
            raise SinkUnavailable("it is broken")
        self.taken += events

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.taken]


async def write(store: Store, *types: str) -> None:
    async def work(conn: Connection) -> None:
        for kind in types:
            await conn.execute(INSERT, kind)

    await store.gateway.unit(work)


async def until(condition: Any, seconds: float = 10) -> None:
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.02)


def reader(sink: Any, store: Store, bus: LocalBus, health: HealthRegistry | None = None, owner: UUID | None = None) -> OutboxReader:
    return OutboxReader(sink, OutboxStore(store.gateway), bus, health or HealthRegistry(), owner or uuid4())


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short times, so that a test need not wait for the usual ones."""
    monkeypatch.setattr(reader_module, "LEASE_S", 0.6)
    monkeypatch.setattr(reader_module, "POLL_S", 0.1)
    monkeypatch.setattr(reader_module, "_BACK_OFF_S", (0.1,))


async def test_events_come_in_their_order_and_as_the_api_lists_them(database: str) -> None:
    sink = ListSink()
    async with open_store(database) as store, LocalBus() as bus, trio.open_nursery() as nursery:
        await write(store, "a", "b")
        nursery.start_soon(reader(sink, store, bus).run)
        await until(lambda: len(sink.taken) == 2)
        await write(store, "c")
        await until(lambda: len(sink.taken) == 3)
        nursery.cancel_scope.cancel()
    assert sink.types == ["a", "b", "c"]
    first = sink.taken[0]
    assert (first.tenant, first.version, first.charge_point_id, bytes(first.data)) == ("default", 1, None, b"{}")
    assert first.recorded_at.tzinfo is not None


async def test_an_event_has_the_same_id_whoever_reads_it(database: str) -> None:
    """One that was written when events were given random ids keeps its own."""
    known = uuid4()

    async with open_store(database) as store:
        await write(store, "a", "b")
        await write(store, "c")
        await store.gateway.unit(
            lambda conn: conn.execute("INSERT INTO outbox (tenant_id, type, data, event_id) VALUES (1, 'old', '{}', $1)", known)
        )
        first, _ = await OutboxStore(store.gateway).read(START, 100)
        again, _ = await OutboxStore(store.gateway).read(first[0][0], 100)
        listed = await store.hub.tenant_unit(1, lambda conn: list_events(conn, 1, "default", START, 100, None))
    ids = [event.event_id for _, event in first]
    assert [event.event_id for _, event in listed] == ids
    assert [event.event_id for _, event in again] == ids[1:]
    assert len(set(ids)) == 4
    assert ids[3] == known
    assert {(made.version, made.variant) for made in ids[:3]} == {(8, RFC_4122)}


async def test_numbers_that_are_given_again_after_a_restore_are_other_events(database: str) -> None:
    """What was published of events that the dump had not got yet must not pass for what comes in their place."""
    async with open_store(database) as store:
        await write(store, "lost")
        ((position, lost),), _ = await OutboxStore(store.gateway).read(START, 100)
        await run_with_owner(
            database,
            lambda conn: conn.execute("UPDATE outbox SET type = 'new', recorded_at = recorded_at + interval '1 microsecond'"),
        )
        ((again, new),), _ = await OutboxStore(store.gateway).read(START, 100)
    assert again == position
    assert new.event_id != lost.event_id


async def test_events_go_on_after_a_dump_was_restored_into_another_cluster(database: str, root_secret: RootSecret) -> None:
    """The other cluster counts its transactions from elsewhere; twice."""
    secret = root_secret.fingerprint()
    sink = ListSink()

    async def take(store: Store, count: int) -> None:
        async with LocalBus() as bus, trio.open_nursery() as nursery:
            nursery.start_soon(reader(sink, store, bus).run)
            await until(lambda: len(sink.taken) == count)
            nursery.cancel_scope.cancel()

    for round_ in range(2):
        async with open_store(database) as store:
            await write(store, "taken")
            await take(store, 3 * round_ + 1)
            await write(store, "unread")
        await run_with_owner(database, come_from_elsewhere)
        with pytest.raises(SchemaError, match="csms migrate"):
            await check_schema(database, fingerprint=secret)
        for _ in range(2):
            await migrate(database, fingerprint=secret)
        await check_schema(database, fingerprint=secret)
        async with open_store(database) as store:
            await write(store, "new")
            await take(store, 3 * round_ + 3)
    assert sink.types == ["taken", "unread", "new"] * 2


async def come_from_elsewhere(conn: Connection) -> None:
    for table in ("outbox", "outbox_readers"):
        await conn.execute(f"UPDATE {table} SET xid = (xid::text::bigint + 5000000000)::text::xid8")


async def test_a_poke_is_faster_than_the_look_every_second(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "POLL_S", 30.0)
    sink = ListSink()
    async with open_store(database) as store, LocalBus() as bus, trio.open_nursery() as nursery:
        poker = Poker(bus)
        nursery.start_soon(poker.run)
        nursery.start_soon(reader(sink, store, bus).run)
        await trio.sleep(0.5)
        for number in range(3):
            await write(store, str(number))
            poker.written()
            await until(lambda number=number: len(sink.taken) > number, 5)
        nursery.cancel_scope.cancel()


class CountingStore(OutboxStore):
    """Tells how often each thing was asked of it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.gateway)
        self.asked: Counter[str] = Counter()

    async def take_lease(self, *arguments: Any) -> Any:
        self.asked["lease"] += 1
        return await super().take_lease(*arguments)

    async def read(self, *arguments: Any) -> Any:
        self.asked["read"] += 1
        return await super().read(*arguments)

    async def backlog(self, *arguments: Any) -> Any:
        self.asked["backlog"] += 1
        return await super().backlog(*arguments)


async def test_a_look_asks_for_the_events_and_for_nothing_else(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the ledger pokes: the lease is renewed in time, and it is measured once a second how far the sink is behind."""
    monkeypatch.setattr(reader_module, "POLL_S", 30.0)
    sink = ListSink()
    async with open_store(database) as store, LocalBus() as bus, trio.open_nursery() as nursery:
        outbox, unpoked = CountingStore(store), CountingStore(store)
        nursery.start_soon(OutboxReader(sink, outbox, bus, HealthRegistry(), uuid4()).run)
        deaf = ListSink()
        deaf.name = "deaf"
        nursery.start_soon(OutboxReader(deaf, unpoked, bus, HealthRegistry(), uuid4(), poked=False).run)
        await until(lambda: outbox.asked["backlog"] == unpoked.asked["backlog"] == 1)
        began = trio.current_time()
        for number in range(20):
            await write(store, str(number))
            looks = outbox.asked["read"]
            await bus.publish(WRITTEN_TOPIC, b"")
            await until(lambda looks=looks: outbox.asked["read"] > looks)
        await until(lambda: len(sink.taken) == 20)
        seconds = trio.current_time() - began
        nursery.cancel_scope.cancel()
    assert outbox.asked["read"] >= 21
    assert outbox.asked["lease"] <= 1 + seconds / 3
    assert outbox.asked["backlog"] <= 2 + seconds
    assert unpoked.asked == {"lease": 1, "read": 1, "backlog": 1}


async def test_a_position_that_was_set_back_is_not_passed_by(database: str, hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator wants read again is, although the reader knew another position when it moved on."""
    monkeypatch.setattr(reader_module, "LEASE_S", 60.0)
    sink = ListSink()
    async with open_store(database) as store, LocalBus() as bus, trio.open_nursery() as nursery:
        await write(store, "a")
        nursery.start_soon(reader(sink, store, bus).run)
        await until(lambda: sink.types == ["a"])
        await store.gateway.look(lambda conn: conn.execute("UPDATE outbox_readers SET xid = '0', id = 0 WHERE sink = 'list'"))
        await write(store, "b")
        await until(lambda: sink.types == ["a", "b", "a", "b"])
        nursery.cancel_scope.cancel()


async def test_an_event_that_commits_late_is_not_skipped(database: str, hasty: None) -> None:
    """An older transaction that is open still may write in front of what is there: nothing behind it is read before its end."""
    sink = ListSink()
    health = HealthRegistry()
    wrote, end = trio.Event(), trio.Event()

    async def slow() -> None:
        token = trio.lowlevel.current_trio_token()

        async def transaction() -> None:
            connection = await asyncpg.connect(database)
            async with connection.transaction():
                await connection.execute(INSERT, "late")
                token.run_sync_soon(wrote.set)
                while not end.is_set():
                    await connection.fetchval("SELECT pg_sleep(0.02)")
            await connection.close()

        await in_asyncio(transaction)

    async with open_store(database) as store, LocalBus() as bus, trio.open_nursery() as nursery:
        nursery.start_soon(slow)
        await wrote.wait()
        await write(store, "early")
        nursery.start_soon(reader(sink, store, bus, health).run)
        await trio.sleep(0.8)
        assert sink.types == []
        backlog = await OutboxStore(store.gateway).backlog(START)
        assert backlog.held_back >= backlog.unread > 0.5
        end.set()
        await until(lambda: len(sink.taken) == 2)
        nursery.cancel_scope.cancel()
    assert sink.types == ["late", "early"]


async def test_one_of_two_processes_reads_and_the_other_takes_over(database: str, hasty: None) -> None:
    first, second = ListSink(), ListSink()
    async with open_store(database) as store, LocalBus() as bus, trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def until_cancelled() -> None:
            with scope:
                await reader(first, store, bus).run()

        nursery.start_soon(until_cancelled)
        await write(store, "a")
        await until(lambda: first.types == ["a"])
        nursery.start_soon(reader(second, store, bus).run)
        await write(store, "b")
        await until(lambda: first.types == ["a", "b"])
        await trio.sleep(2 * reader_module.LEASE_S)  # nothing happens, and yet the lease is kept
        await write(store, "kept")
        await until(lambda: first.types == ["a", "b", "kept"])
        assert second.taken == []
        scope.cancel()
        await write(store, "c")
        await until(lambda: second.types == ["c"])
        nursery.cancel_scope.cancel()


async def test_a_process_that_slept_over_its_lease_moves_nothing(database: str, hasty: None) -> None:
    """The other one publishes the same events again, with the same ids; the position is its own."""
    sleepy, other = ListSink(), ListSink()
    sleepy.go_on = trio.Event()
    async with open_store(database) as store, LocalBus() as bus, trio.open_nursery() as nursery:
        await write(store, "a", "b")
        nursery.start_soon(reader(sleepy, store, bus).run)
        await sleepy.offered.wait()
        await trio.sleep(0.8)
        nursery.start_soon(reader(other, store, bus).run)
        await until(lambda: other.types == ["a", "b"])
        await write(store, "c")
        await until(lambda: other.types == ["a", "b", "c"])
        sleepy.go_on.set()
        await until(lambda: len(sleepy.taken) == 2)
        await trio.sleep(0.5)
        assert [e.event_id for e in sleepy.taken] == [e.event_id for e in other.taken[:2]]
        assert len(sleepy.taken) + len(other.taken) == 5, "the one that slept reads no more"
        nursery.cancel_scope.cancel()


async def test_a_sink_that_fails_gets_everything_later(database: str, hasty: None) -> None:
    sink, health = ListSink(), HealthRegistry()
    sink.broken = True
    async with open_store(database) as store, LocalBus() as bus, trio.open_nursery() as nursery:
        await write(store, "a")
        nursery.start_soon(reader(sink, store, bus, health).run)
        await until(lambda: "outbox" in health.snapshot() and health.snapshot()["outbox"].state == "degraded")
        assert "it is broken" in health.snapshot()["outbox"].detail
        await write(store, "b")
        sink.broken = False
        await until(lambda: sink.types == ["a", "b"])
        await until(lambda: health.snapshot()["outbox"].state == "ok")
        nursery.cancel_scope.cancel()


async def test_the_file_has_a_line_for_each_event_and_is_renamed_when_it_is_large(database: str, tmp_path: Path) -> None:
    path = tmp_path / "events" / "events.jsonl"
    sink = FileSink(path, most_bytes=2_000, keep=2)
    async with open_store(database) as store:
        outbox = OutboxStore(store.gateway)
        position = START
        for round_ in range(6):
            await write(store, *[f"{round_}-{n}" for n in range(10)])
            found, _ = await outbox.read(position, 100)
            position = found[-1][0]
            await sink.publish([event for _, event in found])
    assert sorted(p.name for p in path.parent.iterdir()) == ["events.jsonl", "events.jsonl.1", "events.jsonl.2"]
    lines = [json.loads(line) for p in (".2", ".1", "") for line in Path(f"{path}{p}").read_text().splitlines()]
    types = [line["type"] for line in lines]
    assert types == [f"{r}-{n}" for r in range(6) for n in range(10)][-len(types) :]
    assert set(lines[0]) == {
        "event_id", "type", "version", "tenant", "charge_point_id", "session_id", "occurred_at", "recorded_at", "data",
    }  # fmt: skip


async def test_half_a_line_is_cut_off_before_the_next(database: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"whole":1}\n{"ha')
    async with open_store(database) as store:
        await write(store, "a")
        found, _ = await OutboxStore(store.gateway).read(START, 100)
        await FileSink(path, most_bytes=10**6, keep=1).publish([event for _, event in found])
    first, second = path.read_text().splitlines()
    assert json.loads(first) == {"whole": 1}
    assert json.loads(second)["type"] == "a"


async def test_a_file_that_cannot_be_written_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "file-in-the-way" / "events.jsonl"
    path.parent.write_text("")
    with pytest.raises(SinkUnavailable, match="file-in-the-way"):
        await FileSink(path, most_bytes=10**6, keep=1).publish([])


async def test_events_that_a_sink_has_not_taken_are_kept_longer(database: str) -> None:
    async def age(conn: Connection, days: int) -> None:
        await conn.execute("UPDATE outbox SET recorded_at = now() - make_interval(days => $1)", days)

    async with open_store(database) as store:
        outbox, owner = OutboxStore(store.gateway), uuid4()
        known = await outbox.take_lease("slow", owner, 60)
        assert known is not None
        await write(store, "taken", "waiting")
        found, _ = await outbox.read(START, 10)
        assert await outbox.move("slow", owner, known, found[0][0], 60)
        await run_with_owner(database, partial(age, days=15))
        assert await run_with_owner(database, partial(prune_outbox, days=14)) == 1
        assert [event.type for _, event in (await outbox.read(START, 10))[0]] == ["waiting"]
        await run_with_owner(database, partial(age, days=14 * OUTBOX_PATIENCE + 1))
        assert await run_with_owner(database, partial(prune_outbox, days=14)) == 1


async def test_a_sink_gets_the_types_that_it_takes_and_passes_by_the_others(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csms.outbox.reader.REST_S", 0.0)
    sink = ListSink()
    sink.takes = frozenset({"session.ended", "session.started"})
    sink.chunk = 2
    async with open_store(database) as store, LocalBus() as bus, trio.open_nursery() as nursery:
        await write(store, *["session.started", "meter", "session.ended", "meter", "session.ended", "meter", "meter"])
        nursery.start_soon(reader(sink, store, bus).run)
        await until(lambda: len(sink.taken) == 3)
        assert sink.types == ["session.started", "session.ended", "session.ended"]

        async def held_back(conn: Connection) -> int:
            return await conn.fetchval(
                "SELECT count(*) FROM outbox o JOIN outbox_readers r ON (r.xid, r.id) < (o.xid, o.id) WHERE r.sink = 'list'"
            )

        # what it does not take may be deleted all the same
        with trio.fail_after(10):
            while await store.gateway.unit(held_back):
                await trio.sleep(0.05)
        await write(store, "meter", "session.ended")
        await until(lambda: len(sink.taken) == 4)
        nursery.cancel_scope.cancel()
