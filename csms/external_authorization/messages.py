"""What a gateway asks a hub over the bus, and what the hub says."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from csms.domain.decisions import AuthorizationStatus
from csms.domain.external import ExternalVerdict, Fallback, Purpose, answered_verdict, fallback_verdict

TOPIC: Final = "external_authorization.ask"
WAY_S: Final = 0.8
"""Seconds that the way to the hub and back may take beyond the third party's own time."""
LONGEST_S: Final = 5.0
"""Seconds after which a gateway goes on without an answer, whatever it still waits for (design 3.6)."""


class Question(msgspec.Struct, frozen=True):
    """May this token charge here? `token_type` None: OCPP 1.6 names none. `changed_at`: the settings that the asker knows."""

    tenant_id: int
    charge_point_id: str
    id_token: str
    purpose: Purpose
    at: datetime
    changed_at: datetime
    token_type: str | None = None
    evse_id: int | None = None


class Answered(msgspec.Struct, frozen=True, tag="answered", omit_defaults=True):
    """The third party's answer, checked."""

    status: AuthorizationStatus
    expires_at: datetime | None = None
    group_id_token: str | None = None
    reason: str | None = None

    def verdict(self) -> ExternalVerdict:
        return answered_verdict(self.status, self.expires_at, self.group_id_token, self.reason)


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """There is no answer; `failure` says why in words."""

    failure: str


Outcome = Answered | Failed

encode: Final = msgspec.msgpack.Encoder().encode
read_question: Final = msgspec.msgpack.Decoder(Question).decode
read_outcome: Final = msgspec.msgpack.Decoder(Outcome).decode


def verdict_of(outcome: Outcome, fallback: Fallback) -> ExternalVerdict:
    """The answer, or the fallback in its place."""
    return outcome.verdict() if isinstance(outcome, Answered) else fallback_verdict(fallback, outcome.failure)
