"""Datatypes of OCPP 2.1, part 2: charging profiles and schedules."""

from decimal import Decimal
from typing import Annotated

from msgspec import field

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.ocpp21.datatypes.price_schedule import AbsolutePriceScheduleType, PriceLevelScheduleType
from schemas.ocpp21.datatypes.vehicle import DERChargingParametersType, EVEnergyOfferType, V2XChargingParametersType
from schemas.ocpp21.enums import (
    ChargingProfileKindEnumType,
    ChargingProfilePurposeEnumType,
    ControlModeEnumType,
    EnergyTransferModeEnumType,
    MobilityNeedsModeEnumType,
    OperationModeEnumType,
)
from schemas.ocpp201.datatypes import SalesTariffEntryType
from schemas.ocpp201.enums import ChargingRateUnitEnumType, RecurrencyKindEnumType
from schemas.structs import ExtensibleObject


class ACChargingParametersType(ExtensibleObject, frozen=True, kw_only=True):
    """What an EV charging with alternating current states over ISO 15118."""

    energy_amount: Decimal  # Wh wanted
    ev_min_current: Decimal  # A per phase
    ev_max_current: Decimal  # A per phase
    ev_max_voltage: Decimal  # V


class ChargingLimitType(ExtensibleObject, frozen=True, kw_only=True):
    """Who set an external limit."""

    charging_limit_source: Annotated[str, Text(max=20)]  # standard: EMS, Other, SO, CSO
    is_grid_critical: bool | None = None
    is_local_generation: bool | None = None  # extra capacity, not a limit


class DCChargingParametersType(ExtensibleObject, frozen=True, kw_only=True):
    """What an EV charging with direct current states over ISO 15118."""

    ev_max_current: Decimal  # A
    ev_max_voltage: Decimal  # V
    energy_amount: Decimal | None = None  # Wh wanted
    ev_max_power: Decimal | None = None  # W
    state_of_charge: Annotated[int, Range(min=0, max=100)] | None = None  # %
    ev_energy_capacity: Decimal | None = None  # Wh
    full_soc: Annotated[int, Range(min=0, max=100)] | None = field(default=None, name="fullSoC")  # %
    bulk_soc: Annotated[int, Range(min=0, max=100)] | None = field(default=None, name="bulkSoC")  # %


class ChargingNeedsType(ExtensibleObject, frozen=True, kw_only=True):
    """What the EV asks for over ISO 15118."""

    requested_energy_transfer: EnergyTransferModeEnumType
    ac_charging_parameters: ACChargingParametersType | None = None  # AC or DC, one of both
    dc_charging_parameters: DCChargingParametersType | None = None
    departure_time: DateTimeString | None = None  # planned
    der_charging_parameters: DERChargingParametersType | None = None  # inverter data of the EV
    ev_energy_offer: EVEnergyOfferType | None = None  # what the EV would discharge
    v2x_charging_parameters: V2XChargingParametersType | None = None  # 15118-20 limits and needs
    available_energy_transfer: Annotated[list[EnergyTransferModeEnumType], Items(min=1)] | None = None  # modes the EV offers
    control_mode: ControlModeEnumType | None = None  # 15118-20
    mobility_needs_mode: MobilityNeedsModeEnumType | None = None  # who may change targets


class ChargingProfileCriterionType(ExtensibleObject, frozen=True, kw_only=True):
    """Filter of GetChargingProfiles."""

    charging_profile_purpose: ChargingProfilePurposeEnumType | None = None
    stack_level: Annotated[int, Range(min=0)] | None = None
    charging_profile_id: Annotated[list[int], Items(min=1)] | None = None  # these ids only (then no other filter)
    # standard: EMS, Other, SO, CSO
    charging_limit_source: Annotated[list[Annotated[str, Text(max=20)]], Items(min=1, max=4)] | None = None


