"""What arrives at many sockets, handed over by one task."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateway.closing import CloseReason
from gateway.readiness import HANDED_PER_TURN, Readiness
from gateway.wire import Wire


class Sockets:
    """Wires of one `Readiness`, and their peers."""

    def __init__(self, readiness: Readiness, nursery: trio.Nursery, stack: ExitStack) -> None:
        self.readiness = readiness
        self.nursery = nursery
        self._stack = stack

    def pair(self, kind: Callable[[socket.socket], socket.socket] = lambda sock: sock) -> tuple[Wire, socket.socket]:
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
        self._stack.enter_context(theirs)
        wire = Wire(kind(ours), self.nursery, self.readiness)
        self._stack.callback(wire.close, CloseReason.LOST)
        return wire, theirs


@asynccontextmanager
async def sockets() -> AsyncIterator[Sockets]:
    with trio.fail_after(10), Readiness() as readiness:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(readiness.run)
            with ExitStack() as stack:
                yield Sockets(readiness, nursery, stack)
            nursery.cancel_scope.cancel()


async def test_what_arrives_is_handed_over_until_something_is_given() -> None:
    async with sockets() as some:
        wire, theirs = some.pair()
        taken: list[bytes] = []

        def take(data: bytes) -> int | None:
            taken.append(data)
            return len(taken) if data == b"stop" else None

        async def send() -> None:
            for data in (b"a", b"b", b"stop", b"later"):
                theirs.send(data)
                await wait_all_tasks_blocked()

        some.nursery.start_soon(send)
        assert await wire.deliver(take) == 3
        await wait_all_tasks_blocked()
        assert taken == [b"a", b"b", b"stop"], "nobody waited for more"
        assert await wire.deliver(lambda data: data) == b"later"


async def test_the_end_of_the_peer_ends_the_delivery() -> None:
    async with sockets() as some:
        wire, theirs = some.pair()
        theirs.shutdown(socket.SHUT_WR)
        assert await wire.deliver(_keep_nothing) is None
        assert wire.end is None, "what is to be sent may still leave"


async def test_a_reset_of_the_peer_ends_the_delivery() -> None:
    async with sockets() as some:
        wire, theirs = some.pair()
        wire.send(b"unread")
        theirs.close()
        assert await wire.deliver(_keep_nothing) is None


async def test_a_closed_wire_delivers_nothing() -> None:
    async with sockets() as some:
        wire, theirs = some.pair()
        theirs.send(b"x")
        wire.close(CloseReason.REPLACED)
        assert await wire.deliver(_keep_nothing) is None


@pytest.mark.parametrize("act", [lambda wire: wire.abort(CloseReason.REPLACED), lambda wire: wire.close(CloseReason.REPLACED)])
async def test_closing_from_elsewhere_ends_the_delivery(act: Callable[[Wire], None]) -> None:
    async with sockets() as some:
        wire, _ = some.pair()

        async def close() -> None:
            await wait_all_tasks_blocked()
            act(wire)

        some.nursery.start_soon(close)
        assert await wire.deliver(_keep_nothing) is None
        assert wire.end is CloseReason.REPLACED


async def test_who_takes_may_close() -> None:
    async with sockets() as some:
        wire, theirs = some.pair()

        def take(data: bytes) -> str:
            wire.abort(CloseReason.VIOLATION)
            return "too late"

        theirs.send(b"x")
        assert await wire.deliver(take) is None
        assert wire.end is CloseReason.VIOLATION


async def test_a_fault_of_one_is_its_own() -> None:
    async with sockets() as some:
        faulty, its_peer = some.pair()
        other, others_peer = some.pair()
        its_peer.send(b"x")
        with pytest.raises(ZeroDivisionError):
            await faulty.deliver(lambda data: 1 // 0)
        others_peer.send(b"y")
        assert await other.deliver(lambda data: data) == b"y"


async def test_a_cancelled_delivery_takes_nothing_and_can_be_begun_again() -> None:
    async with sockets() as some:
        wire, theirs = some.pair()
        with trio.move_on_after(0.01) as scope:
            await wire.deliver(lambda data: data)
        assert scope.cancelled_caught
        theirs.send(b"x")
        await wait_all_tasks_blocked()
        assert await wire.deliver(lambda data: data) == b"x"


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

        async def deliver(mine: int) -> None:
            outcomes.append(await wires[mine][0].deliver(lambda data: end_the_other(mine)))

        for _, theirs in wires:
            theirs.send(b"x")
        async with trio.open_nursery() as nursery:
            for mine in range(2):
                nursery.start_soon(deliver, mine)
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
            theirs.send(b"x")
            some.readiness.watch(wire.sock, partial(handle, number))
        await wait_all_tasks_blocked()
        assert len(called) == 1


async def test_others_have_their_turn_in_a_crowd() -> None:
    async with sockets() as some:
        crowd = [some.pair() for _ in range(8 * HANDED_PER_TURN)]
        order: list[str] = []

        def take(data: bytes) -> None:
            order.append("taken")

        async def other() -> None:
            while len(order) < len(crowd):
                order.append("other")
                await trio.lowlevel.checkpoint()

        for wire, theirs in crowd:
            some.nursery.start_soon(wire.deliver, take)
            theirs.send(b"x")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
        longest = max(len(run) for run in " ".join(order).replace("other", "|").replace(" ", "").split("|")) // len("taken")
        assert longest <= 2 * HANDED_PER_TURN, "tasks of one batch run in any order, so two turns may follow on each other"


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
        wire, theirs = some.pair(WantsRoom)
        theirs.send(b"x")
        taken: list[bytes] = []

        def take(data: bytes) -> bool | None:
            taken.append(data)
            return len(taken) == 2 or None

        async def again() -> None:
            await wait_all_tasks_blocked()
            theirs.send(b"y")

        some.nursery.start_soon(again)
        assert await wire.deliver(take)
        assert taken == [b"x", b"y"]


def _keep_nothing(data: bytes) -> None:
    """What a peer sends is of no interest."""
