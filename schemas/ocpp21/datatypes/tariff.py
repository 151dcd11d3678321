"""Datatypes of OCPP 2.1, part 2: tariffs and the cost calculated from them."""

from decimal import Decimal
from typing import Annotated

from schemas.annotations import DateTimeString, Items, Range, Text
from schemas.ocpp21.datatypes.common import MessageContentType, StatusInfoType
from schemas.ocpp21.enums import (
    CostDimensionEnumType,
    DayOfWeekEnumType,
    EvseKindEnumType,
    TariffClearStatusEnumType,
    TariffCostEnumType,
    TariffKindEnumType,
)
from schemas.structs import ExtensibleObject


class CostDimensionType(ExtensibleObject, frozen=True, kw_only=True):
    """An amount of something that is charged for."""

    type: CostDimensionEnumType
    volume: Decimal  # amount of that type


class ChargingPeriodType(ExtensibleObject, frozen=True, kw_only=True):
    """A part of a transaction with one price."""

    start_period: DateTimeString  # ends at the next one
    dimensions: Annotated[list[CostDimensionType], Items(min=1)] | None = None
    tariff_id: Annotated[str, Text(max=60)] | None = None  # tariff used


class ClearTariffsResultType(ExtensibleObject, frozen=True, kw_only=True):
    """What became of one tariff that was to be cleared."""

    status: TariffClearStatusEnumType
    status_info: StatusInfoType | None = None
    tariff_id: Annotated[str, Text(max=60)] | None = None


class TaxRateType(ExtensibleObject, frozen=True, kw_only=True):
    """A tax and its rate."""

    type: Annotated[str, Text(max=20)]
    tax: Decimal  # %
    stack: Annotated[int, Range(min=0)] | None = None  # tax-on-tax order, default 0


class PriceType(ExtensibleObject, frozen=True, kw_only=True):
    """An amount without and with taxes."""

    excl_tax: Decimal | None = None  # one of both needed
    incl_tax: Decimal | None = None  # one of both needed
    tax_rates: Annotated[list[TaxRateType], Items(min=1, max=5)] | None = None


class TotalPriceType(ExtensibleObject, frozen=True, kw_only=True):
    """A total without and with taxes."""

    excl_tax: Decimal | None = None
    incl_tax: Decimal | None = None


class TotalCostType(ExtensibleObject, frozen=True, kw_only=True):
    """The cost of a transaction, by what it was charged for."""

    currency: Annotated[str, Text(max=3)]  # ISO 4217
    type_of_cost: TariffCostEnumType
    total: TotalPriceType
    fixed: PriceType | None = None
    energy: PriceType | None = None
    charging_time: PriceType | None = None
    idle_time: PriceType | None = None
    reservation_time: PriceType | None = None
    reservation_fixed: PriceType | None = None


class TotalUsageType(ExtensibleObject, frozen=True, kw_only=True):
    """Totals of the transaction."""

    energy: Decimal  # energy used (schema gives no unit; Wh elsewhere)
    charging_time: int  # s
    idle_time: int  # s
    reservation_time: int | None = None  # s


class CostDetailsType(ExtensibleObject, frozen=True, kw_only=True):
    """The cost of a transaction as the station calculated it."""

    total_cost: TotalCostType
    total_usage: TotalUsageType
    charging_periods: Annotated[list[ChargingPeriodType], Items(min=1)] | None = None
    failure_to_calculate: bool | None = None  # no cost could be computed
    failure_reason: Annotated[str, Text(max=500)] | None = None  # text


class TariffAssignmentType(ExtensibleObject, frozen=True, kw_only=True):
    """An installed tariff, and for which EVSEs or tokens."""

    tariff_id: Annotated[str, Text(max=60)]
    tariff_kind: TariffKindEnumType
    valid_from: DateTimeString | None = None
    evse_ids: Annotated[list[Annotated[int, Range(min=0)]], Items(min=1)] | None = None
    id_tokens: Annotated[list[Annotated[str, Text(max=255)]], Items(min=1)] | None = None  # for driver tariffs


