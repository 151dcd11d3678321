"""The thread in which asyncio runs leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from csms.store.loop_thread import LoopThread


def _open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nobody collects garbage, as in a gateway with what is older than a moment."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
async def test_the_files_of_a_loop_are_closed_with_it() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    open_files = []
    for _ in range(5):
        thread = LoopThread("test")
        thread.start()
        assert await thread.run(work) == 7
        thread.stop()
        open_files.append(_open_files())
    # the first loop of a process opens what all of them share
    assert len(set(open_files)) == 1, open_files
