"""Amounts of money as the API shows them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

AmountText = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?\Z", description="Exact, as a text")]


class Money(msgspec.Struct, frozen=True):
    """An exact amount of a currency (ISO 4217)."""

    amount: AmountText
    currency: str


def money(amount: Decimal, currency: str) -> Money:
    return Money(format(amount, "f"), currency)


def money_or_none(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else money(amount, currency)
