"""Keeps the garbage collector's pauses short while many stations are connected (supervision.md 3.0).

A full collection walks every object: 88 ms with 8,000 idle connections. What has come to stay is frozen, so that it is not
walked again; it is still freed when its last reference goes.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import trio

from gateway import metrics

FREEZE_EVERY_S: Final = 10.0
GROWTH_WORTH_FREEZING: Final = 200
THRESHOLDS: Final = (10_000, 50, 100)

_pauses = {str(generation): metrics.GC_PAUSE_SECONDS.labels(str(generation)).observe for generation in range(3)}


@contextmanager
def collector_settings(monotonic: Callable[[], float]) -> Iterator[None]:
    """High thresholds and the pause metric, while the gateway runs."""
    before = gc.get_threshold()
    started = 0.0

    def watch(phase: str, info: dict[str, int]) -> None:
        nonlocal started
        if phase == "start":
            started = monotonic()
        else:
            _pauses[str(info["generation"])](monotonic() - started)

    gc.set_threshold(*THRESHOLDS)
    gc.callbacks.append(watch)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.callbacks.remove(watch)
        gc.set_threshold(*before)
        gc.unfreeze()


async def freeze_after_ramps(connections: Callable[[], int]) -> None:
    """Freeze what is there whenever the number of connections has grown and come to rest. Runs until cancelled."""
    frozen_at = last = connections()
    while True:
        await trio.sleep(FREEZE_EVERY_S)
        count = connections()
        if count < frozen_at:
            frozen_at = count
        growth = count - frozen_at
        if growth >= GROWTH_WORTH_FREEZING and abs(count - last) < growth / 4:
            gc.collect(1)  # what is young and dead would stay for ever
            gc.freeze()
            frozen_at = count
        last = count


async def watch_loop_lag() -> None:
    """Measure how late the run loop wakes a timer: the first sign of overload. Runs until cancelled."""
    while True:
        due = trio.current_time() + 0.1
        await trio.sleep_until(due)
        metrics.LOOP_LAG_SECONDS.observe(max(0.0, trio.current_time() - due))
