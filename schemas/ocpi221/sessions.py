"""OCPI 2.2.1, module Sessions."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from schemas.ocpi221.base import (
    NOT_AVAILABLE,
    Broken,
    CountryCode,
    Currency,
    DateTime,
    Id,
    OcpiObject,
    PartyId,
    ReadAs,
    Text255,
)
from schemas.ocpi221.cdrs import AuthMethod, CdrToken, ChargingPeriod
from schemas.ocpi221.types import Price, ProfileType

# PENDING -> ACTIVE -> COMPLETED; RESERVATION -> ACTIVE or COMPLETED; any -> INVALID, which is not billed.
SessionStatus = Literal["ACTIVE", "COMPLETED", "INVALID", "PENDING", "RESERVATION"]
ChargingPreferencesResponse = Literal[
    "ACCEPTED", "DEPARTURE_REQUIRED", "ENERGY_NEED_REQUIRED", "NOT_POSSIBLE", "PROFILE_TYPE_NOT_SUPPORTED"
]  # fmt: skip


class Session(OcpiObject, frozen=True, kw_only=True):
    """A running or past session, live; it is not what is billed. Owner: the CPO."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("country_code", "party_id", "id")

    country_code: CountryCode
    party_id: PartyId
    id: Id
    start_date_time: DateTime
    end_date_time: DateTime | None = None
    kwh: Decimal
    cdr_token: CdrToken
    auth_method: AuthMethod | str
    authorization_reference: Id | None = None
    location_id: Id
    evse_uid: Id
    connector_id: Id
    meter_id: Text255 | None = None
    currency: Currency
    charging_periods: tuple[ChargingPeriod, ...] = ()  # PUT replaces, PATCH appends (E2)
    total_cost: Price | None = None  # absent: unknown, 0: free (E8)
    status: Annotated[SessionStatus | str, ReadAs("RESERVED", "RESERVATION", "Z18")]
    last_updated: DateTime

    def broken_rules(self) -> Iterator[Broken]:
        """E6: a session that charges does so at an EVSE."""
        if self.status == "ACTIVE":
            for name in ("evse_uid", "connector_id"):
                if getattr(self, name) == NOT_AVAILABLE:
                    yield Broken(name, "E6", f"is {NOT_AVAILABLE} in an active session", "wrong")


class ChargingPreferences(OcpiObject, frozen=True, kw_only=True):
    """What the driver wishes for the running session."""

    profile_type: ProfileType | str
    departure_time: DateTime | None = None
    energy_need: Decimal | None = None  # kWh
    discharge_allowed: bool | None = None  # absent: false
