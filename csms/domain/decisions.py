"""The verdict on an id token, in terms that every OCPP version can be told."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

AuthorizationStatus = Literal["Accepted", "Blocked", "Expired", "Invalid", "Unknown", "ConcurrentTx"]
"""The OCPP 2.x names. OCPP 1.6 has no Unknown: its version module says Invalid instead."""


class Decision(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a station is told about a token; stored with the event it answers, so that a replay is told the same."""

    status: AuthorizationStatus
    expires_at: datetime | None = None
    group_id_token: str | None = None

    @property
    def accepted(self) -> bool:
        return self.status == "Accepted"
