"""A charge point for each case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance.ocpp16.playing import OCPP16, ChargePoint, charge_point
from tests.conformance.scene import STRICT, Scene


@pytest.fixture
def point(scene: Callable[[str], Scene]) -> ChargePoint:
    """A charge point of a tenant that takes every token."""
    return charge_point(scene(OCPP16))


@pytest.fixture
def strict_point(scene: Callable[[str], Scene]) -> ChargePoint:
    """A charge point of a tenant that takes only tokens that were entered."""
    return charge_point(scene(OCPP16), STRICT)
