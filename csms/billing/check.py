"""Whether a CDR can be computed again: the same readings, tariff and prices must give the same amounts. Pure."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from csms.billing.cdr import Basis, Cdr, due, taxes
from csms.pricing import BadUsage, Cost, Pricer, Tariff, Usage

_COMPARED: Final = (
    "start_date_time",
    "end_date_time",
    "currency",
    "total_energy",
    "total_time",
    "total_parking_time",
    "subtotal",
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
    "total_peak_power_cost",
    "charging_periods",
    "lines",
)
"""What a CDR takes over from its cost as it is; a credit leaves them as they were (rule D3)."""

Verdict = Literal["agrees", "differs", "readings_gone", "unusable"]


class Difference(msgspec.Struct, frozen=True):
    """A field of the CDR, what is in it, and what it comes to now; both as JSON."""

    field: str
    recorded: msgspec.Raw
    computed: msgspec.Raw


class CdrCheck(msgspec.Struct, frozen=True):
    """`readings_gone`: the session's readings are past the time that the tenant keeps them, so nothing can be said. `unusable`:
    what is stored of the session cannot be priced any more."""

    cdr_id: str
    number: int
    verdict: Verdict
    differences: list[Difference]


def price_again(cdr: Cdr, basis: Basis, tariff: Tariff, usage: Usage) -> CdrCheck:
    """Price the session by the tariff's version and the series that the CDR was made from, and compare every amount."""
    differences = [] if cdr.tariffs == [tariff] else [_difference("tariffs", cdr.tariffs, [tariff])]
    try:
        as_then = msgspec.structs.replace(usage, time_zone=basis.time_zone, reservation=basis.reservation)
        cost = Pricer(tariff, basis.series).price(as_then)
    except BadUsage:
        return CdrCheck(cdr.id, cdr.number, "unusable", differences)
    differences += _differences(cdr, cost)
    return CdrCheck(cdr.id, cdr.number, "differs" if differences else "agrees", differences)


def _differences(cdr: Cdr, cost: Cost) -> list[Difference]:
    found = [(name, getattr(cdr, name), getattr(cost, name)) for name in _COMPARED]
    sign = -1 if cdr.credit else 1
    total = msgspec.structs.replace(
        cost.total_cost,
        excl_vat=sign * cost.total_cost.excl_vat,
        incl_vat=None if cost.total_cost.incl_vat is None else sign * cost.total_cost.incl_vat,
    )
    payable = due(cost.total_cost, cost.currency)
    found += [
        ("total_cost", cdr.total_cost, total),
        ("amount_due.excl_vat", cdr.amount_due.excl_vat, sign * payable.excl_vat),
        ("amount_due.incl_vat", cdr.amount_due.incl_vat, None if payable.incl_vat is None else sign * payable.incl_vat),
        ("taxes", cdr.taxes, [msgspec.structs.replace(t, excl_vat=sign * t.excl_vat, amount=sign * t.amount) for t in taxes(cost)]),
    ]
    return [_difference(name, recorded, computed) for name, recorded, computed in found if recorded != computed]


def _difference(field: str, recorded: object, computed: object) -> Difference:
    return Difference(field, msgspec.Raw(msgspec.json.encode(recorded)), msgspec.Raw(msgspec.json.encode(computed)))
