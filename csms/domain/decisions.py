"""The verdict on an id token, in terms that every OCPP version can be told."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

AuthorizationStatus = Literal[
    "Accepted",
    "Blocked",
    "Expired",
    "Invalid",
    "Unknown",
    "ConcurrentTx",
    "NoCredit",
    "NotAllowedTypeEVSE",
    "NotAtThisLocation",
    "NotAtThisTime",
]
"""The OCPP 2.x names."""

Status16 = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]

STATUS_OF_OCPP16: Final[dict[AuthorizationStatus, Status16]] = {
    "Accepted": "Accepted",
    "Blocked": "Blocked",
    "Expired": "Expired",
    "Invalid": "Invalid",
    "ConcurrentTx": "ConcurrentTx",
    "Unknown": "Invalid",
    "NoCredit": "Blocked",
    "NotAllowedTypeEVSE": "Invalid",
    "NotAtThisLocation": "Invalid",
    "NotAtThisTime": "Invalid",
}
"""What a station of OCPP 1.6 is told, which knows fewer."""


class Decision(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a station is told about a token; stored with the event it answers, so that a replay is told the same.

    `reason` is for the operator: no station is told. `language`: ISO 639-1, of the driver.
    """

    status: AuthorizationStatus
    expires_at: datetime | None = None
    group_id_token: str | None = None
    reason: str | None = None
    language: str | None = None

    @property
    def accepted(self) -> bool:
        return self.status == "Accepted"
