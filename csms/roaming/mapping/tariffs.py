"""Tariffs (OCPI mod_tariffs).

What we price and OCPI cannot say is told in words (F5): the price of peak power, and that the price of energy follows a series,
whose fall-back price then stands in the elements. Such tariffs are not kept back for that: who is billed by them must know them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from csms.pricing.tariff import Price as OwnPrice
from csms.pricing.tariff import Tariff as OwnTariff
from csms.roaming.mapping.findings import Finding, Mapped, of_remarks
from csms.roaming.mapping.locations import energy_mix
from schemas.ocpi221.headers import Party
from schemas.ocpi221.tariffs import PriceComponent, Tariff, TariffElement, TariffRestrictions
from schemas.ocpi221.types import DisplayText, Price
from schemas.ocpi221.writing import check

MODULE: Final = "tariffs"
_LANGUAGE: Final = "en"
_SECONDS_A_MINUTE: Final = 60


def map_tariff(source: OwnTariff, owner: Party, at: datetime) -> Mapped[Tariff]:
    """The version that is in force, as partners get it, with last_updated `at`; checked."""
    tariff = ocpi_tariff(source, owner, at)
    findings = of_remarks(MODULE, source.id, check(tariff))
    if source.extensions is not None and not findings:
        reason = "OCPI has no such prices: they are told in tariff_alt_text, and in CDRs with the total"
        told = Finding(MODULE, source.id, "extensions", reason, "assumed")
        return Mapped(tariff, (told,))
    return Mapped(None if findings else tariff, tuple(findings))


def ocpi_tariff(source: OwnTariff, owner: Party, at: datetime) -> Tariff:
    """The tariff in OCPI's terms, not checked: CDRs carry it as it was (D5)."""
    return Tariff(
        country_code=owner.country_code,
        party_id=owner.party_id,
        id=source.id,
        currency=source.currency,
        type=source.type,
        tariff_alt_text=(
            *(DisplayText(language=text.language, text=text.text) for text in source.tariff_alt_text),
            *(DisplayText(language=_LANGUAGE, text=text) for text in _in_words(source)),
        ),
        tariff_alt_url=source.tariff_alt_url,
        min_price=_price(source.min_price),
        max_price=_price(source.max_price),
        elements=tuple(
            TariffElement(
                price_components=tuple(
                    PriceComponent(type=one.type, price=one.price, vat=one.vat, step_size=one.step_size)
                    for one in element.price_components
                ),
                restrictions=None
                if element.restrictions is None
                else TariffRestrictions(
                    **{name: getattr(element.restrictions, name) for name in element.restrictions.__struct_fields__}
                ),
            )
            for element in source.elements
        ),
        start_date_time=source.start_date_time,
        end_date_time=source.end_date_time,
        energy_mix=energy_mix(source.energy_mix),
        last_updated=at,
    )


def _in_words(source: OwnTariff) -> Iterator[str]:
    if source.extensions is None:
        return
    peak, dynamic = source.extensions.peak_power, source.extensions.dynamic_energy
    if peak is not None:
        yield (
            f"In addition {_number(peak.price)} {source.currency} per kW of the highest average power in "
            f"{peak.window // _SECONDS_A_MINUTE} minutes{_vat(peak.vat)}."
        )
    if dynamic is not None:
        factor = "" if dynamic.factor == 1 else f" times {_number(dynamic.factor)}"
        markup = "" if dynamic.markup == 0 else f" plus {_number(dynamic.markup)} {source.currency}"
        yield (
            f"The price of energy changes with time: the price series {dynamic.series}{factor}{markup} per kWh without VAT. "
            "The price of energy given here holds where the series has none."
        )


def _vat(vat: Decimal | None) -> str:
    return "" if vat is None else f" without VAT ({_number(vat)} %)"


def _number(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _price(source: OwnPrice | None) -> Price | None:
    return None if source is None else Price(excl_vat=source.excl_vat, incl_vat=source.incl_vat)
