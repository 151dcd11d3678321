"""Pricers by tariff version, made once and kept: a version never changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from csms.pricing import Pricer, PriceSeries, Tariff

MOST: Final = 1000
"""Pricers kept; a tenant with more tariffs in use only pays for making them anew."""


class Pricers:
    """Not for several threads at once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Pricer] = OrderedDict()

    def of(self, tenant_id: int, version: int, tariff: Tariff, series: PriceSeries) -> Pricer:
        """The pricer of a tariff; those of dynamic tariffs are made anew, since each session has its own part of the series."""
        if tariff.series_id is not None:
            return Pricer(tariff, series)
        key = (tenant_id, tariff.id, version)
        pricer = self._kept.get(key)
        if pricer is None:
            pricer = self._kept[key] = Pricer(tariff)
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return pricer
