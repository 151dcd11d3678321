"""Object datatypes of OCPP 2.0.1: charging profiles, schedules, limits and needs."""

from decimal import Decimal
from typing import Annotated

from msgspec import field

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.ocpp201.enums import (
    ChargingLimitSourceEnumType,
    ChargingProfileKindEnumType,
    ChargingProfilePurposeEnumType,
    ChargingRateUnitEnumType,
    CostKindEnumType,
    EnergyTransferModeEnumType,
    RecurrencyKindEnumType,
)
from schemas.structs import ExtensibleObject


class ACChargingParametersType(ExtensibleObject, frozen=True, kw_only=True):
    """What an EV charging with alternating current states over ISO 15118."""

    energy_amount: int  # Wh wanted
    ev_min_current: int  # A per phase
    ev_max_current: int  # A per phase
    ev_max_voltage: int  # V


class DCChargingParametersType(ExtensibleObject, frozen=True, kw_only=True):
    """What an EV charging with direct current states over ISO 15118."""

    ev_max_current: int  # A
    ev_max_voltage: int  # V
    energy_amount: int | None = None  # Wh wanted
    ev_max_power: int | None = None  # W
    state_of_charge: Annotated[int, Range(min=0, max=100)] | None = None  # %
    ev_energy_capacity: int | None = None  # Wh
    full_soc: Annotated[int, Range(min=0, max=100)] | None = field(default=None, name="fullSoC")  # %
    bulk_soc: Annotated[int, Range(min=0, max=100)] | None = field(default=None, name="bulkSoC")  # %


class ChargingNeedsType(ExtensibleObject, frozen=True, kw_only=True):
    """What the EV asks for over ISO 15118."""

    requested_energy_transfer: EnergyTransferModeEnumType
    ac_charging_parameters: ACChargingParametersType | None = None  # AC or DC, one of both
    dc_charging_parameters: DCChargingParametersType | None = None
    departure_time: DateTimeString | None = None  # planned


class RelativeTimeIntervalType(ExtensibleObject, frozen=True, kw_only=True):
    """A span of time, relative to now."""

    start: int  # s from now
    duration: int | None = None  # s


class CostType(ExtensibleObject, frozen=True, kw_only=True):
    """A cost: amount times ten to the power of amountMultiplier."""

    cost_kind: CostKindEnumType
    amount: int
    amount_multiplier: int | None = None  # -3..3, power of ten


class ConsumptionCostType(ExtensibleObject, frozen=True, kw_only=True):
    """Costs from a level of consumption upwards."""

    start_value: Decimal  # block starts here
    cost: Annotated[list[CostType], Items(min=1, max=3)]


class SalesTariffEntryType(ExtensibleObject, frozen=True, kw_only=True):
    """Price level and costs of one span of time."""

    relative_time_interval: RelativeTimeIntervalType
    e_price_level: Annotated[int, Range(min=0)] | None = None  # small = cheap
    consumption_cost: Annotated[list[ConsumptionCostType], Items(min=1, max=3)] | None = None


class SalesTariffType(ExtensibleObject, frozen=True, kw_only=True):
    """Prices over time for the EV (ISO 15118)."""

    id: int
    sales_tariff_entry: Annotated[list[SalesTariffEntryType], Items(min=1, max=1024)]
    sales_tariff_description: Annotated[str, Text(max=32)] | None = None
    num_e_price_levels: int | None = None  # levels in use


class ChargingSchedulePeriodType(ExtensibleObject, frozen=True, kw_only=True):
    """The limit that holds from its start until the next period starts."""

    start_period: int  # s from schedule start
    limit: Decimal  # A or W, one decimal
    number_phases: int | None = None  # default 3 for AC
    phase_to_use: int | None = None  # 1..3; only with numberPhases 1 and switchable phase


class ChargingScheduleType(ExtensibleObject, frozen=True, kw_only=True):
    """Limits over time, in one unit."""

    id: int
    charging_rate_unit: ChargingRateUnitEnumType  # A per phase, W total
    # first starts at 0, ascending
    charging_schedule_period: Annotated[list[ChargingSchedulePeriodType], Items(min=1, max=1024)]
    start_schedule: DateTimeString | None = None  # needed for Absolute/Recurring, forbidden for Relative
    duration: int | None = None  # s; absent = open end
    min_charging_rate: Decimal | None = None  # hint for balancing
    sales_tariff: SalesTariffType | None = None  # ISO 15118 price data


class ChargingProfileType(ExtensibleObject, frozen=True, kw_only=True):
    """A set of limits with its place among the other profiles.

    Same purpose, stackLevel and EVSE, or same id: replaces.
    """

    id: int  # unique on the station; negative advised for external ones
    stack_level: int  # 0 lowest; higher wins
    charging_profile_purpose: ChargingProfilePurposeEnumType
    charging_profile_kind: ChargingProfileKindEnumType
    charging_schedule: Annotated[list[ChargingScheduleType], Items(min=1, max=3)]  # 1; up to 3 only with ISO 15118
    recurrency_kind: RecurrencyKindEnumType | None = None  # only with Recurring
    valid_from: DateTimeString | None = None  # absent = at once
    valid_to: DateTimeString | None = None  # absent = until replaced
    # only and always for TxProfile (except in a remote start)
    transaction_id: Annotated[str, Text(max=36)] | None = None


class ChargingProfileCriterionType(ExtensibleObject, frozen=True, kw_only=True):
    """Filter of GetChargingProfiles."""

    charging_profile_purpose: ChargingProfilePurposeEnumType | None = None
    stack_level: int | None = None
    charging_profile_id: Annotated[list[int], Items(min=1)] | None = None  # these ids only (then no other filter)
    # source filter
    charging_limit_source: Annotated[list[ChargingLimitSourceEnumType], Items(min=1, max=4)] | None = None


class ClearChargingProfileType(ExtensibleObject, frozen=True, kw_only=True):
    """Filter of ClearChargingProfile; all given members must match."""

    evse_id: int | None = None  # 0 = station level
    charging_profile_purpose: ChargingProfilePurposeEnumType | None = None
    stack_level: int | None = None


class CompositeScheduleType(ExtensibleObject, frozen=True, kw_only=True):
    """The effective limits of an EVSE, all profiles combined."""

    charging_schedule_period: Annotated[list[ChargingSchedulePeriodType], Items(min=1)]
    evse_id: int
    duration: int  # s
    schedule_start: DateTimeString  # periods count from here
    charging_rate_unit: ChargingRateUnitEnumType


class ChargingLimitType(ExtensibleObject, frozen=True, kw_only=True):
    """Who set an external limit."""

    charging_limit_source: ChargingLimitSourceEnumType
    is_grid_critical: bool | None = None
