"""Keeps the garbage collector's pauses short while many stations are connected (supervision.md 3.0).

A collection walks every object of its generation. With 10,000 stations that send, the collector left to itself walked 100,000
young objects every five seconds and 300,000 every minute: pauses of 60 to 110 and of 270 ms. So young ones are collected twice
a second, and what survives that once more after two seconds: 3 and 20 ms. What is older is never walked again, and is frozen
when many stations came or went. It is still freed when its last reference goes; only cycles that die later stay.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

import trio

from gateway import metrics

YOUNG_EVERY_S: Final = 0.5
SURVIVORS_EVERY: Final = 4
"""Every how many times those are looked through that survived a look."""
FREEZE_EVERY_S: Final = 10.0
CHANGE_WORTH_FREEZING: Final = 200
"""Connections that came or went since older objects were last looked through."""
THRESHOLDS: Final = (50_000, 1_000, 1_000)
"""Of the collector's own: for what comes faster than it is collected here."""

_pauses = {str(generation): metrics.GC_PAUSE_SECONDS.labels(str(generation)).observe for generation in range(3)}


@contextmanager
def collector_settings(monotonic: Callable[[], float]) -> Iterator[None]:
    """High thresholds and the pause metric, while the gateway runs. What was frozen before stays so."""
    before = gc.get_threshold()
    thaw = not gc.get_freeze_count()
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
        if thaw:
            gc.unfreeze()


async def collect_young() -> None:
    """Collect young objects before there are many. Runs until cancelled."""
    for turn in count(1):
        await trio.sleep(YOUNG_EVERY_S)
        gc.collect(0 if turn % SURVIVORS_EVERY else 1)


async def freeze_after_changes(opened: Callable[[], int], connections: Callable[[], int]) -> None:
    """Freeze what is there whenever many connections have come or gone and it has become quiet. Runs until cancelled.

    `opened`: how many connections were ever made; `connections`: how many there are.
    """
    last_opened, last_count = opened(), connections()
    changes = 0
    while True:
        await trio.sleep(FREEZE_EVERY_S)
        now_opened, now_count = opened(), connections()
        came = now_opened - last_opened
        change = came + (came - (now_count - last_count))
        last_opened, last_count = now_opened, now_count
        changes += change
        if changes >= CHANGE_WORTH_FREEZING and change < changes / 4:
            gc.collect(1)  # what is young and dead would stay for ever
            gc.freeze()
            changes = 0


async def watch_loop_lag() -> None:
    """Measure how late the run loop wakes a timer: the first sign of overload. Runs until cancelled."""
    while True:
        due = trio.current_time() + 0.1
        await trio.sleep_until(due)
        metrics.LOOP_LAG_SECONDS.observe(max(0.0, trio.current_time() - due))
