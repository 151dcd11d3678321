"""The network between stations and gateway processes: lines that are slow, get stuck, lose and repeat messages, and break.

A line is a socket pair, so that the gateway's real socket path runs. What a station sends waits in the line for its time and is
then written to the gateway's socket; what the gateway writes waits likewise. Faults strike in between.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from random import Random

import trio

from tests.simulation import websocket
from tests.simulation.websocket import CLOSE, PING, PONG, TEXT, Receiver

Serve = Callable[[socket.socket, str], Awaitable[None]]
HANDSHAKE_PATIENCE_S = 30.0


class Refused(Exception):
    """Nobody listens, or the handshake was answered with another status than 101."""


class LineLost(Exception):
    """The connection is over, as far as this station can tell."""


@dataclass
class Weather:
    """How the network is now; shared by all lines, changed by the plan."""

    latency_s: float = 0.01
    lose: float = 0.0
    """Share of messages that vanish, in each direction."""
    repeat: float = 0.0
    """Share of the stations' messages that arrive twice."""
    slice: bool = False
    """Bytes arrive in small pieces."""

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.latency_s, self.lose, self.repeat, self.slice = Weather.latency_s, 0.0, 0.0, False


class SimulatedEntrance:
    """Where lines come into one gateway process (`gateway.listener.Entrance`)."""

    def __init__(self, name: str) -> None:
        self.urls = [f"ws://{name}/ocpp"]
        self._send, self._receive = trio.open_memory_channel[socket.socket](inf)
        self.open = False
        self.dead = False
        self._sockets: list[socket.socket] = []

    async def accept(self, connections: trio.Nursery, serve: Serve) -> None:
        self.open = True
        try:
            async for sock in self._receive:
                connections.start_soon(serve, sock, "192.0.2.1")
        finally:
            self.open = False
            self._turn_away()

    def connect(self) -> socket.socket:
        """The station's end of a new connection. Raises Refused."""
        if not self.open or self.dead:
            raise Refused("nobody listens")
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        self._sockets = [sock for sock in self._sockets if sock.fileno() != -1]
        self._sockets.append(theirs)
        self._send.send_nowait(theirs)
        return ours

    def _turn_away(self) -> None:
        """Nobody takes those who have come but were not let in yet."""
        while True:
            try:
                self._receive.receive_nowait().close()
            except trio.WouldBlock:
                return

    def kill(self) -> None:
        """The process is gone: the kernel ends its connections, and nothing that it still writes gets out."""
        self.dead = True
        for sock in self._sockets:
            if sock.fileno() != -1:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the peer has ended it already


