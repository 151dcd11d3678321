"""Datatypes of OCPP 2.1, part 2: what an EV can and wants, by ISO 15118-20."""

from decimal import Decimal
from typing import Annotated

from msgspec import field

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.ocpp21.enums import DERControlEnumType, IslandingDetectionEnumType
from schemas.structs import ExtensibleObject


class DERChargingParametersType(ExtensibleObject, frozen=True, kw_only=True):
    """ISO 15118-20 inverter data (AC_BPT_DER). Powers in W/VA/var; without _L2/_L3 the plain field is the sum of
    phases, with them it is L1.
    """

    ev_supported_der_control: Annotated[list[DERControlEnumType], Items(min=1)] | None = field(
        default=None, name="evSupportedDERControl"
    )
    ev_over_excited_max_discharge_power: Decimal | None = None
    ev_over_excited_power_factor: Decimal | None = None
    ev_under_excited_max_discharge_power: Decimal | None = None
    ev_under_excited_power_factor: Decimal | None = None
    max_apparent_power: Decimal | None = None
    max_charge_apparent_power: Decimal | None = None
    max_charge_apparent_power_l2: Decimal | None = field(default=None, name="maxChargeApparentPower_L2")
    max_charge_apparent_power_l3: Decimal | None = field(default=None, name="maxChargeApparentPower_L3")
    max_discharge_apparent_power: Decimal | None = None
    max_discharge_apparent_power_l2: Decimal | None = field(default=None, name="maxDischargeApparentPower_L2")
    max_discharge_apparent_power_l3: Decimal | None = field(default=None, name="maxDischargeApparentPower_L3")
    max_charge_reactive_power: Decimal | None = None
    max_charge_reactive_power_l2: Decimal | None = field(default=None, name="maxChargeReactivePower_L2")
    max_charge_reactive_power_l3: Decimal | None = field(default=None, name="maxChargeReactivePower_L3")
    min_charge_reactive_power: Decimal | None = None
    min_charge_reactive_power_l2: Decimal | None = field(default=None, name="minChargeReactivePower_L2")
    min_charge_reactive_power_l3: Decimal | None = field(default=None, name="minChargeReactivePower_L3")
    max_discharge_reactive_power: Decimal | None = None
    max_discharge_reactive_power_l2: Decimal | None = field(default=None, name="maxDischargeReactivePower_L2")
    max_discharge_reactive_power_l3: Decimal | None = field(default=None, name="maxDischargeReactivePower_L3")
    min_discharge_reactive_power: Decimal | None = None
    min_discharge_reactive_power_l2: Decimal | None = field(default=None, name="minDischargeReactivePower_L2")
    min_discharge_reactive_power_l3: Decimal | None = field(default=None, name="minDischargeReactivePower_L3")
    nominal_voltage: Decimal | None = None
    nominal_voltage_offset: Decimal | None = None
    max_nominal_voltage: Decimal | None = None
    min_nominal_voltage: Decimal | None = None
    ev_inverter_manufacturer: Annotated[str, Text(max=50)] | None = None
    ev_inverter_model: Annotated[str, Text(max=50)] | None = None
    ev_inverter_serial_number: Annotated[str, Text(max=50)] | None = None
    ev_inverter_sw_version: Annotated[str, Text(max=50)] | None = None
    ev_inverter_hw_version: Annotated[str, Text(max=50)] | None = None
    ev_islanding_detection_method: Annotated[list[IslandingDetectionEnumType], Items(min=1)] | None = None
    ev_islanding_trip_time: Decimal | None = None
    ev_maximum_level1_dc_injection: Decimal | None = field(default=None, name="evMaximumLevel1DCInjection")
    ev_duration_level1_dc_injection: Decimal | None = field(default=None, name="evDurationLevel1DCInjection")
    ev_maximum_level2_dc_injection: Decimal | None = field(default=None, name="evMaximumLevel2DCInjection")
    ev_duration_level2_dc_injection: Decimal | None = field(default=None, name="evDurationLevel2DCInjection")
    ev_reactive_susceptance: Decimal | None = None
    ev_session_total_discharge_energy_available: Decimal | None = None


class EVPriceRuleType(ExtensibleObject, frozen=True, kw_only=True):
    """The EV's price from a power on."""

    energy_fee: Decimal  # per kWh
    power_range_start: Decimal  # from this power on


class EVAbsolutePriceScheduleEntryType(ExtensibleObject, frozen=True, kw_only=True):
    """The EV's prices of a span of time."""

    duration: int  # s
    ev_price_rule: Annotated[list[EVPriceRuleType], Items(min=1, max=8)]


class EVAbsolutePriceScheduleType(ExtensibleObject, frozen=True, kw_only=True):
    """What the EV wants to be paid for energy, over time."""

    time_anchor: DateTimeString  # start
    currency: Annotated[str, Text(max=3)]  # ISO 4217
    ev_absolute_price_schedule_entries: Annotated[list[EVAbsolutePriceScheduleEntryType], Items(min=1, max=1024)]
    price_algorithm: Annotated[str, Text(max=2000)]


class EVPowerScheduleEntryType(ExtensibleObject, frozen=True, kw_only=True):
    """The EV's power of a span of time."""

    duration: int  # s
    power: Decimal  # W, negative = discharge


class EVPowerScheduleType(ExtensibleObject, frozen=True, kw_only=True):
    """The power that the EV offers, over time."""

    ev_power_schedule_entries: Annotated[list[EVPowerScheduleEntryType], Items(min=1, max=1024)]
    time_anchor: DateTimeString  # start


class EVEnergyOfferType(ExtensibleObject, frozen=True, kw_only=True):
    """What the EV would discharge, and at which price."""

    ev_power_schedule: EVPowerScheduleType
    ev_absolute_price_schedule: EVAbsolutePriceScheduleType | None = None


class V2XChargingParametersType(ExtensibleObject, frozen=True, kw_only=True):
    """ISO 15118-20 limits (W, A, V) and energy needs (Wh). Plain field = sum, or L1 if _L2/_L3 are given."""

    min_charge_power: Decimal | None = None
    min_charge_power_l2: Decimal | None = field(default=None, name="minChargePower_L2")
    min_charge_power_l3: Decimal | None = field(default=None, name="minChargePower_L3")
    max_charge_power: Decimal | None = None
    max_charge_power_l2: Decimal | None = field(default=None, name="maxChargePower_L2")
    max_charge_power_l3: Decimal | None = field(default=None, name="maxChargePower_L3")
    min_discharge_power: Decimal | None = None
    min_discharge_power_l2: Decimal | None = field(default=None, name="minDischargePower_L2")
    min_discharge_power_l3: Decimal | None = field(default=None, name="minDischargePower_L3")
    max_discharge_power: Decimal | None = None
    max_discharge_power_l2: Decimal | None = field(default=None, name="maxDischargePower_L2")
    max_discharge_power_l3: Decimal | None = field(default=None, name="maxDischargePower_L3")
    min_charge_current: Decimal | None = None
    max_charge_current: Decimal | None = None
    min_discharge_current: Decimal | None = None
    max_discharge_current: Decimal | None = None
    min_voltage: Decimal | None = None
    max_voltage: Decimal | None = None
    ev_target_energy_request: Decimal | None = None
    ev_min_energy_request: Decimal | None = None
    ev_max_energy_request: Decimal | None = None
    ev_min_v2_x_energy_request: Decimal | None = None
    ev_max_v2_x_energy_request: Decimal | None = None
    target_soc: Annotated[int, Range(min=0, max=100)] | None = field(default=None, name="targetSoC")
