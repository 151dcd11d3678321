"""Commands to stations in the domain's own terms; each OCPP version module of the gateway translates them.

The `command` name in the API is the snake_case tag of the Struct; `parameters` are its fields.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

Evse = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Positive = Annotated[int, Meta(ge=1, le=2_147_483_647)]
Name = Annotated[str, Meta(min_length=1, max_length=50)]


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="command"):
    """One order to one station."""


class RemoteStart(Command, tag="remote_start", frozen=True, kw_only=True):
    """Start charging for a token. OCPP 1.6 takes the connector, 2.x the EVSE; either name is understood for 1.6."""

    id_token: Annotated[str, Meta(min_length=1, max_length=255)]
    token_type: Annotated[str, Meta(min_length=1, max_length=20)] = "ISO14443"  # noqa: S105 - the kind of a token, no secret
    evse_id: Positive | None = None
    connector_id: Positive | None = None


class RemoteStop(Command, tag="remote_stop", frozen=True, kw_only=True):
    transaction_id: Annotated[str, Meta(min_length=1, max_length=36)]


class Reset(Command, tag="reset", frozen=True, kw_only=True):
    """`soft` ends transactions first (2.x: OnIdle), `hard` does not wait (2.x: Immediate)."""

    type: Literal["soft", "hard"] = "soft"
    evse_id: Positive | None = None


class UnlockConnector(Command, tag="unlock_connector", frozen=True, kw_only=True):
    connector_id: Positive = 1
    evse_id: Positive | None = None


class ChangeAvailability(Command, tag="change_availability", frozen=True, kw_only=True):
    """Without EVSE and connector: the whole station."""

    type: Literal["operative", "inoperative"]
    evse_id: Evse | None = None
    connector_id: Evse | None = None


class GetConfiguration(Command, tag="get_configuration", frozen=True, kw_only=True):
    """OCPP 1.6 configuration keys; none named: all."""

    keys: Annotated[list[Name], Meta(max_length=200)] = []


class ChangeConfiguration(Command, tag="change_configuration", frozen=True, kw_only=True):
    """OCPP 1.6: write one configuration key."""

    key: Name
    value: Annotated[str, Meta(max_length=500)]


class VariableName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    component: Name
    variable: Name
    component_instance: Name | None = None
    variable_instance: Name | None = None
    evse_id: Positive | None = None
    connector_id: Positive | None = None
    attribute: Literal["Actual", "Target", "MinSet", "MaxSet"] = "Actual"


class VariableValue(VariableName, frozen=True, kw_only=True):
    value: Annotated[str, Meta(max_length=2500)]


class GetVariables(Command, tag="get_variables", frozen=True, kw_only=True):
    """OCPP 2.x device model."""

    variables: Annotated[list[VariableName], Meta(min_length=1, max_length=200)]


class SetVariables(Command, tag="set_variables", frozen=True, kw_only=True):
    variables: Annotated[list[VariableValue], Meta(min_length=1, max_length=200)]


class GetBaseReport(Command, tag="get_base_report", frozen=True, kw_only=True):
    """OCPP 2.x; the report itself follows in NotifyReport messages. `request_id` is made up when absent."""

    report_base: Literal["ConfigurationInventory", "FullInventory", "SummaryInventory"] = "FullInventory"
    request_id: Evse | None = None


class TriggerMessage(Command, tag="trigger_message", frozen=True, kw_only=True):
    """Ask for one message now; `message` in the words of the station's OCPP version."""

    message: Name
    evse_id: Positive | None = None
    connector_id: Positive | None = None


class ClearCache(Command, tag="clear_cache", frozen=True, kw_only=True):
    """Empty the station's authorization cache."""


class DataTransfer(Command, tag="data_transfer", frozen=True, kw_only=True):
    vendor_id: Annotated[str, Meta(min_length=1, max_length=255)]
    message_id: Name | None = None
    data: Any = None


Purpose = Literal["TxProfile", "TxDefaultProfile", "ChargePointMaxProfile"]
"""What a charging profile limits: one transaction, those without a profile of their own, or the whole station."""

Unit = Literal["W", "A"]
"""W: power in all; A: current per phase."""

Seconds = Annotated[int, Meta(ge=1, le=31_622_400)]
StackLevel = Annotated[int, Meta(ge=0, le=1_000_000)]
Token = Annotated[str, Meta(min_length=1, max_length=255)]
Moment = Annotated[datetime, Meta(tz=True)]

_MOST: Final = 1_000_000_000
_TENTH: Final = Decimal("0.1")


class ReserveNow(Command, tag="reserve_now", frozen=True, kw_only=True):
    """Keep a place for a token, or for all of its group, until `expires_at`; the same id again replaces the reservation.

    Without a place: any EVSE, in 2.x one with a connector of this type. OCPP 1.6 takes the connector, 2.x the EVSE; either name is
    understood for 1.6.
    """

    reservation_id: Evse
    id_token: Token
    token_type: Annotated[str, Meta(min_length=1, max_length=20)] = "ISO14443"  # noqa: S105 - the kind of a token, no secret
    group_id_token: Token | None = None
    expires_at: Moment
    evse_id: Positive | None = None
    connector_id: Positive | None = None
    connector_type: Annotated[str, Meta(min_length=1, max_length=20)] | None = None


class CancelReservation(Command, tag="cancel_reservation", frozen=True, kw_only=True):
    reservation_id: Evse


