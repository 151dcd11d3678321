"""A TCP proxy that does to connections what networks do: cuts, silence, half-open ends, delay, small pieces.

It stands between stations and gateway, and between gateway and PostgreSQL. A black hole keeps what is sent and delivers it
when the hole is closed, as retransmission does; a connection is never given other bytes than the peer sent.

Plain sockets that are read and written without waiting where possible: the question-and-answer traffic of a database would
cost a fourth of a core through Trio's streams.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from random import Random

import trio

Connect = Callable[[], Awaitable[socket.socket]]
"""Gives a connected socket that does not block. Raises OSError."""

_RECEIVE = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds
_PAUSE_BETWEEN_SLICES = 0.0005
_ACCEPT_BACKLOG = 2048


@dataclass(frozen=True)
class Weather:
    """How bytes travel: each portion is `latency` seconds late, up to `jitter` more, and in pieces of `slice_bytes`."""

    latency: float = 0.0
    jitter: float = 0.0
    slice_bytes: int | None = None


CLEAR = Weather()


class Line:
    """One proxied connection."""

    def __init__(self, near: socket.socket, far: socket.socket, chance: Random) -> None:
        self.weather = CLEAR
        self._near = near
        self._far = far
        self._chance = chance
        self._scope = trio.CancelScope()
        self._flowing = trio.Event()
        self._flowing.set()
        self.silenced = False
        """Half-open: one end is gone, the other one does not know."""

    def stall(self) -> None:
        """Nothing passes from now on, in neither direction; both ends stay open."""
        if self._flowing.is_set():
            self._flowing = trio.Event()

    def resume(self) -> None:
        """What was held back is delivered."""
        if not self.silenced:
            self._flowing.set()

    def reset(self) -> None:
        """Both ends see RST."""
        _reset(self._near)
        _reset(self._far)
        self._scope.cancel()

    def half_open(self, *, near_side_knows: bool) -> None:
        """One end sees RST, the other one is told nothing, ever: the line stays silent until it is closed."""
        self.stall()
        self.silenced = True
        _reset(self._near if near_side_knows else self._far)

    async def serve(self) -> None:
        """Until both directions have ended; a half-open line ends when it is reset."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump, self._near, self._far)
                nursery.start_soon(self._pump, self._far, self._near)

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while True:
                await trio.lowlevel.wait_readable(source)
                if not self._flowing.is_set():
                    await self._flowing.wait()
                    continue
                data = source.recv(_RECEIVE)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if self.weather is CLEAR:
                    await _send(sink, data)
                else:
                    await self._carry(sink, data)
        except (OSError, trio.ClosedResourceError):
            if self.silenced:
                await trio.sleep_forever()  # the other end must not learn of it
            self.reset()

    async def _carry(self, sink: socket.socket, data: bytes) -> None:
        weather = self.weather
        delay = weather.latency + weather.jitter * self._chance.random()
        if delay:
            await trio.sleep(delay)
        size = weather.slice_bytes or len(data)
        for start in range(0, len(data), size):
            if start:
                await trio.sleep(_PAUSE_BETWEEN_SLICES)
            await _send(sink, data[start : start + size])


async def _send(sink: socket.socket, data: bytes) -> None:
    while True:
        try:
            data = data[sink.send(data) :]
        except BlockingIOError:
            pass
        if not data:
            return
        await trio.lowlevel.wait_writable(sink)


def _reset(connection: socket.socket) -> None:
    if connection.fileno() != -1:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        _close(connection)


def _close(connection: socket.socket) -> None:
    if connection.fileno() != -1:
        trio.lowlevel.notify_closing(connection)
        connection.close()


class FaultProxy:
    """Listens on a port of the loopback and forwards to wherever `connect` leads.

    The switches act on new connections; those that stand are `lines`, each with switches of its own.
    """

    def __init__(self, port: int, connect: Connect) -> None:
        self.port = port
        self.lines: dict[int, Line] = {}
        self.refusing = False
        """New connections see RST at once."""
        self.weather = CLEAR
        """What new connections begin with."""
        self._connect = connect
        self._numbers = count(1)
        self._open = trio.Event()
        self._open.set()

    def stall(self) -> None:
        """A black hole: nothing passes on any line, new connections are taken and hear nothing."""
        self._open = trio.Event()
        for line in self.lines.values():
            line.stall()

    def resume(self) -> None:
        """The end of all stalls; half-open lines stay as they are."""
        self._open.set()
        for line in self.lines.values():
            line.resume()

    def reset(self, lines: Iterable[Line] | None = None) -> None:
        for line in list(self.lines.values()) if lines is None else list(lines):
            line.reset()

    def bury(self) -> None:
        """Close the ends that half-open lines have left."""
        self.reset(line for line in list(self.lines.values()) if line.silenced)

    def set_weather(self, weather: Weather, lines: Iterable[Line] | None = None) -> None:
        """For the given lines; without them for all, and for those to come."""
        if lines is None:
            self.weather = weather
        for line in self.lines.values() if lines is None else lines:
            line.weather = weather

    def some(self, share: float, chance: Random) -> list[Line]:
        """A share of the lines that stand, at least one when there is any."""
        lines = list(self.lines.values())
        return chance.sample(lines, min(len(lines), max(1, round(share * len(lines)))))

    async def serve(self, listener: socket.socket) -> None:
        """Runs until cancelled; then every line is cut."""
        async with trio.open_nursery() as nursery:
            while True:
                await trio.lowlevel.wait_readable(listener)
                try:
                    near, _ = listener.accept()
                except OSError:
                    continue  # it was gone before it was taken
                near.setblocking(False)
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                nursery.start_soon(self._forward, near)

    async def _forward(self, near: socket.socket) -> None:
        far: socket.socket | None = None
        number = next(self._numbers)
        try:
            if self.refusing:
                _reset(near)
                return
            await self._open.wait()
            try:
                far = await self._connect()
            except OSError:
                _reset(near)
                return
            line = self.lines[number] = Line(near, far, Random(number))
            line.weather = self.weather
            if not self._open.is_set():
                line.stall()
            await line.serve()
        finally:
            self.lines.pop(number, None)
            for end in (near, far):
                if end is not None:
                    _close(end)


@asynccontextmanager
async def open_proxy(connect: Connect) -> AsyncGenerator[FaultProxy]:
    """A proxy on a free port."""
    with socket.create_server(("127.0.0.1", 0), backlog=_ACCEPT_BACKLOG) as listener:
        listener.setblocking(False)
        proxy = FaultProxy(listener.getsockname()[1], connect)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(proxy.serve, listener)
            yield proxy
            nursery.cancel_scope.cancel()


def to_tcp(port: int) -> Connect:
    async def connect() -> socket.socket:
        made = await _connected(socket.AF_INET, ("127.0.0.1", port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    return connect


def to_unix(path: str) -> Connect:
    async def connect() -> socket.socket:
        return await _connected(socket.AF_UNIX, path)

    return connect


async def _connected(family: socket.AddressFamily, address: tuple[str, int] | str) -> socket.socket:
    with trio.socket.socket(family, socket.SOCK_STREAM) as connecting:
        await connecting.connect(address)
        made = socket.socket(fileno=connecting.detach())
    made.setblocking(False)
    return made
