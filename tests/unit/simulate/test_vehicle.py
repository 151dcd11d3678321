"""The battery and the meter: energy is what the register says, and never comes from nowhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from csms.simulate.chance import seeded
from csms.simulate.vehicle import Meter, Vehicle, drawn_vehicle, sample

vehicles = st.builds(
    Vehicle,
    battery_wh=st.integers(10_000, 150_000),
    max_power_w=st.integers(3_000, 250_000),
    knee=st.floats(0.5, 0.95),
    soc=st.floats(0.0, 1.0),
)


@given(vehicles, st.integers(1_400, 350_000), st.lists(st.floats(0.0, 7_200.0), max_size=20))
def test_register_and_battery_agree(vehicle: Vehicle, limit_w: int, steps: list[float]) -> None:
    meter = Meter(5_000_000_000)
    soc = vehicle.soc
    for seconds in steps:
        before = meter.register_mwh
        vehicle.charge(meter, limit_w, seconds)
        assert meter.register_mwh >= before
        assert meter.register_mwh - before <= limit_w * seconds / 3.6 + 1000
    assert vehicle.soc <= 1.0
    stored_wh = (vehicle.soc - soc) * vehicle.battery_wh
    metered_wh = (meter.register_mwh - 5_000_000_000) / 1000
    # the battery takes what the meter counts, but for the last step before it is full
    assert stored_wh <= metered_wh + 0.01
    assert vehicle.soc == 1.0 or abs(stored_wh - metered_wh) < 0.01


@given(vehicles, st.integers(1_400, 350_000))
def test_power_stays_within_both_limits_and_ends_when_full(vehicle: Vehicle, limit_w: int) -> None:
    assert 0 <= vehicle.power_w(limit_w) <= min(limit_w, vehicle.max_power_w)
    full = Vehicle(vehicle.battery_wh, vehicle.max_power_w, vehicle.knee, soc=1.0)
    assert full.power_w(limit_w) == 0


def test_power_falls_above_the_knee() -> None:
    vehicle = Vehicle(50_000, 100_000, knee=0.6, soc=0.5)
    powers = []
    for soc in (0.5, 0.6, 0.7, 0.8, 0.9, 0.99):
        vehicle.soc = soc
        powers.append(vehicle.power_w(150_000))
    assert powers[:2] == [100_000, 100_000]
    assert powers[1:] == sorted(powers[1:], reverse=True)
    assert powers[-1] > 0


def test_sample_shows_whole_units() -> None:
    vehicle = Vehicle(50_000, 11_000, knee=0.9, soc=0.456)
    shown = sample(vehicle, Meter(1_234_999), 22_000, phases=3)
    assert shown.register_wh == 1234
    assert shown.power_w == 11_000
    assert shown.current_a == "15.9"
    assert shown.soc_percent == 46


def test_drawn_vehicles_repeat_with_the_seed() -> None:
    first = [drawn_vehicle(seeded(7, "a"), direct_current=True) for _ in range(3)]
    assert first == [drawn_vehicle(seeded(7, "a"), direct_current=True) for _ in range(3)]
    assert first != [drawn_vehicle(seeded(8, "a"), direct_current=True) for _ in range(3)]
