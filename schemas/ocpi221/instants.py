"""Points in time: every form that partners send, and the one that we write (B7, D10, Z4, Z5)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

LONGEST: Final = 64
_FORM = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?P<blank>[Tt ])"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,30}))?)?"
    r" ?(?P<zone>[Zz]|(?P<sign>[+-])(?P<zone_hours>\d{2}):?(?P<zone_minutes>\d{2}))?",
    re.ASCII,
)
_RIGHT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z?", re.ASCII)
_BLANK_FOR_PLUS = re.compile(r"(.*:\S*) (\d{2}:?\d{2})", re.ASCII)
_LEAP_SECOND = 60


def write_instant(value: datetime) -> str:
    """`value` as `YYYY-MM-DDTHH:MM:SSZ`, with milliseconds if it has any; what is finer is cut off, for B7 has 25 characters."""
    in_utc = value.astimezone(UTC).replace(tzinfo=None)
    timespec = "milliseconds" if in_utc.microsecond >= 1000 else "seconds"
    return in_utc.isoformat(timespec=timespec) + "Z"


def read_instant(text: str) -> tuple[datetime, str | None]:
    """The point in time in `text`, in UTC and whole milliseconds, and the rule that allowed for its form, None for the right one.

    No zone means UTC (B7). Raises ValueError if it is none.
    """
    stripped = text.strip()
    match = _FORM.fullmatch(stripped) if len(stripped) <= LONGEST else None
    if match is None:
        raise ValueError("is not a date and time")
    second = int(match["second"] or 0)
    fraction = (match["fraction"] or "")[:3].ljust(3, "0")
    try:
        value = datetime(
            int(match["year"]),
            int(match["month"]),
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            min(second, _LEAP_SECOND - 1),
            int(fraction) * 1000,
            tzinfo=UTC,
        )
        value += timedelta(seconds=second == _LEAP_SECOND)
        if match["sign"]:
            ahead = timedelta(hours=int(match["zone_hours"]), minutes=int(match["zone_minutes"]))
            value += ahead if match["sign"] == "-" else -ahead
    except (ValueError, OverflowError):
        raise ValueError("is not a date and time") from None
    if second > _LEAP_SECOND:
        raise ValueError("is not a date and time")
    if _RIGHT.fullmatch(text) and second < _LEAP_SECOND:
        return value, None
    return value, "D10" if value == datetime(1970, 1, 1, tzinfo=UTC) else "Z4"


def read_query_instant(text: str) -> datetime:
    """A date of a query (`date_from`), where a `+` may have become a blank (Z5). Raises ValueError if it is none."""
    if len(text) > LONGEST:
        raise ValueError("is not a date and time")
    return read_instant(_BLANK_FOR_PLUS.sub(r"\1+\2", text.strip(), count=1))[0]
