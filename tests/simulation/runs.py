"""Playing seeds and judging them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field

from tests.simulation.facts import facts_of
from tests.simulation.model import ModelDatabase
from tests.simulation.mutants import MUTANTS
from tests.simulation.oracle import judge
from tests.simulation.plan import Plan
from tests.simulation.timing import SimulatedClock
from tests.simulation.world import simulate


@dataclass
class Verdict:
    """What came of one seed."""

    plan: Plan
    wrong: list[str]
    digest: str
    """Of all steps of the run: equal for equal seeds."""
    messages: int
    transactions: int
    trace: list[tuple[float, str, tuple[object, ...]]] = field(repr=False, default_factory=list)

    def __str__(self) -> str:
        return "\n".join([str(self.plan), "  wrong:", *(f"  - {fault}" for fault in self.wrong)])


def play(seed: int) -> Verdict:
    """Run one seed to its end and judge it."""
    plan = Plan(seed)
    database = ModelDatabase(SimulatedClock())
    world = plan.world(database)
    simulate(world, plan.play)
    wrong = [*world.complaints, *judge(world.stations, facts_of(database))]
    messages = sum(m.attempts for s in world.stations for t in s.transactions for m in t.messages)
    return Verdict(plan, wrong, world.digest, messages, sum(len(s.transactions) for s in world.stations), world.trace)


def play_task(task: tuple[int, str | None]) -> tuple[int, list[str], str, int, int]:
    """`play` for a pool of processes: a seed and a bug to plant; gives what has to be told."""
    seed, mutant = task
    with MUTANTS[mutant]() if mutant else nullcontext():
        verdict = play(seed)
    return seed, verdict.wrong, str(verdict), verdict.messages, verdict.transactions
