"""What arrives at plain sockets, in groups: read and decoded by a thread without Python, handled by one task.

A message that is handled alone costs twice as much as one among thirty: the task, the interpreter and the database are woken for
it, and find their caches cold (docs/decisions/0034). So ordinary messages wait for each other for as long as the ledger would
have waited with them, and the ledger does not wait again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final

import trio

from gateway import _native

if TYPE_CHECKING:
    from gateway._native import _Event

HANDED_PER_TURN: Final = 32
"""Sockets whose messages are handled before other tasks have their turn, and messages that somebody waits for go first again: about
a millisecond. A turn costs as much as half a message."""
CROWD: Final = 256
"""So many wait no longer."""
BUSY_RATE: Final = 50.0
"""Reads a second below which nothing waits."""
HURRIED: Final = ["Authorize"]
"""CALLs that somebody waits for with a card in his hand."""

Handler = Callable[["list[_Event] | None"], None]


class Arrivals:
    """Calls the handler of each watched socket with what came, or None at its end."""

    def __init__(self, catalogue: _native.Catalogue, gather_s: float, handed_over: Callable[[], None]) -> None:
        """`gather_s`: seconds that messages wait for each other; 0: not at all. `handed_over` is told after each group."""
        self._receiver = _native.Receiver(catalogue, hurried=HURRIED, gather_s=gather_s, crowd=CROWD, busy_per_second=BUSY_RATE)
        self._handed_over = handed_over
        self._handlers: dict[int, Handler] = {}

    def __enter__(self) -> Arrivals:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._receiver.close()

    def watch(self, sock: socket.socket, codec: _native.Connection, read_size: int, handler: Handler) -> int:
        """Call `handler`, which must neither block nor raise, whenever something came; gives what `leave` wants to know.

        Raises OSError.
        """
        token = self._receiver.watch(sock.fileno(), codec, read_size)
        self._handlers[token] = handler
        return token

    def leave(self, token: int) -> None:
        """Watch this socket no longer; to be called before it is closed."""
        del self._handlers[token]
        self._receiver.leave(token)

    async def run(self) -> None:
        """Runs until cancelled. Raises OSError when the thread has failed: nobody would be heard any more."""
        receiver = self._receiver
        while True:
            await trio.lowlevel.wait_readable(receiver.fileno())
            while deliveries := receiver.take(HANDED_PER_TURN):
                self._hand_over(deliveries)
                await trio.lowlevel.checkpoint()
            self._handed_over()

    def _hand_over(self, deliveries: list[tuple[int, list[_Event] | None]]) -> None:
        handlers = self._handlers
        handled = []
        for token, events in deliveries:
            handler = handlers.get(token)
            if handler is not None:  # an earlier one of this turn may have ended it
                handler(events)
                handled.append(token)
        self._receiver.again(handled)
