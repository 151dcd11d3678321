"""Messages of transactions that cannot be found: linked when only one fits, else kept for an operator (rules X5, X6)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from csms.domain.operations import Operation
from csms.domain.session_state import SessionState
from csms.domain.token_identity import lookup_key
from csms.ledger.context import BatchContext
from csms.ledger.encoding import encode
from csms.ledger.rows import QuarantineRow, StationEventRow


def match_unanswered(
    candidates: Sequence[SessionState], connector_id: int | None, id_token: str | None, at: datetime | None
) -> SessionState | None:
    """The one open session that a message with transaction id -1 can mean; None when none or several fit."""
    fitting = [
        s
        for s in candidates
        if (connector_id is None or s.connector_id == connector_id)
        and (id_token is None or (s.id_token or "").lower() == lookup_key(id_token, None))
        and (at is None or s.start_time is None or s.start_time <= at)
    ]
    return fitting[0] if len(fitting) == 1 else None


def keep_orphan(context: BatchContext, op: Operation, ocpp_version: str, action: str, payload: bytes, *, foreign: bool) -> None:
    """Keep the message; a reference to another station's transaction is a security event as well."""
    digest = hashlib.sha256(action.encode() + b"\0" + payload).digest()
    context.quarantine.append(
        QuarantineRow(
            op.tenant_id,
            context.ids.uuid7(),
            op.station_id,
            ocpp_version,
            action,
            "orphan",
            None,
            None,
            "X6" if foreign else "X5",
            payload,
            digest,
        )
    )
    if foreign:
        data = encode({"type": "ForeignTransactionId", "action": action, "source": "csms"})
        context.station_events.append(
            StationEventRow(
                op.tenant_id, context.ids.uuid7(), op.station_id, "security_event", context.now, data, hashlib.sha256(data).digest()
            )
        )
