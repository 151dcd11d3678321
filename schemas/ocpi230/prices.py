"""Prices of 2.2.1 and of 2.3.0 (digest, 22)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from schemas.ocpi_versions.documents import lose
from schemas.ocpi_versions.losses import Losses
from schemas.ocpi_versions.port import Document

V: Final = "2.3.0"
_VAT: Final = "VAT"
_HUNDRED: Final = Decimal(100)
_FOUR_DECIMALS: Final = Decimal("0.0001")


def price_up(price: Document, losses: Losses) -> Document:
    """Taxes of which 2.2.1 tells no more than the sum; they stay in the document, for those who understand them."""
    before, taxes = price.pop("before_taxes"), price.pop("taxes", None) or []
    price["excl_vat"] = before
    if taxes:
        price["incl_vat"] = before + _sum(taxes)
        if taxes != _one_vat(price):
            price["taxes"] = taxes
    return price


def price_down(price: Document, losses: Losses) -> Document:
    """VAT as the one tax there is, unless the taxes themselves came along and still add up."""
    taxes = price.pop("taxes", None)
    incl = price.pop("incl_vat", None)
    before = price.pop("excl_vat")
    price["before_taxes"] = before
    if incl is not None:
        kept = taxes if isinstance(taxes, list) and _adds_up(taxes, incl - before) else None
        price["taxes"] = kept or _one_vat({"excl_vat": before, "incl_vat": incl})
    elif taxes:
        losses.remark(V, "are not those of a price whose taxes are not stated", "taxes")
    return price


def limit_up(limit: Document, losses: Losses) -> Document:
    """A PriceLimit has both sums as a Price of 2.2.1 does."""
    limit["excl_vat"] = limit.pop("before_taxes")
    after = limit.pop("after_taxes", None)
    if after is not None:
        limit["incl_vat"] = after
    return limit


def limit_down(price: Document) -> Document:
    """What `price_down` made of min_price or max_price, as a limit."""
    taxes = price.pop("taxes", None)
    if taxes:
        price["after_taxes"] = price["before_taxes"] + _sum(taxes)
    return price


def tariff_up(tariff: Document, losses: Losses) -> Document:
    """Prices without tax, whatever they were; `N/A` stays in the document, for those who know of it."""
    included = tariff.pop("tax_included", "NO")
    for index, element in enumerate(tariff["elements"]):
        losses.trail += ["elements", index]
        for number, component in enumerate(element["price_components"]):
            losses.trail += ["price_components", number]
            if included == "YES":
                _take_tax_out(component, losses)
            elif included == "N/A":
                lose(component, losses, V, "vat")
            del losses.trail[-2:]
        del losses.trail[-2:]
    if included == "N/A":
        tariff["tax_included"] = included
    return tariff


def tariff_down(tariff: Document, losses: Losses) -> Document:
    """Prices are without tax in 2.2.1."""
    tariff["tax_included"] = "N/A" if tariff.get("tax_included") == "N/A" else "NO"
    for name in ("min_price", "max_price"):
        if tariff.get(name) is not None:
            tariff[name] = limit_down(tariff[name])
    return tariff


def _take_tax_out(component: Document, losses: Losses) -> None:
    vat = component.get("vat")
    if vat is None or vat <= 0:
        return
    price = (component["price"] * _HUNDRED / (_HUNDRED + vat)).quantize(_FOUR_DECIMALS, ROUND_HALF_UP)
    losses.remark(V, f"{component['price']} with a tax of {vat} % is {price} without", "price")
    component["price"] = price


def _sum(taxes: list[Document]) -> Decimal:
    return sum((tax["amount"] for tax in taxes), Decimal(0))


def _one_vat(price: Document) -> list[Document]:
    return [{"name": _VAT, "amount": price["incl_vat"] - price["excl_vat"]}]


def _adds_up(taxes: list[Any], wanted: Decimal) -> bool:
    """Whether kept taxes are still those of this price: it may have been changed, or come from who knows where."""
    amounts = [tax.get("amount") if isinstance(tax, dict) else None for tax in taxes]
    if not all(isinstance(amount, int | Decimal) for amount in amounts):
        return False
    return sum((Decimal(amount) for amount in amounts if amount is not None), Decimal(0)) == wanted
