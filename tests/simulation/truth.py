"""What really happened: transactions, their energy, the messages that tell of it. Kept by stations, read by the oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["start", "meter", "stop", "event", "foreign"]


@dataclass(eq=False)
class Transaction:
    """One real charge."""

    tenant: str
    identity: str
    version: str
    connector_id: int
    token: str
    start_wh: int
    ref: str | None = None
    """The transaction id; OCPP 1.6: once a start was answered."""
    stop_wh: int | None = None
    readings: list[tuple[str, int]] = field(default_factory=list)
    """(timestamp as sent, register in Wh) of what was metered between start and stop."""
    messages: list[Message] = field(default_factory=list)
    abandoned: bool = False
    """The station forgot it in a power loss: its end is never told."""
    remote: str | None = None
    """The id of the command that started it."""

    @property
    def over(self) -> bool:
        return self.stop_wh is not None or self.abandoned


@dataclass(eq=False)
class Message:
    """One message that must not be lost. The payload is made when it is sent: it may need an answer that came before."""

    kind: Kind
    action: str
    transaction: Transaction
    payload: Callable[[], dict[str, Any]]
    wh: int | None = None
    timestamp: str = ""
    seq_no: int | None = None
    attempts: int = 0
    stable_id: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)
    dropped: bool = False
    """The station gave up sending it, or forgot it."""

    @property
    def acknowledged(self) -> bool:
        return bool(self.answers)
