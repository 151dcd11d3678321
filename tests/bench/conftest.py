"""The fleet as the tests need it: built without optimisation, which is quick."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import fleets


@pytest.fixture(scope="session")
def fleet() -> Path:
    return fleets.build("dev")
