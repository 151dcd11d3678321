"""OCPI 2.3.0, module Tariffs."""

from typing import Annotated, Literal

from schemas.ocpi221 import tariffs as ocpi221
from schemas.ocpi221.base import (
    AbsentAs,
    AtLeastOne,
    CountryCode,
    Currency,
    DateTime,
    Id,
    OcpiObject,
    PartyId,
    Url,
)
from schemas.ocpi221.locations import EnergyMix
from schemas.ocpi221.types import DisplayText
from schemas.ocpi230.types import PriceLimit

TaxIncluded = Literal["YES", "NO", "N/A"]


class Tariff(OcpiObject, frozen=True, kw_only=True):
    """Prices of charging, with or without taxes as `tax_included` says. Owner: the CPO."""

    IDENTITY = ocpi221.Tariff.IDENTITY

    country_code: CountryCode
    party_id: PartyId
    id: Id
    currency: Currency
    type: ocpi221.TariffType | str | None = None
    tariff_alt_text: tuple[DisplayText, ...] = ()
    tariff_alt_url: Url | None = None
    min_price: PriceLimit | None = None
    max_price: PriceLimit | None = None
    elements: Annotated[tuple[ocpi221.TariffElement, ...], AtLeastOne()]
    tax_included: Annotated[TaxIncluded | str, AbsentAs("NO", "2.3.0")]
    start_date_time: DateTime | None = None
    end_date_time: DateTime | None = None
    energy_mix: EnergyMix | None = None
    last_updated: DateTime
