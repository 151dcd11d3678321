"""Every type of OCPI 2.2.1: what we send keeps to the standard and is read back equal."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.ocpi221 import interfaces
from schemas.ocpi221.base import CountryCode, OcpiObject, identity
from schemas.ocpi221.cdrs import CdrDimension
from schemas.ocpi221.locations import Connector, GeoLocation, Image
from schemas.ocpi221.objects import kind_of
from schemas.ocpi221.reading import parse, read
from schemas.ocpi221.tokens import EnergyContract, Token
from schemas.ocpi221.types import Price
from schemas.ocpi221.writing import check, write
from tests.unit.ocpi221.generation import objects, types

TYPES = types()
WRITTEN_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")


def connector(**changes: Any) -> Connector:
    right = Connector(
        id="1",
        standard="IEC_62196_T2",
        format="CABLE",
        power_type="AC_3_PHASE",
        max_voltage=230,
        max_amperage=16,
        last_updated=datetime(2015, 3, 16, 10, 10, 2, tzinfo=UTC),
    )
    return replace(right, **changes)


def test_the_types_are_all_there() -> None:
    """As many as the standard has, and every one that the endpoint table names is one of them."""
    assert len(TYPES) == 55
    named = {type_ for operation in interfaces.OPERATIONS for type_ in (*operation.body, *operation.data)} - {str}
    assert named <= set(TYPES)


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_what_is_written_is_read_back_equal_and_without_a_remark_that_forbids_sending_it(
    type_: type[OcpiObject], data: st.DataObject
) -> None:
    """B1 to B7 for every type: snake_case members in their order, no null, no quoted number, one form of date."""
    thing = data.draw(objects(type_))
    written = write(thing)
    reading = read(type(thing), parse(written))
    assert reading.value == thing
    assert {remark.rule for remark in reading.remarks} <= {"D8", "D13", "Z17"}  # what may be sent although it is odd
    assert write(reading.value) == written
    plain = json.loads(written)
    assert set(plain) <= {member.name for member in kind_of(type(thing)).members}
    assert list(_nulls(plain)) == []
    for member in kind_of(type(thing)).members:
        value = getattr(thing, member.name)
        if isinstance(value, datetime):
            assert WRITTEN_INSTANT.fullmatch(plain[member.name])
        if isinstance(value, Decimal):
            assert isinstance(plain[member.name], int | float)


def _nulls(value: Any) -> Any:
    if value is None:
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _nulls(part)


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"id": ""}, "id", "B2"),
        ({"id": "x" * 37}, "id", "Z9"),
        ({"id": "é"}, "id", "B3"),
        ({"tariff_ids": ("1", "x\n")}, "tariff_ids[1]", "B3"),
        ({"standard": "iec_62196_t2"}, "standard", "B10"),
        ({"max_voltage": -1}, "max_voltage", "B6"),
        ({"max_voltage": True}, "max_voltage", "B6"),
        ({"terms_and_conditions": "/relative"}, "terms_and_conditions", "B9"),
        ({"terms_and_conditions": "https://example.com/" + "x" * 236}, "terms_and_conditions", "B3"),
        ({"last_updated": datetime(2020, 1, 1)}, "last_updated", "B7"),
        ({"last_updated": None}, "last_updated", "B1"),
    ],
)
def test_check_names_the_field_and_the_rule(changes: dict[str, Any], field: str, rule: str) -> None:
    """What must not be sent (B1 to B10) is found by its path."""
    assert check(connector()) == ()
    assert [(remark.field, remark.rule) for remark in check(connector(**changes))] == [(field, rule)]


def test_the_longest_url_and_id_may_be_sent() -> None:
    """B4: 255 characters; CiString(36): 36."""
    assert check(connector(id="x" * 36, terms_and_conditions="https://example.com/" + "x" * 235)) == ()


def test_a_number_is_written_with_at_most_four_decimals_and_no_exponent() -> None:
    """B5, P15: rounded half up."""
    assert write(Price(excl_vat=Decimal("0.00005"), incl_vat=Decimal("1E+3"))) == b'{"excl_vat":0.0001,"incl_vat":1000}'
    assert write(CdrDimension(type="ENERGY", volume=Decimal("-15.34200"))) == b'{"type":"ENERGY","volume":-15.3420}'
    assert check(CdrDimension(type="ENERGY", volume=Decimal("NaN")))[0].field == "volume"


@pytest.mark.parametrize(
    ("latitude", "right"),
    [("51.047599", True), ("-90.00000", True), ("91.00000", False), ("51.0475", False), ("-51.0475991", False)],
)
def test_coordinates_have_five_decimals_or_more_and_room(latitude: str, right: bool) -> None:
    """L14: the form has up to seven decimals, the field ten characters."""
    assert (check(GeoLocation(latitude=latitude, longitude="3.729944")) == ()) is right


def test_an_unknown_value_of_an_enumeration_is_kept_but_not_sent() -> None:
    """B10."""
    image = read(Image, {"url": "https://example.com/a.png", "category": "SELFIE", "type": "png"})
    assert image.value.category == "SELFIE"
    assert [remark.rule for remark in image.remarks] == ["B10"]
    assert [(remark.field, remark.rule) for remark in check(image.value)] == [("category", "B10")]


def test_identity_is_compared_without_case() -> None:
    """B2, K1: the owner, the uid and the type."""
    token = Token(
        country_code="NL",
        party_id="TNM",
        uid="012ab",
        type="RFID",
        contract_id="NL8ACC12E46L89",
        issuer="Issuer",
        valid=True,
        whitelist="ALWAYS",
        energy_contract=EnergyContract(supplier_name="Supplier"),
        last_updated=datetime(2020, 1, 1, tzinfo=UTC),
    )
    assert identity(token) == identity(replace(token, country_code="nl", party_id="tnm", uid="012AB"))
    assert identity(token) != identity(replace(token, type="APP_USER"))
    assert CountryCode.__metadata__[0].max == 2  # type: ignore[attr-defined]
