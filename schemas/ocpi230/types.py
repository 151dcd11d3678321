"""OCPI 2.3.0, types that several modules share. Some of its enumerations are open: what is unknown there is no fault."""

from decimal import Decimal
from typing import Literal

from schemas.ocpi221 import types as ocpi221
from schemas.ocpi221.base import OcpiObject, Text255

Role = Literal["CPO", "EMSP", "NAP", "NSP", "OTHER", "SCSP"]
TokenType = Literal[ocpi221.TokenType, "EMAID"]


class TaxAmount(OcpiObject, frozen=True, kw_only=True):
    """One tax in a price."""

    name: Text255
    account_number: Text255 | None = None
    percentage: Decimal | None = None
    amount: Decimal


class Price(OcpiObject, frozen=True, kw_only=True):
    """An amount of money. Without `taxes` it is not stated which there are."""

    before_taxes: Decimal
    taxes: tuple[TaxAmount, ...] = ()


class PriceLimit(OcpiObject, frozen=True, kw_only=True):
    """The least or most that a session costs."""

    before_taxes: Decimal
    after_taxes: Decimal | None = None
