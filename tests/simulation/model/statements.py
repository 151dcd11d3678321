"""What the parts of the model's transaction share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from tests.simulation.model.engine import Transaction

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="Statements")


class Statements:
    """One transaction, and the hook that is awaited before each of its statements."""

    tx: Transaction
    step: Callable[[str], Awaitable[None]]


def statement(method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """A method of the port: a step of the transaction, at whose end foreign keys are checked."""

    @wraps(method)
    async def step(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        await self.step(method.__name__)
        self.tx.begin_statement()
        result = await method(self, *args, **kwargs)
        await self.tx.end_statement()
        return result

    return step