class TariffConditionsFixedType(ExtensibleObject, frozen=True, kw_only=True):
    """When a fixed price applies: at the start of the transaction."""

    start_time_of_day: str | None = None  # hh:mm local
    end_time_of_day: str | None = None  # hh:mm local; may wrap
    day_of_week: Annotated[list[DayOfWeekEnumType], Items(min=1, max=7)] | None = None
    valid_from_date: str | None = None  # YYYY-MM-DD local, inclusive
    valid_to_date: str | None = None  # exclusive
    evse_kind: EvseKindEnumType | None = None
    # ad hoc payment only; standard: AMEX, ApplePay, Bancontact, BankAxept, Carnet, CartesBancaires, Dankort, Diners, Discover,
    # EftposAustralia, Elo, Girocard, GooglePay, Hipercard, Interac, JCB, Maestro, Mastercard, SamsungPay, UnionPay, VPay, Visa
    payment_brand: Annotated[str, Text(max=20)] | None = None
    # ad hoc payment only; standard: CC, Debit, Alipay, ApplePay, GooglePay, GrabPay, PayPal, SamsungPay, WeChatPay
    payment_recognition: Annotated[str, Text(max=20)] | None = None


class TariffConditionsType(ExtensibleObject, frozen=True, kw_only=True):
    """When a price applies; all given conditions must hold."""

    start_time_of_day: str | None = None  # hh:mm local
    end_time_of_day: str | None = None  # hh:mm local; may wrap
    day_of_week: Annotated[list[DayOfWeekEnumType], Items(min=1, max=7)] | None = None
    valid_from_date: str | None = None  # YYYY-MM-DD local, inclusive
    valid_to_date: str | None = None  # exclusive
    evse_kind: EvseKindEnumType | None = None
    min_energy: Decimal | None = None  # Wh, inclusive
    max_energy: Decimal | None = None  # Wh, exclusive
    min_current: Decimal | None = None  # A, sum of phases
    max_current: Decimal | None = None  # A, sum of phases
    min_power: Decimal | None = None  # W
    max_power: Decimal | None = None  # W
    min_time: int | None = None  # s, whole transaction
    max_time: int | None = None  # s, whole transaction
    min_charging_time: int | None = None  # s charging
    max_charging_time: int | None = None  # s charging
    min_idle_time: int | None = None  # s idle
    max_idle_time: int | None = None  # s idle


class TariffEnergyPriceType(ExtensibleObject, frozen=True, kw_only=True):
    """A price of energy and when it applies."""

    price_kwh: Decimal  # per kWh, excl. tax
    conditions: TariffConditionsType | None = None


class TariffEnergyType(ExtensibleObject, frozen=True, kw_only=True):
    """Prices of energy, and their taxes."""

    prices: Annotated[list[TariffEnergyPriceType], Items(min=1)]
    tax_rates: Annotated[list[TaxRateType], Items(min=1, max=5)] | None = None


class TariffFixedPriceType(ExtensibleObject, frozen=True, kw_only=True):
    """A fixed price and when it applies."""

    price_fixed: Decimal  # excl. tax
    conditions: TariffConditionsFixedType | None = None


class TariffFixedType(ExtensibleObject, frozen=True, kw_only=True):
    """Fixed prices, and their taxes."""

    prices: Annotated[list[TariffFixedPriceType], Items(min=1)]
    tax_rates: Annotated[list[TaxRateType], Items(min=1, max=5)] | None = None


class TariffTimePriceType(ExtensibleObject, frozen=True, kw_only=True):
    """A price of time and when it applies."""

    price_minute: Decimal  # per minute, excl. tax
    conditions: TariffConditionsType | None = None


class TariffTimeType(ExtensibleObject, frozen=True, kw_only=True):
    """Prices of time, and their taxes."""

    prices: Annotated[list[TariffTimePriceType], Items(min=1)]
    tax_rates: Annotated[list[TaxRateType], Items(min=1, max=5)] | None = None


class TariffType(ExtensibleObject, frozen=True, kw_only=True):
    """All parts optional; prices without tax, taxRates per part; conditions are ANDed."""

    tariff_id: Annotated[str, Text(max=60)]
    currency: Annotated[str, Text(max=3)]  # ISO 4217
    description: Annotated[list[MessageContentType], Items(min=1, max=10)] | None = None
    energy: TariffEnergyType | None = None
    valid_from: DateTimeString | None = None  # absent = at once
    charging_time: TariffTimeType | None = None
    idle_time: TariffTimeType | None = None
    fixed_fee: TariffFixedType | None = None
    reservation_time: TariffTimeType | None = None
    reservation_fixed: TariffFixedType | None = None
    min_cost: PriceType | None = None
    max_cost: PriceType | None = None
