"""What a bill is made of, and what changed in it."""

from __future__ import annotations

from typing import Any, Final

from csms.domain.session_state import SessionState

FACTS: Final = (
    "status",
    "id_token",
    "authorization_status",
    "start_time",
    "stop_time",
    "start_meter_wh",
    "stop_meter_wh",
    "energy_wh",
    "stop_reason",
)


def facts(session: SessionState) -> dict[str, Any]:
    """The facts as they are now."""
    return {name: getattr(session, name) for name in FACTS}


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """member -> [before, after] of the facts that differ."""
    return {name: [before[name], after[name]] for name in FACTS if before[name] != after[name]}
