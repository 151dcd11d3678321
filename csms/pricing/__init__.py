"""What a session costs: tariffs in OCPI's shape, the usage of a session, and the engine that prices one by the other.

Pure: nothing here reads a clock, a database or a setting, and nothing is a float. How it decides where OCPI is silent stands in
docs/decisions/0024-how-a-session-is-priced.md.
"""

from csms.pricing.cost import Cost
from csms.pricing.engine import Pricer
from csms.pricing.state import OutOfOrder, PricingState
from csms.pricing.tariff import PriceSeries, Tariff
from csms.pricing.tariff_check import BadTariff, check_tariff, read_tariff, write_tariff
from csms.pricing.usage import BadUsage, Usage

__all__ = [
    "BadTariff",
    "BadUsage",
    "Cost",
    "OutOfOrder",
    "PriceSeries",
    "Pricer",
    "PricingState",
    "Tariff",
    "Usage",
    "check_tariff",
    "read_tariff",
    "write_tariff",
]
