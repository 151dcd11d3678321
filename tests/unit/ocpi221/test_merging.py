"""PUT and PATCH of stored objects."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.ocpi221.base import OcpiObject
from schemas.ocpi221.cdrs import CDR, is_repetition
from schemas.ocpi221.locations import EVSE, Location
from schemas.ocpi221.merging import agrees_with_path, is_outdated, patched, with_connector, with_evse
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import read
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import Tariff
from tests.unit.ocpi221.test_reading import CDR_, CONNECTOR, EVSE_, LOCATION, NOON, PERIOD, SESSION, decimals

LATER = "2020-05-01T13:00:00Z"


def test_a_patch_replaces_what_it_names_and_keeps_the_rest() -> None:
    """W2, W3, B11: lists as a whole, null clears, members that we do not know stay."""
    stored = decimals({**LOCATION, "name": "Old", "facilities": ["WIFI", "CAFE"], "ours": {"x": 1}})
    document, reading = patched(Location, stored, {"name": None, "facilities": ["MALL"], "id": "loc1", "last_updated": LATER})
    assert reading.value.name is None
    assert reading.value.facilities == ("MALL",)
    assert (reading.value.city, reading.value.id) == ("Gent", "LOC1")
    assert document["ours"] == {"x": 1}
    assert "name" not in document
    assert stored["name"] == "Old"


def test_charging_periods_of_a_session_are_added() -> None:
    """E2: absent and empty change nothing, PATCH appends."""
    document, reading = patched(Session, decimals({**SESSION, "charging_periods": [PERIOD]}), {"last_updated": LATER})
    assert len(reading.value.charging_periods) == 1
    second = decimals({**PERIOD, "start_date_time": LATER})
    document, reading = patched(Session, document, {"charging_periods": [second], "kwh": Decimal("1.5"), "last_updated": LATER})
    assert [period.start_date_time.hour for period in reading.value.charging_periods] == [12, 13]
    _, reading = patched(Session, document, {"charging_periods": None, "last_updated": LATER})
    assert len(reading.value.charging_periods) == 2


@pytest.mark.parametrize(
    ("type_", "stored", "patch", "field", "rule"),
    [
        (EVSE, EVSE_, {"status": "CHARGING"}, "last_updated", "W2"),
        (EVSE, EVSE_, {"status": None, "last_updated": LATER}, "status", "W3"),
        (EVSE, EVSE_, {"uid": "other", "last_updated": LATER}, "uid", "W7"),
        (EVSE, EVSE_, {"connectors": [], "last_updated": LATER}, "connectors", "B1"),
        (EVSE, EVSE_, [], "", "B1"),
        (Tariff, {}, {"last_updated": LATER}, "", "S5"),
        (CDR, CDR_, {"last_updated": LATER}, "", "S5"),
    ],
)
def test_patches_that_are_refused(type_: type[OcpiObject], stored: Any, patch: Any, field: str, rule: str) -> None:
    """W2, W3, W7, B1, F1, D2: 2001."""
    with pytest.raises(Unreadable) as caught:
        patched(type_, decimals(stored), patch)
    assert (caught.value.field, caught.value.rule, caught.value.status_code) == (field, rule, 2001)


def test_an_evse_or_connector_raises_last_updated_of_its_parents_and_never_lowers_it() -> None:
    """L4, L3."""
    connector = {**CONNECTOR, "max_amperage": 16, "last_updated": LATER}
    located = with_connector(decimals(LOCATION), "3256", connector)
    assert located is not None
    reading = read(Location, located)
    assert reading.remarks == ()
    evse = reading.value.evses[0]
    assert (evse.connectors[0].max_amperage, len(evse.connectors)) == (16, 1)
    assert reading.value.last_updated == evse.last_updated == evse.connectors[0].last_updated
    older = with_evse(located, {**EVSE_, "uid": "3257", "last_updated": NOON})
    assert older["last_updated"] == LATER
    assert [other["uid"] for other in older["evses"]] == ["3256", "3257"]
    assert with_connector(located, "unknown", connector) is None


def test_an_object_agrees_with_its_url() -> None:
    """W7: compared without case."""
    location = read(Location, decimals(LOCATION)).value
    agrees_with_path(location, {"country_code": "be", "party_id": "bec", "id": "loc1"})
    with pytest.raises(Unreadable) as caught:
        agrees_with_path(location, {"country_code": "NL"})
    assert (caught.value.field, caught.value.status_code) == ("country_code", 2001)


def test_late_updates_and_repeated_cdrs_are_told_apart() -> None:
    """W8, D2."""
    cdr = read(CDR, decimals(CDR_)).value
    assert is_repetition(cdr, read(CDR, decimals(CDR_)).value)
    assert not is_repetition(cdr, read(CDR, decimals({**CDR_, "remark": "x"})).value)
    assert not is_outdated(cdr.last_updated, cdr.last_updated)
    assert is_outdated(cdr.last_updated, cdr.last_updated - timedelta(milliseconds=1))
