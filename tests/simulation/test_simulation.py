"""Some hundred seeds in every run of the tests; `python -m tests.simulation` plays as many as wanted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.runs import play

CHUNK = 20
CHUNKS = int(os.environ.get("CSMS_SIMULATION_CHUNKS", "5"))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_transaction_is_lost_doubled_or_changed(chunk: int) -> None:
    for seed in range(1 + chunk * CHUNK, 1 + (chunk + 1) * CHUNK):
        verdict = play(seed)
        assert not verdict.wrong, f"{verdict}\nagain: python -m tests.simulation --seed {seed}"
        assert verdict.transactions > 0
        assert verdict.messages > 0


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_bug_is_found_within_a_hundred_seeds(mutant: str) -> None:
    with MUTANTS[mutant]():
        assert any(play(seed).wrong for seed in range(1, 101)), f"{mutant} went unnoticed"


def test_a_seed_repeats_exactly() -> None:
    """In other processes too, whatever the hash seed: a failing seed can be looked at."""
    script = "from tests.simulation.runs import play; print([play(seed).digest for seed in (3, 4, 5)])"
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1
