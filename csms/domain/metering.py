"""Meter readings in the form the store keeps: values beside an interned shape (design: one row per meterValue)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

CONTEXTS: Final = (
    "Sample.Periodic",
    "Transaction.Begin",
    "Transaction.End",
    "Sample.Clock",
    "Interruption.Begin",
    "Interruption.End",
    "Trigger",
    "Other",
)
"""Reading contexts by their stored number; the first is the standard's default for an absent one."""

CONTEXT_NUMBER: Final = {name: number for number, name in enumerate(CONTEXTS)}

DEFAULT_MEASURAND: Final = "Energy.Active.Import.Register"
DEFAULT_LOCATION: Final = "Outlet"
DEFAULT_UNIT: Final = "Wh"


class Channel(msgspec.Struct, frozen=True, gc=False):
    """What one value of a reading measures; together with the time and the context its identity (rule X11)."""

    measurand: str = DEFAULT_MEASURAND
    phase: str = ""
    location: str = DEFAULT_LOCATION
    unit: str = DEFAULT_UNIT
    multiplier: int = 0
    format: str = "Raw"

    @property
    def is_import_register(self) -> bool:
        """True for the register that energy_wh is taken from."""
        return self.measurand == DEFAULT_MEASURAND and not self.phase and self.location == DEFAULT_LOCATION and self.format == "Raw"


class Reading(msgspec.Struct, gc=False):
    """All values of one meterValue that share a context.

    `values` are decimal texts as sent (never floats); "" where `texts` holds something that is no finite number
    (SignedData, vendor text). `texts` is None when every value is a number.
    """

    ts: datetime | None
    ts_text: str | None
    context: int
    shape: tuple[Channel, ...]
    values: list[str]
    texts: list[str | None] | None = None

    def import_register_wh(self) -> Decimal | None:
        """The Energy.Active.Import.Register of the whole outlet in Wh, if this reading has one."""
        for channel, value in zip(self.shape, self.values, strict=True):
            if value and channel.is_import_register and channel.unit in ("Wh", "kWh"):
                exponent = channel.multiplier + (3 if channel.unit == "kWh" else 0)
                return Decimal(value).scaleb(exponent) if exponent else Decimal(value)
        return None
