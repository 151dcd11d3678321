"""OCPI 2.2.1, module ChargingProfiles."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from schemas.ocpi221.base import Broken, CallableUrl, DateTime, Limits, OcpiObject, Seconds

ChargingRateUnit = Literal["W", "A"]  # W: total power, A: per phase
# TOO_OFTEN: rate limit; REJECTED: no right to the session (Q4).
ChargingProfileResponseType = Literal["ACCEPTED", "NOT_SUPPORTED", "REJECTED", "TOO_OFTEN", "UNKNOWN_SESSION"]
ChargingProfileResultType = Literal["ACCEPTED", "REJECTED", "UNKNOWN"]

_Rate = Annotated[Decimal, Limits(decimals=1)]  # Q7


class ChargingProfilePeriod(OcpiObject, frozen=True, kw_only=True):
    """A limit from `start_period` on, until the next period begins."""

    start_period: Seconds  # from the start of the profile
    limit: _Rate


class ChargingProfile(OcpiObject, frozen=True, kw_only=True):
    """An upper limit over time (Q5)."""

    start_date_time: DateTime | None = None  # absent: relative to the start of charging
    duration: Seconds | None = None  # absent: the last period lasts to the end
    charging_rate_unit: ChargingRateUnit | str
    min_charging_rate: _Rate | None = None
    charging_profile_period: tuple[ChargingProfilePeriod, ...] = ()


class SetChargingProfile(OcpiObject, frozen=True, kw_only=True):
    """Set or replace the profile of a session."""

    charging_profile: ChargingProfile
    response_url: CallableUrl


class ActiveChargingProfile(OcpiObject, frozen=True, kw_only=True):
    """The profile that holds, from when it was computed."""

    start_date_time: DateTime
    charging_profile: ChargingProfile


class ChargingProfileResponse(OcpiObject, frozen=True, kw_only=True):
    """Whether the request can be passed on."""

    result: ChargingProfileResponseType | str
    timeout: Seconds


class ActiveChargingProfileResult(OcpiObject, frozen=True, kw_only=True):
    """What came of asking for the active profile (Q2)."""

    result: ChargingProfileResultType | str
    profile: ActiveChargingProfile | None = None

    def broken_rules(self) -> Iterator[Broken]:
        """Q2: the profile is what was asked for."""
        if self.result == "ACCEPTED" and self.profile is None:
            yield Broken("profile", "Q2", "is missing although ACCEPTED", "wrong")


class ChargingProfileResult(OcpiObject, frozen=True, kw_only=True):
    """What came of setting a profile (Q2)."""

    result: ChargingProfileResultType | str


class ClearProfileResult(OcpiObject, frozen=True, kw_only=True):
    """What came of clearing the profile (Q2)."""

    result: ChargingProfileResultType | str