class LimitPeriod(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A limit from `start` seconds after the start of its schedule on, until the next period. `phases`: of how many it is meant."""

    start: Annotated[int, Meta(ge=0, le=31_622_400)]
    limit: Decimal
    phases: Annotated[int, Meta(ge=1, le=3)] | None = None

    def __post_init__(self) -> None:
        _check_rate("limit", self.limit)


class SetChargingProfile(Command, tag="set_charging_profile", frozen=True, kw_only=True):
    """Limit what is drawn (K01). Ordered again with the same purpose, place or transaction, and stack level, it replaces what it
    set: `profile_id` is made from these when absent.

    `transaction_id`: of a TxProfile, which needs `evse_id` as well. Without `evse_id` a TxDefaultProfile is for all of them.
    `start`: absent, the schedule begins with the transaction; a limit of the whole station has to name it. Without `duration_s`
    the last period goes on. `min_rate`: charging with less is of no use.
    """

    purpose: Purpose = "TxProfile"
    transaction_id: Annotated[str, Meta(min_length=1, max_length=36)] | None = None
    evse_id: Evse | None = None
    unit: Unit
    periods: Annotated[list[LimitPeriod], Meta(min_length=1, max_length=1024)]
    start: Moment | None = None
    duration_s: Seconds | None = None
    min_rate: Decimal | None = None
    stack_level: StackLevel = 0
    profile_id: Positive | None = None

    def __post_init__(self) -> None:
        if self.periods[0].start != 0:
            raise ValueError("periods: the first starts at 0")
        if any(later.start <= earlier.start for earlier, later in pairwise(self.periods)):
            raise ValueError("periods: each starts after the one before it")
        if self.min_rate is not None:
            _check_rate("min_rate", self.min_rate)
        if (self.purpose == "TxProfile") != (self.transaction_id is not None):
            raise ValueError("transaction_id: a TxProfile names its transaction, and no other does")
        if self.purpose == "TxProfile" and not self.evse_id:
            raise ValueError("evse_id: a TxProfile names the EVSE of its transaction")
        if self.purpose == "ChargePointMaxProfile" and (self.evse_id or self.start is None):
            raise ValueError("start: a limit of the whole station names when it begins, and no evse_id")

    @property
    def profile(self) -> int:
        """The profile's id on its station."""
        if self.profile_id is not None:
            return self.profile_id
        return profile_of(self.purpose, self.transaction_id or str(self.evse_id or 0), self.stack_level)


class ClearChargingProfile(Command, tag="clear_charging_profile", frozen=True, kw_only=True):
    """Lift limits: the profile of this id; the one that `set_charging_profile` gave to this transaction; or all that fit `evse_id`
    (0: of the whole station), `purpose` and `stack_level`."""

    profile_id: Positive | None = None
    transaction_id: Annotated[str, Meta(min_length=1, max_length=36)] | None = None
    evse_id: Evse | None = None
    purpose: Purpose | None = None
    stack_level: StackLevel | None = None

    def __post_init__(self) -> None:
        criteria = self.evse_id is not None or self.purpose is not None
        if self.profile_id is not None and (criteria or self.transaction_id is not None or self.stack_level is not None):
            raise ValueError("profile_id: names the profile alone")
        if self.transaction_id is not None and criteria:
            raise ValueError("transaction_id: goes with stack_level only")
        if self.profile_id is None and self.transaction_id is None and not criteria and self.stack_level is None:
            raise ValueError("profile_id: or something else has to say which profiles are meant")

    @property
    def profile(self) -> int | None:
        """The id of the one profile that is meant; None: those that fit."""
        if self.transaction_id is not None:
            return profile_of("TxProfile", self.transaction_id, self.stack_level or 0)
        return self.profile_id


class GetCompositeSchedule(Command, tag="get_composite_schedule", frozen=True, kw_only=True):
    """What an EVSE (0: the whole station) will offer in the next `duration_s` seconds, as the station works it out (K08)."""

    evse_id: Evse
    duration_s: Seconds
    unit: Unit | None = None


def profile_of(purpose: Purpose, place: str, stack_level: int) -> int:
    """The id of a charging profile that is given none: the same for the same transaction or EVSE, so that a new one takes the place
    of the old one in every OCPP version (K01.FR.05)."""
    digest = hashlib.sha256(f"{purpose}\0{place}\0{stack_level}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 0x7FFF_FFFF + 1


def _check_rate(name: str, rate: Decimal) -> None:
    if not rate.is_finite() or not 0 <= rate <= _MOST or rate != rate.quantize(_TENTH):
        raise ValueError(f"{name}: is not a number from 0 to {_MOST} with one decimal at most")


AnyCommand = (
    RemoteStart
    | RemoteStop
    | Reset
    | UnlockConnector
    | ChangeAvailability
    | GetConfiguration
    | ChangeConfiguration
    | GetVariables
    | SetVariables
    | GetBaseReport
    | TriggerMessage
    | ClearCache
    | DataTransfer
    | ReserveNow
    | CancelReservation
    | SetChargingProfile
    | ClearChargingProfile
    | GetCompositeSchedule
)

QUEUEABLE: Final = frozenset(
    {
        "change_availability",
        "get_configuration",
        "change_configuration",
        "get_variables",
        "set_variables",
        "get_base_report",
        "trigger_message",
        "clear_cache",
        "data_transfer",
        "reset",
        "remote_start",
        "cancel_reservation",
        "clear_charging_profile",
    }
)
"""Commands that may wait for an absent station when the caller asks for it (a time to live). The others are refused at once."""

DEFAULT_TIME_TO_LIVE: Final = timedelta(seconds=60)
"""How long a command may wait for its turn at a connected station."""
