"""Our locations, EVSEs and connectors as OCPI has them (L1 to L16)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.roaming.countries import alpha2, alpha3
from csms.roaming.details import (
    ConnectorDetails,
    EvseDetails,
    Hours,
    LocationDetails,
    PublishToken,
    RegularHours,
)
from csms.roaming.mapping.connectors import RATINGS, electrics, evse_status
from csms.roaming.mapping.locations import check_evse_details, check_location_details, map_location, status_of
from csms.roaming.sources import ConnectorSource, EvseSource, LocationSource
from schemas.ocpi221.headers import Party
from schemas.ocpi221.locations import Location
from schemas.ocpi221.reading import parse, read
from schemas.ocpi221.writing import check, write

OWNER = Party("DE", "ABC")
NOW = datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=UTC)
PLACE = LocationSource(
    location_id=UUID(int=1),
    name="Market",
    address="Marktplatz 1",
    city="Berlin",
    postal_code="10115",
    country="DE",
    latitude=Decimal("52.5"),
    longitude=Decimal("13.4"),
    time_zone="Europe/Berlin",
    details=LocationDetails(),
)


def connector(number: int = 1, type_: str | None = "cType2", status: str | None = "Available", **values: Any) -> ConnectorSource:
    return ConnectorSource(
        connector_id=number,
        connector_type=type_,
        max_power_w=values.get("power", 11_000),
        status=status,
        details=values.get("details", ConnectorDetails()),
    )


def evse(*connectors: ConnectorSource, **values: Any) -> EvseSource:
    plain = EvseSource(
        location_id=PLACE.location_id,
        station_id=1,
        charge_point_id="CP-1",
        retired=False,
        offline=False,
        seen=True,
        station_status=None,
        evse_id=1,
        evse_uid=UUID(int=2),
        emi3_evse_id="DE*ABC*E1",
        details=EvseDetails(),
        connectors=connectors or (connector(),),
    )
    return msgspec.structs.replace(plain, **values)


@pytest.mark.parametrize(
    ("told", "station", "expected"),
    [
        (["Available"], None, "AVAILABLE"),
        (["Preparing"], None, "CHARGING"),
        (["Charging"], None, "CHARGING"),
        (["SuspendedEV"], None, "CHARGING"),
        (["SuspendedEVSE"], None, "CHARGING"),
        (["Finishing"], None, "CHARGING"),
        (["Occupied"], None, "CHARGING"),
        (["Reserved"], None, "RESERVED"),
        (["Unavailable"], None, "INOPERATIVE"),
        (["Faulted"], None, "OUTOFORDER"),
        ([None], None, "UNKNOWN"),
        ([], None, "UNKNOWN"),
        (["Faulted", "Available"], None, "AVAILABLE"),
        (["Faulted", "Unavailable"], None, "OUTOFORDER"),
        (["Available", "Occupied"], None, "CHARGING"),
        (["Available", "Reserved"], "Available", "RESERVED"),
        (["Available"], "Unavailable", "INOPERATIVE"),
        (["Available"], "Faulted", "OUTOFORDER"),
        (["Charging"], "Unavailable", "CHARGING"),
    ],
)
def test_statuses(told: list[str | None], station: str | None, expected: str) -> None:
    assert evse_status(told, station) == expected


def test_what_beats_the_station_s_own_word() -> None:
    assert status_of(evse()) == "AVAILABLE"
    assert status_of(evse(offline=True)) == "UNKNOWN"
    assert status_of(evse(retired=True, offline=True)) == "REMOVED"
    assert status_of(evse(details=EvseDetails(shared=False))) == "REMOVED"
    assert status_of(evse(details=EvseDetails(planned=True), seen=False, offline=True)) == "PLANNED"
    assert status_of(evse(details=EvseDetails(planned=True))) == "AVAILABLE"
    assert status_of(evse(details=EvseDetails(blocked=True))) == "BLOCKED"
    assert status_of(evse(connector(status="Faulted"), details=EvseDetails(blocked=True))) == "OUTOFORDER"


@pytest.mark.parametrize(
    ("type_", "power", "expected"),
    [
        ("cType2", 22_000, ("IEC_62196_T2", "CABLE", "AC_3_PHASE", 230, 32, 22_000)),
        ("sType2", 11_000, ("IEC_62196_T2", "SOCKET", "AC_3_PHASE", 230, 16, 11_000)),
        ("sType2", 43_000, ("IEC_62196_T2", "SOCKET", "AC_3_PHASE", 230, 63, 43_000)),
        ("CTYPE2", 7_400, ("IEC_62196_T2", "CABLE", "AC_1_PHASE", 230, 32, None)),
        ("cType2", 3_680, ("IEC_62196_T2", "CABLE", "AC_1_PHASE", 230, 16, None)),
        ("cCCS2", 150_000, ("IEC_62196_T2_COMBO", "CABLE", "DC", 920, 375, 150_000)),
        ("cCCS2", 400_000, ("IEC_62196_T2_COMBO", "CABLE", "DC", 920, 500, 400_000)),
        ("cG105", 50_000, ("CHADEMO", "CABLE", "DC", 500, 125, 50_000)),
        ("sCEE-7-7", None, ("DOMESTIC_F", "SOCKET", "AC_1_PHASE", 230, 16, None)),
        ("iec_62196_t3a", 3_600, ("IEC_62196_T3A", "SOCKET", "AC_1_PHASE", 230, 16, 3_600)),
    ],
)
def test_what_follows_from_type_and_power(type_: str, power: int | None, expected: tuple[Any, ...]) -> None:
    found = electrics(type_, power, ConnectorDetails())
    assert found is not None
    assert found[:6] == expected


def test_what_is_entered_counts_and_what_nobody_knows_is_a_finding() -> None:
    entered = ConnectorDetails(format="SOCKET", power_type="AC_1_PHASE", max_voltage=240, max_amperage=40, max_electric_power=9_000)
    assert electrics("cType2", 22_000, entered) == ("IEC_62196_T2", "SOCKET", "AC_1_PHASE", 240, 40, 9_000, ())
    assert electrics("s309-1P-32A", 7_000, ConnectorDetails()) is None
    assert electrics(None, 7_000, ConnectorDetails()) is None
    assert electrics("Undetermined", 50_000, ConnectorDetails(standard="CHADEMO")) is not None
    assumed = electrics("cType2", None, ConnectorDetails())
    assert assumed is not None
    assert assumed.assumed == ("max_power_w",)
    mapped = map_location(PLACE, [evse(connector(type_="Pan"), connector(2))], OWNER, {(1, 1, 2): ("simple",)}, NOW)
    assert mapped.location is not None
    assert [(one.id, one.tariff_ids) for one in mapped.location.evses[0].connectors] == [("2", ("simple",))]
    assert [(one.field, one.weight) for one in mapped.findings] == [("evses[1].connectors[1].type", "withheld")]


@pytest.mark.parametrize("field", ["address", "city", "country", "latitude", "longitude"])
def test_a_location_that_lacks_something_is_not_told(field: str) -> None:
    mapped = map_location(msgspec.structs.replace(PLACE, **{field: None}), [evse()], OWNER, {}, NOW)
    assert (mapped.location, [finding.field for finding in mapped.findings]) == (None, [field])


def test_limits_of_the_standard_are_findings_too() -> None:
    mapped = map_location(msgspec.structs.replace(PLACE, city="B" * 46, postal_code="12345678901"), [], OWNER, {}, NOW)
    assert mapped.location is None
    assert sorted(finding.field for finding in mapped.findings) == ["city", "postal_code"]
    unknown = map_location(msgspec.structs.replace(PLACE, country="XX"), [], OWNER, {}, NOW)
    assert [finding.reason for finding in unknown.findings] == ["XX is no country of ISO 3166-1"]


def test_rules_between_details() -> None:
    assert check_location_details(LocationDetails()) == ()
    late = Hours(twentyfourseven=False, regular_hours=(RegularHours(weekday=1, period_begin="20:00", period_end="06:00"),))
    assert [one.field for one in check_location_details(LocationDetails(opening_times=late))] == [
        "opening_times.regular_hours[0].period_end"
    ]
    shown = LocationDetails(publish=True, publish_allowed_to=(PublishToken(uid="1", type="RFID"),))
    assert [(one.field, one.rule) for one in check_location_details(shown)] == [("publish_allowed_to", "L8")]
    assert check_evse_details(EvseDetails(), "DE*ABC*E1") == ()


_STATUS = st.sampled_from([None, "Available", "Charging", "Faulted", "Reserved", "Unavailable", "Nonsense"])
_CONNECTORS = st.builds(
    ConnectorSource,
    connector_id=st.integers(1, 9),
    connector_type=st.none() | st.sampled_from([*RATINGS, "Pan", "wInductive", "Unknown", "GBT_AC", "PANTOGRAPH_TOP_DOWN"]),
    max_power_w=st.none() | st.integers(1, 100_000_000),
    status=_STATUS,
    details=st.builds(
        ConnectorDetails, max_voltage=st.none() | st.integers(1, 5_000), max_amperage=st.none() | st.integers(1, 10_000)
    ),
)
_TEXT = st.none() | st.text(max_size=60)
_PLACES = st.builds(
    msgspec.structs.replace,
    st.just(PLACE),
    name=st.text(max_size=300),
    address=_TEXT,
    city=_TEXT,
    postal_code=_TEXT,
    country=st.none() | st.sampled_from(["DE", "DEU", "XX", "NL"]),
    latitude=st.none() | st.decimals(-90, 90, places=6),
    longitude=st.none() | st.decimals(-180, 180, places=6),
)


@settings(max_examples=50)
@given(_PLACES, st.lists(st.lists(_CONNECTORS, max_size=3, unique_by=lambda one: one.connector_id), max_size=3))
def test_whatever_is_told_is_as_the_standard_has_it(place: LocationSource, evses: list[list[ConnectorSource]]) -> None:
    """What cannot be told has a finding; what is told passes the strict check and is read by others without a remark."""
    sources = [evse(*found, evse_uid=UUID(int=number), evse_id=number) for number, found in enumerate(evses, 1)]
    mapped = map_location(place, sources, OWNER, {}, NOW)
    if mapped.location is None:
        assert any(finding.weight == "withheld" for finding in mapped.findings)
        return
    assert not check(mapped.location)
    assert not read(Location, parse(write(mapped.location))).remarks
    assert {one.uid for one in mapped.location.evses} | mapped.left_out == {one.uid for one in sources}


def test_countries() -> None:
    assert (alpha3("de"), alpha3("DEU"), alpha2("DEU"), alpha2("de")) == ("DEU", "DEU", "DE", "DE")
    assert (alpha3("XX"), alpha2("XXX"), alpha3("")) == (None, None, None)
