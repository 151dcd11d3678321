"""Station times: what is accepted, and what is kept as text only (ocpp-j-rules section 3, design 7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from csms.domain.operations import StationTime

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)

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


def _note(text: str, rule: str) -> None:
    if len(deviations) < _MOST_DEVIATIONS:
        deviations.append((text, rule))
