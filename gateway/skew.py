"""How far the clock of a station is off, by the times in what it tells as it happens (rule L6). Stored times are never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from csms.domain.operations import (
    Operation,
    RecordDeviceEvents,
    RecordMeterValues,
    RecordTransactionEvent,
    ReportConnectorStatus,
    StartTransaction,
    StopTransaction,
)
from csms.domain.times import CLOCKLESS_BEFORE

LIMIT_S: Final = 60.0
LATE_MESSAGES: Final = 3
"""Messages that must all look old before the clock is called slow: one alone may have been on its way for long."""


class ClockSkew:
    """What the times on one connection say of the station's clock.

    A message is never sent before what it tells has happened, so the clock is ahead by at least as much as any of them. It is
    behind by no more than the youngest of them.
    """

    __slots__ = ("_late", "_least", "told")

    def __init__(self) -> None:
        self._least: float | None = None
        self._late = 0
        self.told = False
        """True once somebody was told on this connection."""

    @property
    def seconds(self) -> float | None:
        """How far the clock is ahead, negative: behind; None: not off by more than the limit, as far as is known."""
        least = self._least
        if least is None or (least < -LIMIT_S and self._late < LATE_MESSAGES):
            return None
        return least if abs(least) > LIMIT_S else None

    def note(self, told: datetime, now: datetime, *, as_it_happens: bool) -> None:
        """A message tells a time. Not `as_it_happens`: it may have waited in the station's queue, so its age says nothing."""
        ahead = (told - now).total_seconds()
        if ahead < -LIMIT_S:
            if told < CLOCKLESS_BEFORE:
                self._late = LATE_MESSAGES  # no queue is that old
            elif as_it_happens:
                self._late += 1
            else:
                return
        self._least = ahead if self._least is None else max(self._least, ahead)

    def set_anew(self) -> None:
        """The station is told the time and may set its clock: only messages to come say whether it is right, or ahead, now."""
        if self._least is not None and self._least >= -LIMIT_S:
            self._least = None
            self._late = 0


def time_told(operation: Operation) -> tuple[datetime | None, bool]:
    """The time that a message tells, and whether it is told as it happens.

    OCPP 1.6 does not mark what comes from a queue, which holds what belongs to transactions.
    """
    match operation:
        case RecordMeterValues():
            return operation.readings[-1].ts if operation.readings else None, operation.transaction_ref is None
        case RecordTransactionEvent():
            return operation.time.ts, not operation.offline
        case StartTransaction() | StopTransaction():
            return operation.time.ts, False
        case ReportConnectorStatus() | RecordDeviceEvents() if operation.time is not None:
            return operation.time.ts, True
        case _:
            return None, False
