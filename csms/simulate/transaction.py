"""A transaction as the station keeps it, and the report of something that happened in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import trio

from csms.simulate.message import Message
from csms.simulate.report import SessionRecord
from schemas.ocpp201.enums import IdTokenEnumType

StopReason = Literal["local", "ev_disconnected", "remote", "deauthorized", "soft_reset", "hard_reset", "unlock"]
ConnectorState = Literal[
    "available", "reserved", "preparing", "charging", "suspended_ev", "suspended_evse", "finishing", "unavailable"
]


@dataclass(slots=True)
class Transaction:
    """`reference` is the station's own name for it, which is the transaction id of OCPP 2.x."""

    reference: str
    evse_id: int
    id_token: str
    started_at: datetime
    meter_start_wh: int
    record: SessionRecord
    remote_start_id: int | None = None
    token_type: IdTokenEnumType | None = None  # OCPP 2.x: as the remote start had it; None: a card
    reservation_id: int | None = None  # that it uses up
    transaction_id: int | None = None  # OCPP 1.6: from the answer to the start
    next_seq_no: int = 0  # OCPP 2.x
    stop_reason: StopReason | None = None
    stop_ordered: trio.Event = field(default_factory=trio.Event)

    def order_stop(self, reason: StopReason) -> None:
        """End it for this reason; the first reason counts."""
        if self.stop_reason is None:
            self.stop_reason = reason
            self.stop_ordered.set()

    def take_seq_no(self) -> int:
        self.next_seq_no += 1
        return self.next_seq_no - 1


@dataclass(frozen=True, slots=True)
class Report:
    """A transaction message to be queued.

    `verdict` reads the answer: False when the CSMS withdrew the authorization of the token.
    """

    build: Callable[[], Message]
    verdict: Callable[[bytes], bool]
    samples: int
    droppable: bool = False
