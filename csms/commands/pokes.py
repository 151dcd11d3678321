"""What the process that holds a station is told over the bus: what waits for it, and what the row of it says."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

MOST_TOLD: Final = 8 * 1024
"""Bytes of parameters up to which a poke says what the command is; more is read from its row."""


class ToldCommand(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the row of a command says. It is claimed only if the row says so indeed."""

    parameters: msgspec.Raw
    expires_at: datetime
    command: str | None = None
    action: str | None = None


class CommandPoke(msgspec.Struct, frozen=True, omit_defaults=True):
    """Body of `commands_topic`: this command waits for a station of yours. `told` None: look."""

    tenant_id: int
    station_id: int
    command_id: UUID
    told: ToldCommand | None = None


class DisconnectOrder(msgspec.Struct, frozen=True):
    """Body of `disconnect_topic`: close this station's connection."""

    tenant_id: int
    station_id: int
    reason: str = ""


def commands_topic(process_id: UUID) -> str:
    return f"gateway.{process_id}.commands"


def disconnect_topic(process_id: UUID) -> str:
    return f"gateway.{process_id}.disconnect"
