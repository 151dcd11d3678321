"""Station times: what is accepted, and what is kept as text only (ocpp-j-rules section 3, design 7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from csms.domain.operations import StationTime

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
CLOCKLESS_BEFORE: Final = datetime(2010, 1, 1, tzinfo=UTC)
"""A station without a clock counts from 1970: no message is that old."""
LIVE_FOR: Final = timedelta(minutes=10)
"""How long after something happened the system may still react to it as if it happened now (rule X9)."""

_MOST_DEVIATIONS: Final = 32

deviations: Final[list[tuple[str, str]]] = []
"""(text, rule) of the times that were not as the standard wants them since somebody last emptied this list: what is forgiven
is counted per message without any cost for messages that need no forgiving. Bounded; of the thread that handles messages."""

_SECOND_60: Final = re.compile(r"(:\d\d):60(?=\D|$)")


def parse_station_time(text: str) -> StationTime:
    """Read a dateTime of a station.

    A time without zone counts as UTC and is marked, second 60 counts as 59 (both harmless deviations); anything outside
    1970..2100 or unreadable is kept as text with `ts` None and marked.
    """
    suspect = False
    try:
        ts = datetime.fromisoformat(text)
    except ValueError:
        try:
            ts = datetime.fromisoformat(_SECOND_60.sub(r"\1:59", text, count=1))
        except ValueError:
            _note(text, "unreadableTime")
            return StationTime(None, text, True)
        _note(text, "second60")
    if ts.tzinfo is None:
        ts = ts.replace(tzinfo=UTC)
        suspect = True
        _note(text, "timeZoneMissing")
    try:
        inside = EARLIEST <= ts < LATEST
    except OverflowError:  # year 1 or 9999 with an offset that leaves the calendar
        inside = False
    if not inside:
        _note(text, "yearOutOfRange")
        return StationTime(None, text, True)
    return StationTime(ts, text, suspect)


def is_live(time: StationTime | None, now: datetime) -> bool:
    """False for history out of a queue of the station (rule X9). A time that says nothing is no reason to think so."""
    return time is None or time.ts is None or time.ts < CLOCKLESS_BEFORE or now - time.ts <= LIVE_FOR


def _note(text: str, rule: str) -> None:
    if len(deviations) < _MOST_DEVIATIONS:
        deviations.append((text, rule))
