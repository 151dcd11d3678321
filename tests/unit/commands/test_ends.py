"""The ends of commands reach who waits for them, and nobody else."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
import trio

from csms.bus.local import LocalBus
from csms.commands.ends import TOPIC, CommandEnds, encode_ids


@pytest.fixture
async def bus(nursery: trio.Nursery) -> LocalBus:
    return LocalBus()


@pytest.fixture
async def ends(bus: LocalBus, nursery: trio.Nursery) -> CommandEnds:
    listening = CommandEnds(bus)
    nursery.start_soon(listening.run)
    await trio.testing.wait_all_tasks_blocked()
    return listening


async def tell(bus: LocalBus, *command_ids: UUID) -> None:
    await bus.publish(TOPIC, encode_ids(command_ids))
    await trio.testing.wait_all_tasks_blocked()


async def test_one_message_wakes_all_that_it_names(bus: LocalBus, ends: CommandEnds) -> None:
    first, second, other = uuid4(), uuid4(), uuid4()
    with ends.watch(first) as one, ends.watch(second) as two, ends.watch(other) as three:
        await tell(bus, first, uuid4(), second)
        assert (one.is_set(), two.is_set(), three.is_set()) == (True, True, False)


async def test_who_no_longer_waits_is_forgotten(bus: LocalBus, ends: CommandEnds) -> None:
    command_id = uuid4()
    with ends.watch(command_id) as before:
        pass
    with ends.watch(command_id) as after:
        await tell(bus, command_id)
        assert (before.is_set(), after.is_set()) == (False, True)


@pytest.mark.parametrize("body", [b"", b"x", bytes(17)])
async def test_what_holds_no_ids_changes_nothing(bus: LocalBus, ends: CommandEnds, body: bytes) -> None:
    command_id = uuid4()
    with ends.watch(command_id) as ended:
        await bus.publish(TOPIC, body)
        await trio.testing.wait_all_tasks_blocked()
        assert not ended.is_set()
        await tell(bus, command_id)
        assert ended.is_set()
