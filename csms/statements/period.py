"""Months as tenants have them: in their time zone. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

_month: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])").fullmatch


class BadPeriod(ValueError):
    """A text that is no month from 2000-01 to 2099-12."""


class Period(msgspec.Struct, frozen=True):
    """A month, YYYY-MM, from `start` (inclusive) to `end` (exclusive) in UTC."""

    name: str
    start: datetime
    end: datetime


def month(name: str, time_zone: str) -> Period:
    """The month of that name; `time_zone` is an IANA name. Raises BadPeriod."""
    parts = _month(name)
    if parts is None:
        raise BadPeriod("is not a month from 2000-01 to 2099-12, such as 2026-07")
    year, number = int(parts[1]), int(parts[2])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return Period(name, _midnight(year, number, time_zone), _midnight(*following, time_zone))


def _midnight(year: int, number: int, time_zone: str) -> datetime:
    """Where a clock is put forward at that midnight, the moment at which it is."""
    return datetime(year, number, 1, tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
