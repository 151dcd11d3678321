"""What a bill is made of, what changed in it, and what the events of a session tell."""

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


def told(session: SessionState) -> dict[str, Any]:
    """What an event of the session carries to every sink, whoever changed it."""
    return {
        "session_id": session.session_id,
        "transaction_id": session.transaction_ref,
        "evse_id": session.evse_id,
        "connector_id": session.connector_id,
        "id_tag": session.id_token,
        "status": session.status,
        "start_time": session.start_time,
        "stop_time": session.stop_time,
        "start_meter_wh": session.start_meter_wh,
        "stop_meter_wh": session.stop_meter_wh,
        "energy_wh": session.energy_wh,
        "stop_reason": session.stop_reason,
        "charging_state": session.charging_state,
        "flags": session.flags,
    }
