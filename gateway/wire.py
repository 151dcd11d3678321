"""The socket of one station: direct non-blocking sends, a writer task only while the socket would block, and delivery of what
arrives from the task that watches all sockets."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any, Final, TypeVar

import outcome
import structlog
import trio

from gateway.closing import CloseReason
from gateway.readiness import Readiness
from gateway.supervision import split_exits

T = TypeVar("T")
log = structlog.get_logger()

UNSENT_LIMIT: Final = 256 * 1024
"""Bytes that may wait for a peer that does not read; more aborts the connection."""
WRITE_DEADLINE_S: Final = 10.0
"""Seconds within which every `_TURN` bytes that wait must have left."""
READ_SIZE: Final = 16 * 1024
"""Bytes that are read at once. Not less than a TLS record holds: a part of it would stay inside, and the socket not tell of it."""
_TURN: Final = 64 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_NOT_NOW: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def _nothing(data: bytes) -> None:
    """What is done with data while nobody waits for it; `Readiness` calls nobody then."""


class Wire:
    """Sends on one socket from any task without awaiting; `end` tells why the socket was aborted, if it was."""

    __slots__ = ("_finishing", "_nursery", "_readiness", "_receiver", "_take", "_unsent", "_wants_room", "_writing", "end", "sock")

    def __init__(self, sock: socket.socket, nursery: trio.Nursery, readiness: Readiness) -> None:
        self.sock = sock
        self.end: CloseReason | None = None
        self._nursery = nursery
        self._readiness = readiness
        self._receiver: trio.lowlevel.Task | None = None
        self._take: Callable[[bytes], Any] = _nothing
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
                sent = self.sock.send(data if len(data) <= _TURN else memoryview(data)[:_TURN])
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

    async def deliver(self, take: Callable[[bytes], T | None]) -> T | None:
        """Hand what arrives to `take`, at once and in the task that watches all sockets; returns the first thing that it gives.

        None: the connection is over, whoever ended it. Raises what `take` raises.
        """
        if self.end is not None:
            return None
        try:
            self._readiness.watch(self.sock, self._on_ready)
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
            self._stop_delivering(outcome.Value(None))
            return
        if not data:
            self._stop_delivering(outcome.Value(None))
            return
        result = outcome.capture(self._take, data)
        if isinstance(result, outcome.Value):
            if result.value is not None:
                self._stop_delivering(result)
            return
        passing, ours = split_exits(result.error)
        if ours is not None:
            self._stop_delivering(outcome.Error(ours))
        if passing is not None:
            raise passing from None

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
