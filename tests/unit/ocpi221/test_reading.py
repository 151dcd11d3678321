"""What partners send: what is forgiven, how that is told, and what is not."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ocpi221.base import OcpiObject, identity
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.commands import StartSession
from schemas.ocpi221.credentials import Credentials
from schemas.ocpi221.instants import read_query_instant, write_instant
from schemas.ocpi221.locations import EVSE, Connector, Location
from schemas.ocpi221.notes import MOST_REMARKS, Unreadable
from schemas.ocpi221.reading import NotJson, parse, read, read_page
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import PriceComponent
from schemas.ocpi221.versions import Endpoint
from schemas.ocpi221.writing import check, document, write
from tests.unit.ocpi221.documents import CDR_, CDR_TOKEN, CONNECTOR, EVSE_, LOCATION, NOON, PERIOD, SESSION
from tests.unit.ocpi221.generation import types


def decimals(value: Any) -> Any:
    """`value` as `parse` gives it."""
    return parse(json.dumps(value).encode())


def said(type_: type[OcpiObject], value: Any, **options: Any) -> list[tuple[str, str]]:
    return [(remark.field, remark.rule) for remark in read(type_, decimals(value), **options).remarks]


@pytest.mark.parametrize(("type_", "value"), [(Location, LOCATION), (Session, SESSION), (CDR, CDR_)])
def test_a_right_object_is_read_without_a_remark_and_comes_back_equal(type_: type[OcpiObject], value: dict[str, Any]) -> None:
    """Digest, 19: facts of the published examples."""
    assert said(type_, value) == []
    thing = read(type_, decimals(value)).value
    assert document(thing) == decimals(value)
    assert check(thing) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": None, "images": None, "directions": []}, []),  # Z3, B1
        ({"charging_when_closed": "", "postal_code": ""}, [("charging_when_closed", "Z3")]),
        ({"id": 1012, "publish": "true"}, [("id", "Z7"), ("publish", "Z7")]),
        ({"coordinates": {"latitude": 51.1, "longitude": "3.72994412345"}}, ["L14", "L14", "Z7"]),
        ({"id": "x" * 255}, [("id", "Z9")]),
        ({"parking_type": "on_street"}, [("parking_type", "Z10")]),
        ({"facilities": ["WIFI", "SAUNA", None]}, [("facilities[1]", "B10"), ("facilities[2]", "Z3")]),
        ({"facilities": "WIFI"}, [("facilities", "Z12")]),
        ({"evses": [{**EVSE_, "floor": "3"}]}, [("evses[0]", "B11")]),
        ({"country": "Bel", "time_zone": "a\tb"}, [("country", "B9"), ("time_zone", "B3")]),
        ({"last_updated": "2020-05-01 12:00:00.123456"}, [("last_updated", "Z4")]),
        ({"last_updated": "2020-05-01T11:00:00Z"}, [("last_updated", "L5")]),
        ({"opening_times": {"twentyfourseven": False}}, [("opening_times.regular_hours", "L12")]),
        ({"publish": False, "publish_allowed_to": [{"visual_number": "1"}]}, [("publish_allowed_to[0].issuer", "L13")]),
    ],
)
def test_what_is_forgiven_is_named(change: dict[str, Any], expected: list[Any]) -> None:
    """Section 18 of the digest, at a Location."""
    got = said(Location, {**LOCATION, **change})
    assert (sorted(rule for _, rule in got) if expected and isinstance(expected[0], str) else got) == expected


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"id": None}, "id", "B1"),
        ({"id": ""}, "id", "B2"),
        ({"id": "x" * 256}, "id", "Z9"),
        ({"id": "a\x00"}, "id", "B3"),
        ({"publish": 1}, "publish", "B6"),
        ({"publish_allowed_to": [{"group_id": "1"}]}, "publish_allowed_to", "L8"),
        ({"evses": [{**EVSE_, "connectors": []}]}, "evses[0].connectors", "B1"),
        ({"evses": [{**EVSE_, "connectors": [{**CONNECTOR, "max_voltage": 1.5}]}]}, "evses[0].connectors[0].max_voltage", "B6"),
        ({"coordinates": {"latitude": "north", "longitude": "1.00000"}}, "coordinates.latitude", "L14"),
        ({"last_updated": "2020-13-01T00:00:00Z"}, "last_updated", "B7"),
        ({"evses": [EVSE_] * 10_001}, "evses", "B1"),
    ],
)
def test_what_is_not_forgiven_is_an_error_with_its_field_and_2001(change: dict[str, Any], field: str, rule: str) -> None:
    """S table: schema errors are 2001."""
    with pytest.raises(Unreadable) as caught:
        read(Location, decimals({**LOCATION, **change}))
    assert (caught.value.field, caught.value.rule, caught.value.status_code) == (field, rule, 2001)


def test_special_cases_of_single_fields() -> None:
    """Z23, Z24, Z16, Z18, M5, C9, E6, Z12."""
    without_zone = {name: value for name, value in LOCATION.items() if name != "time_zone"}
    assert said(Location, without_zone, fallbacks={"time_zone": "Europe/Berlin"}) == [("time_zone", "Z23")]
    with pytest.raises(Unreadable, match="time_zone"):
        read(Location, decimals(without_zone))
    component = read(PriceComponent, decimals({"type": "TIME", "price": "0.25"}))
    assert component.value == PriceComponent(type="TIME", price=Decimal("0.25"), step_size=1)
    assert [remark.rule for remark in component.remarks] == ["Z7", "Z24"]
    assert said(PriceComponent, {"type": "FLAT", "price": 0.0, "step_size": 0}) == []  # P16
    endpoint = read(Endpoint, {"identifier": "locations", "url": "https://example.com/ocpi/2.1.1/locations"})
    assert endpoint.value.role is None
    assert [remark.field for remark in check(endpoint.value)] == ["role"]
    assert read(Session, decimals({**SESSION, "status": "RESERVED"})).value.status == "RESERVATION"
    assert said(Session, {**SESSION, "status": "ACTIVE", "evse_uid": "#NA"}) == [("evse_uid", "E6")]
    assert said(Session, [SESSION]) == [("", "Z12")]
    role = {"role": "CPO", "business_details": {"name": "A"}, "party_id": "ABC", "country_code": "NL"}
    offer = {"token": "secret", "url": "https://example.com/versions", "roles": [role]}
    credentials = read(Credentials, offer).value
    assert "secret" not in repr(credentials)
    for change in ({"roles": [role, {**role, "party_id": "abc"}]}, {"url": "example.com"}, {"token": "two words"}):
        with pytest.raises(Unreadable):
            read(Credentials, {**offer, **change})
    start = {"response_url": "https://example.com/1", "token": TOKEN, "location_id": "LOC1", "connector_id": "1"}
    with pytest.raises(Unreadable, match="M5"):
        read(StartSession, start)


TOKEN = {
    **CDR_TOKEN,
    "issuer": "Issuer",
    "valid": True,
    "whitelist": "ALLOWED",
    "last_updated": NOON,
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"credit": True, "credit_reference_id": "12344"}, []),
        ({"credit": True, "credit_reference_id": "12344", "total_cost": {"excl_vat": -4}, "total_time_cost": {"excl_vat": 4}}, []),
        ({"credit": True}, "D4"),
        ({"credit_reference_id": "12344"}, "D4"),
        ({"credit": False, "credit_reference_id": "12344"}, "D4"),
        ({"credit": True, "credit_reference_id": "12345"}, [("id", "D3")]),
        ({"id": "x" * 37}, [("id", "D3")]),
        ({"total_time_cost": {"excl_vat": 3}, "total_energy_cost": {"excl_vat": 0.5}}, [("total_cost", "D13")]),
        ({"total_time_cost": {"excl_vat": 3}, "total_energy_cost": {"excl_vat": 1}}, []),
        ({"charging_periods": [{**PERIOD, "dimensions": [{"type": "POWER", "volume": 1}]}]}, [("charging_periods[0]", "D7")]),
        ({"charging_periods": [{**PERIOD, "dimensions": [{"type": "ENERGY", "volume": 15342}]}]}, [("charging_periods", "Z17")]),
        ({"total_parking_time": 2}, [("total_parking_time", "D8")]),
        ({"start_date_time": "1970-1-1T00:00:00Z"}, [("start_date_time", "D10")]),
    ],
)
def test_rules_of_cdrs(change: dict[str, Any], expected: Any) -> None:
    """D3, D4, D7, D8, D10, D13, Z17."""
    if isinstance(expected, str):
        with pytest.raises(Unreadable) as caught:
            read(CDR, decimals({**CDR_, **change}))
        assert caught.value.rule == expected
    else:
        assert said(CDR, {**CDR_, **change}) == expected


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2018-01-01T01:08:01", "2018-01-01T01:08:01Z"),
        ("2018-01-01T01:08:01Z", "2018-01-01T01:08:01Z"),
        ("2018-01-01T01:08:01.2", "2018-01-01T01:08:01.200Z"),
        ("2018-01-01T01:08:01.123Z", "2018-01-01T01:08:01.123Z"),
        ("2018-01-01T01:08:01.123999999Z", "2018-01-01T01:08:01.123Z"),
        ("2018-01-01T01:08:01+00:00", "2018-01-01T01:08:01Z"),
        ("2018-01-01T01:08:01+02:00", "2017-12-31T23:08:01Z"),
        ("2018-01-01T01:08:01-0530", "2018-01-01T06:38:01Z"),
        ("2018-01-01 01:08", "2018-01-01T01:08:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("1970-1-1T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("2018-01-01T01:08:01 02:00", "2017-12-31T23:08:01Z"),
    ],
)
def test_dates_are_read_in_every_form_and_written_in_one(text: str, written: str) -> None:
    """B7, Z4, Z5, D10."""
    assert write_instant(read_query_instant(text)) == written


@pytest.mark.parametrize(
    "text", ["", "2018-01-01", "2018-02-30T00:00:00Z", "0001-01-01T00:00:00+02:00", "2018-01-01T00:00:61Z", "٢018-01-01T00:00:00Z"]
)
def test_what_is_no_date(text: str) -> None:
    """B7."""
    with pytest.raises(ValueError, match="is not a date and time"):
        read_query_instant(text)


def test_a_page_keeps_its_good_objects() -> None:
    """G8."""
    page = read_page(Connector, decimals([CONNECTOR, {**CONNECTOR, "id": None}, {**CONNECTOR, "id": "2"}]))
    assert {index: reading.value.id for index, reading in page.readings.items()} == {0: "1", 2: "2"}
    assert [fault.field for fault in page.faults.values()] == ["id"]
    assert list(page.faults) == [1]


def test_the_published_evse_that_lacks_its_connectors_members_is_refused() -> None:
    """Digest, 19: location_put_example_add_evse; and Z15: an EVSE's path with a Location as body."""
    with pytest.raises(Unreadable) as caught:
        read(
            EVSE,
            decimals({**EVSE_, "physical_reference": 3, "floor": -1, "connectors": [{"id": "1", "standard": "X", "format": "C"}]}),
        )
    assert caught.value.field == "connectors[0].power_type"
    with pytest.raises(Unreadable):
        read(EVSE, decimals(LOCATION))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'"\\ud800"', b"1" * 5000, b"NaN"])
