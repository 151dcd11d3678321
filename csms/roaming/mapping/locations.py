"""Locations with their EVSEs and connectors (OCPI mod_locations)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from csms.roaming.countries import alpha3
from csms.roaming.details import EvseDetails, LocationDetails
from csms.roaming.mapping.connectors import electrics, evse_status
from csms.roaming.mapping.findings import Finding, of_remarks
from csms.roaming.sources import ConnectorSource, EvseSource, LocationSource
from schemas.ocpi221.base import OcpiObject, Remark
from schemas.ocpi221.headers import Party
from schemas.ocpi221.locations import (
    EVSE,
    AdditionalGeoLocation,
    BusinessDetails,
    Connector,
    EnergyMix,
    EnergySource,
    EnvironmentalImpact,
    ExceptionalPeriod,
    GeoLocation,
    Hours,
    Image,
    Location,
    PublishTokenType,
    RegularHours,
    Status,
    StatusSchedule,
)
from schemas.ocpi221.scalars import write_coordinate
from schemas.ocpi221.types import DisplayText
from schemas.ocpi221.writing import check

MODULE: Final = "locations"
_DEFAULT_CAPABILITIES: Final = ("REMOTE_START_STOP_CAPABLE",)

TariffIds = Mapping[tuple[int, int, int], tuple[str, ...]]
"""(station_id, EVSE, connector) -> the tariffs that a roaming token has there now (L15)."""

Thing = TypeVar("Thing", bound=OcpiObject)

_SOMEBODY: Final = Party("XX", "XXX")
_SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SOMEWHERE: Final = GeoLocation(latitude="0.00000", longitude="0.00000")
_SOME_PLACE: Final = LocationSource(
    location_id=UUID(int=0),
    name="-",
    address="-",
    city="-",
    postal_code=None,
    country="DE",
    latitude=None,
    longitude=None,
    time_zone="UTC",
    details=LocationDetails(),
)
"""Stands for all else when only details are to be checked."""


class MappedLocation(NamedTuple):
    """A location as partners get it, None if they cannot. `left_out`: uids of EVSEs that it has and that cannot be told."""

    location: Location | None
    left_out: frozenset[str]
    findings: tuple[Finding, ...]


def map_location(
    source: LocationSource, evses: Sequence[EvseSource], owner: Party, tariff_ids: TariffIds, at: datetime
) -> MappedLocation:
    """The location with last_updated `at` everywhere, checked. `evses`: those of its stations, retired ones too."""
    location_id = str(source.location_id)
    findings: list[Finding] = []
    told: list[EVSE] = []
    left_out = set()
    for evse in evses:
        if evse.retired or not evse.details.shared:
            continue
        mapped, found = map_evse(location_id, evse, tariff_ids, at)
        findings += found
        if mapped is None:
            left_out.add(evse.uid)
        else:
            told.append(mapped)
    missing = _missing(source)
    findings += [Finding(MODULE, location_id, field, "is missing" if reason is None else reason) for field, reason in missing]
    if missing or source.latitude is None or source.longitude is None:
        return MappedLocation(None, frozenset(left_out), tuple(findings))
    coordinates = GeoLocation(latitude=write_coordinate(source.latitude), longitude=write_coordinate(source.longitude))
    location = _location(source, coordinates, tuple(told), owner, at)
    faults = of_remarks(MODULE, location_id, check(location))
    return MappedLocation(None if faults else location, frozenset(left_out), (*findings, *faults))


def map_evse(location_id: str, source: EvseSource, tariff_ids: TariffIds, at: datetime) -> tuple[EVSE | None, list[Finding]]:
    """One EVSE, checked; None if it cannot be told."""
    path = f"evses[{source.evse_id}]"
    findings: list[Finding] = []
    connectors = []
    for connector in source.connectors:
        ids = tariff_ids.get((source.station_id, source.evse_id, connector.connector_id), ())
        mapped, found = _connector(location_id, source, connector, ids, at)
        findings += found
        if mapped is not None:
            connectors.append(mapped)
    if not connectors:
        findings.append(Finding(MODULE, location_id, path, "has no connector that can be told", "withheld", source.charge_point_id))
        return None, findings
    if source.emi3_evse_id is None:
        reason = "has no eMI3 EVSE id: drivers are shown none, and #NA stands in CDRs (B8)"
        findings.append(Finding(MODULE, location_id, f"{path}.evse_id", reason, "assumed", source.charge_point_id))
    evse = _evse(source.uid, source.emi3_evse_id, status_of(source), source.details, tuple(connectors), at)
    faults = of_remarks(MODULE, location_id, check(evse), source.charge_point_id)
    findings += [msgspec.structs.replace(fault, field=f"{path}.{fault.field}") for fault in faults]
    return (None if faults else evse), findings


def status_of(source: EvseSource) -> Status:
    """The status that an EVSE is told with now (digest 9)."""
    if source.retired or not source.details.shared:
        return "REMOVED"
    if source.details.planned and not source.seen:
        return "PLANNED"
    if source.offline:
        return "UNKNOWN"
    status = evse_status([connector.status for connector in source.connectors], source.station_status)
    return "BLOCKED" if source.details.blocked and status == "AVAILABLE" else status


def _connector(
    location_id: str, evse: EvseSource, source: ConnectorSource, tariff_ids: tuple[str, ...], at: datetime
) -> tuple[Connector | None, list[Finding]]:
    path = f"evses[{evse.evse_id}].connectors[{source.connector_id}]"
    found = electrics(source.connector_type, source.max_power_w, source.details)
    if found is None:
        reason = "is not known" if source.connector_type is None else f"{source.connector_type} has no name in OCPI 2.2.1"
        text = f"{reason}: enter the type, or roaming.standard"
        return None, [Finding(MODULE, location_id, f"{path}.type", text, "withheld", evse.charge_point_id)]
    findings = [
        Finding(
            MODULE,
            location_id,
            f"{path}.{name}",
            f"is not entered: told as {found.max_amperage} A, {found.max_voltage} V, {found.power_type}, {found.format}",
            "assumed",
            evse.charge_point_id,
        )
        for name in found.assumed
    ]
    connector = Connector(
        id=str(source.connector_id),
        standard=found.standard,
        format=found.format,
        power_type=found.power_type,
        max_voltage=found.max_voltage,
        max_amperage=found.max_amperage,
        max_electric_power=found.max_electric_power,
        tariff_ids=tariff_ids,
        terms_and_conditions=source.details.terms_and_conditions,
        last_updated=at,
    )
    return connector, findings


def check_location_details(details: LocationDetails) -> tuple[Remark, ...]:
    """What OCPI has against details, whatever location they are of; fields are paths in them."""
    return check(_location(msgspec.structs.replace(_SOME_PLACE, details=details), _SOMEWHERE, (), _SOMEBODY, _SOME_TIME))


def check_evse_details(details: EvseDetails, emi3_evse_id: str | None) -> tuple[Remark, ...]:
    """As `check_location_details`, for an EVSE."""
    connector = Connector(
        id="1",
        standard="IEC_62196_T2",
        format="CABLE",
        power_type="AC_3_PHASE",
        max_voltage=230,
        max_amperage=16,
        last_updated=_SOME_TIME,
    )
    return check(_evse("-", emi3_evse_id, "UNKNOWN", details, (connector,), _SOME_TIME))


def _location(source: LocationSource, coordinates: GeoLocation, evses: tuple[EVSE, ...], owner: Party, at: datetime) -> Location:
    details = source.details
    return Location(
        country_code=owner.country_code,
        party_id=owner.party_id,
        id=str(source.location_id),
        publish=details.publish,
        publish_allowed_to=tuple(_as(PublishTokenType, token) for token in details.publish_allowed_to),
        name=source.name,
        address=source.address or "",
        city=source.city or "",
        postal_code=source.postal_code,
        state=details.state,
        country=alpha3(source.country or "") or "",
        coordinates=coordinates,
        related_locations=tuple(
            AdditionalGeoLocation(
                latitude=degrees(place.latitude),
                longitude=degrees(place.longitude),
                name=None if place.name is None else _as(DisplayText, place.name),
            )
            for place in details.related_locations
        ),
        parking_type=details.parking_type,
        evses=evses,
        directions=tuple(_as(DisplayText, text) for text in details.directions),
        operator=business_details(details.operator),
        suboperator=business_details(details.suboperator),
        owner=business_details(details.owner),
        facilities=details.facilities,
        time_zone=source.time_zone,
        opening_times=None if details.opening_times is None else _hours(details.opening_times),
        charging_when_closed=details.charging_when_closed,
        images=tuple(image(one) for one in details.images),
        energy_mix=energy_mix(details.energy_mix),
        last_updated=at,
    )


def _evse(
    uid: str, emi3_evse_id: str | None, status: Status, details: EvseDetails, connectors: tuple[Connector, ...], at: datetime
) -> EVSE:
    return EVSE(
        uid=uid,
        evse_id=emi3_evse_id,
        status=status,
        status_schedule=tuple(_as(StatusSchedule, period) for period in details.status_schedule),
        capabilities=_DEFAULT_CAPABILITIES if details.capabilities is None else details.capabilities,
        connectors=connectors,
        floor_level=details.floor_level,
        coordinates=None
        if details.coordinates is None
        else GeoLocation(latitude=degrees(details.coordinates.latitude), longitude=degrees(details.coordinates.longitude)),
        physical_reference=details.physical_reference,
        directions=tuple(_as(DisplayText, text) for text in details.directions),
        parking_restrictions=details.parking_restrictions,
        images=tuple(image(one) for one in details.images),
        last_updated=at,
    )


def _missing(source: LocationSource) -> list[tuple[str, str | None]]:
    """Fields without which there is no Location, and why if they are there."""
    missing: list[tuple[str, str | None]] = [
        (name, None) for name in ("address", "city", "country", "latitude", "longitude") if getattr(source, name) is None
    ]
    if source.country is not None and alpha3(source.country) is None:
        missing.append(("country", f"{source.country} is no country of ISO 3166-1"))
    return missing


def degrees(value: float) -> str:
    """A coordinate as L14 has it."""
    return write_coordinate(Decimal(repr(value)).quantize(Decimal("0.000001")))


def image(source: Any) -> Image:
    return _as(Image, source)


def business_details(source: Any) -> BusinessDetails | None:
    if source is None:
        return None
    return BusinessDetails(name=source.name, website=source.website, logo=None if source.logo is None else image(source.logo))


def energy_mix(source: Any) -> EnergyMix | None:
    """csms.pricing.tariff.EnergyMix as OCPI writes it."""
    if source is None:
        return None
    return EnergyMix(
        is_green_energy=source.is_green_energy,
        energy_sources=tuple(_as(EnergySource, one) for one in source.energy_sources),
        environ_impact=tuple(_as(EnvironmentalImpact, one) for one in source.environ_impact),
        supplier_name=source.supplier_name,
        energy_product_name=source.energy_product_name,
    )


def _hours(source: Any) -> Hours:
    return Hours(
        twentyfourseven=source.twentyfourseven,
        regular_hours=tuple(_as(RegularHours, one) for one in source.regular_hours),
        exceptional_openings=tuple(_as(ExceptionalPeriod, one) for one in source.exceptional_openings),
        exceptional_closings=tuple(_as(ExceptionalPeriod, one) for one in source.exceptional_closings),
    )


def _as(type_: type[Thing], source: msgspec.Struct) -> Thing:
    """The members of ours in the type of OCPI that has the same ones."""
    return type_(**{name: getattr(source, name) for name in source.__struct_fields__})