class Line:
    """One connection of one station; open it with `Network.connect`."""

    def __init__(self, sock: socket.socket, weather: Weather, chance: Random, nursery: trio.Nursery) -> None:
        self._sock = sock
        self._weather = weather
        self._chance = chance
        self._receiver = Receiver()
        self._up, self._to_send = trio.open_memory_channel[tuple[float, bytes]](inf)
        self._arrived, self._inbox = trio.open_memory_channel[bytes](inf)
        self._upgraded = trio.Event()
        self._last_up = 0.0
        self._stalled_until = {"up": 0.0, "down": 0.0}
        self._severed = False
        self.lost = False
        """The station knows that the connection is over."""
        self._nursery = nursery
        nursery.start_soon(self._carry_up)
        nursery.start_soon(self._hold)

    # -- the station's side

    async def shake_hands(self, path: str, subprotocol: str) -> None:
        """Raises Refused."""
        self._enqueue(websocket.upgrade_request(path, subprotocol))
        with trio.move_on_after(HANDSHAKE_PATIENCE_S):
            await self._upgraded.wait()
        if self._receiver.status != 101 or self.lost:
            self.cut()
            raise Refused(str(self._receiver.status))

    def send(self, text: bytes) -> None:
        """Raises LineLost."""
        if self.lost:
            raise LineLost
        if self._chance.random() < self._weather.lose:
            return
        self._enqueue(websocket.frame(TEXT, text))
        if self._chance.random() < self._weather.repeat:
            self._enqueue(websocket.frame(TEXT, text))

    async def receive(self) -> bytes:
        """The next message. Raises LineLost."""
        try:
            return await self._inbox.receive()
        except trio.EndOfChannel:
            raise LineLost from None

    def close(self) -> None:
        """Say goodbye."""
        if not self.lost:
            self._enqueue(websocket.frame(CLOSE, b"\x03\xe8"))

    # -- what happens to it

    def cut(self) -> None:
        """Both ends notice at once; what was under way is gone."""
        self._end()
        self._close()

    def half_open(self, seconds: float) -> None:
        """The station notices that the connection is over, the gateway does not for so long."""
        self._end()
        self._severed = True
        self._nursery.start_soon(self._close_later, seconds)

    def go_deaf(self) -> None:
        """Neither end notices: nothing gets through any more in either direction."""
        self._severed = True

    def stall(self, direction: str, until: float) -> None:
        """Nothing gets through in this direction ("up" or "down") for a while; then all of it does."""
        self._stalled_until[direction] = until

    @property
    def open(self) -> bool:
        return not self.lost and not self._severed

    # -- inside

    def _enqueue(self, data: bytes) -> None:
        latency = self._weather.latency_s * self._chance.uniform(0.2, 2.0)
        # a stream: nothing overtakes
        self._last_up = max(self._last_up, trio.current_time() + latency)
        try:
            self._up.send_nowait((self._last_up, data))
        except trio.BrokenResourceError:
            pass  # the end of the connection is on its way to the station

    async def _carry_up(self) -> None:
        with self._to_send:
            async for at, data in self._to_send:
                await self._wait(at, "up")
                if self._severed:
                    continue
                pieces = [data]
                if self._weather.slice and len(data) > 8:
                    middle = self._chance.randrange(1, len(data))
                    pieces = [data[:middle], data[middle:]]
                for piece in pieces:
                    try:
                        await self._write(piece)
                    except (OSError, trio.ClosedResourceError):
                        return
                    if len(pieces) > 1:
                        await trio.sleep(0.001)

    async def _write(self, data: bytes) -> None:
        while data:
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._sock)
                continue
            data = data[sent:]

    async def _hold(self) -> None:
        """The line holds its socket until both have seen its end, or the run is over."""
        try:
            await self._carry_down()
        finally:
            self._close()

    async def _carry_down(self) -> None:
        while True:
            data = b""
            try:
                if self._sock.fileno() != -1:
                    await trio.lowlevel.wait_readable(self._sock)
                    data = self._sock.recv(65_536)
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError):
                pass  # it was cut
            latency = self._weather.latency_s * self._chance.uniform(0.2, 2.0)
            if not data:
                if not self._severed:
                    # what had arrived before is read before the end
                    await self._wait(trio.current_time() + latency, "down")
                    self._end()
                return
            if self._severed:
                continue
            await self._wait(trio.current_time() + latency, "down")
            for opcode, payload in self._receiver.feed(data):
                self._deliver(opcode, payload)
            if self._receiver.status is not None:
                self._upgraded.set()

    def _deliver(self, opcode: int, payload: bytes) -> None:
        if self.lost:
            return
        if opcode == PING:
            self._enqueue(websocket.frame(PONG, payload))
        elif opcode == CLOSE:
            self._enqueue(websocket.frame(CLOSE, payload[:2]))
        elif opcode == TEXT and self._chance.random() >= self._weather.lose:
            self._arrived.send_nowait(payload)

    async def _wait(self, until: float, direction: str) -> None:
        while True:
            until = max(until, self._stalled_until[direction])
            if until <= trio.current_time():
                return
            await trio.sleep_until(until)

    async def _close_later(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._close()

    def _end(self) -> None:
        self.lost = True
        self._upgraded.set()
        self._arrived.close()
        self._up.close()

    def _close(self) -> None:
        if self._sock.fileno() != -1:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()


class Network:
    """All lines of a run."""

    def __init__(self, chance: Random, nursery: trio.Nursery) -> None:
        self.weather = Weather()
        self.entrances: list[SimulatedEntrance] = []
        self.lines: list[Line] = []
        self._chance = chance
        self._nursery = nursery

    def connect(self) -> Line:
        """A line to one of the processes that live. Raises Refused."""
        listening = [entrance for entrance in self.entrances if entrance.open and not entrance.dead]
        if not listening:
            raise Refused("nobody listens")
        self.lines = [line for line in self.lines if line.open]
        line = Line(self._chance.choice(listening).connect(), self.weather, self._chance, self._nursery)
        self.lines.append(line)
        return line
