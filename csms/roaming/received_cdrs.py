"""The CDRs of others: what they come to, and what is doubtful about them (D3, D6, D10, D13, Z17, Z22). A doubt is noted, it refuses
nothing: whether to pay is for people to decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from csms.pricing import BadUsage, Pricer, Tariff, Usage
from csms.pricing.tariff import Price
from csms.pricing.tariff_check import BadTariff, read_tariff
from csms.pricing.usage import EnergyReading, Momentary, ParkingChange, Reservation
from csms.roaming.parties import Folded
from csms.roaming.received import check_storable, new_object
from csms.roaming.room import Allowance
from csms.store.pool import Connection
from csms.store.queries import ocpi_objects, ocpi_received
from csms.store.queries import ocpi_received_cdrs as queries
from csms.store.queries.ocpi_objects import ObjectKey
from csms.store.queries.ocpi_received_cdrs import BookedCdr, Known
from schemas.ocpi221.base import Remark, fold
from schemas.ocpi221.cdrs import CDR, ChargingPeriod, is_repetition
from schemas.ocpi221.merging import Document
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import Reading, read
from schemas.ocpi221.writing import document, encode

_DOUBTS: Final = frozenset({"D3", "D7", "D8", "D10", "D13", "Z17"})
"""Rules of the remarks on a CDR that are about what it costs; all others are for the log of messages."""
_TOLERANCE: Final = Decimal("0.01")
_SHARE: Final = Decimal("0.001")
"""Volumes are rounded to four decimals before others price them: so much of the amount, and a cent, is no difference."""
_LOCAL: Final = ("start_time", "end_time", "start_date", "end_date", "day_of_week")
_ELECTRIC: Final = {"min_power": "MAX_POWER", "max_power": "MAX_POWER", "min_current": "MAX_CURRENT", "max_current": "MAX_CURRENT"}
_PRICES: Final = ("currency", "elements", "min_price", "max_price")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Checked(NamedTuple):
    """A CDR before it is stored. `computed`: what its own tariff makes of its periods, None where that cannot be told."""

    key: ObjectKey
    document: Document
    cdr: CDR
    remarks: tuple[Remark, ...]
    computed: Price | None


def check(key: ObjectKey, given: Document, reading: Reading[CDR], time_zone: str | None) -> Checked:
    """Price it again; takes milliseconds for each hundred periods. `time_zone`: of its location, if that is known. Pure."""
    return Checked(key, given, reading.value, reading.remarks, price_again(reading.value, time_zone))


async def book(
    conn: Connection, tenant_id: int, checked: Checked, own: Collection[Folded], allowance: Allowance
) -> tuple[bool, BookedCdr | None]:
    """Store it with what is doubtful about it; gives whether it is new. `own`: the tenant's eMSP parties.

    A CDR never changes (D2): the same once more is fine; another one with its id raises Unreadable (2001). Raises NoRoom.
    """
    new = new_object(checked.key, checked.document, checked.cdr, allowance.partner_id)
    if not await ocpi_received.insert_objects(conn, tenant_id, [new]):
        stored = await ocpi_objects.get_object(conn, tenant_id, checked.key)
        if stored is None or stored.origin == "own" or not is_repetition(read(CDR, stored.document).value, checked.cdr):
            raise Unreadable("id", "D2", "is that of another CDR, which never changes")
        return False, None
    await allowance.take(conn, tenant_id, checked.key, check_storable(checked.document), objects=1)
    known = await queries.load_known(conn, tenant_id, checked.key, checked.cdr)
    booked = entry(checked, known, own)
    await queries.insert_cdr(conn, tenant_id, booked)
    return True, booked


def entry(checked: Checked, known: Known, own: Collection[Folded]) -> BookedCdr:
    """What goes into the books. Of a credit amounts and energy are negative, whatever sign they came with."""
    cdr, computed = checked.cdr, checked.computed
    sign = -1 if cdr.credit else 1
    total = Price(cdr.total_cost.excl_vat, cdr.total_cost.incl_vat)
    if cdr.credit:
        total = _negative(total)
    if computed is not None and cdr.credit:
        computed = _negative(computed)
    findings = [remark for remark in checked.remarks if remark.rule in _DOUBTS]
    findings += _of_times(cdr)
    findings += _of_credit(cdr, total, known) if cdr.credit else _of_session(cdr, known)
    findings += _of_token(cdr, known, own)
    if computed is not None and _differs(total, computed):
        findings.append(Remark("total_cost", "P1", f"is {_told(total)}, its tariff makes {_told(computed)} of its periods"))
    return BookedCdr(
        key=checked.key,
        end_time=cdr.end_date_time,
        session_id=None if cdr.session_id is None else fold(cdr.session_id),
        credit_of=None if cdr.credit_reference_id is None else fold(cdr.credit_reference_id),
        currency=cdr.currency,
        energy_kwh=sign * cdr.total_energy,
        total=total,
        computed=computed,
        findings=tuple(findings),
    )


def price_again(cdr: CDR, time_zone: str | None) -> Price | None:
    """What the CDR's own tariff makes of its periods; None: it has not exactly one, or does not tell what that one goes by."""
    tariff = _tariff(cdr)
    if tariff is None:
        return None
    restrictions = [element.restrictions for element in tariff.elements if element.restrictions is not None]
    if time_zone is None and any(getattr(each, name) for each in restrictions for name in _LOCAL):
        return None
    needed = {dimension for each in restrictions for name, dimension in _ELECTRIC.items() if getattr(each, name) is not None}
    if needed and not all(needed <= set(_volumes(period)) for period in cdr.charging_periods):
        return None
    try:
        return Pricer(tariff).price(_usage(cdr, time_zone or "UTC")).total_cost
    except (BadUsage, ArithmeticError, OverflowError):
        return None


