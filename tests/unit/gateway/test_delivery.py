"""What arrives at many sockets, handed over by one task: plain ones are read by the receiver's thread, others in Python."""

from __future__ import annotations

import math
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateway import _native
from gateway.arrivals import CROWD, HANDED_PER_TURN, Arrivals
from gateway.closing import CloseReason
from gateway.readiness import HANDED_PER_TURN as READ_PER_TURN
from gateway.readiness import Readiness
from gateway.wire import COMPRESSED_READ_SIZE, Wire
from tests.unit.native import client

T = TypeVar("T")
THROUGH_PYTHON, THROUGH_THREAD = "through Python", "through the thread"
BOTH = pytest.mark.parametrize("way", [THROUGH_PYTHON, THROUGH_THREAD])


def frame(payload: bytes) -> bytes:
    """A pong, which may come at any time and says what it brings."""
    return client.frame(payload, 0x8A)


async def deliver(wire: Wire, take: Callable[[bytes], T | None]) -> T | None:
    """Give the payloads of pongs to `take` until it gives something."""

    def take_events(events: Iterator[Any]) -> T | None:
        for event in events:
            assert event[0] == _native.PONG
            given = take(event[1])
            if given is not None:
                return given
        return None

    return await wire.deliver(client.connect("ocpp1.6"), take_events)


class Sockets:
    """Wires of one `Readiness` and one `Arrivals`, and their peers."""

    def __init__(self, readiness: Readiness, arrivals: Arrivals, nursery: trio.Nursery, stack: ExitStack) -> None:
        self.readiness = readiness
        self.arrivals = arrivals
        self.nursery = nursery
        self._stack = stack

    def pair(
        self, way: str = THROUGH_PYTHON, kind: Callable[[socket.socket], socket.socket] = lambda sock: sock
    ) -> tuple[Wire, socket.socket]:
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
        self._stack.enter_context(theirs)
        wire = Wire(kind(ours), self.nursery, self.readiness, self.arrivals if way == THROUGH_THREAD else None)
        self._stack.callback(wire.close, CloseReason.LOST)
        return wire, theirs


@asynccontextmanager
async def sockets(*, gather_s: float = 0.0, handed_over: Callable[[], None] = lambda: None) -> AsyncIterator[Sockets]:
    with trio.fail_after(10), Readiness() as readiness, Arrivals(client.catalogue(), gather_s, handed_over) as arrivals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(readiness.run)
            nursery.start_soon(arrivals.run)
            with ExitStack() as stack:
                yield Sockets(readiness, arrivals, nursery, stack)
            nursery.cancel_scope.cancel()


async def settle() -> None:
    """Until what is on its way has arrived; the thread has no task to wait for."""
    await trio.sleep(0.02)
    await wait_all_tasks_blocked()


@BOTH
async def test_what_arrives_is_handed_over_until_something_is_given(way: str) -> None:
    async with sockets() as some:
        wire, theirs = some.pair(way)
        taken: list[bytes] = []

        def take(data: bytes) -> int | None:
            taken.append(data)
            return len(taken) if data == b"stop" else None

        async def send() -> None:
            for data in (b"a", b"b", b"stop", b"later"):
                theirs.send(frame(data))
                await settle()

        some.nursery.start_soon(send)
        assert await deliver(wire, take) == 3
        await settle()
        assert taken == [b"a", b"b", b"stop"], "nobody waited for more"
        assert await deliver(wire, lambda data: data) == b"later"


@BOTH
async def test_the_end_of_the_peer_ends_the_delivery(way: str) -> None:
    async with sockets() as some:
        wire, theirs = some.pair(way)
        theirs.shutdown(socket.SHUT_WR)
        assert await deliver(wire, _keep_nothing) is None
        assert wire.end is None, "what is to be sent may still leave"


@BOTH
async def test_a_reset_of_the_peer_ends_the_delivery(way: str) -> None:
    async with sockets() as some:
        wire, theirs = some.pair(way)
        wire.send(b"unread")
        theirs.close()
        assert await deliver(wire, _keep_nothing) is None


@BOTH
async def test_a_closed_wire_delivers_nothing(way: str) -> None:
    async with sockets() as some:
        wire, theirs = some.pair(way)
        theirs.send(frame(b"x"))
        wire.close(CloseReason.REPLACED)
        assert await deliver(wire, _keep_nothing) is None


@pytest.mark.parametrize("act", [lambda wire: wire.abort(CloseReason.REPLACED), lambda wire: wire.close(CloseReason.REPLACED)])
@BOTH
async def test_closing_from_elsewhere_ends_the_delivery(act: Callable[[Wire], None], way: str) -> None:
    async with sockets() as some:
        wire, _ = some.pair(way)

        async def close() -> None:
            await settle()
            act(wire)

        some.nursery.start_soon(close)
        assert await deliver(wire, _keep_nothing) is None
        assert wire.end is CloseReason.REPLACED


