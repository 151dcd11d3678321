"""A charging station for each case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance.ocpp201.playing import OCPP201, ChargingStation, charging_station
from tests.conformance.scene import STRICT, Scene


@pytest.fixture
def station(scene: Callable[[str], Scene]) -> ChargingStation:
    """A charging station of a tenant that takes every token."""
    return charging_station(scene(OCPP201))


@pytest.fixture
def strict_station(scene: Callable[[str], Scene]) -> ChargingStation:
    """A charging station of a tenant that takes only tokens that were entered."""
    return charging_station(scene(OCPP201), STRICT)
