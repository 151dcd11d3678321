"""What the parts of the model's transaction share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.simulation.model.engine import Transaction


class Statements:
    """One transaction, and the hook that is awaited before each of its statements."""

    tx: Transaction
    step: Callable[[str], Awaitable[None]]