@BOTH
async def test_who_takes_may_close(way: str) -> None:
    async with sockets() as some:
        wire, theirs = some.pair(way)

        def take(data: bytes) -> str:
            wire.abort(CloseReason.VIOLATION)
            return "too late"

        theirs.send(frame(b"x"))
        assert await deliver(wire, take) is None
        assert wire.end is CloseReason.VIOLATION


@BOTH
async def test_a_fault_of_one_is_its_own(way: str) -> None:
    async with sockets() as some:
        faulty, its_peer = some.pair(way)
        other, others_peer = some.pair(way)
        its_peer.send(frame(b"x"))
        with pytest.raises(ZeroDivisionError):
            await deliver(faulty, lambda data: 1 // 0)
        others_peer.send(frame(b"y"))
        assert await deliver(other, lambda data: data) == b"y"


@BOTH
async def test_a_cancelled_delivery_takes_nothing_and_can_be_begun_again(way: str) -> None:
    async with sockets() as some:
        wire, theirs = some.pair(way)
        with trio.move_on_after(0.01) as scope:
            await deliver(wire, lambda data: data)
        assert scope.cancelled_caught
        theirs.send(frame(b"x"))
        await settle()
        assert await deliver(wire, lambda data: data) == b"x"


async def test_a_number_that_another_socket_has_by_now_is_not_served_for_it() -> None:
    """Both are ready in one round; the first ends the second, whose number the next socket gets."""
    async with sockets() as some:
        wires = [some.pair() for _ in range(2)]
        served: list[str] = []
        number = 0

        def end_the_other(mine: int) -> str:
            nonlocal number
            other = wires[1 - mine][0]
            number = other.sock.fileno()
            other.abort(CloseReason.REPLACED)
            newcomer, _ = some.pair()
            assert newcomer.sock.fileno() == number
            some.readiness.watch(newcomer.sock, lambda: served.append("newcomer"))
            return "ended the other"

        outcomes: list[str | None] = []

        async def deliver_to(mine: int) -> None:
            outcomes.append(await deliver(wires[mine][0], lambda data: end_the_other(mine)))

        for _, theirs in wires:
            theirs.send(frame(b"x"))
        async with trio.open_nursery() as nursery:
            for mine in range(2):
                nursery.start_soon(deliver_to, mine)
        await wait_all_tasks_blocked()
        assert sorted(outcomes, key=str) == [None, "ended the other"]
        assert served == []


async def test_who_has_left_within_a_round_is_not_called() -> None:
    """Both are ready in one round; whoever is first has the other leave."""
    async with sockets() as some:
        wires = [some.pair() for _ in range(2)]
        called: list[int] = []

        def handle(mine: int) -> None:
            called.append(mine)
            for wire, _ in wires:
                some.readiness.leave(wire.sock)

        for number, (wire, theirs) in enumerate(wires):
            theirs.send(frame(b"x"))
            some.readiness.watch(wire.sock, partial(handle, number))
        await wait_all_tasks_blocked()
        assert len(called) == 1


@BOTH
async def test_others_have_their_turn_in_a_crowd(way: str) -> None:
    per_turn = HANDED_PER_TURN if way == THROUGH_THREAD else READ_PER_TURN
    async with sockets() as some:
        crowd = [some.pair(way) for _ in range(8 * per_turn)]
        order: list[str] = []

        def take(data: bytes) -> None:
            order.append("taken")

        async def other() -> None:
            while order.count("taken") < len(crowd):
                order.append("other")
                await trio.lowlevel.checkpoint()

        for wire, theirs in crowd:
            some.nursery.start_soon(deliver, wire, take)
            theirs.send(frame(b"x"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
        longest = max(len(run) for run in " ".join(order).replace("other", "|").replace(" ", "").split("|")) // len("taken")
        assert longest <= 2 * per_turn, "tasks of one batch run in any order, so two turns may follow on each other"


class WantsRoom(socket.socket):
    """As a TLS socket that must send before it can read: it was asked for new keys while nothing could leave."""

    wants = True

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(fileno=sock.detach())
        self.setblocking(False)

    def recv(self, *arguments: int) -> bytes:
        if self.wants:
            self.wants = False
            raise ssl.SSLWantWriteError
        return super().recv(*arguments)


async def test_who_must_send_first_is_read_once_there_is_room() -> None:
    async with sockets() as some:
        wire, theirs = some.pair(kind=WantsRoom)
        theirs.send(frame(b"x"))
        taken: list[bytes] = []

        def take(data: bytes) -> bool | None:
            taken.append(data)
            return len(taken) == 2 or None

        async def again() -> None:
            await wait_all_tasks_blocked()
            theirs.send(frame(b"y"))

        some.nursery.start_soon(again)
        assert await deliver(wire, take)
        assert taken == [b"x", b"y"]


def _keep_nothing(data: bytes) -> None:
    """What a peer sends is of no interest."""


async def test_a_number_that_another_plain_socket_has_by_now_is_not_served_for_it() -> None:
    """What was read of a socket is dropped when its wire is closed before it is handed over."""
    async with sockets(gather_s=0.05) as some:
        await make_busy(some)
        first, theirs = some.pair(THROUGH_THREAD)
        number = first.sock.fileno()
        some.nursery.start_soon(deliver, first, _keep_nothing)
        await wait_all_tasks_blocked()
        theirs.send(frame(b"old"))
        await trio.sleep(0.01)
        first.abort(CloseReason.REPLACED)
        newcomer, its_peer = some.pair(THROUGH_THREAD)
        assert newcomer.sock.fileno() == number
        its_peer.send(frame(b"new"))
        assert await deliver(newcomer, lambda data: data) == b"new"


async def test_in_busy_times_messages_are_handed_over_together_but_none_that_somebody_waits_for() -> None:
    groups: list[int] = []
    heard: list[str] = []
    async with sockets(gather_s=0.5, handed_over=lambda: groups.append(len(heard))) as some:
        await make_busy(some, stay=True)
        wires = [some.pair(THROUGH_THREAD) for _ in range(5)]

        def take(events: Iterator[Any]) -> None:
            heard.extend(event[2] for event in events)

        for wire, _ in wires:
            some.nursery.start_soon(wire.deliver, client.connect("ocpp1.6"), take)
        await wait_all_tasks_blocked()
        wires[0][1].send(client.text([2, "1", "Authorize", {"idTag": "A"}]))
        for _, theirs in wires[1:]:
            theirs.send(client.text([2, "2", "Heartbeat", {}]))
        while len(heard) < 5:
            await trio.sleep(0.001)
        await settle()
        assert heard[0] == "Authorize"
        assert not {2, 3, 4} & set(groups), "those that can wait came together"


async def test_a_crowd_waits_for_nobody() -> None:
    async with sockets(gather_s=5.0) as some:
        await make_busy(some)
        taken: list[bytes] = []
        crowd = [some.pair(THROUGH_THREAD) for _ in range(CROWD)]
        for wire, theirs in crowd:
            some.nursery.start_soon(deliver, wire, taken.append)
            theirs.send(frame(b"x"))
        with trio.fail_after(2):
            while len(taken) < CROWD:
                await trio.sleep(0.001)


async def test_while_little_arrives_nothing_waits() -> None:
    async with sockets(gather_s=5.0) as some:
        wire, theirs = some.pair(THROUGH_THREAD)
        theirs.send(frame(b"x"))
        with trio.fail_after(2):
            assert await deliver(wire, lambda data: data) == b"x"


@BOTH
async def test_a_message_in_two_parts_and_many_in_one_read(way: str) -> None:
    async with sockets() as some:
        wire, theirs = some.pair(way)
        sent = [str(number).encode() * 20 for number in range(100)]
        stream = b"".join(map(frame, sent))
        taken: list[bytes] = []

        async def send() -> None:
            for start in range(0, len(stream), 1000):
                theirs.send(stream[start : start + 1000])
                await trio.sleep(0.001)

        def take(data: bytes) -> bool | None:
            taken.append(data)
            return len(taken) == len(sent) or None

        some.nursery.start_soon(send)
        assert await deliver(wire, take)
        assert taken == sent


@BOTH
async def test_what_may_be_compressed_is_decoded_in_small_parts(way: str) -> None:
    """However much it inflates to, one part of it does so at a time."""
    async with sockets() as some:
        wire, theirs = some.pair(way)
        count = 4 * COMPRESSED_READ_SIZE // len(frame(b"x"))
        theirs.send(frame(b"x") * count)
        parts: list[int] = []

        def take(events: Iterator[Any]) -> bool | None:
            parts.append(len(list(events)))
            return sum(parts) == count or None

        assert await wire.deliver(client.connect("ocpp1.6", compression=True), take, compressed=True)
        assert len(parts) == (4 if way == THROUGH_THREAD else 1)


async def make_busy(some: Sockets, *, stay: bool = False) -> None:
    """So much arrives that messages wait for each other; with `stay` also from then on."""
    wire, theirs = some.pair(THROUGH_THREAD)
    some.nursery.start_soon(deliver, wire, _keep_nothing)

    async def send(most: float) -> None:
        sent = 0
        while sent < most:
            theirs.send(frame(b"x"))
            sent += 1
            await trio.sleep(0.005)

    await send(60)
    if stay:
        some.nursery.start_soon(send, math.inf)
