"""Datatypes of OCPP 2.1, part 2: price schedules of ISO 15118-20, carried for the EV."""

from typing import Annotated

from msgspec import field

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.structs import ExtensibleObject


class RationalNumberType(ExtensibleObject, frozen=True, kw_only=True):
    """A number as value times a power of ten."""

    exponent: int
    value: int  # times 10^exponent


class AdditionalSelectedServicesType(ExtensibleObject, frozen=True, kw_only=True):
    """A service beside charging, and its fee."""

    service_fee: RationalNumberType
    service_name: Annotated[str, Text(max=80)]


class OverstayRuleType(ExtensibleObject, frozen=True, kw_only=True):
    """The fee for staying too long, from some time on."""

    overstay_fee: RationalNumberType
    start_time: int  # s
    overstay_fee_period: int  # s
    overstay_rule_description: Annotated[str, Text(max=32)] | None = None


class OverstayRuleListType(ExtensibleObject, frozen=True, kw_only=True):
    """All fees for staying too long."""

    overstay_rule: Annotated[list[OverstayRuleType], Items(min=1, max=5)]
    overstay_power_threshold: RationalNumberType | None = None
    overstay_time_threshold: int | None = None  # s


class PriceRuleType(ExtensibleObject, frozen=True, kw_only=True):
    """The price from a power on."""

    energy_fee: RationalNumberType
    power_range_start: RationalNumberType
    parking_fee_period: int | None = None
    carbon_dioxide_emission: Annotated[int, Range(min=0)] | None = None  # g/kWh
    renewable_generation_percentage: Annotated[int, Range(min=0, max=100)] | None = None  # %
    parking_fee: RationalNumberType | None = None


class PriceRuleStackType(ExtensibleObject, frozen=True, kw_only=True):
    """The prices of a span of time."""

    duration: int  # s
    price_rule: Annotated[list[PriceRuleType], Items(min=1, max=8)]


class TaxRuleType(ExtensibleObject, frozen=True, kw_only=True):
    """A tax and what it applies to."""

    tax_rule_id: Annotated[int, Range(min=0)] = field(name="taxRuleID")
    applies_to_energy_fee: bool
    applies_to_parking_fee: bool
    applies_to_overstay_fee: bool
    applies_to_minimum_maximum_cost: bool
    tax_rate: RationalNumberType
    tax_rule_name: Annotated[str, Text(max=100)] | None = None
    tax_included_in_price: bool | None = None


class AbsolutePriceScheduleType(ExtensibleObject, frozen=True, kw_only=True):
    """ISO 15118-20 price schedule (carried for the EV)."""

    time_anchor: DateTimeString  # start
    price_schedule_id: Annotated[int, Range(min=0)] = field(name="priceScheduleID")
    currency: Annotated[str, Text(max=3)]  # ISO 4217
    language: Annotated[str, Text(max=8)]  # ISO 639
    price_algorithm: Annotated[str, Text(max=2000)]  # URN
    price_rule_stacks: Annotated[list[PriceRuleStackType], Items(min=1, max=1024)]
    price_schedule_description: Annotated[str, Text(max=160)] | None = None
    minimum_cost: RationalNumberType | None = None
    maximum_cost: RationalNumberType | None = None
    tax_rules: Annotated[list[TaxRuleType], Items(min=1, max=10)] | None = None
    overstay_rule_list: OverstayRuleListType | None = None
    additional_selected_services: Annotated[list[AdditionalSelectedServicesType], Items(min=1, max=5)] | None = None


class PriceLevelScheduleEntryType(ExtensibleObject, frozen=True, kw_only=True):
    """The price level of a span of time."""

    duration: int  # s
    price_level: Annotated[int, Range(min=0)]


class PriceLevelScheduleType(ExtensibleObject, frozen=True, kw_only=True):
    """ISO 15118-20 price levels (carried for the EV)."""

    price_level_schedule_entries: Annotated[list[PriceLevelScheduleEntryType], Items(min=1, max=100)]
    time_anchor: DateTimeString  # start
    price_schedule_id: Annotated[int, Range(min=0)]
    number_of_price_levels: Annotated[int, Range(min=0)]
    price_schedule_description: Annotated[str, Text(max=32)] | None = None
