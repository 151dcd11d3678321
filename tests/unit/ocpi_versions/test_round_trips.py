"""Whatever a conversion changes, it says so: there and back again nothing else differs."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.ocpi211.cdrs import Session as Session211
from schemas.ocpi211.down import TYPES
from schemas.ocpi221.base import OcpiObject, Remark
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.commands import CommandResult, ReserveNow
from schemas.ocpi221.headers import Party
from schemas.ocpi221.hubclientinfo import ClientInfo
from schemas.ocpi221.locations import EVSE, Connector, Location
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import parse, read
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.tokens import AuthorizationInfo
from schemas.ocpi221.writing import check, document, encode
from schemas.ocpi230.adapter import TYPES as TYPES_OF_230
from schemas.ocpi_versions.port import CannotSend, Context, Converted, Document, VersionAdapter
from schemas.ocpi_versions.versions import ADAPTERS
from tests.unit.ocpi221.generation import objects
from tests.unit.ocpi_versions.generation import CPO, EMSP, NOW, context, differences, unnamed

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
NAMES = (
    ("type", "parking_type"),
    ("voltage", "max_voltage"),
    ("amperage", "max_amperage"),
    ("tariff_id", "tariff_ids"),
    ("source", "category"),
    ("auth_id", "cdr_token"),
    ("stop_date_time", "end_date_time"),
    ("end_datetime", "end_date_time"),
    ("start_datetime", "start_date_time"),
    ("location", "cdr_location"),
    ("party_id", "country_code"),
)
"""What losses call what in 2.1.1."""


def owner_of(found: Document) -> Party | None:
    return Party(found["country_code"], found["party_id"]) if "party_id" in found else None


def surroundings(found: Document, type_: type[OcpiObject]) -> Context:
    """All that is known around an object of 2.2.1: its owner is ours on the way down, theirs on the way up."""
    owner = owner_of(found) or CPO
    tokens = [token for token in (found.get("cdr_token"), found.get("token")) if token is not None]
    if type_ is AuthorizationInfo:
        asked = (found["token"]["uid"], found["token"]["type"])
        return Context(partner=owner, own=owner, time_zone="Europe/Oslo", now=NOW, tokens=tokens, asked_token=asked)
    if "token" in found:
        owner = Party(found["token"]["country_code"], found["token"]["party_id"])
    return Context(partner=owner, own=owner, time_zone="Europe/Oslo", now=NOW, tokens=tokens)


def there_and_back(adapter: VersionAdapter, type_: type[OcpiObject], found: Document, around: Context) -> tuple[Any, list[Any]]:
    """`found` after it went down and up, and all that was said of it."""
    before = repr(found)
    down = adapter.down(type_, found, around)
    assert repr(found) == before  # what is stored is nobody's to change
    up = adapter.up(type_, parse(encode(down.document)), around)
    return up.document, [*down.losses, *up.losses]


def attempted(adapter: VersionAdapter, type_: type[OcpiObject], found: Document, around: Context) -> Converted | CannotSend:
    """`found` as it went down, or why it could not."""
    try:
        return adapter.down(type_, found, around)
    except CannotSend as refused:
        return refused


NUMBERS = st.integers(0, 10**6).map(str)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(
    st.sampled_from(sorted(TYPES, key=str)).flatmap(lambda type_: st.tuples(st.just(type_), objects(type_))),
    NUMBERS,
    st.data(),
)
def test_what_2_1_1_changes_is_named(given_: tuple[type[OcpiObject], OcpiObject], number: str, data: st.DataObject) -> None:
    """Digest, 21 and 22. What is sent keeps to 2.1.1, and if nothing is reported nothing differs."""
    type_, thing = given_
    found = document(thing)
    if type_ is ReserveNow:
        found["reservation_id"] = number
    if found.get("credit") is False:
        del found["credit"]  # which is what it means
    around = surroundings(found, type_)
    if type_ is Session:
        location = {
            **document(data.draw(objects(Location))),
            "id": found["location_id"],
            "country_code": found["country_code"],
            "party_id": found["party_id"],
        }
        around = replace(around, locations=[location])
    adapter = ADAPTERS["2.1.1"]
    sent = attempted(adapter, type_, found, around)
    if isinstance(sent, CannotSend):
        assert type_ in (CDR, Session, Tariff, Location, EVSE, Connector)
        assert sent.field
        return
    back, losses = there_and_back(adapter, type_, found, around)
    reading = read(TYPES[type_], parse(encode(sent.document)))
    assert check(reading.value) == ()
    without_plug = any(loss.field.startswith("location.evses") for loss in losses)
    changed = unnamed(differences(found, back), losses, NAMES)
    if without_plug:  # what the version has no form for takes the whole connector with it
        changed = {path for path in changed if not path.removeprefix("cdr_location.").startswith(("evse_", "connector_"))}
    assert changed == set()


SOURCES = sorted(
    {source: target for target, source in TYPES.items() if target is not CommandResult}.items(), key=lambda pair: str(pair[0])
)


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
@given(st.sampled_from(SOURCES).flatmap(lambda pair: st.tuples(st.just(pair), objects(pair[0]))))
def test_what_2_2_1_changes_of_2_1_1_is_named(given_: tuple[tuple[type[OcpiObject], type[OcpiObject]], OcpiObject]) -> None:
    """The other way round: a partner's object in our model, and back to it."""
    (source, target), thing = given_
    found = document(thing)
    around = context(partner=CPO, own=EMSP, asked_token=("1", "RFID"))
    up = ADAPTERS["2.1.1"].up(target, parse(encode(found)), around)
    reading = read(target, parse(encode(up.document)))
    assert {remark.rule for remark in reading.remarks} <= {"L5", "L12", "Z9", "D8", "Z17", "D7", "E6", "B8"}
    losses = list(up.losses)
    locations = []
    if source is Session211:
        location = ADAPTERS["2.1.1"].up(Location, found["location"], around)
        locations = [location.document]
        losses += [Remark(f"location.{loss.field}", loss.rule, loss.text) for loss in location.losses]
    back_around = replace(around, own=CPO, locations=locations)
    down = attempted(ADAPTERS["2.1.1"], target, parse(encode(up.document)), back_around)
    assert not isinstance(down, CannotSend), down
    names = tuple((of_221, of_211) for of_211, of_221 in NAMES)
    assert unnamed(differences(found, down.document), [*losses, *down.losses], names) == set()


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(
    st.sampled_from(sorted(TYPES_OF_230, key=str)).flatmap(lambda type_: st.tuples(st.just(type_), objects(type_))),
    st.sampled_from(["2.2", "2.2.1", "2.3.0"]),
)
def test_what_later_versions_change_is_named(given_: tuple[type[OcpiObject], OcpiObject], version: str) -> None:
    """Digest, 20: of our objects 2.3.0 loses nothing but the role HUB, 2.2.1 nothing, and what 2.2 loses is named."""
    type_, thing = given_
    found = document(thing)
    around = surroundings(found, type_)
    if "cdr_token" in found:
        around = replace(around, partner=Party(found["cdr_token"]["country_code"], found["cdr_token"]["party_id"]))
    sent = attempted(ADAPTERS[version], type_, found, around)
    if isinstance(sent, CannotSend):
        assert version == "2.2" or (type_ is ClientInfo and found["role"] == "HUB")
        return
    back, losses = there_and_back(ADAPTERS[version], type_, found, around)
    assert unnamed(differences(found, back), losses) == set()
    if version != "2.2":
        assert losses == []
    if version == "2.3.0":
        assert check(read(TYPES_OF_230[type_], parse(encode(sent.document))).value) == ()


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(st.sampled_from(sorted(TYPES_OF_230.items(), key=str)).flatmap(lambda pair: st.tuples(st.just(pair), objects(pair[1]))))
def test_2_3_0_comes_back_to_2_3_0_as_it_was(given_: tuple[tuple[type[OcpiObject], type[OcpiObject]], OcpiObject]) -> None:
    """New members and values, taxes and all, survive our model; what was changed (taxes within prices) is named."""
    (target, source), thing = given_
    found = document(thing)
    around = surroundings(found, target)
    adapter = ADAPTERS["2.3.0"]
    up = adapter.up(target, parse(encode(found)), around)
    reading = read(target, parse(encode(up.document)))
    assert {remark.rule for remark in reading.remarks} <= {"B10", "B11", "D8", "D13", "Z17"}
    down = adapter.down(target, parse(encode(up.document)), around)
    changed = unnamed(differences(found, down.document), [*up.losses, *down.losses])
    assert changed <= {path for path in changed if path.endswith("tax_included")}  # from YES to NO, next to a price that is named
    assert check(read(source, parse(encode(down.document))).value) == ()


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(st.sampled_from(sorted(TYPES_OF_230.items(), key=str)).flatmap(lambda pair: st.tuples(st.just(pair), objects(pair[1]))))
def test_2_3_0_goes_to_2_2_1_without_what_that_does_not_know(
    given_: tuple[tuple[type[OcpiObject], type[OcpiObject]], OcpiObject],
) -> None:
    """Digest, 22: dropped downwards and named, and what is sent keeps to 2.2.1."""
    (target, _), thing = given_
    found = document(thing)
    around = surroundings(found, target)
    stored = ADAPTERS["2.3.0"].up(target, parse(encode(found)), around).document
    down = attempted(ADAPTERS["2.2.1"], target, stored, around)
    if isinstance(down, CannotSend):
        assert any(value in str(found) for value in ("MCS", "SAE_J3400"))
        return
    sent = read(target, parse(encode(down.document)))
    assert check(sent.value) == ()
    assert not [remark for remark in sent.remarks if remark.rule in ("B10", "B11")]
    assert unnamed(differences(stored, down.document), down.losses) == set()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text(max_size=5)
    | st.sampled_from(["1E+999999", "", "#NA", "9" * 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(st.sampled_from(sorted(TYPES_OF_230, key=str)).flatmap(lambda type_: st.tuples(st.just(type_), objects(type_))), st.data())
def test_whatever_a_partner_sends_is_converted_or_refused(given_: tuple[type[OcpiObject], OcpiObject], data: st.DataObject) -> None:
    """No document raises anything but Unreadable on the way up, and CannotSend on the way down."""
    type_, thing = given_
    version = data.draw(st.sampled_from(sorted(ADAPTERS)))
    try:
        found = ADAPTERS[version].down(type_, document(thing), surroundings(document(thing), type_)).document
    except CannotSend:
        found = document(thing)
    hostile = {**found, **data.draw(st.dictionaries(st.sampled_from(sorted(found)), JSON, max_size=4))}
    partial = data.draw(st.booleans())
    around = context(asked_token=("1", "RFID"))
    adapter = ADAPTERS[version]
    adapter.needs_up(type_, hostile, around)
    try:
        up = adapter.up(type_, hostile, around, partial=partial)
    except Unreadable:
        return
    for other in ADAPTERS.values():
        other.needs_down(type_, up.document, around)
        with suppress(CannotSend):
            encode(other.down(type_, up.document, around, partial=partial).document)


def test_the_comparison_of_these_tests_sees_differences() -> None:
    """Spelling counts, null and an empty list are the same as nothing (B1), indexes are left out."""
    assert list(differences({"uid": "A", "list": [{"x": 1}]}, {"uid": "a", "list": [{"x": 2}]})) == ["list.x", "uid"]
    assert list(differences({"list": [], "none": None}, {})) == []
    told = [Remark("list[3].x", "2.1.1", "is not known there")]
    assert unnamed(iter(["list.x", "list.y", "list", "listing"]), told) == {"list.y", "listing"}
