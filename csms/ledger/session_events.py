"""The events of a session, as the outbox carries them to every sink."""

from __future__ import annotations

from csms.domain.facts import told
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
        told(session),
        session_id=session.session_id,
        occurred_at=occurred_at,
    )
