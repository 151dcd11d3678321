"""The form of answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

from csms.domain.operations import Registration

EMPTY: Final = b"{}"

RegistrationStatus = Literal["Accepted", "Pending", "Rejected"]

REGISTRATION_STATUS: Final[dict[Registration, RegistrationStatus]] = {
    "accepted": "Accepted",
    "pending": "Pending",
    "rejected": "Rejected",
    # not decided yet: the station is to ask again
    "unknown": "Pending",
}


def empty_answer(_outcome: object) -> bytes:
    """The answer of messages that only report something."""
    return EMPTY


def rfc3339(moment: datetime) -> str:
    """A time in UTC with `Z` and milliseconds (ocpp-j-rules section 9)."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
