"""A CALL in the making."""

from __future__ import annotations

from dataclasses import dataclass

from schemas import wire
from schemas.structs import ClosedObject


@dataclass(frozen=True, slots=True)
class Message:
    """An action and its payload."""

    action: str
    payload: ClosedObject

    def encoded(self) -> bytes:
        return wire.encode(self.payload)
