"""Charge detail records as OCPI 2.2.1 shapes them (mod_cdrs), made once and never changed. Pure.

Owner (country_code, party_id) is not in here: the record belongs to the tenant, and is published with the party of its connection.
A correction is a credit CDR, which takes the old total back, and a new CDR (rule D3).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

import msgspec

from csms.pricing.cost import ChargingPeriod, Cost, Line
from csms.pricing.exact import to_minor_unit
from csms.pricing.tariff import Price, PriceSeries, Tariff
from csms.pricing.usage import Reservation
from csms.signed_metering import SignedValue

VERSION: Final = 1
"""Of the document's form."""

_NO_VAT: Final = Decimal(0)
_ZERO: Final = Decimal("0.0000")

AuthMethod = Literal["AUTH_REQUEST", "COMMAND", "WHITELIST"]

Hold = Literal["in_doubt", "no_tariff", "unusable", "too_long", "readings_gone"]
"""Why an ended session has no CDR (yet): it has doubts that nobody has settled; no tariff fits; what is stored of it cannot be
priced; or it has more readings than are priced. readings_gone: something of it has changed after its CDR was made, and its readings
are past their retention, so it cannot be priced again."""

MOST_SIGNED: Final = 256 * 1024
"""Bytes of signed values in a CDR."""


