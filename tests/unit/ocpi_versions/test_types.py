"""The types of OCPI 2.1.1 and 2.3.0: what they make may be sent, and is read back equal."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.ocpi211 import cdrs as cdrs211
from schemas.ocpi211 import locations as locations211
from schemas.ocpi211 import tokens as tokens211
from schemas.ocpi221.base import OcpiObject
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.objects import kind_of
from schemas.ocpi221.reading import parse, read
from schemas.ocpi221.writing import check, write
from schemas.ocpi230 import locations as locations230
from schemas.ocpi230.credentials import Credentials
from schemas.ocpi230.invoicereconciliation import OPERATIONS, InvoiceReconciliationRecord
from schemas.ocpi230.tariffs import Tariff
from tests.unit.ocpi221.generation import objects
from tests.unit.ocpi_versions.generation import TYPES_211, TYPES_230

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def test_the_types_are_all_there() -> None:
    """Digest, 20 and 21."""
    assert len(TYPES_211) == 25
    assert len(TYPES_230) == 24


@pytest.mark.parametrize("type_", TYPES_211 + TYPES_230)
@settings(max_examples=4, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_what_is_written_is_read_back_equal(type_: type[OcpiObject], data: st.DataObject) -> None:
    """As for 2.2.1: B1 to B7."""
    thing = data.draw(objects(type_))
    assert check(thing) == ()
    reading = read(type(thing), parse(write(thing)))
    assert reading.value == thing
    assert reading.remarks == ()


@pytest.mark.parametrize(
    ("type_", "required", "optional"),
    [
        (
            locations211.Location,
            {"id", "type", "address", "city", "postal_code", "country", "coordinates", "last_updated"},
            {
                "name",
                "related_locations",
                "evses",
                "directions",
                "operator",
                "suboperator",
                "owner",
                "facilities",
                "time_zone",
                "opening_times",
                "charging_when_closed",
                "images",
                "energy_mix",
            },
        ),
        (
            locations211.Connector,
            {"id", "standard", "format", "power_type", "voltage", "amperage", "last_updated"},
            {"tariff_id", "terms_and_conditions"},
        ),
        (
            tokens211.Token,
            {"uid", "type", "auth_id", "issuer", "valid", "whitelist", "last_updated"},
            {"visual_number", "language"},
        ),
        (
            cdrs211.Session,
            {
                "id",
                "start_datetime",
                "kwh",
                "auth_id",
                "auth_method",
                "location",
                "currency",
                "status",
                "last_updated",
            },
            {"end_datetime", "meter_id", "charging_periods", "total_cost"},
        ),
        (InvoiceReconciliationRecord, {"country_code", "party_id", "id", "invoice_id", "cdrs", "last_updated"}, set()),
        (
            locations230.Parking,
            {"id", "vehicle_types", "restricted_to_type", "reservation_required"},
            {
                "physical_reference",
                "max_vehicle_weight",
                "max_vehicle_height",
                "max_vehicle_length",
                "max_vehicle_width",
                "parking_space_length",
                "parking_space_width",
                "dangerous_goods_allowed",
                "direction",
                "drive_through",
                "time_limit",
                "roofed",
                "images",
                "lighting",
                "refrigeration_outlet",
                "standards",
                "apds_reference",
            },
        ),
    ],
)
def test_members_of_types(type_: type[OcpiObject], required: set[str], optional: set[str]) -> None:
    """Digest, 20 and 21."""
    members = kind_of(type_).members
    assert {member.name for member in members if member.required} == required
    assert {member.name for member in members if not member.required} == optional


NOON = "2020-05-01T12:00:00Z"
LOCATION = {
    "id": "x" * 39,
    "type": "ON_STREET",
    "address": "Street 1",
    "city": "Gent",
    "postal_code": "9000",
    "country": "BEL",
    "coordinates": {"latitude": "51.047599", "longitude": "3.729944"},
    "last_updated": NOON,
}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "x" * 40}, "id"),
        ({"type": "ON_DRIVEWAY"}, "type"),
        ({"address": "x" * 46}, "address"),
        ({"facilities": ["PARKING_LOT"]}, "facilities[0]"),
        (
            {
                "opening_times": {
                    "twentyfourseven": True,
                    "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "09:00"}],
                }
            },
            "opening_times.regular_hours",
        ),
    ],
)
def test_limits_of_2_1_1(change: dict[str, Any], field: str) -> None:
    """Digest, 21: read with a remark, never sent."""
    assert check(read(locations211.Location, LOCATION).value) == ()
    reading = read(locations211.Location, {**LOCATION, **change})
    assert [remark.field for remark in check(reading.value)] == [field]
    assert field in [remark.field for remark in reading.remarks]


def test_a_hub_id_has_both_its_parts() -> None:
    """Digest, 20: two characters of the country, and the party id."""
    role = {"role": "CPO", "business_details": {"name": "A"}, "party_id": "ABC", "country_code": "NL"}
    offer = {"token": "secret", "url": "https://example.com/versions", "roles": [role]}
    credentials = read(Credentials, {**offer, "hub_party_id": "NLHUB"}).value
    assert "secret" not in repr(credentials)
    for change in ({"hub_party_id": "NL"}, {"roles": [role, {**role, "party_id": "abc"}]}):
        with pytest.raises(Unreadable):
            read(Credentials, {**offer, **change})


def test_a_tariff_that_does_not_say_whether_taxes_are_included() -> None:
    """It is taken to be as those of 2.2.1 are."""
    component = {"type": "TIME", "price": Decimal(2), "step_size": 1}
    tariff = {
        "country_code": "BE",
        "party_id": "BEC",
        "id": "1",
        "currency": "EUR",
        "elements": [{"price_components": [component]}],
        "last_updated": NOON,
    }
    reading = read(Tariff, tariff)
    assert reading.value.tax_included == "NO"
    assert [remark.field for remark in reading.remarks] == ["tax_included"]


def test_what_the_module_of_invoices_offers() -> None:
    """Digest, 20: a list at the Sender, client-owned paths at the Receiver, all of it routed."""
    assert [(operation.role, operation.method, operation.paths[0]) for operation in OPERATIONS] == [
        ("SENDER", "GET", ""),
        ("RECEIVER", "GET", "/{country_code}/{party_id}/{record_id}"),
        ("RECEIVER", "POST", "/{country_code}/{party_id}/{record_id}"),
        ("RECEIVER", "PUT", "/{country_code}/{party_id}/{record_id}"),
        ("RECEIVER", "DELETE", "/{country_code}/{party_id}/{record_id}"),
    ]
    assert all(operation.routed for operation in OPERATIONS)
    assert [operation.paged for operation in OPERATIONS] == [True, False, False, False, False]
