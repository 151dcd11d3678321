"""A vehicle's battery and the meter of the EVSE it charges at. Pure: time goes in as seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from csms.simulate.chance import Random

_STEP: Final = 10.0  # seconds; the power is taken as constant for so long
_FULL: Final = 0.999
_VOLTAGE: Final = 230

# battery in Wh, largest AC power in W, largest DC power in W: small city car to long-range saloon
_MODELS: Final = (
    (26_800, 7_400, 37_000),
    (40_000, 6_600, 46_000),
    (52_000, 11_000, 125_000),
    (58_000, 11_000, 120_000),
    (64_000, 11_000, 77_000),
    (77_000, 11_000, 135_000),
    (82_000, 11_000, 170_000),
    (100_000, 22_000, 150_000),
)


@dataclass(slots=True)
class Meter:
    """The EVSE's energy register. It never runs backwards; in mWh, so that small steps are not lost."""

    register_mwh: int

    @property
    def register_wh(self) -> int:
        """What the display shows: whole Wh."""
        return self.register_mwh // 1000


@dataclass(slots=True)
class Vehicle:
    """A battery that takes full power up to a knee, then less and less until it is full."""

    battery_wh: int
    max_power_w: int
    knee: float  # state of charge where the power starts to fall
    soc: float  # state of charge, 0 to 1

    @property
    def full(self) -> bool:
        return self.soc >= _FULL

    def power_w(self, limit_w: float) -> float:
        """What the vehicle draws now at an EVSE that offers `limit_w`."""
        if self.full:
            return 0.0
        most = min(limit_w, self.max_power_w)
        if self.soc <= self.knee:
            return float(most)
        return most * (0.05 + 0.95 * (1.0 - self.soc) / (1.0 - self.knee))

    def charge(self, meter: Meter, limit_w: float, seconds: float) -> None:
        """Charge for so long: the register and the state of charge rise together."""
        while seconds > 0 and not self.full:
            step = min(seconds, _STEP)
            energy_mwh = round(self.power_w(limit_w) * step / 3.6)
            meter.register_mwh += energy_mwh
            self.soc = min(1.0, self.soc + energy_mwh / 1000 / self.battery_wh)
            seconds -= step


def drawn_vehicle(chance: Random, *, direct_current: bool) -> Vehicle:
    """A vehicle as it arrives: mostly between a tenth and two thirds full."""
    battery_wh, ac_power_w, dc_power_w = chance.choice(_MODELS)
    return Vehicle(
        battery_wh=battery_wh,
        max_power_w=dc_power_w if direct_current else ac_power_w,
        knee=chance.uniform(0.55, 0.8) if direct_current else chance.uniform(0.9, 0.97),
        soc=chance.triangular(0.05, 0.9, 0.35),
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """What the meter of an EVSE shows at one moment."""

    register_wh: int
    power_w: int
    current_a: str  # ampere with one decimal
    voltage_v: int
    soc_percent: int


def sample(vehicle: Vehicle, meter: Meter, limit_w: float, *, phases: int) -> Sample:
    power = vehicle.power_w(limit_w)
    return Sample(
        register_wh=meter.register_wh,
        power_w=round(power),
        current_a=f"{power / (_VOLTAGE * phases):.1f}",
        voltage_v=_VOLTAGE,
        soc_percent=round(vehicle.soc * 100),
    )
