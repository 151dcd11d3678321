"""Serving the CALLs of a CSMS from a table: action -> message type and function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from csms.simulate.dialect import Orders
from csms.simulate.link import Answer
from schemas import wire
from schemas.structs import ClosedObject

Request = TypeVar("Request", bound=ClosedObject)
Reply = tuple[ClosedObject, Callable[[], None] | None]
"""The answer, and what happens once it is on its way."""

Command = tuple[type[Any], Callable[[Orders, Any], Reply]]


def command(kind: type[Request], serve_it: Callable[[Orders, Request], Reply]) -> Command:
    """A row of a table of commands."""
    return kind, serve_it


def serve(commands: Mapping[str, Command], orders: Orders, action: str, payload: bytes) -> Answer:
    """Answer one CALL; an unknown action with NotImplemented, a payload that does not fit with the general error."""
    if action not in commands:
        return Answer(error="NotImplemented")
    kind, serve_it = commands[action]
    try:
        response, after = serve_it(orders, wire.decode(payload, kind))
    except msgspec.DecodeError:
        return Answer(error="GenericError")
    return Answer(payload=wire.encode(response), after=after)
