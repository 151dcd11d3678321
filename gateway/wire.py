"""The socket of one station: direct non-blocking sends, a writer task only while the socket would block, and delivery of what
arrives from the tasks that serve all sockets: `Arrivals` plain ones, `Readiness` those with TLS."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

import outcome
import structlog
import trio

from gateway import _native
from gateway.arrivals import Arrivals
from gateway.closing import CloseReason
from gateway.readiness import Readiness
from gateway.supervision import split_exits

if TYPE_CHECKING:
    from gateway._native import _Event

T = TypeVar("T")
log = structlog.get_logger()

UNSENT_LIMIT: Final = 256 * 1024
"""Bytes that may wait for a peer that does not read; more aborts the connection."""
WRITE_DEADLINE_S: Final = 10.0
"""Seconds within which every `_TURN` bytes that wait must have left."""
READ_SIZE: Final = 16 * 1024
"""Bytes that are read at once. Not less than a TLS record holds: a part of it would stay inside, and the socket not tell of it."""
COMPRESSED_READ_SIZE: Final = 512
"""What is given to the codec at a time when messages may be compressed: bounds what one read can inflate to."""
_TURN: Final = 64 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_NOT_NOW: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def _nothing(events: Iterator[_Event]) -> None:
    """What is done with events while nobody waits for them; nobody is called then."""


def _undecoded(data: bytes) -> list[_Event]:
    """What is made of data before there is a codec for it; nobody calls then."""
    return []


class Wire:
    """Sends on one socket from any task without awaiting; `end` tells why the socket was aborted, if it was."""

    __slots__ = (
        "_arrivals",
        "_decode",
        "_decoded_at_once",
        "_finishing",
        "_nursery",
        "_readiness",
        "_receiver",
        "_take",
        "_token",
        "_unsent",
        "_wants_room",
        "_writing",
        "end",
        "sock",
    )

    def __init__(self, sock: socket.socket, nursery: trio.Nursery, readiness: Readiness, arrivals: Arrivals | None) -> None:
        """`arrivals` None: the socket must be read through Python, as those with TLS."""
        self.sock = sock
        self.end: CloseReason | None = None
        self._nursery = nursery
        self._readiness = readiness
        self._arrivals = arrivals
        self._token: int | None = None
        self._decode: Callable[[bytes], list[_Event]] = _undecoded
        self._decoded_at_once = READ_SIZE
        self._receiver: trio.lowlevel.Task | None = None
        self._take: Callable[[Iterator[_Event]], Any] = _nothing
        self._wants_room = False
        self._unsent: bytearray | None = None
        self._writing = False
        self._finishing = False

    def send(self, data: bytes) -> None:
        """Send at once what the socket takes, the rest from a writer task. Aborts a connection that cannot take it."""
        if self.end is not None:
            return
        unsent = self._unsent
        if not unsent:
            try:
                # a send over TLS that would block is to be repeated with no less than the first time, which a turn is
                turn = data if len(data) <= _TURN else data[:_TURN]
                sent = self.sock.send(turn) if self._arrivals is None else _native.send(self.sock.fileno(), turn)
            except _NOT_NOW:
                sent = 0
            except OSError:
                self.abort(CloseReason.LOST)
                return
            if sent == len(data):
                return
            unsent = self._unsent = bytearray(memoryview(data)[sent:])
        else:
            unsent += data
        if len(unsent) > UNSENT_LIMIT:
            self.abort(CloseReason.SLOW_CONSUMER)
        elif not self._writing:
            self._writing = True
            self._nursery.start_soon(self._write, name="gateway.writer")

    async def receive(self) -> bytes:
        """What has arrived, once something has; empty at the end. Raises OSError, trio.ClosedResourceError."""
        sock = self.sock
        while True:
            await trio.lowlevel.wait_readable(sock)
            try:
                return sock.recv(READ_SIZE)
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(sock)
            except _NOT_NOW:
                continue

    async def deliver(
        self, codec: _native.Connection, take: Callable[[Iterator[_Event]], T | None], *, compressed: bool = False
    ) -> T | None:
        """Hand what `codec` makes of what arrives to `take`, in the task that serves all; returns the first thing that it gives.

        None: the connection is over, whoever ended it. Raises what `take` raises.
        """
        if self.end is not None:
            return None
        self._decode = codec.receive
        self._decoded_at_once = COMPRESSED_READ_SIZE if compressed else READ_SIZE
        try:
            if self._arrivals is None:
                self._readiness.watch(self.sock, self._on_ready)
            else:
                self._token = self._arrivals.watch(self.sock, codec, self._decoded_at_once, self._on_events)
        except OSError:
            return None
        self._take = take
        self._receiver = trio.lowlevel.current_task()

        def cancelled(_: object) -> trio.lowlevel.Abort:
            self._leave()
            return trio.lowlevel.Abort.SUCCEEDED

        given: T | None = await trio.lowlevel.wait_task_rescheduled(cancelled)
        return given

    def _on_ready(self) -> None:
        try:
            if self._wants_room:
                self._wants_room = False
                self._readiness.wait_for_data(self.sock)
            data = self.sock.recv(READ_SIZE)
        except ssl.SSLWantWriteError:
            self._wants_room = True
            self._readiness.wait_for_room(self.sock)
            return
        except _NOT_NOW:
            return
        except OSError:
            data = b""
        if data:
            self._hand_over(self._decoded(data))
        else:
            self._stop_delivering(outcome.Value(None))

    def _decoded(self, data: bytes) -> Iterator[_Event]:
        step = self._decoded_at_once
        for start in range(0, len(data), step):
            yield from self._decode(data[start : start + step])

    def _on_events(self, events: list[_Event] | None) -> None:
        if events is None:
            self._stop_delivering(outcome.Value(None))
        else:
            self._hand_over(iter(events))

    def _hand_over(self, events: Iterator[_Event]) -> None:
        try:
            given = self._take(events)
        except BaseException as error:  # noqa: BLE001 - the boundary of one station; exits go on from there
            passing, ours = split_exits(error)
            if ours is not None:
                self._stop_delivering(outcome.Error(ours))
            if passing is not None:
                raise passing from None
        else:
            if given is not None:
                self._stop_delivering(outcome.Value(given))

    def _stop_delivering(self, result: outcome.Outcome[Any]) -> None:
        """Wake the task that waits in `deliver`, if it still does: `take` may have closed the socket."""
        receiver = self._receiver
        if receiver is not None:
            self._leave()
            trio.lowlevel.reschedule(receiver, result)

    def _leave(self) -> None:
        self._receiver = None
        self._take = _nothing
        self._wants_room = False
        if self._token is not None and self._arrivals is not None:
            self._arrivals.leave(self._token)
            self._token = None
        else:
            self._readiness.leave(self.sock)

    def abort(self, reason: CloseReason) -> None:
        """Close the socket with a reset, without waiting for the peer; wakes the reader."""
        if self.end is not None:
            return
        self.end = reason
        try:
            # a reset frees what the kernel still holds for a peer that does not read
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        except OSError:
            log.debug("gateway.linger_failed")
        self._close()

    def close(self, reason: CloseReason) -> None:
        """Close the socket in the ordinary way."""
        if self.end is None:
            self.end = reason
            self._end_tls()
            self._close()

    def finish_sending(self) -> None:
        """Tell the peer that nothing more comes, once all has left."""
        self._finishing = True
        if self.end is None and not self._unsent:
            self._end_tls()
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self.abort(CloseReason.LOST)

    def _end_tls(self) -> None:
        """Say that no more comes, so that the peer knows that nothing was cut off."""
        if isinstance(self.sock, ssl.SSLSocket):
            try:
                self.sock.unwrap()
            except (OSError, ValueError):
                pass  # said, or there is nobody to say it to

    def _close(self) -> None:
        self._unsent = None
        self._stop_delivering(outcome.Value(None))
        trio.lowlevel.notify_closing(self.sock)
        self.sock.close()

    async def _write(self) -> None:
        try:
            while self._unsent and self.end is None:
                with trio.move_on_after(WRITE_DEADLINE_S) as scope:
                    await self._write_turn()
                if scope.cancelled_caught:
                    self.abort(CloseReason.SLOW_CONSUMER)
        except (OSError, trio.ClosedResourceError):
            self.abort(CloseReason.LOST)
        except BaseException as error:
            passing, ours = split_exits(error)
            if ours is not None:
                log.error("gateway.writer_failed", exc_info=ours)
                self.abort(CloseReason.INTERNAL_ERROR)
            if passing is not None:
                raise passing from None
        finally:
            self._writing = False
            if not self._unsent:
                self._unsent = None
                if self._finishing:
                    self.finish_sending()

    async def _write_turn(self) -> None:
        left = min(len(self._unsent or b""), _TURN)
        while left > 0:
            await trio.lowlevel.wait_writable(self.sock)
            if self._unsent is None:
                return
            try:
                sent = self.sock.send(self._unsent[:left])
            except _NOT_NOW:
                continue
            del self._unsent[:sent]
            left -= sent