class CdrToken(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose session it was, as known when it was billed. `type`: OCPP 2.x name; `parent`: the token that it stood for, whose
    contract it then is. `country_code` and `party_id`: the party whose token it is (OCPI, in capitals); None: the tenant's own."""

    uid: str
    type: str | None = None
    kind: str | None = None
    contract_id: str | None = None
    issuer: str | None = None
    user_type: str | None = None
    parent: str | None = None
    country_code: str | None = None
    party_id: str | None = None


class CdrLocation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where it was. `evse_uid` is ours, `emi3_evse_id` the one that people know; connector ids are wire numbers."""

    charge_point_id: str
    time_zone: str
    location_id: UUID | None = None
    name: str | None = None
    address: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    evse_uid: UUID | None = None
    emi3_evse_id: str | None = None
    evse_id: int | None = None
    connector_id: int | None = None
    connector_type: str | None = None
    max_power_w: int | None = None
    meter_serial: str | None = None


class Tax(msgspec.Struct, frozen=True):
    """What of the total is taxed at one rate, and the tax. `vat` in percent; None: no rate is stated for this part."""

    vat: Decimal | None
    excl_vat: Decimal
    amount: Decimal


class Cdr(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A charge detail record. Volumes in kWh and hours; amounts in `currency` with four decimals, as the engine gives them.
    `amount_due` is `total_cost` in the smallest unit of the currency: what is invoiced.

    One of a reservation that nobody came for has its `reservation_id` and none of a session.

    In a credit CDR `credit_reference_id` is the id of the CDR that is taken back, and `total_cost`, `amount_due` and `taxes` are
    negative; all else is as it was. `signed_values` are those of its begin and its end, and as many in between as
    there is room for. `lines` explain every amount (csms.pricing.cost.Line).
    """

    id: str
    number: int
    session_id: UUID | None = None
    transaction_id: str | None = None
    reservation_id: int | None = None
    start_date_time: datetime
    end_date_time: datetime
    cdr_token: CdrToken | None
    auth_method: AuthMethod
    cdr_location: CdrLocation
    currency: str
    tariff_version: int
    tariffs: list[Tariff]
    charging_periods: list[ChargingPeriod]
    total_cost: Price
    amount_due: Price
    total_fixed_cost: Price
    total_energy: Decimal
    total_energy_cost: Price
    total_time: Decimal
    total_time_cost: Price
    total_parking_time: Decimal
    total_parking_cost: Price
    total_reservation_cost: Price
    total_peak_power_cost: Price
    subtotal: Price
    taxes: list[Tax]
    lines: list[Line]
    issues: list[str]
    stop_reason: str | None = None
    credit: bool = False
    credit_reference_id: str | None = None
    remark: str | None = None
    signed_values: list[SignedValue] = []
    version: int = VERSION


class Basis(msgspec.Struct, frozen=True, omit_defaults=True):
    """What else the cost was computed from, beside the stored readings and the tariff's version: priced again with it, the stored
    session gives the same amounts."""

    start: datetime
    end: datetime
    time_zone: str
    series: PriceSeries = PriceSeries()
    reservation: Reservation | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a CDR tells of a session, or of an unused reservation, beside its cost, as it is when the CDR is made."""

    token: CdrToken | None
    location: CdrLocation
    session_id: UUID | None = None
    transaction_id: str | None = None
    reservation_id: int | None = None
    auth_method: AuthMethod = "COMMAND"
    stop_reason: str | None = None
    signed_values: list[SignedValue] = []


def select_signed(values: Sequence[SignedValue]) -> list[SignedValue]:
    """The signed values that a CDR has room for, in their order: of the begin and the end first."""
    room, kept = MOST_SIGNED, set()
    for index, value in sorted(enumerate(values), key=lambda item: item[1].nature == "Intermediate"):
        room -= len(value.signed_data)
        if room >= 0:
            kept.add(index)
    return [value for index, value in enumerate(values) if index in kept]


def make_cdr(cdr_id: str, number: int, snapshot: Snapshot, tariff: Tariff, tariff_version: int, cost: Cost) -> Cdr:
    """The CDR of what was priced."""
    return Cdr(
        id=cdr_id,
        number=number,
        session_id=snapshot.session_id,
        transaction_id=snapshot.transaction_id,
        reservation_id=snapshot.reservation_id,
        start_date_time=cost.start_date_time,
        end_date_time=cost.end_date_time,
        cdr_token=snapshot.token,
        auth_method=snapshot.auth_method,
        cdr_location=snapshot.location,
        currency=cost.currency,
        tariff_version=tariff_version,
        tariffs=[tariff],
        charging_periods=cost.charging_periods,
        total_cost=cost.total_cost,
        amount_due=due(cost.total_cost, cost.currency),
        total_fixed_cost=cost.total_fixed_cost,
        total_energy=cost.total_energy,
        total_energy_cost=cost.total_energy_cost,
        total_time=cost.total_time,
        total_time_cost=cost.total_time_cost,
        total_parking_time=cost.total_parking_time,
        total_parking_cost=cost.total_parking_cost,
        total_reservation_cost=cost.total_reservation_cost,
        total_peak_power_cost=cost.total_peak_power_cost,
        subtotal=cost.subtotal,
        taxes=taxes(cost),
        lines=cost.lines,
        issues=cost.issues,
        stop_reason=snapshot.stop_reason,
        signed_values=snapshot.signed_values,
    )


def credit(cdr: Cdr, cdr_id: str, number: int) -> Cdr:
    """The CDR that takes `cdr` back (rule D3)."""
    return msgspec.structs.replace(
        cdr,
        id=cdr_id,
        number=number,
        credit=True,
        credit_reference_id=cdr.id,
        total_cost=negated(cdr.total_cost),
        amount_due=negated(cdr.amount_due),
        taxes=[Tax(tax.vat, -tax.excl_vat, -tax.amount) for tax in cdr.taxes],
    )


def same_bill(one: Cdr, other: Cdr) -> bool:
    """True when nothing that anybody is billed by differs: then there is nothing to correct."""
    return _billed(one) == _billed(other)


def _billed(cdr: Cdr) -> Cdr:
    return msgspec.structs.replace(cdr, id="", number=0, remark=None, issues=[], signed_values=[])


def due(price: Price, currency: str) -> Price:
    """An amount in the smallest unit of its currency, halves rounded up."""
    return Price(
        to_minor_unit(price.excl_vat, currency), None if price.incl_vat is None else to_minor_unit(price.incl_vat, currency)
    )


def taxes(cost: Cost) -> list[Tax]:
    """The total by rates of VAT, the lowest first; empty where the tariff states none.

    What a limit of the price changes is taxed as all the rest, where that has one rate, and else stated without a rate.
    """
    if cost.total_cost.incl_vat is None:
        return []
    rates = {line.vat or _NO_VAT for line in cost.lines if line.part != "LIMIT"}
    of_limits = rates.pop() if len(rates) == 1 else None
    sums: dict[Decimal | None, tuple[Decimal, Decimal]] = {}
    for line in cost.lines:
        rate = of_limits if line.part == "LIMIT" else line.vat or _NO_VAT
        excl, incl = sums.get(rate, (_ZERO, _ZERO))
        sums[rate] = excl + line.amount.excl_vat, incl + (line.amount.incl_vat or _ZERO)
    order = sorted(sums, key=lambda rate: (rate is None, rate or _ZERO))
    return [Tax(rate, sums[rate][0], sums[rate][1] - sums[rate][0]) for rate in order]


def money(amount: Decimal, currency: str) -> dict[str, str]:
    """An amount as events and the API tell it (design 2)."""
    return {"amount": str(amount), "currency": currency}


def negated(price: Price) -> Price:
    return Price(-price.excl_vat, None if price.incl_vat is None else -price.incl_vat)
