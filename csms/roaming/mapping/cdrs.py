"""CDRs of other parties' tokens (OCPI mod_cdrs), from the records as they were made.

What a record does not know of its place is taken from the place as it is now (D5 as far as it goes): a CDR that is not sent is
never paid. For the same reason the address is cut to the 45 characters that a CDR still has room for. OCPI has no part for peak
power: it is told with the fixed cost, so that the parts add up (D13), and the remark says so.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from csms.billing.cdr import Cdr as OwnCdr
from csms.billing.cdr import CdrLocation as OwnLocation
from csms.pricing.tariff import Price as OwnPrice
from csms.roaming.countries import alpha3
from csms.roaming.details import ConnectorDetails
from csms.roaming.mapping.connectors import Electrics, electrics
from csms.roaming.mapping.findings import Finding, Mapped, of_remarks
from csms.roaming.mapping.sessions import auth_method, periods, price
from csms.roaming.mapping.tariffs import ocpi_tariff
from csms.roaming.sources import LocationSource, Vouching
from csms.signed_metering import SignedValue as OwnSignedValue
from csms.signed_metering.containers import container_of
from schemas.ocpi221.base import NOT_AVAILABLE
from schemas.ocpi221.cdrs import CDR, CdrLocation, CdrToken, SignedData, SignedValue
from schemas.ocpi221.headers import Party
from schemas.ocpi221.locations import GeoLocation
from schemas.ocpi221.scalars import write_coordinate
from schemas.ocpi221.writing import check

MODULE: Final = "cdrs"
_LONGEST_ADDRESS: Final = 45
_LONGEST_STATE: Final = 20
_LONGEST_POSTAL_CODE: Final = 10
_LONGEST_VALUE: Final = 5_000
_LONGEST_KEY: Final = 512
_UNKNOWN_METHOD: Final = "unknown"
_ANY_CONNECTOR: Final = Electrics("IEC_62196_T2", "SOCKET", "AC_3_PHASE", 0, 0, None, ())
"""Of a reservation that nobody came for: OCPI demands one, and whoever reads it ignores it (B8)."""


def map_cdr(
    source: OwnCdr,
    session_id: UUID,
    owner: Party,
    token: CdrToken,
    vouching: Vouching | None,
    place: LocationSource | None,
    connector: ConnectorDetails,
    at: datetime,
) -> Mapped[CDR]:
    """A CDR or credit CDR (D3) that is made known `at` (D11); checked. `session_id`: by which partners know its session; `place`:
    the location as it is now; `connector`: what is entered for the connector that was used."""
    location, findings = _location(source, place, connector)
    if location is None:
        return Mapped(None, tuple(findings))
    signed, found = _signed_data(source)
    findings += found
    peak = source.total_peak_power_cost
    remarks = [source.remark] if source.remark else []
    if peak.excl_vat:
        remarks.append(f"total_fixed_cost includes {peak.excl_vat} {source.currency} without VAT for peak power.")
    cdr = CDR(
        country_code=owner.country_code,
        party_id=owner.party_id,
        id=source.id,
        start_date_time=source.start_date_time,
        end_date_time=source.end_date_time,
        session_id=str(session_id),
        cdr_token=token,
        auth_method=auth_method(vouching, by_command=source.auth_method == "COMMAND"),
        authorization_reference=None if vouching is None else vouching.reference,
        cdr_location=location,
        meter_id=source.cdr_location.meter_serial,
        currency=source.currency,
        tariffs=tuple(ocpi_tariff(tariff, owner, source.start_date_time) for tariff in source.tariffs),
        charging_periods=periods(source.charging_periods),
        signed_data=signed,
        total_cost=price(source.total_cost),
        total_fixed_cost=price(_sum(source.total_fixed_cost, peak)),
        total_energy=source.total_energy,
        total_energy_cost=price(source.total_energy_cost),
        total_time=source.total_time,
        total_time_cost=price(source.total_time_cost),
        total_parking_time=source.total_parking_time,
        total_parking_cost=price(source.total_parking_cost),
        total_reservation_cost=price(source.total_reservation_cost) if source.total_reservation_cost.excl_vat else None,
        remark=" ".join(remarks) or None,
        credit=True if source.credit else None,
        credit_reference_id=source.credit_reference_id,
        last_updated=at,
    )
    faults = of_remarks(MODULE, source.id, check(cdr))
    return Mapped(None if faults else cdr, (*findings, *faults))


def _location(source: OwnCdr, place: LocationSource | None, details: ConnectorDetails) -> tuple[CdrLocation | None, list[Finding]]:
    was = source.cdr_location
    findings = []

    def lacks(field: str, reason: str = "is not known") -> None:
        findings.append(Finding(MODULE, source.id, f"cdr_location.{field}", reason, charge_point_id=was.charge_point_id))

    unused = source.reservation_id is not None
    found = electrics(was.connector_type, was.max_power_w, details) or (_ANY_CONNECTOR if unused else None)
    if found is None:
        lacks("connector_type", "is not known, or has no name in OCPI 2.2.1")
    address, city, country = _known(was, place, "address"), _known(was, place, "city"), _known(was, place, "country")
    latitude = was.latitude if was.latitude is not None or place is None else place.latitude
    longitude = was.longitude if was.longitude is not None or place is None else place.longitude
    for field, value in (("address", address), ("city", city), ("latitude", latitude), ("longitude", longitude)):
        if value is None:
            lacks(field)
    if country is None or alpha3(country) is None:
        lacks("country")
    for field in ("location_id",) if unused else ("location_id", "evse_uid", "connector_id"):
        if getattr(was, field) is None:
            lacks(field)
    if findings or found is None or latitude is None or longitude is None:
        return None, findings
    address = address or ""
    if len(address) > _LONGEST_ADDRESS:
        reason = f"is cut to the {_LONGEST_ADDRESS} characters of a CDR"
        findings.append(Finding(MODULE, source.id, "cdr_location.address", reason, "assumed"))
    state = None if place is None else place.details.state
    postal_code = _known(was, place, "postal_code")
    location = CdrLocation(
        id=str(was.location_id),
        name=_known(was, place, "name"),
        address=address[:_LONGEST_ADDRESS],
        city=city or "",
        postal_code=postal_code if postal_code is None or len(postal_code) <= _LONGEST_POSTAL_CODE else None,
        state=state if state is None or len(state) <= _LONGEST_STATE else None,
        country=alpha3(country or "") or "",
        coordinates=GeoLocation(latitude=write_coordinate(latitude), longitude=write_coordinate(longitude)),
        evse_uid=NOT_AVAILABLE if was.evse_uid is None else str(was.evse_uid),
        evse_id=was.emi3_evse_id or NOT_AVAILABLE,
        connector_id=NOT_AVAILABLE if was.connector_id is None else str(was.connector_id),
        connector_standard=found.standard,
        connector_format=found.format,
        connector_power_type=found.power_type,
    )
    return location, findings


def _known(was: OwnLocation, place: LocationSource | None, name: str) -> str | None:
    value: str | None = getattr(was, name)
    if value is not None or place is None:
        return value
    now: str | None = getattr(place, name)
    return now


def _signed_data(source: OwnCdr) -> tuple[SignedData | None, list[Finding]]:
    if not source.signed_values:
        return None, []
    fitting = [value for value in map(_signed_value, source.signed_values) if value is not None]
    findings = []
    if len(fitting) < len(source.signed_values):
        reason = (
            f"{len(source.signed_values) - len(fitting)} signed values are longer than {_LONGEST_VALUE} characters and left out"
        )
        findings.append(Finding(MODULE, source.id, "signed_data", reason, "assumed"))
    if not fitting:
        return None, findings
    key = _first(value.public_key for value in source.signed_values)
    if key is not None and len(key) > _LONGEST_KEY:
        findings.append(Finding(MODULE, source.id, "signed_data.public_key", f"is longer than {_LONGEST_KEY}: left out", "assumed"))
        key = None
    method = _first(value.encoding_method for value in source.signed_values) or _UNKNOWN_METHOD
    return SignedData(encoding_method=method, public_key=key, signed_values=tuple(fitting)), findings


def _signed_value(source: OwnSignedValue) -> SignedValue | None:
    """`plain_data` is the container as its meter wrote it, where that is text; `signed_data` the same in base64."""
    container = container_of(source.signed_data)
    encoded = base64.b64encode(container).decode()
    try:
        plain = container.decode()
    except UnicodeDecodeError:
        plain = encoded
    if not plain.isprintable():
        plain = encoded
    if max(len(plain), len(encoded)) > _LONGEST_VALUE:
        return None
    return SignedValue(nature=source.nature, plain_data=plain, signed_data=encoded)


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)


def _sum(one: OwnPrice, other: OwnPrice) -> OwnPrice:
    if one.incl_vat is None or other.incl_vat is None:
        return OwnPrice(one.excl_vat + other.excl_vat, one.incl_vat)
    return OwnPrice(one.excl_vat + other.excl_vat, one.incl_vat + other.incl_vat)