class V2XFreqWattPointType(ExtensibleObject, frozen=True, kw_only=True):
    """A point of a frequency-power curve."""

    frequency: Decimal  # Hz
    power: Decimal  # W, negative = discharge


class V2XSignalWattPointType(ExtensibleObject, frozen=True, kw_only=True):
    """A point of a signal-power curve."""

    signal: int
    power: Decimal  # W, negative = discharge


class ChargingSchedulePeriodType(ExtensibleObject, frozen=True, kw_only=True):
    """The limit that holds from its start until the next period starts."""

    start_period: int  # s from schedule start
    limit: Decimal | None = None  # A or W, one decimal
    number_phases: Annotated[int, Range(min=0, max=3)] | None = None  # default 3 for AC
    phase_to_use: Annotated[int, Range(min=0, max=3)] | None = None  # 1..3; only with numberPhases 1 and switchable phase
    limit_l2: Decimal | None = field(default=None, name="limit_L2")  # per phase; then `limit` is L1
    limit_l3: Decimal | None = field(default=None, name="limit_L3")  # per phase; then `limit` is L1
    discharge_limit: Annotated[Decimal, Range(max=0)] | None = None  # negative
    discharge_limit_l2: Annotated[Decimal, Range(max=0)] | None = field(default=None, name="dischargeLimit_L2")
    discharge_limit_l3: Annotated[Decimal, Range(max=0)] | None = field(default=None, name="dischargeLimit_L3")
    setpoint: Decimal | None = None  # follow closely; negative = discharge
    setpoint_l2: Decimal | None = field(default=None, name="setpoint_L2")
    setpoint_l3: Decimal | None = field(default=None, name="setpoint_L3")
    setpoint_reactive: Decimal | None = None  # + inductive, - capacitive
    setpoint_reactive_l2: Decimal | None = field(default=None, name="setpointReactive_L2")
    setpoint_reactive_l3: Decimal | None = field(default=None, name="setpointReactive_L3")
    preconditioning_request: bool | None = None  # keep battery ready
    evse_sleep: bool | None = None  # power stage off
    v2x_baseline: Decimal | None = None  # W added to curve values
    operation_mode: OperationModeEnumType | None = None  # default ChargingOnly
    v2x_freq_watt_curve: Annotated[list[V2XFreqWattPointType], Items(min=1, max=20)] | None = None  # for LocalFrequency
    v2x_signal_watt_curve: Annotated[list[V2XSignalWattPointType], Items(min=1, max=20)] | None = None  # for CentralFrequency


class LimitAtSoCType(ExtensibleObject, frozen=True, kw_only=True):
    """A lower limit above a state of charge."""

    soc: Annotated[int, Range(min=0, max=100)]  # %
    limit: Decimal


class SalesTariffType(ExtensibleObject, frozen=True, kw_only=True):
    """Prices over time for the EV (ISO 15118)."""

    id: Annotated[int, Range(min=0)]
    sales_tariff_entry: Annotated[list[SalesTariffEntryType], Items(min=1, max=1024)]
    sales_tariff_description: Annotated[str, Text(max=32)] | None = None
    num_e_price_levels: Annotated[int, Range(min=0)] | None = None  # levels in use


class ChargingScheduleType(ExtensibleObject, frozen=True, kw_only=True):
    """Limits over time, in one unit."""

    id: int
    charging_rate_unit: ChargingRateUnitEnumType  # A per phase, W total
    charging_schedule_period: Annotated[list[ChargingSchedulePeriodType], Items(min=1, max=1024)]
    start_schedule: DateTimeString | None = None  # needed for Absolute/Recurring, forbidden for Relative
    duration: int | None = None  # s; absent = open end
    min_charging_rate: Decimal | None = None  # hint for balancing
    sales_tariff: SalesTariffType | None = None  # ISO 15118 price data
    limit_at_soc: LimitAtSoCType | None = field(default=None, name="limitAtSoC")  # lower limit above a SoC
    power_tolerance: Decimal | None = None  # for EV power profile
    signature_id: Annotated[int, Range(min=0)] | None = None  # referenced by a signature
    digest_value: Annotated[str, Text(max=88)] | None = None  # base64 hash
    use_local_time: bool | None = None  # ignore offsets, use station time
    randomized_delay: Annotated[int, Range(min=0)] | None = None  # s, 0..n random per period
    absolute_price_schedule: AbsolutePriceScheduleType | None = None
    price_level_schedule: PriceLevelScheduleType | None = None


