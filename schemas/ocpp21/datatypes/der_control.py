"""Datatypes of OCPP 2.1, part 2: settings of distributed energy resources."""

from decimal import Decimal
from typing import Annotated

from msgspec import field

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.ocpp21.enums import DERControlEnumType, DERUnitEnumType, PowerDuringCessationEnumType
from schemas.structs import ExtensibleObject


class DERCurvePointsType(ExtensibleObject, frozen=True, kw_only=True):
    """A point of a DER curve."""

    x: Decimal  # meaning by curve type
    y: Decimal  # in yUnit


class HysteresisType(ExtensibleObject, frozen=True, kw_only=True):
    """How a DER function returns to normal."""

    hysteresis_high: Decimal | None = None
    hysteresis_low: Decimal | None = None
    hysteresis_delay: Decimal | None = None  # s
    hysteresis_gradient: Decimal | None = None  # %/s


class ReactivePowerParamsType(ExtensibleObject, frozen=True, kw_only=True):
    """Parameters of a Volt-Var curve."""

    v_ref: Decimal | None = None
    autonomous_v_ref_enable: bool | None = None
    autonomous_v_ref_time_constant: Decimal | None = None


class VoltageParamsType(ExtensibleObject, frozen=True, kw_only=True):
    """Parameters of voltage ride-through."""

    hv10_min_mean_value: Decimal | None = None  # 10-minute mean trip level
    hv10_min_mean_trip_delay: Decimal | None = None  # s
    power_during_cessation: PowerDuringCessationEnumType | None = None


class DERCurveType(ExtensibleObject, frozen=True, kw_only=True):
    """Up to 10 points; startTime and duration only for scheduled curves."""

    curve_data: Annotated[list[DERCurvePointsType], Items(min=1, max=10)]
    priority: Annotated[int, Range(min=0)]  # 0 = highest
    y_unit: DERUnitEnumType
    hysteresis: HysteresisType | None = None
    reactive_power_params: ReactivePowerParamsType | None = None
    voltage_params: VoltageParamsType | None = None
    response_time: Decimal | None = None  # s to 90 %
    start_time: DateTimeString | None = None  # scheduled only
    duration: Decimal | None = None  # s, scheduled only


class DERCurveGetType(ExtensibleObject, frozen=True, kw_only=True):
    """A DER curve as the station reports it."""

    curve: DERCurveType
    id: Annotated[str, Text(max=36)]
    curve_type: DERControlEnumType
    is_default: bool
    is_superseded: bool  # pushed aside by a higher priority


class EnterServiceType(ExtensibleObject, frozen=True, kw_only=True):
    """When an inverter may enter service."""

    priority: Annotated[int, Range(min=0)]  # 0 = highest
    high_voltage: Decimal
    low_voltage: Decimal
    high_freq: Decimal
    low_freq: Decimal
    delay: Decimal | None = None  # s
    random_delay: Decimal | None = None  # s
    ramp_rate: Decimal | None = None  # s


class EnterServiceGetType(ExtensibleObject, frozen=True, kw_only=True):
    """EnterService settings as the station reports them."""

    enter_service: EnterServiceType
    id: Annotated[str, Text(max=36)]


class FixedPFType(ExtensibleObject, frozen=True, kw_only=True):
    """A fixed power factor."""

    priority: Annotated[int, Range(min=0)]  # 0 = highest
    displacement: Decimal  # cos phi 0..1
    excitation: bool  # true = absorbing
    start_time: DateTimeString | None = None  # scheduled only
    duration: Decimal | None = None  # s, scheduled only


class FixedPFGetType(ExtensibleObject, frozen=True, kw_only=True):
    """A fixed power factor as the station reports it."""

    fixed_pf: FixedPFType = field(name="fixedPF")
    id: Annotated[str, Text(max=36)]
    is_default: bool
    is_superseded: bool  # pushed aside by a higher priority


class FixedVarType(ExtensibleObject, frozen=True, kw_only=True):
    """A fixed reactive power."""

    priority: Annotated[int, Range(min=0)]  # 0 = highest
    setpoint: Decimal  # -100..100 %
    unit: DERUnitEnumType
    start_time: DateTimeString | None = None  # scheduled only
    duration: Decimal | None = None  # s, scheduled only


class FixedVarGetType(ExtensibleObject, frozen=True, kw_only=True):
    """A fixed reactive power as the station reports it."""

    fixed_var: FixedVarType
    id: Annotated[str, Text(max=36)]
    is_default: bool
    is_superseded: bool  # pushed aside by a higher priority


class FreqDroopType(ExtensibleObject, frozen=True, kw_only=True):
    """Frequency droop: how power follows the grid's frequency."""

    priority: Annotated[int, Range(min=0)]  # 0 = highest
    over_freq: Decimal  # droop start above
    under_freq: Decimal  # droop start below
    over_droop: Decimal
    under_droop: Decimal
    response_time: Decimal  # s
    start_time: DateTimeString | None = None  # scheduled only
    duration: Decimal | None = None  # s, scheduled only


class FreqDroopGetType(ExtensibleObject, frozen=True, kw_only=True):
    """Frequency droop as the station reports it."""

    freq_droop: FreqDroopType
    id: Annotated[str, Text(max=36)]
    is_default: bool
    is_superseded: bool  # pushed aside by a higher priority


class GradientType(ExtensibleObject, frozen=True, kw_only=True):
    """How fast power may change."""

    priority: Annotated[int, Range(min=0)]  # 0 = highest
    gradient: Decimal  # ramp s
    soft_gradient: Decimal  # soft-start ramp s


class GradientGetType(ExtensibleObject, frozen=True, kw_only=True):
    """Gradient settings as the station reports them."""

    gradient: GradientType
    id: Annotated[str, Text(max=36)]


class LimitMaxDischargeType(ExtensibleObject, frozen=True, kw_only=True):
    """A limit of the discharging power."""

    priority: Annotated[int, Range(min=0)]  # 0 = highest
    pct_max_discharge_power: Decimal | None = None  # % of rating
    power_monitoring_must_trip: DERCurveType | None = None
    start_time: DateTimeString | None = None  # scheduled only
    duration: Decimal | None = None  # s, scheduled only


class LimitMaxDischargeGetType(ExtensibleObject, frozen=True, kw_only=True):
    """A limit of the discharging power as the station reports it."""

    id: Annotated[str, Text(max=36)]
    is_default: bool
    is_superseded: bool  # pushed aside by a higher priority
    limit_max_discharge: LimitMaxDischargeType
