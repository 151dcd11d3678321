"""The places that a station keeps for somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ReserveStatus = Literal["Accepted", "Occupied", "Faulted", "Unavailable", "Rejected"]
Update = Literal["Expired", "Removed"]


@dataclass(frozen=True, slots=True)
class Reserved:
    """A reservation of one EVSE; a station that may choose takes the first that is free."""

    reservation_id: int
    id_token: str
    expires_at: datetime