def _tariff(cdr: CDR) -> Tariff | None:
    used = {fold(period.tariff_id) for period in cdr.charging_periods if period.tariff_id is not None}
    fitting = [tariff for tariff in cdr.tariffs if not used or fold(tariff.id) in used]
    if len(fitting) != 1:
        return None
    whole = document(fitting[0])
    try:
        return read_tariff(encode({"id": "T"} | {name: whole[name] for name in _PRICES if name in whole}))
    except BadTariff:
        return None


def _usage(cdr: CDR, time_zone: str) -> Usage:
    periods = sorted(cdr.charging_periods, key=lambda period: period.start_date_time)
    ends = [period.start_date_time for period in periods[1:]] + [cdr.end_date_time]
    spans = [(period, _volumes(period), end) for period, end in zip(periods, ends, strict=True)]
    reserved = [span for span in spans if _only_reserved(span[1])]
    used = [span for span in spans if not _only_reserved(span[1])]
    reservation = None
    if reserved:
        begin = min(period.start_date_time for period, _, _ in reserved)
        reservation = Reservation(begin, max(end for _, _, end in reserved), expired=not used)
    start = used[0][0].start_date_time if used else cdr.end_date_time
    end = cdr.end_date_time
    wh = Decimal(0)
    readings = [EnergyReading(start, wh)] if used else []
    parking: list[ParkingChange] = []
    momentary: list[Momentary] = []
    for period, volumes, until in used:
        wh += volumes.get("ENERGY", Decimal(0)) * 1000
        readings.append(EnergyReading(until, wh))
        parking += _parking(period.start_date_time, until, volumes)
        power, current = volumes.get("MAX_POWER"), volumes.get("MAX_CURRENT")
        if power is not None or current is not None:
            momentary.append(Momentary(period.start_date_time, None if power is None else power * 1000, current))
    return Usage(start, end, time_zone, readings, parking, momentary, reservation)


def _parking(start: datetime, end: datetime, volumes: dict[str, Decimal]) -> Iterator[ParkingChange]:
    """Where a period has both, what was parked is taken for its end."""
    parked = volumes.get("PARKING_TIME", Decimal(0))
    if not parked or volumes.get("TIME"):
        yield ParkingChange(start, False)
    if parked:
        yield ParkingChange(max(start, end - timedelta(hours=float(parked))) if volumes.get("TIME") else start, True)


def _volumes(period: ChargingPeriod) -> dict[str, Decimal]:
    return {dimension.type: dimension.volume for dimension in period.dimensions}


def _only_reserved(volumes: dict[str, Decimal]) -> bool:
    return "RESERVATION_TIME" in volumes and not any(volumes.get(name) for name in ("TIME", "ENERGY", "PARKING_TIME"))


def _of_times(cdr: CDR) -> Iterable[Remark]:
    if cdr.end_date_time < cdr.start_date_time:
        yield Remark("end_date_time", "D6", "is before start_date_time")
    for name in ("start_date_time", "end_date_time"):
        if getattr(cdr, name) == _EPOCH:
            yield Remark(name, "D10", "is not known")


def _of_credit(cdr: CDR, total: Price, known: Known) -> Iterable[Remark]:
    if cdr.total_cost.excl_vat > 0:
        yield Remark("total_cost", "D3", "is not negative in a credit")
    if known.credited_currency is None or known.credited_total is None:
        yield Remark("credit_reference_id", "D3", "is not that of a CDR known here")
        return
    if known.credited_before:
        yield Remark("credit_reference_id", "D3", "is that of a CDR that was taken back before")
    if known.credited_currency != cdr.currency or abs(known.credited_total + total.excl_vat) > _TOLERANCE:
        taken = f"{known.credited_total} {known.credited_currency}"
        yield Remark("total_cost", "D3", f"is {total.excl_vat} {cdr.currency}, the CDR that is taken back {taken}")


def _of_session(cdr: CDR, known: Known) -> Iterable[Remark]:
    if known.billed_by is not None:
        yield Remark("session_id", "Z22", f"is billed by the CDR {known.billed_by!a} already, which is not taken back")
    if known.session_status is not None and known.session_status not in ("COMPLETED", "RESERVATION"):
        yield Remark("session_id", "Z22", f"is that of a session that is {known.session_status!a}")


def _of_token(cdr: CDR, known: Known, own: Collection[Folded]) -> Iterable[Remark]:
    token = cdr.cdr_token
    if (fold(token.country_code), fold(token.party_id)) not in own:
        yield Remark("cdr_token", "R8", "is of none of our parties")
    elif not known.token:
        yield Remark("cdr_token.uid", "D5", "is no token that we have told anybody of")


def _differs(one: Price, other: Price) -> bool:
    pairs = [(one.excl_vat, other.excl_vat)]
    if one.incl_vat is not None and other.incl_vat is not None:
        pairs.append((one.incl_vat, other.incl_vat))
    return any(abs(a - b) > _TOLERANCE + abs(a) * _SHARE for a, b in pairs)


def _negative(price: Price) -> Price:
    return Price(-abs(price.excl_vat), None if price.incl_vat is None else -abs(price.incl_vat))


def _told(price: Price) -> str:
    return f"{price.excl_vat}" if price.incl_vat is None else f"{price.excl_vat} / {price.incl_vat}"
