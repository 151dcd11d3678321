"""The engine agrees with the second-by-second reference; `python -m tests.unit.pricing.compare --pairs 10000` tries more."""

from __future__ import annotations

import pytest

from tests.unit.pricing.compare import differences

CHUNK = 50


@pytest.mark.parametrize("first", range(1_000_000, 1_000_400, CHUNK))
def test_the_engine_agrees_with_the_reference(first: int) -> None:
    assert {seed: found for seed in range(first, first + CHUNK) if (found := differences(seed))} == {}
