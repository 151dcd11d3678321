"""Which tariff elements are active at which time of which local day (OCPI mod_tariffs, TariffRestrictions; pricing rule P4).

Local wall-clock time decides at every instant: in the hour that a change to winter time repeats a window is active twice, and a
window that begins in the hour that summer time leaves out begins at the change.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from csms.pricing.exact import SECOND
from csms.pricing.tariff import Tariff, TariffRestrictions

FOREVER: Final = 2**62
"""A time (µs) and an energy (µWh) that nothing reaches."""

_DAY: Final = 86_400
_MOST_DAYS: Final = 2_000
"""Days that a calendar remembers, before it forgets all."""
_DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_MIDNIGHT: Final = "00:00"


class LocalCalendar:
    """For one tariff and one time zone: the elements whose local restrictions hold, as a mask with bit n for elements[n]."""

    def __init__(self, tariff: Tariff, zone: ZoneInfo) -> None:
        self._zone = zone
        self._always = 0
        self._restricted: list[tuple[int, TariffRestrictions]] = []
        cuts = set()
        for number, element in enumerate(tariff.elements):
            rules = element.restrictions
            if rules is None or not (rules.start_time or rules.end_time or rules.start_date or rules.end_date or rules.day_of_week):
                self._always |= 1 << number
                continue
            self._restricted.append((number, rules))
            cuts |= {_MIDNIGHT, rules.start_time or _MIDNIGHT, rules.end_time or _MIDNIGHT}
        self._cuts = [time.fromisoformat(cut) for cut in sorted(cuts)]
        self._days: dict[int, tuple[list[int], list[int]]] = {}

    def active(self, microseconds: int) -> tuple[int, int]:
        """The mask at an instant, and the instant until which it holds at least."""
        if not self._restricted:
            return self._always, FOREVER
        day = microseconds // (_DAY * SECOND)
        slots = self._days.get(day)
        if slots is None:
            if len(self._days) >= _MOST_DAYS:
                self._days.clear()
            slots = self._days[day] = self._slots(day)
        starts, masks = slots
        place = bisect_right(starts, microseconds)
        return masks[place - 1], starts[place] if place < len(starts) else (day + 1) * _DAY * SECOND

    def _slots(self, day: int) -> tuple[list[int], list[int]]:
        """Where in a UTC day (number since 1970) the mask may change, and the masks from there on."""
        first = day * _DAY
        last = first + _DAY
        instants = {first}
        utc_date = datetime.fromtimestamp(first, UTC).date()
        for local_date in (utc_date - timedelta(1), utc_date, utc_date + timedelta(1)):
            for cut in self._cuts:
                for fold in (0, 1):
                    instants.add(int(datetime.combine(local_date, cut.replace(fold=fold), self._zone).timestamp()))
        if (change := self._offset_change(first, last)) is not None:
            instants.add(change)
        starts: list[int] = []
        masks: list[int] = []
        for instant in sorted(instants):
            if not first <= instant < last:
                continue
            mask = self._mask(datetime.fromtimestamp(instant, self._zone))
            if not masks or masks[-1] != mask:
                starts.append(instant * SECOND)
                masks.append(mask)
        return starts, masks

    def _offset_change(self, first: int, last: int) -> int | None:
        """The second in which the clock is changed between two (in whole UTC days there is one at most)."""
        before = self._offset(first)
        if self._offset(last) == before:
            return None
        while last - first > 1:
            middle = (first + last) // 2
            if self._offset(middle) == before:
                first = middle
            else:
                last = middle
        return last

    def _offset(self, second: int) -> timedelta | None:
        return datetime.fromtimestamp(second, self._zone).utcoffset()

    def _mask(self, local: datetime) -> int:
        mask = self._always
        clock = f"{local.hour:02}:{local.minute:02}"
        today = local.date()
        for number, rules in self._restricted:
            if _holds(rules, clock, today):
                mask |= 1 << number
        return mask


def _holds(rules: TariffRestrictions, clock: str, today: date) -> bool:
    if rules.day_of_week and _DAYS[today.weekday()] not in rules.day_of_week:
        return False
    if rules.start_date and today.isoformat() < rules.start_date:
        return False
    if rules.end_date and today.isoformat() >= rules.end_date:
        return False
    start = rules.start_time or _MIDNIGHT
    end = rules.end_time or _MIDNIGHT
    if end == _MIDNIGHT:  # the end of the day
        return clock >= start
    return start <= clock < end if start <= end else clock >= start or clock < end
