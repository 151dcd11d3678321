"""Requests, answers, credentials and version details of other versions (digest, 20 to 22)."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ocpi221.credentials import Credentials, CredentialsRole
from schemas.ocpi221.headers import Party
from schemas.ocpi221.interfaces import OPERATIONS, Operation
from schemas.ocpi221.locations import BusinessDetails
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import read
from schemas.ocpi221.versions import Endpoint, VersionDetails
from schemas.ocpi221.writing import encode
from schemas.ocpi_versions.port import CannotSend, Needs, NotOffered, UnknownObject, VersionRequest
from schemas.ocpi_versions.shapes import shape_of
from schemas.ocpi_versions.versions import ADAPTERS
from tests.unit.ocpi_versions.documents import (
    CDR_,
    CDR_211,
    CONNECTOR,
    EVSE_,
    LOCATION,
    LOCATION_211,
    NOON,
    PERIOD,
    RESERVE,
    SESSION,
    SESSION_211,
    START,
    TARIFF,
    TARIFF_211,
    TOKEN,
    TOKEN_211,
    parsed,
)
from tests.unit.ocpi_versions.generation import CPO, EMSP, context, differences

OLD = ADAPTERS["2.1.1"]
_MEMBERS = {*LOCATION, *EVSE_, *CONNECTOR, *SESSION_211, *CDR_211, *TARIFF_211, *TOKEN_211, *START, *RESERVE, "result", "allowed"}
AS_CPO = context(partner=EMSP, own=CPO, locations=[LOCATION], tokens=[TOKEN])
AS_EMSP = context(partner=CPO, own=EMSP, tokens=[TOKEN])


def asked(method: Any, module: str, role: Any, *segments: str, body: Any = None, **query: str) -> VersionRequest:
    return VersionRequest(method=method, module=module, role=role, segments=segments, query=tuple(query.items()), body=parsed(body))


def test_each_row_of_the_endpoint_table_has_its_shape() -> None:
    """Section 4: the types are those at the same place as the path."""
    for operation in OPERATIONS:
        if operation.role is None:
            continue
        for index, path in enumerate(operation.paths):
            segments = tuple(step.strip("{}") or "x" for step in path.split("/") if step)
            shape = shape_of(asked(operation.method, operation.module, operation.role, *segments))
            assert shape is not None
            assert shape.operation is operation
            if operation.body and operation.number != 37:
                assert shape.body is operation.body[index if len(operation.body) > 1 else 0]
            assert (shape.owner is None) is ("{country_code}" not in path)
    assert shape_of(asked("POST", "locations", "SENDER")) is None
    assert shape_of(asked("POST", "commands", "RECEIVER", "MAKE_COFFEE")) is None
    assert shape_of(asked("GET", "locations", "SENDER", "1", "2", "3", "4")) is None
    callback = shape_of(asked("POST", "commands", "SENDER", "a", "b"))
    assert callback is not None
    assert callback.operation.number == 33


NOT_IN_211 = [
    asked("PUT", "sessions", "SENDER", "1", "charging_preferences", body={"profile_type": "FAST"}),
    asked("GET", "hubclientinfo", "SENDER"),
    asked("GET", "chargingprofiles", "RECEIVER", "1", response_url="https://example.com/1"),
    asked(
        "POST", "commands", "RECEIVER", "CANCEL_RESERVATION", body={"response_url": "https://example.com", "reservation_id": "1"}
    ),
    asked("DELETE", "locations", "RECEIVER", "BE", "BEC", "1"),
]


@pytest.mark.parametrize("request_", NOT_IN_211)
def test_what_2_1_1_does_not_offer(request_: VersionRequest) -> None:
    """Digest, 21."""
    assert not OLD.offers(request_)
    with pytest.raises(NotOffered):
        OLD.request_up(request_, AS_EMSP)
    with pytest.raises(CannotSend) as caught:
        OLD.request_down(request_, AS_CPO)
    assert caught.value.rule == "2.1.1"
    assert OLD.request_needs_down(request_, AS_CPO) | OLD.request_needs_up(request_, AS_CPO) is not None


def test_the_modules_of_each_version() -> None:
    """Digest, 20 and 21."""
    assert {module for module, _ in OLD.modules} == {"cdrs", "commands", "locations", "sessions", "tariffs", "tokens"}
    assert ("invoicereconciliation", "SENDER") in ADAPTERS["2.3.0"].modules
    assert (
        ADAPTERS["2.2"].modules
        == ADAPTERS["2.2.1"].modules
        == ADAPTERS["2.3.0"].modules
        - {
            ("invoicereconciliation", "SENDER"),
            ("invoicereconciliation", "RECEIVER"),
        }
    )
    assert [adapter.routed for adapter in ADAPTERS.values()] == [False, True, True, True]


PUSHES: list[tuple[VersionRequest, Any]] = [
    (asked("PUT", "locations", "RECEIVER", "BE", "BEC", "LOC1", body=LOCATION_211), LOCATION),
    (asked("PUT", "locations", "RECEIVER", "BE", "BEC", "LOC1", "3256", body=LOCATION_211["evses"][0]), EVSE_),
    (
        asked("PUT", "locations", "RECEIVER", "BE", "BEC", "LOC1", "3256", "1", body=LOCATION_211["evses"][0]["connectors"][0]),
        CONNECTOR,
    ),
    (asked("PUT", "sessions", "RECEIVER", "BE", "BEC", "101", body=SESSION_211), SESSION),
    (asked("PUT", "tariffs", "RECEIVER", "BE", "BEC", "12", body=TARIFF_211), TARIFF),
    (asked("POST", "cdrs", "RECEIVER", body=CDR_211), CDR_),
    (asked("DELETE", "tariffs", "RECEIVER", "BE", "BEC", "12"), None),
    (asked("GET", "locations", "RECEIVER", "BE", "BEC", "LOC1"), None),
]


@pytest.mark.parametrize(("theirs", "ours"), PUSHES)
def test_pushes_of_a_2_1_1_cpo(theirs: VersionRequest, ours: Any) -> None:
    """Client-owned paths are the same; the body is that of the path."""
    assert OLD.request_needs_up(theirs, AS_EMSP).contract_ids <= {"nl-tnm-1"}
    up = OLD.request_up(theirs, AS_EMSP).request
    assert list(differences(up.body, parsed(ours))) == []
    assert replace(up, body=None) == replace(theirs, body=None)
    sent = OLD.request_down(replace(up, body=parsed(ours)), AS_CPO).request
    assert list(differences(sent.body, theirs.body)) == []


def test_the_owner_in_the_path_is_the_owner() -> None:
    """W5: a platform may stand for others."""
    theirs = asked("PUT", "locations", "RECEIVER", "FR", "ABC", "LOC1", body=LOCATION_211)
    body = OLD.request_up(theirs, AS_EMSP).request.body
    assert (body["country_code"], body["party_id"]) == ("FR", "ABC")
    ours = asked("PUT", "locations", "RECEIVER", "FR", "ABC", "LOC1", body={**LOCATION, "country_code": "FR", "party_id": "ABC"})
    assert OLD.request_down(ours, AS_CPO).losses == ()


def test_tokens_of_a_2_1_1_emsp() -> None:
    """K1: type is told in the query as everywhere, in the terms of 2.1.1."""
    theirs = asked("PUT", "tokens", "RECEIVER", "NL", "TNM", "0123", body=TOKEN_211, type="RFID")
    assert OLD.request_up(theirs, AS_CPO).request.body == TOKEN
    ours = asked("PUT", "tokens", "RECEIVER", "NL", "TNM", "0123", body={**TOKEN, "type": "APP_USER"}, type="APP_USER")
    down = OLD.request_down(ours, AS_EMSP)
    assert (down.request.query, down.request.body["type"]) == ((("type", "OTHER"),), "OTHER")
    assert [loss.field for loss in down.losses] == ["type", "type"]
    later = ADAPTERS["2.2.1"].request_down(replace(ours, query=(("type", "EMAID"), ("x", "1")), body=None), AS_EMSP)
    assert (later.request.query, [loss.field for loss in later.losses]) == ((("type", "OTHER"), ("x", "1")), ["type"])


def test_a_patch_without_a_date() -> None:
    """W2: 2.1.1 has none in its examples, 2.2.1 wants one."""
    up = OLD.request_up(asked("PATCH", "locations", "RECEIVER", "BE", "BEC", "LOC1", "3256", body={"status": "CHARGING"}), AS_EMSP)
    assert up.request.body == {"status": "CHARGING", "last_updated": "2024-05-01T12:00:00Z"}
    assert [(loss.field, loss.rule) for loss in up.losses] == [("last_updated", "W2")]
    for body in (None, [], "x"):
        request = replace(asked("PATCH", "tariffs", "RECEIVER", "BE", "BEC", "12"), body=body)
        with pytest.raises(Unreadable):
            OLD.request_up(request, context(tariffs=[TARIFF]))


def test_a_patch_of_a_tariff_becomes_a_put() -> None:
    """F1: 2.2.1 has none; W4: 404 where there is nothing to change."""
    patch = asked(
        "PATCH", "tariffs", "RECEIVER", "be", "bec", "12", body={"tariff_alt_url": "https://example.com", "currency": "SEK"}
    )
    assert OLD.request_needs_up(patch, AS_EMSP) == Needs(tariffs=frozenset({("be", "bec", "12")}))
    up = OLD.request_up(
        patch, replace(AS_EMSP, tariffs=[parsed({**TARIFF, "type": "REGULAR", "energy_mix": {"is_green_energy": True}})])
    )
    assert up.request.method == "PUT"
    assert (up.request.body["currency"], up.request.body["type"], up.request.body["party_id"]) == ("SEK", "REGULAR", "BEC")
    clearing = replace(patch, body={"energy_mix": None, "last_updated": NOON})
    cleared = OLD.request_up(clearing, replace(AS_EMSP, tariffs=[parsed({**TARIFF, "energy_mix": {"is_green_energy": True}})]))
    assert "energy_mix" not in cleared.request.body
    with pytest.raises(UnknownObject):
        OLD.request_up(patch, AS_EMSP)


def test_periods_in_a_patch_are_added_here_and_replaced_there() -> None:
    """E2: only 2.2.1 adds them."""
    stored = parsed({**SESSION, "charging_periods": [PERIOD]})
    other = {**PERIOD, "start_date_time": "2020-05-01T13:00:00Z"}
    patch = asked(
        "PATCH", "sessions", "RECEIVER", "BE", "BEC", "101", body={"charging_periods": [PERIOD, other], "last_updated": NOON}
    )
    needs = Needs(sessions=frozenset({("be", "bec", "101")}))
    assert OLD.request_needs_up(patch, AS_EMSP) == needs == OLD.request_needs_down(patch, AS_CPO)
    up = OLD.request_up(patch, replace(AS_EMSP, sessions=[stored]))
    assert (up.request.method, up.request.body) == ("PUT", {**stored, "charging_periods": parsed([PERIOD, other])})
    added = asked("PATCH", "sessions", "RECEIVER", "BE", "BEC", "101", body={"charging_periods": other, "last_updated": NOON})
    down = OLD.request_down(added, replace(AS_CPO, sessions=[stored]))
    assert down.request.body["charging_periods"] == parsed([PERIOD, other])
    with pytest.raises(UnknownObject):
        OLD.request_up(patch, AS_EMSP)
    with pytest.raises(UnknownObject):
        OLD.request_down(added, AS_CPO)
    without = asked("PATCH", "sessions", "RECEIVER", "BE", "BEC", "101", body={"kwh": 2, "last_updated": NOON})
    assert OLD.request_up(without, AS_EMSP).request.method == "PATCH"


def test_commands_and_what_comes_of_them() -> None:
    """Digest, 15 and 22: the answer and the callback are both a CommandResponse there."""
    start = asked("POST", "commands", "RECEIVER", "START_SESSION", body={**START, "token": TOKEN_211})
    up = OLD.request_up(start, AS_CPO).request
    assert up.body == START
    assert OLD.request_down(up, AS_EMSP).request.body == start.body
    answer = OLD.response_down(up, {"result": "ACCEPTED", "timeout": 30}, AS_CPO)
    assert answer.document == {"result": "ACCEPTED"}
    assert OLD.response_up(up, answer.document, AS_EMSP).document == {"result": "ACCEPTED", "timeout": 60}
    callback = asked(
        "POST", "commands", "SENDER", "key", body={"result": "EVSE_OCCUPIED", "message": [{"language": "en", "text": "A"}]}
    )
    down = OLD.request_down(callback, AS_CPO)
    assert (down.request.body, [loss.field for loss in down.losses]) == ({"result": "REJECTED"}, ["message", "result"])
    assert OLD.request_up(down.request, AS_EMSP).request.body == {"result": "REJECTED"}
    reserve = asked("POST", "commands", "RECEIVER", "RESERVE_NOW", body=RESERVE)
    assert OLD.request_needs_down(reserve, AS_EMSP) == Needs(reservation_ids=frozenset({"17"}))
    assert OLD.request_down(reserve, AS_EMSP).request.body["reservation_id"] == 17


def test_an_authorization_both_ways() -> None:
    """Digest, 21: without the token, and with fewer types of it."""
    ours = asked("POST", "tokens", "SENDER", "0123", "authorize", body={"location_id": "LOC1"}, type="APP_USER")
    down = OLD.request_down(ours, AS_CPO).request
    assert down.query == (("type", "OTHER"),)
    answer = {"allowed": "ALLOWED", "location": {"location_id": "LOC1", "connector_ids": ["1"]}}
    app_user = {**TOKEN, "type": "APP_USER"}
    assert OLD.response_needs_up(ours, answer, AS_CPO) == Needs(token_uids=frozenset({"0123"}))
    up = OLD.response_up(ours, answer, replace(AS_CPO, tokens=[app_user]))
    assert up.document == {"allowed": "ALLOWED", "location": {"location_id": "LOC1"}, "token": app_user}
    for version in ("2.1.1", "2.2", "2.2.1"):
        adapter = ADAPTERS[version]
        assert adapter.request_needs_up(down, AS_EMSP) == Needs(token_uids=frozenset({"0123"}))
        there = adapter.request_up(down, replace(AS_EMSP, tokens=[app_user]))
        assert (there.request.query, [loss.rule for loss in there.losses]) == ((("type", "APP_USER"),), ["K1"])
        for tokens in ([], [TOKEN], [app_user, {**TOKEN, "type": "EMAID"}], [{**TOKEN, "type": "OTHER"}]):
            assert adapter.request_up(down, replace(AS_EMSP, tokens=tokens)).request.query == (("type", "OTHER"),)
    back = OLD.response_down(down, {"allowed": "ALLOWED", "token": TOKEN}, AS_EMSP)
    assert back.document == {"allowed": "ALLOWED"}
    assert OLD.response_up(ours, None, AS_CPO).document is None


def test_lists_keep_what_is_good() -> None:
    """G8: the rest is named."""
    pull = asked("GET", "locations", "SENDER", limit="10")
    page = parsed([LOCATION_211, {**LOCATION_211, "id": None}, {**LOCATION_211, "id": "LOC2", "type": "OTHER"}])
    up = OLD.response_up(pull, page, AS_EMSP)
    assert [location["id"] for location in up.document] == ["LOC1", "LOC2"]
    assert [(loss.field, loss.rule) for loss in up.losses] == [("[1].id", "B1"), ("[2].type", "2.1.1")]
    ours = [LOCATION, {**LOCATION, "id": "LOC2", "publish": False}, {**LOCATION, "id": "LOC3", "state": "A"}]
    down = OLD.response_down(pull, parsed(ours), AS_CPO)
    assert [location["id"] for location in down.document] == ["LOC1", "LOC3"]
    assert [loss.field for loss in down.losses] == ["[1].publish", "[2].state"]
    assert OLD.response_up(pull, page[0], AS_EMSP).document[0]["id"] == "LOC1"  # Z12
    with pytest.raises(Unreadable):
        OLD.response_up(pull, "x", AS_EMSP)
    connectors = [{**CONNECTOR, "tariff_ids": ["1", "2"]}]
    several = {**LOCATION, "evses": [{**EVSE_, "connectors": connectors}]}
    needs = OLD.response_needs_down(pull, [several, SESSION, "x"], AS_CPO)
    assert needs == Needs(tariffs=frozenset({("be", "bec", "1"), ("be", "bec", "2")}))
    assert OLD.request_needs_down(asked("POST", "cdrs", "RECEIVER", body=CDR_), AS_CPO).locations == {("be", "bec", "loc1")}


def test_status_codes_of_2_1_1() -> None:
    """Digest, 21: no 2004, no 4xxx."""
    codes = [1000, 2001, 2003, 2004, 3001, 4000, 4003]
    assert [OLD.status_code_down(code) for code in codes] == [1000, 2001, 2003, 2000, 3001, 3000, 3000]
    assert [ADAPTERS["2.3.0"].status_code_down(code) for code in codes] == codes


def test_invoices_stay_as_they_are() -> None:
    """Digest, 20: only 2.3.0 has them."""
    record = {"country_code": "BE", "party_id": "BEC", "id": "1", "invoice_id": "I", "cdrs": ["1"], "last_updated": NOON}
    put = asked("PUT", "invoicereconciliation", "RECEIVER", "BE", "BEC", "1", body=record)
    new = ADAPTERS["2.3.0"]
    assert new.request_up(put, AS_EMSP) == (put, ()) == new.request_down(put, AS_CPO)
    assert new.response_up(put, None, AS_EMSP).document is None
    assert new.offers(asked("GET", "invoicereconciliation", "SENDER"))
    assert not new.offers(asked("PATCH", "invoicereconciliation", "RECEIVER", "BE", "BEC", "1"))
    with pytest.raises(NotOffered):
        new.request_up(replace(put, segments=()), AS_EMSP)
    with pytest.raises(CannotSend):
        ADAPTERS["2.2.1"].request_down(put, AS_CPO)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(sorted(_MEMBERS)), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([operation for operation in OPERATIONS if operation.role is not None]),
    st.sampled_from(sorted(ADAPTERS)),
    JSON,
    st.data(),
)
def test_hostile_messages(operation: Operation, version: str, body: Any, data: st.DataObject) -> None:
    """Whatever comes as a body or as an answer: nothing but the errors that the port names."""
    adapter = ADAPTERS[version]
    path = data.draw(st.sampled_from(operation.paths))
    segments = tuple(step.strip("{}") for step in path.split("/") if step)
    method = data.draw(st.sampled_from([operation.method, "PATCH"]))
    request = VersionRequest(
        method=method, module=operation.module, role=operation.role, segments=segments, query=(("type", "OTHER"),), body=body
    )
    adapter.request_needs_up(request, AS_EMSP)
    with suppress(Unreadable, NotOffered, UnknownObject):
        encode(adapter.request_up(request, AS_EMSP).request.body)
    adapter.response_needs_up(request, body, AS_CPO)
    with suppress(Unreadable):
        encode(adapter.response_up(request, body, AS_CPO).document)
    adapter.request_needs_down(request, AS_CPO)
    with suppress(CannotSend):
        encode(adapter.request_down(request, AS_CPO).request.body)


# --- registration ---


def role(name: str, party: Party = CPO) -> CredentialsRole:
    return CredentialsRole(
        role=name, business_details=BusinessDetails(name="A"), party_id=party.party_id, country_code=party.country_code
    )


HUB = Party("NL", "HUB")
OFFER = {"token": "secret", "url": "https://example.com/versions"}


def test_credentials_of_2_1_1() -> None:
    """Digest, 21: one party in one role."""
    document = {**OFFER, "business_details": {"name": "A"}, "party_id": "BEC", "country_code": "BE"}
    up = OLD.credentials_up(document, "CPO").value
    assert up == Credentials(**OFFER, roles=(role("CPO"),))
    down = OLD.credentials_down(Credentials(**OFFER, roles=(role("EMSP", EMSP), role("CPO"))), "CPO")
    assert (down.document, [loss.field for loss in down.losses]) == (document, ["roles[0]"])
    hub = Credentials(**OFFER, roles=(role("HUB", HUB),))
    assert OLD.credentials_down(hub, "EMSP", [role("CPO"), role("EMSP", EMSP)]).document["party_id"] == "TNM"
    with pytest.raises(CannotSend):
        OLD.credentials_down(hub, "EMSP")
    with pytest.raises(Unreadable):
        OLD.credentials_up({**document, "token": "two words"}, "CPO")
    with pytest.raises(ValueError, match="CPO or an eMSP"):
        OLD.credentials_up(document)
    tall = replace_role(role("CPO"), "x" * 101)
    with pytest.raises(CannotSend, match="business_details"):
        OLD.credentials_down(Credentials(**OFFER, roles=(tall,)), "CPO")


def replace_role(party: CredentialsRole, name: str) -> CredentialsRole:
    return CredentialsRole(
        role=party.role, business_details=BusinessDetails(name=name), party_id=party.party_id, country_code=party.country_code
    )


def test_credentials_of_2_3_0() -> None:
    """Digest, 20 and 22: hub_party_id, and the parties that are reached through it."""
    new = ADAPTERS["2.3.0"]
    hub = Credentials(**OFFER, roles=(role("HUB", HUB),))
    down = new.credentials_down(hub, None, [role("CPO"), role("CPO", Party("be", "bec")), role("EMSP", EMSP)])
    assert down.document["hub_party_id"] == "NLHUB"
    assert [(party["role"], party["party_id"]) for party in down.document["roles"]] == [("CPO", "bec"), ("EMSP", "TNM")]
    up = new.credentials_up(down.document).value
    assert [(party.role, party.country_code, party.party_id) for party in up.roles] == [
        ("HUB", "NL", "HUB"),
        ("CPO", "be", "bec"),
        ("EMSP", "NL", "TNM"),
    ]
    alone = new.credentials_down(hub)
    assert [party["role"] for party in alone.document["roles"]] == ["OTHER"]
    assert [loss.field for loss in alone.losses] == ["roles"]
    plain = Credentials(**OFFER, roles=(role("CPO"),))
    assert "hub_party_id" not in new.credentials_down(plain).document
    assert new.credentials_up(new.credentials_down(plain).document).value == plain
    for version in ("2.2", "2.2.1"):
        same = ADAPTERS[version].credentials_down(hub, None, [role("CPO")]).document
        assert [party["role"] for party in same["roles"]] == ["HUB"]  # C9
        assert ADAPTERS[version].credentials_up(same).value == hub


def details(*offered: tuple[str, Any]) -> VersionDetails:
    endpoints = [Endpoint(identifier=module, role=role_, url=f"https://a.example/{role_}/{module}") for module, role_ in offered]
    return VersionDetails(version="2.2.1", endpoints=tuple(endpoints))


ALL = details(
    ("credentials", "SENDER"),
    *((module, role_) for module in ("cdrs", "commands", "locations", "tokens") for role_ in ("SENDER", "RECEIVER")),
    ("chargingprofiles", "RECEIVER"),
    ("invoicereconciliation", "SENDER"),
)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("CPO", {"cdrs": "SENDER", "commands": "RECEIVER", "locations": "SENDER", "tokens": "RECEIVER", "credentials": "SENDER"}),
        ("EMSP", {"cdrs": "RECEIVER", "commands": "SENDER", "locations": "RECEIVER", "tokens": "SENDER", "credentials": "SENDER"}),
    ],
)
def test_endpoints_of_2_1_1(peer: Any, expected: dict[str, str]) -> None:
    """Digest, 21: separate documents, no roles; which interface is meant follows from who it is."""
    down = OLD.details_down(ALL, peer).document
    assert down["version"] == "2.1.1"
    assert {endpoint["identifier"]: endpoint["url"].split("/")[-2] for endpoint in down["endpoints"]} == expected
    assert all(set(endpoint) == {"identifier", "url"} for endpoint in down["endpoints"])
    up = OLD.details_up(down, peer).value
    assert {str(endpoint.identifier): endpoint.role for endpoint in up.endpoints} == expected
    with pytest.raises(CannotSend):
        OLD.details_down(details(("chargingprofiles", "RECEIVER")), peer)


def test_endpoints_of_later_versions() -> None:
    """V2, V7: modules that only later versions have are not shown."""
    for version in ("2.2", "2.2.1", "2.3.0"):
        down = ADAPTERS[version].details_down(ALL).document
        assert down["version"] == version
        modules = [endpoint["identifier"] for endpoint in down["endpoints"]]
        assert ("invoicereconciliation" in modules) is (version == "2.3.0")
        up = ADAPTERS[version].details_up(down)
        assert up.remarks == ()
        assert [str(endpoint.identifier) for endpoint in up.value.endpoints] == modules
    assert read(VersionDetails, ADAPTERS["2.2.1"].details_down(ALL).document).remarks == ()
