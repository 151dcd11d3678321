"""The events of a session, as the outbox carries them to every sink."""

from __future__ import annotations

from csms.domain.session_state import SessionState
from csms.ledger.context import BatchContext


def publish_started(context: BatchContext, session: SessionState) -> None:
    _publish(context, "session.started", session, occurred_at_start=True)


def publish_updated(context: BatchContext, session: SessionState) -> None:
    _publish(context, "session.updated", session, occurred_at_start=False)


def publish_ended(context: BatchContext, session: SessionState) -> None:
    _publish(context, "session.ended", session, occurred_at_start=False)


def _publish(context: BatchContext, event_type: str, session: SessionState, *, occurred_at_start: bool) -> None:
    occurred_at = session.start_time if occurred_at_start else (session.stop_time or session.last_meter_time)
    context.publish(
        event_type,
        session.tenant_id,
        session.station_id,
        {
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
        },
        session_id=session.session_id,
        occurred_at=occurred_at,
    )
