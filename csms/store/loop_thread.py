"""The one crossing between Trio and asyncio: a uvloop event loop in a thread of its own.

asyncpg needs asyncio. A whole unit of work is one asyncio coroutine and crosses once (docs/decisions/0002): measured, this
costs a third of a crossing by trio-asyncio and cannot leak pool connections on cancellation.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import outcome
import structlog
import trio
import uvloop

T = TypeVar("T")
log = structlog.get_logger()


class LoopThread:
    """Runs asyncio coroutines for Trio tasks. Start it once per process; stop it after the last unit of work."""

    def __init__(self, name: str) -> None:
        self._loop = uvloop.new_event_loop()
        # a warning of the driver is a log line, never the end of the loop
        self._loop.set_exception_handler(_log_loop_error)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop the loop and join its thread. Blocks for at most 5 s."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            # it refers to itself: its files would stay open until somebody collects garbage, and the gateway collects no old one
            self._loop.close()

    async def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run one coroutine to its end in the loop and give its result.

        When the Trio task is cancelled, the coroutine is cancelled and *waited for*: whoever returns from here knows that
        nothing goes on behind his back. A result that came in spite of the cancellation is given, so no effect is hidden.
        """
        token = trio.lowlevel.current_trio_token()
        waiter = trio.lowlevel.current_task()
        running: asyncio.Task[T] | None = None
        cancelled = False
        raise_cancelled: Callable[[], Any] | None = None

        def finish(task: asyncio.Task[T]) -> None:
            result: outcome.Outcome[Any]
            if task.cancelled():
                result = outcome.Error(asyncio.CancelledError())
            else:
                error = task.exception()
                result = outcome.Value(task.result()) if error is None else outcome.Error(error)
            try:
                token.run_sync_soon(trio.lowlevel.reschedule, waiter, result)
            except trio.RunFinishedError:
                log.warning("store.result_after_end")

        def start() -> None:
            nonlocal running
            running = self._loop.create_task(make())
            running.add_done_callback(finish)
            if cancelled:
                running.cancel()

        def cancel() -> None:
            if running is not None:
                running.cancel()

        def abort(raise_cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
            nonlocal cancelled, raise_cancelled
            cancelled = True
            raise_cancelled = raise_cancel
            self._loop.call_soon_threadsafe(cancel)
            return trio.lowlevel.Abort.FAILED

        await trio.lowlevel.checkpoint_if_cancelled()
        self._loop.call_soon_threadsafe(start)
        try:
            result: T = await trio.lowlevel.wait_task_rescheduled(abort)
        except asyncio.CancelledError:
            if raise_cancelled is None:
                raise
            raise_cancelled()
            raise
        return result


def _log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.warning("store.loop_error", message=context.get("message"), error=repr(context.get("exception")))
