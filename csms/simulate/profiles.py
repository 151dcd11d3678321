"""The charging profiles that a station keeps, and the limits that follow from them. Pure: time goes in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Final, Literal

Purpose = Literal["max", "default", "transaction"]
Unit = Literal["A", "W"]

MOST_PROFILES: Final = 50
MOST_STACK_LEVEL: Final = 10
MOST_PERIODS: Final = 1024
_VOLTAGE: Final = 230
_MOST_CUTS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Period:
    start: int  # seconds from the start of the schedule
    limit: float
    phases: int


@dataclass(frozen=True, slots=True)
class Profile:
    """`evse_id` 0: the station, or by default each EVSE. `start` None: the start of the transaction."""

    profile_id: int
    evse_id: int
    purpose: Purpose
    stack_level: int
    unit: Unit
    periods: tuple[Period, ...]
    transaction: str | None = None  # the station's own name for it
    start: datetime | None = None
    duration: int | None = None  # seconds
    recurs: int | None = None  # seconds
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def watts(self, now: datetime, began: datetime, phases: int) -> float | None:
        """What it allows an EVSE of so many phases now; None: it says nothing now. `began`: when the transaction did."""
        if (self.valid_from is not None and now < self.valid_from) or (self.valid_to is not None and now >= self.valid_to):
            return None
        elapsed = (now - (self.start or began)).total_seconds()
        if self.recurs is not None and elapsed >= 0:
            elapsed %= self.recurs
        if elapsed < 0 or (self.duration is not None and elapsed >= self.duration):
            return None
        period = next((period for period in reversed(self.periods) if period.start <= elapsed), None)
        if period is None:
            return None
        return period.limit if self.unit == "W" else period.limit * _VOLTAGE * min(period.phases, phases)

    def cuts(self, since: datetime, until: datetime, began: datetime) -> Iterator[datetime]:
        """When what it says may change, in this span of time."""
        yield from (moment for moment in (self.valid_from, self.valid_to) if moment is not None)
        start = self.start or began
        offsets = [period.start for period in self.periods] + ([] if self.duration is None else [self.duration])
        if self.recurs is None:
            yield from (start + timedelta(seconds=offset) for offset in offsets)
            return
        cycle = timedelta(seconds=self.recurs)
        begins = start + max(0, (since - start) // cycle) * cycle
        while begins < until:
            yield from (begins + timedelta(seconds=offset) for offset in offsets if offset < self.recurs)
            begins += cycle


class Profiles:
    """What a station was told, by the ids of the profiles."""

    def __init__(self) -> None:
        self._profiles: dict[int, Profile] = {}

    def put(self, profile: Profile) -> None:
        """Install it in the place of the one with its id, or with its purpose, stack level and place (OCPP 1.6)."""
        twin = self.twin(profile)
        if twin is not None:
            del self._profiles[twin.profile_id]
        self._profiles[profile.profile_id] = profile

    def twin(self, profile: Profile) -> Profile | None:
        """The one with another id that stands where this one would."""
        place = (profile.purpose, profile.stack_level, profile.evse_id, profile.transaction)
        return next(
            (
                other
                for other in self._profiles.values()
                if (other.purpose, other.stack_level, other.evse_id, other.transaction) == place
                and other.profile_id != profile.profile_id
            ),
            None,
        )

    def has_room(self, profile: Profile) -> bool:
        replaces = profile.profile_id in self._profiles or self.twin(profile) is not None
        return replaces or len(self._profiles) < MOST_PROFILES

    def clear(self, fits: Callable[[Profile], bool]) -> bool:
        """Remove those that fit; False when there are none."""
        found = [profile_id for profile_id, profile in self._profiles.items() if fits(profile)]
        for profile_id in found:
            del self._profiles[profile_id]
        return bool(found)

    def limit_w(self, evse_id: int, transaction: str | None, began: datetime, now: datetime, phases: int) -> float | None:
        """What the profiles allow an EVSE now; None: they do not limit it. A profile of its transaction goes before the default."""
        ruling = self._ruling(self._of("transaction", evse_id, transaction), now, began, phases)
        return ruling if ruling is not None else self._ruling(self._of("default", evse_id, None), now, began, phases)

    def station_w(self, now: datetime) -> float | None:
        """What they allow the whole station now."""
        return self._ruling(self._of("max", 0, None), now, now, 3)

    def cuts(self, since: datetime, until: datetime, began: datetime) -> list[datetime]:
        """When limits may change after `since` and before `until`, in order."""
        found = chain.from_iterable(profile.cuts(since, until, began) for profile in self._profiles.values())
        return sorted({moment for moment in found if since < moment < until})[:_MOST_CUTS]

    def _of(self, purpose: Purpose, evse_id: int, transaction: str | None) -> Iterable[Profile]:
        """The highest stack level first, and of one level what is for this EVSE before what is for all."""
        fitting = [
            profile
            for profile in self._profiles.values()
            if profile.purpose == purpose
            and profile.evse_id in (0, evse_id)
            and (purpose != "transaction" or profile.transaction == transaction)
        ]
        return sorted(fitting, key=lambda profile: (profile.stack_level, profile.evse_id), reverse=True)

    @staticmethod
    def _ruling(profiles: Iterable[Profile], now: datetime, began: datetime, phases: int) -> float | None:
        return next((watts for profile in profiles if (watts := profile.watts(now, began, phases)) is not None), None)


def in_unit(watts: float, unit: Unit, phases: int) -> float:
    """A limit as it is told: with one decimal."""
    return round(watts if unit == "W" else watts / (_VOLTAGE * phases), 1)
