"""Which make a station is of: what it said in its BootNotification."""

from __future__ import annotations

import sys
from typing import Any, Final, NamedTuple

import msgspec


class Make(NamedTuple):
    """Vendor and model as the station said them; None: it has not."""

    vendor: str | None
    model: str | None


UNKNOWN: Final = Make(None, None)


def make(vendor: str | None, model: str | None) -> Make:
    """The make of a station; a fleet of one make shares its names."""
    return Make(None if vendor is None else sys.intern(vendor), None if model is None else sys.intern(model))


def read_make(payload: bytes) -> Make:
    """The make in a BootNotification of any version, which may be one that breaks its schema."""
    try:
        boot = _read(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UNKNOWN
    station = boot.get("chargingStation")
    if isinstance(station, dict):
        return make(_text(station.get("vendorName")), _text(station.get("model")))
    return make(_text(boot.get("chargePointVendor")), _text(boot.get("chargePointModel")))


_read = msgspec.json.Decoder(dict[str, Any]).decode


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
