"""Charging profiles of any version of OCPP as a simulated station keeps them."""

from __future__ import annotations

from typing import Final

from csms.simulate.profiles import Period, Profile, Purpose
from csms.simulate.timeline import read_time
from schemas.ocpp16.datatypes import ChargingProfile, ChargingSchedule
from schemas.ocpp201.datatypes import ChargingProfileType, ChargingScheduleType

_CYCLES: Final = {"Daily": 86_400, "Weekly": 604_800}


def profile_of(
    profile_id: int,
    evse_id: int,
    purpose: Purpose,
    told: ChargingProfile | ChargingProfileType,
    schedule: ChargingSchedule | ChargingScheduleType,
    transaction: str | None,
) -> Profile:
    """`told` with its `schedule`. `evse_id`: an EVSE or connector, 0: all of the station; `transaction`: the only one it is for."""
    start = None if told.charging_profile_kind == "Relative" else schedule.start_schedule
    return Profile(
        profile_id,
        evse_id,
        purpose,
        told.stack_level,
        schedule.charging_rate_unit,
        tuple(Period(p.start_period, float(p.limit), p.number_phases or 3) for p in schedule.charging_schedule_period),
        transaction=transaction,
        start=None if start is None else read_time(start),
        duration=schedule.duration,
        recurs=_CYCLES.get(told.recurrency_kind or "") if told.charging_profile_kind == "Recurring" else None,
        valid_from=None if told.valid_from is None else read_time(told.valid_from),
        valid_to=None if told.valid_to is None else read_time(told.valid_to),
    )
