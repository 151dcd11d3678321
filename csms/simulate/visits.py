"""When drivers come, how long they stay and who they are: the daily pattern of a public charging station."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from csms.simulate.chance import Random
from csms.simulate.vehicle import Vehicle, drawn_vehicle
from schemas.ocpp201.enums import IdTokenEnumType

# arrivals by hour of the day, as multiples of the mean: quiet nights, a morning and a stronger evening peak
_BY_HOUR: Final = (
    0.15, 0.10, 0.08, 0.08, 0.10, 0.25, 0.60, 1.10, 1.50, 1.40, 1.25, 1.20,
    1.30, 1.25, 1.20, 1.25, 1.45, 1.80, 1.95, 1.70, 1.30, 0.95, 0.60, 0.40,
)  # fmt: skip
_PEAK: Final = max(_BY_HOUR)
_DAY: Final = 86_400.0


@dataclass(slots=True)
class Visit:
    """One driver at one connector. Times in simulated seconds."""

    id_token: str
    vehicle: Vehicle
    parked: float  # from plugging in to driving away
    stops_at_reader: bool  # ends with the token at the reader; otherwise by unplugging
    remote_start_id: int | None = None
    token_type: IdTokenEnumType | None = None  # of a remote start of OCPP 2.x; None: a card
    remote: bool = False
    reservation_id: int | None = None  # that the driver comes with


def next_arrival(chance: Random, now: datetime, per_day: float, *, even: bool = False) -> float:
    """Seconds until the next driver comes: a Poisson process whose rate follows the hours of the day, unless it is `even`."""
    if per_day <= 0:
        return math.inf
    if even:
        return chance.expovariate(per_day / _DAY)
    peak_rate = per_day * _PEAK / _DAY
    seconds_today = now.hour * 3600 + now.minute * 60 + now.second
    wait = 0.0
    while True:
        wait += chance.expovariate(peak_rate)
        hour = int((seconds_today + wait) // 3600) % 24
        if chance.random() * _PEAK < _BY_HOUR[hour]:
            return wait


def drawn_visit(chance: Random, tokens: tuple[str, ...], *, direct_current: bool) -> Visit:
    """A driver: about half an hour at a DC station, two and a half hours at an AC one, with a long tail."""
    typical = 1_500.0 if direct_current else 7_200.0
    return Visit(
        id_token=chance.choice(tokens),
        vehicle=drawn_vehicle(chance, direct_current=direct_current),
        parked=min(43_200.0, max(120.0, chance.lognormvariate(math.log(typical), 0.6))),
        stops_at_reader=chance.random() < 0.6,
    )
