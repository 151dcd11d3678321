"""Which refusals operators were told of lately: a station that asks again and again tells nothing new."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

TELL_AGAIN: Final = timedelta(minutes=1)
MOST: Final = 10_000


class Refusal(NamedTuple):
    """A token at a station, and why it was refused."""

    tenant_id: int
    station_id: int
    token_key: str
    reason: str


class Refusals:
    """Of one process."""

    def __init__(self) -> None:
        self._told: dict[Refusal, datetime] = {}

    def is_new(self, refusal: Refusal, now: datetime) -> bool:
        told = self._told.get(refusal)
        return told is None or not timedelta(0) <= now - told < TELL_AGAIN

    def learn(self, told: Collection[Refusal], now: datetime) -> None:
        """What a group commit has told; to be called only once it has committed."""
        if len(self._told) + len(told) > MOST:
            self._told = {refusal: at for refusal, at in self._told.items() if now - at < TELL_AGAIN}
        if len(self._told) + len(told) > MOST:
            self._told.clear()
        self._told.update(dict.fromkeys(told, now))
