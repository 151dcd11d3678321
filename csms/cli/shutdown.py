"""How a process is told to stop."""

from __future__ import annotations

import os
import signal

import structlog
import trio

log = structlog.get_logger()

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130  # the exit status that shells give a program ended by Ctrl-C


class Shutdown:
    """The wish to stop. `requested`: in order, with a drain; `forced`: without it."""

    def __init__(self) -> None:
        self.requested = trio.Event()
        self.forced = trio.Event()
        self._start_up: trio.CancelScope | None = trio.CancelScope()

    @property
    def start_up(self) -> trio.CancelScope:
        """The scope that a process starts in; a request to stop cancels it, until `running` is called."""
        assert self._start_up is not None, "the process is running already"  # noqa: S101 - a wrong call, not an input
        return self._start_up

    def running(self) -> None:
        """From here on there is something to drain."""
        self._start_up = None

    def request(self) -> None:
        """Stop; a second call means at once."""
        if self._start_up is not None:
            self._start_up.cancel(reason="asked to stop while starting")
        if self.requested.is_set():
            self.forced.set()
        self.requested.set()


async def listen_for_signals(shutdown: Shutdown, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Turn signals into requests; runs until cancelled. The third one ends the process where it stands."""
    with trio.open_signal_receiver(*_SIGNALS) as received:
        task_status.started()
        async for number in received:
            name = signal.Signals(number).name
            if shutdown.forced.is_set():
                log.error("stop.abandoned", signal=name)
                os._exit(INTERRUPTED)
            again = shutdown.requested.is_set()
            log.info("stop.forced" if again else "stop.requested", signal=name)
            shutdown.request()
