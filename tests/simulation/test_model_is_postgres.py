"""The model of the store does what PostgreSQL does: the same random operations on both, and every row of both compared.

CSMS_SIMULATION_STEPS: how many group commits in all (the default takes half a minute).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from itertools import zip_longest
from typing import Any

import pytest

from csms.postgres import EmbeddedPostgres
from csms.store import open_store
from tests.simulation.comparison.interleaving import CRASH, play_model, play_postgres
from tests.simulation.comparison.operations import PROCESSES, Generator
from tests.simulation.comparison.orders import KNOWN_TOKENS, order
from tests.simulation.comparison.sides import CommandKey, ModelSide, PostgresSide, find_deadlocks_fast, set_clock_of
from tests.simulation.comparison.tables import Tables, differences

STEPS = int(os.environ.get("CSMS_SIMULATION_STEPS", "240"))
EPISODE = 80
"""Group commits in one installation: few enough that its rows are soon compared, enough for the bounds below."""

_BOUNDS: dict[str, dict[str, Any]] = {
    "ledger_stations": {"EVSES_MAX": 3, "CONNECTORS_MAX": 2},
    "ledger_streams": {"STREAMS_MAX": 2},
    "ledger_commands": {"OWN_OPEN_MAX": 3},
    "ledger_quarantine": {"MESSAGES_MAX": 6, "BYTES_MAX": 120},
    "ledger_relaxations": {"MOST_COUNTS": 4},
    "ledger_tokens": {"UNKNOWN_TOKENS_MAX": 4},
    "ledger_samples": {"SHAPES_MAX": 3},
}
_MODEL = ("stations", "sessions", "samples", "notices", "commands")


@pytest.fixture(autouse=True)
def narrow_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a few operations reach, for both."""
    for module, bounds in _BOUNDS.items():
        for name, value in bounds.items():
            monkeypatch.setattr(f"csms.store.{module}.{name}", value)
            for ours in _MODEL:
                monkeypatch.setattr(f"tests.simulation.model.{ours}.{name}", value, raising=False)


@pytest.fixture
async def postgres_side(postgres: EmbeddedPostgres, database: str) -> AsyncIterator[PostgresSide]:
    await set_clock_of(database)
    await find_deadlocks_fast(database, postgres.url("postgres", "postgres"))
    async with open_store(database) as store:
        yield PostgresSide(store.gateway, database)


async def test_every_batch_leaves_the_same_rows(postgres_side: PostgresSide) -> None:
    for seed in range(1, STEPS // EPISODE + 1):
        await _episode(seed, postgres_side)


async def test_two_writers_wait_for_each_other_alike(postgres_side: PostgresSide) -> None:
    for seed in range(1, STEPS // EPISODE + 1):
        await _episode_of_two(seed, postgres_side)


async def _episode_of_two(seed: int, postgres: PostgresSide) -> None:
    model = ModelSide()
    generator = Generator(f"two {seed}")
    await postgres.start_anew()
    await _enter_tokens(model, postgres)
    tables = await postgres.tables()
    for step in range(EPISODE // 2):
        where = f"seed {seed}, step {step}"
        batch = generator.batch(await _act_as_hub(generator, tables, model, postgres))
        assert await model.apply(batch) == await postgres.apply(batch), where
        batches = generator.pair(await postgres.tables())
        turns = [generator.chance.randint(0, 1) for _ in range(200)]
        if generator.chance.random() < 0.15:
            turns.insert(generator.chance.randint(0, 12), CRASH)
        theirs = await play_postgres(postgres, batches, turns)
        ours = await play_model(model, batches, turns)
        told = "\n".join([where, *(repr(batch.operations) for batch in batches), *_both(ours.steps, theirs.steps)])
        assert ours.steps == theirs.steps, told
        assert ours.outcomes == theirs.outcomes, told
        tables = await postgres.tables()
        unlike = differences(await model.tables(), tables)
        assert not unlike, "\n".join([told, *unlike])


def _both(ours: list[tuple[str, str]], theirs: list[tuple[str, str]]) -> list[str]:
    return [f"{one} in the model, {other} in PostgreSQL" for one, other in zip_longest(ours, theirs)]


async def _enter_tokens(model: ModelSide, postgres: PostgresSide) -> None:
    for token in KNOWN_TOKENS:
        await model.add_token(token)
        await postgres.add_token(token)


async def _act_as_hub(generator: Generator, tables: Tables, model: ModelSide, postgres: PostgresSide) -> Tables:
    """Now and then an operator does something between two group commits; gives the rows as they are then."""
    chance = generator.chance
    if not tables["stations"] or chance.random() < 0.4:
        return tables
    sides = (model, postgres)
    if chance.random() < 0.03:
        tenant_id, station_id = chance.choice(sorted(tables["stations"]))
        for side in sides:
            await side.retire(tenant_id, station_id, generator.now)
    stations = sorted(tables["stations"])
    station = stations[0] if chance.random() < 0.5 else chance.choice(stations)
    command = order(chance, station, generator.now, len(tables["commands"]))
    for side in sides:
        await side.add_command(command)
    if chance.random() < 0.1 and tables["commands"]:
        tenant_id, command_id = chance.choice(sorted(tables["commands"]))
        status = chance.choice(("cancelled", "unknown", "expired"))
        for side in sides:
            await side.end_command(tenant_id, command_id, status)
    return await postgres.tables()


async def _episode(seed: int, postgres: PostgresSide) -> None:
    model = ModelSide()
    generator = Generator(f"one {seed}")
    await postgres.start_anew()
    await _enter_tokens(model, postgres)
    tables = await postgres.tables()
    for step in range(EPISODE):
        where = f"seed {seed}, step {step}"
        tables = await _act_as_hub(generator, tables, model, postgres)
        batch = generator.batch(tables)
        theirs = await postgres.apply(batch)
        ours = await model.apply(batch)
        assert ours == theirs, f"{where}: {batch.operations}"
        tables = await postgres.tables()
        unlike = differences(await model.tables(), tables)
        assert not unlike, "\n".join([where, *map(repr, batch.operations), *unlike])
        reads = (
            generator.chance.choice(PROCESSES),
            [(tenant, identity) for tenant in (1, 2) for identity in ("CP-1", "cp-2", "nobody")],
            sorted(tables["commands"]),
        )
        our_reads, their_reads = await model.read(*reads), await postgres.read(*reads)
        assert our_reads.stations == their_reads.stations, where
        assert our_reads.commands == their_reads.commands, where
        assert _ages(our_reads.queued, tables) == _ages(their_reads.queued, tables), where


def _ages(commands: list[CommandKey], tables: Tables) -> list[Any]:
    """Which of several commands of the same moment comes first is nobody's matter."""
    rows = [tables["commands"][key] for key in commands]
    return sorted((row["tenant_id"], row["station_id"], row["created_at"]) for row in rows)