class ChargingProfileType(ExtensibleObject, frozen=True, kw_only=True):
    """A set of limits with its place among the other profiles.

    Same purpose, stackLevel and EVSE, or same id: replaces.
    """

    id: int  # unique on the station; negative advised for external ones
    stack_level: Annotated[int, Range(min=0)]  # 0 lowest; higher wins
    charging_profile_purpose: ChargingProfilePurposeEnumType
    charging_profile_kind: ChargingProfileKindEnumType
    charging_schedule: Annotated[list[ChargingScheduleType], Items(min=1, max=3)]  # 1; up to 3 only with ISO 15118
    recurrency_kind: RecurrencyKindEnumType | None = None  # only with Recurring
    valid_from: DateTimeString | None = None  # absent = at once
    valid_to: DateTimeString | None = None  # absent = until replaced
    transaction_id: Annotated[str, Text(max=36)] | None = None
    max_offline_duration: int | None = None  # s offline until it is invalid
    invalid_after_offline_duration: bool | None = None  # stays invalid afterwards (default false)
    dyn_update_interval: int | None = None  # s between pulls; 0/absent = none
    dyn_update_time: DateTimeString | None = None  # last update
    price_schedule_signature: Annotated[str, Text(max=256)] | None = None  # 15118-20 signature


class ChargingScheduleUpdateType(ExtensibleObject, frozen=True, kw_only=True):
    """Same meaning as in ChargingSchedulePeriodType."""

    limit: Decimal | None = None
    limit_l2: Decimal | None = field(default=None, name="limit_L2")  # per phase; then `limit` is L1
    limit_l3: Decimal | None = field(default=None, name="limit_L3")  # per phase; then `limit` is L1
    discharge_limit: Annotated[Decimal, Range(max=0)] | None = None  # negative
    discharge_limit_l2: Annotated[Decimal, Range(max=0)] | None = field(default=None, name="dischargeLimit_L2")
    discharge_limit_l3: Annotated[Decimal, Range(max=0)] | None = field(default=None, name="dischargeLimit_L3")
    setpoint: Decimal | None = None  # follow closely; negative = discharge
    setpoint_l2: Decimal | None = field(default=None, name="setpoint_L2")
    setpoint_l3: Decimal | None = field(default=None, name="setpoint_L3")
    setpoint_reactive: Decimal | None = None  # + inductive, - capacitive
    setpoint_reactive_l2: Decimal | None = field(default=None, name="setpointReactive_L2")
    setpoint_reactive_l3: Decimal | None = field(default=None, name="setpointReactive_L3")


class ClearChargingProfileType(ExtensibleObject, frozen=True, kw_only=True):
    """Filter of ClearChargingProfile; all given members must match."""

    evse_id: Annotated[int, Range(min=0)] | None = None  # 0 = station level
    charging_profile_purpose: ChargingProfilePurposeEnumType | None = None
    stack_level: Annotated[int, Range(min=0)] | None = None


class CompositeScheduleType(ExtensibleObject, frozen=True, kw_only=True):
    """The effective limits of an EVSE, all profiles combined."""

    charging_schedule_period: Annotated[list[ChargingSchedulePeriodType], Items(min=1)]
    evse_id: Annotated[int, Range(min=0)]
    duration: int  # s
    schedule_start: DateTimeString  # periods count from here
    charging_rate_unit: ChargingRateUnitEnumType
