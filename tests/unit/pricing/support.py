"""Short ways to say a tariff and a session."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from csms.pricing import Cost, Pricer, PriceSeries, Tariff, Usage, read_tariff
from csms.pricing.usage import EnergyReading, Momentary, ParkingChange, Reservation

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
SATURDAY = datetime(2026, 1, 10, tzinfo=UTC)


def component(kind: str, price: float | str, vat: float | None = None, step: int = 1) -> dict[str, Any]:
    stated = {} if vat is None else {"vat": vat}
    return {"type": kind, "price": price, "step_size": step, **stated}


def element(*components: dict[str, Any], **restrictions: Any) -> dict[str, Any]:
    return {"price_components": list(components), **({"restrictions": restrictions} if restrictions else {})}


def tariff(*elements: dict[str, Any], **others: Any) -> Tariff:
    return read_tariff(json.dumps({"id": "T1", "currency": "EUR", "elements": elements, **others}))


def at(start: datetime, minutes: float) -> datetime:
    return start + timedelta(minutes=minutes)


def usage(
    charged: Sequence[tuple[float, float]],
    start: datetime = MONDAY,
    *,
    parked: float = 0,
    zone: str = "UTC",
    current: float | None = None,
    reserved: float | None = None,
) -> Usage:
    """A session that charges in pieces of (minutes, kWh), then parks; reserved for some minutes before."""
    minutes, wh = 0.0, Decimal(0)
    readings = [EnergyReading(start, wh)]
    for length, kwh in charged:
        minutes, wh = minutes + length, wh + Decimal(str(kwh)) * 1000
        readings.append(EnergyReading(at(start, minutes), wh))
    parking = [ParkingChange(at(start, minutes), True)] if parked else []
    momentary = [] if current is None else [Momentary(start, None, Decimal(str(current)))]
    reservation = None if reserved is None else Reservation(at(start, -reserved), start)
    return Usage(start, at(start, minutes + parked), zone, readings, parking, momentary, reservation)


def expired(minutes: float, end: datetime = MONDAY) -> Usage:
    """A reservation that nobody came for."""
    return Usage(end, end, "UTC", reservation=Reservation(at(end, -minutes), end, expired=True))


def price(priced: Tariff, session: Usage, series: PriceSeries | None = None) -> Cost:
    return (Pricer(priced) if series is None else Pricer(priced, series)).price(session)


def totals(cost: Cost) -> tuple[Decimal, Decimal | None]:
    return cost.total_cost.excl_vat, cost.total_cost.incl_vat