def test_what_is_not_json(body: bytes) -> None:
    """S1."""
    with pytest.raises(NotJson):
        parse(body)
    assert parse(b"\xef\xbb\xbf{}") == {}  # Z25


def test_remarks_are_limited() -> None:
    """A hostile object does not fill our log."""
    assert len(said(Location, {**LOCATION, **{f"x{index}": 1 for index in range(1000)}})) == MOST_REMARKS


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text(max_size=5)
    | st.sampled_from(["1E+999999", NOON, "", "#NA"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(types()), st.sampled_from([LOCATION, SESSION, CDR_, EVSE_, CONNECTOR]), st.data())
def test_whatever_is_sent_is_read_or_refused(type_: type[OcpiObject], base: dict[str, Any], data: st.DataObject) -> None:
    """No input raises anything but Unreadable, and what was read can be written and read again."""
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(base)), JSON, max_size=4))
    kinds: list[tuple[Any, type[OcpiObject]]] = [(LOCATION, Location), (SESSION, Session), (CDR_, CDR), (EVSE_, EVSE)]
    kind = next((kind for example, kind in kinds if example is base), Connector)
    for target in (kind, type_):
        try:
            reading = read(target, {**decimals(base), **changed})
        except Unreadable:
            continue
        again = read(target, parse(write(reading.value)))
        assert identity(again.value) == identity(reading.value)
        check(reading.value)
