"""The bridging map between OCPI 2.1.1 and 2.2.1, row by row (digest, 21 and 22)."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.ocpi221.base import OcpiObject
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.chargingprofiles import SetChargingProfile
from schemas.ocpi221.commands import CancelReservation, CommandResponse, CommandResult, ReserveNow, StartSession
from schemas.ocpi221.headers import Party
from schemas.ocpi221.hubclientinfo import ClientInfo
from schemas.ocpi221.locations import EVSE, Connector, Location
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.sessions import ChargingPreferences, Session
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.tokens import AuthorizationInfo, LocationReferences, Token
from schemas.ocpi_versions.port import CannotSend, Context, Document, VersionRequest
from schemas.ocpi_versions.versions import ADAPTERS
from tests.unit.ocpi_versions.documents import (
    CDR_,
    CDR_211,
    CDR_TOKEN,
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

ADAPTER = ADAPTERS["2.1.1"]
CONNECTOR_211: Document = LOCATION_211["evses"][0]["connectors"][0]
AS_CPO = context(partner=EMSP, own=CPO, locations=[LOCATION], tokens=[TOKEN])
AS_EMSP = context(partner=CPO, own=EMSP, tokens=[TOKEN])
AS_EMSP_SENDING = context(partner=CPO, own=EMSP)
AS_CPO_RECEIVING = context(partner=EMSP, own=CPO)


def said(losses: Any) -> list[tuple[str, str]]:
    return [(loss.field, loss.rule) for loss in losses]


@pytest.mark.parametrize(
    ("type_", "ours", "theirs", "sending", "receiving"),
    [
        (Location, LOCATION, LOCATION_211, AS_CPO, AS_EMSP),
        (EVSE, EVSE_, LOCATION_211["evses"][0], AS_CPO, AS_EMSP),
        (Connector, CONNECTOR, CONNECTOR_211, AS_CPO, AS_EMSP),
        (Session, SESSION, SESSION_211, AS_CPO, AS_EMSP),
        (Tariff, TARIFF, TARIFF_211, AS_CPO, AS_EMSP),
        (Token, TOKEN, TOKEN_211, AS_EMSP_SENDING, AS_CPO_RECEIVING),
        (StartSession, START, {**START, "token": TOKEN_211}, AS_EMSP_SENDING, AS_CPO_RECEIVING),
        (ReserveNow, RESERVE, {**RESERVE, "token": TOKEN_211, "reservation_id": 17}, AS_EMSP_SENDING, AS_CPO_RECEIVING),
        (
            LocationReferences,
            {"location_id": "LOC1", "evse_uids": ["1"]},
            {"location_id": "LOC1", "evse_uids": ["1"]},
            AS_CPO,
            AS_CPO,
        ),
    ],
)
def test_what_both_have_loses_nothing(
    type_: type[OcpiObject], ours: Document, theirs: Document, sending: Context, receiving: Context
) -> None:
    """Both ways, member by member."""
    down = ADAPTER.down(type_, parsed(ours), sending)
    assert (list(differences(down.document, parsed(theirs))), down.losses) == ([], ())
    up = ADAPTER.up(type_, parsed(theirs), receiving)
    assert (list(differences(up.document, parsed(ours))), up.losses) == ([], ())


def test_a_cdr_both_ways() -> None:
    """stop_date_time, location, total_cost, auth_id: the snapshot is made whole from the stored location, and cut to size again."""
    down = ADAPTER.down(CDR, parsed(CDR_), AS_CPO)
    assert (list(differences(down.document, parsed(CDR_211))), down.losses) == ([], ())
    up = ADAPTER.up(CDR, parsed(CDR_211), AS_EMSP)
    assert list(differences(up.document, parsed(CDR_))) == []
    assert said(up.losses) == [("location", "2.1.1")]


def test_a_cdr_of_a_place_that_is_not_stored() -> None:
    """D12: it is sent all the same; what 2.1.1 wants beyond the snapshot is not known."""
    down = ADAPTER.down(CDR, parsed(CDR_), context(partner=EMSP, own=CPO))
    location = down.document["location"]
    assert (location["type"], location["evses"][0]["status"]) == ("UNKNOWN", "UNKNOWN")
    assert (location["evses"][0]["connectors"][0]["voltage"], location["evses"][0]["evse_id"]) == (0, "BE*BEC*E1")
    assert said(down.losses) == [("cdr_location.connector_id", "2.1.1")]
    unused = {**CDR_["cdr_location"], "evse_uid": "#NA", "evse_id": "#NA", "connector_id": "#NA"}
    assert ADAPTER.down(CDR, parsed({**CDR_, "cdr_location": unused}), AS_CPO).document["location"]["evses"] == []
    without = parsed({**CDR_211, "location": {**LOCATION_211, "evses": []}})
    assert ADAPTER.up(CDR, without, AS_EMSP).document["cdr_location"]["evse_uid"] == "#NA"


DOWN: list[tuple[type[OcpiObject], Document, Document, dict[str, Any], list[str]]] = [
    # owner, publish, parking type, address, postal code, state
    (Location, LOCATION, {"parking_type": None}, {"type": "UNKNOWN"}, []),
    (Location, LOCATION, {"parking_type": "PARKING_LOT"}, {"type": "PARKING_LOT"}, []),
    (Location, LOCATION, {"parking_type": "ON_DRIVEWAY"}, {"type": "OTHER"}, ["parking_type"]),
    (Location, LOCATION, {"parking_type": "ALONG_MOTORWAY"}, {"type": "OTHER"}, ["parking_type"]),
    (Location, LOCATION, {"state": "Flanders"}, {"state": None}, ["state"]),
    (Location, LOCATION, {"address": "x" * 46}, {"address": "x" * 45}, ["address"]),
    (Location, LOCATION, {"postal_code": None}, {"postal_code": ""}, ["postal_code"]),
    (Location, LOCATION, {"last_updated": "2020-05-01T12:00:00.123Z"}, {"last_updated": NOON}, ["last_updated"]),
    (
        Location,
        LOCATION,
        {"coordinates": {"latitude": "51.0475991", "longitude": "3.72994"}},
        {"coordinates": {"latitude": "51.047599", "longitude": "3.729940"}},
        ["coordinates.latitude"],
    ),
    (Location, LOCATION, {"facilities": ["WIFI", "TRAM_STOP"]}, {"facilities": ["WIFI"]}, ["facilities[1]"]),
    (Location, LOCATION, {"party_id": "XYZ"}, {"party_id": None}, ["party_id"]),
    (Location, LOCATION, {"help_phone": "+32 1"}, {"help_phone": None}, ["help_phone"]),
    (
        Location,
        LOCATION,
        {"energy_mix": {"is_green_energy": True, "environ_impact": [{"category": "NUCLEAR_WASTE", "amount": 1}]}},
        {"energy_mix": {"is_green_energy": True, "environ_impact": [{"source": "NUCLEAR_WASTE", "amount": 1}]}},
        [],
    ),
    (
        Location,
        LOCATION,
        {
            "opening_times": {
                "twentyfourseven": False,
                "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}],
            }
        },
        {"opening_times": {"regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}]}},
        [],
    ),
    (Location, LOCATION, {"opening_times": {"twentyfourseven": True}}, {"opening_times": {"twentyfourseven": True}}, []),
    # EVSE and connector
    (EVSE, EVSE_, {"capabilities": ["RFID_READER", "PED_TERMINAL"]}, {"capabilities": ["RFID_READER"]}, ["capabilities[1]"]),
    (
        EVSE,
        EVSE_,
        {"connectors": [CONNECTOR, {**CONNECTOR, "id": "2", "standard": "CHAOJI"}]},
        {"connectors": [CONNECTOR_211]},
        ["connectors[1]"],
    ),
    (
        Location,
        LOCATION,
        {"evses": [{**EVSE_, "connectors": [{**CONNECTOR, "standard": "GBT_DC"}]}]},
        {"evses": []},
        ["evses[0].connectors[0]", "evses[0]"],
    ),
    (Connector, CONNECTOR, {"max_electric_power": 11000}, {"max_electric_power": None}, ["max_electric_power"]),
    (Connector, CONNECTOR, {"tariff_ids": []}, {"tariff_id": None}, []),
    (Connector, CONNECTOR, {"tariff_ids": ["11", "12"]}, {"tariff_id": "11"}, ["tariff_ids"]),
    # sessions and CDRs
    (Session, SESSION, {"end_date_time": NOON}, {"end_datetime": NOON}, []),
    (Session, SESSION, {"status": "RESERVATION"}, {"status": "PENDING"}, ["status"]),
    (Session, SESSION, {"auth_method": "COMMAND"}, {"auth_method": "AUTH_REQUEST"}, ["auth_method"]),
    (Session, SESSION, {"total_cost": {"excl_vat": 4, "incl_vat": 5}}, {"total_cost": 4}, ["total_cost.incl_vat"]),
    (Session, SESSION, {"authorization_reference": "1"}, {"authorization_reference": None}, ["authorization_reference"]),
    (
        Session,
        SESSION,
        {"charging_periods": [{**PERIOD, "tariff_id": "12"}, {**PERIOD, "dimensions": [{"type": "POWER", "volume": 1}]}]},
        {"charging_periods": [PERIOD]},
        ["charging_periods[0].tariff_id", "charging_periods[1].dimensions[0]", "charging_periods[1]"],
    ),
    (Session, SESSION, {"evse_uid": "#NA", "connector_id": "#NA"}, {"location": {**LOCATION_211, "evses": []}}, []),
    (Session, SESSION, {"evse_uid": "9"}, {"location": {**LOCATION_211, "evses": []}}, ["location.evses"]),
    (CDR, CDR_, {"auth_method": "COMMAND"}, {"auth_method": "AUTH_REQUEST"}, ["auth_method"]),
    (
        CDR,
        CDR_,
        {"session_id": "1", "total_energy_cost": {"excl_vat": 4}, "invoice_reference_id": "9", "home_charging_compensation": True},
        {"session_id": None, "total_energy_cost": None, "invoice_reference_id": None, "home_charging_compensation": None},
        ["session_id", "total_energy_cost", "invoice_reference_id", "home_charging_compensation"],
    ),
    (CDR, CDR_, {"credit": False}, {"credit": None}, []),
    # tariffs
    (
        Tariff,
        TARIFF,
        {
            "type": "REGULAR",
            "min_price": {"excl_vat": 1},
            "max_price": {"excl_vat": 9},
            "start_date_time": NOON,
            "end_date_time": NOON,
        },
        {"type": None, "min_price": None, "max_price": None, "start_date_time": None, "end_date_time": None},
        ["type", "min_price", "max_price", "start_date_time", "end_date_time"],
    ),
    (
        Tariff,
        TARIFF,
        {"elements": [{"price_components": [{"type": "TIME", "price": 2, "step_size": 300, "vat": 21}]}]},
        {"elements": TARIFF_211["elements"]},
        ["elements[0].price_components[0].vat"],
    ),
    # tokens, authorization, commands
    (Token, TOKEN, {"type": "APP_USER"}, {"type": "OTHER"}, ["type"]),
    (Token, TOKEN, {"type": "AD_HOC_USER"}, {"type": "OTHER"}, ["type"]),
    (Token, TOKEN, {"type": "EMAID"}, {"type": "OTHER"}, ["type"]),
    (
        Token,
        TOKEN,
        {"group_id": "1", "default_profile_type": "FAST", "energy_contract": {"supplier_name": "A"}},
        {"group_id": None, "default_profile_type": None, "energy_contract": None},
        ["group_id", "default_profile_type", "energy_contract"],
    ),
    (
        StartSession,
        START,
        {"connector_id": "1", "authorization_reference": "1"},
        {"connector_id": None},
        ["connector_id", "authorization_reference"],
    ),
    (CommandResponse, {"result": "ACCEPTED", "timeout": 30}, {}, {"result": "ACCEPTED", "timeout": None}, ["timeout"]),
    *(
        (CommandResult, {"result": result}, {}, {"result": "REJECTED"}, ["result"])
        for result in ("CANCELED_RESERVATION", "EVSE_OCCUPIED", "EVSE_INOPERATIVE", "FAILED", "UNKNOWN_RESERVATION")
    ),
    *(
        (CommandResult, {"result": result}, {}, {"result": result}, [])
        for result in ("ACCEPTED", "REJECTED", "TIMEOUT", "NOT_SUPPORTED")
    ),
    (
        AuthorizationInfo,
        {"allowed": "NO_CREDIT", "token": TOKEN, "authorization_reference": "1", "info": {"language": "en", "text": "A"}},
        {},
        {"allowed": "NO_CREDIT", "token": None, "authorization_reference": None, "info": {"language": "en", "text": "A"}},
        ["token", "authorization_reference"],
    ),
]


@pytest.mark.parametrize(("type_", "base", "change", "expected", "losses"), DOWN)
def test_down(type_: type[OcpiObject], base: Document, change: Document, expected: Document, losses: list[str]) -> None:
    """What 2.1.1 has another form for, or none: it is named."""
    around = AS_EMSP_SENDING if type_ in (Token, StartSession, AuthorizationInfo) else AS_CPO
    changed = {name: value for name, value in {**base, **change}.items() if value is not None}
    down = ADAPTER.down(type_, parsed(changed), around)
    got = {name: down.document.get(name) for name in expected}
    assert list(differences(got, parsed(expected))) == []
    assert [loss.field for loss in down.losses] == losses


UP: list[tuple[type[OcpiObject], Document, Document, dict[str, Any], list[str]]] = [
    (Location, LOCATION_211, {"type": "OTHER"}, {"parking_type": None, "publish": True}, ["type"]),
    (Location, LOCATION_211, {"type": "UNKNOWN"}, {"parking_type": None, "country_code": "BE", "party_id": "BEC"}, []),
    (Location, LOCATION_211, {"type": "on_street"}, {"parking_type": "ON_STREET"}, ["type"]),
    (Location, LOCATION_211, {"type": "UNDERGROUND_GARAGE"}, {"parking_type": "UNDERGROUND_GARAGE"}, []),
    (Location, LOCATION_211, {"time_zone": None}, {"time_zone": "Europe/Brussels"}, ["time_zone"]),
    (Location, LOCATION_211, {"postal_code": ""}, {"postal_code": None}, []),
    (
        Location,
        LOCATION_211,
        {"country_code": "XX", "state": "A"},
        {"country_code": "BE", "state": None},
        ["country_code", "state"],
    ),
    (Location, LOCATION_211, {"x_floor": 1}, {"x_floor": 1}, []),
    (
        Location,
        LOCATION_211,
        {"energy_mix": {"is_green_energy": True, "environ_impact": [{"source": "NUCLEAR_WASTE", "amount": 1}]}},
        {"energy_mix": {"is_green_energy": True, "environ_impact": [{"category": "NUCLEAR_WASTE", "amount": 1}]}},
        [],
    ),
    (
        Location,
        LOCATION_211,
        {"opening_times": {}},
        {"opening_times": {"twentyfourseven": True}},
        ["opening_times.twentyfourseven"],
    ),
    (
        Location,
        LOCATION_211,
        {"opening_times": {"regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}]}},
        {
            "opening_times": {
                "twentyfourseven": False,
                "regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}],
            }
        },
        [],
    ),
    (Connector, CONNECTOR_211, {"tariff_id": None}, {"tariff_ids": None, "max_voltage": 230, "max_amperage": 32}, []),
    (
        Session,
        SESSION_211,
        {"auth_id": "OTHER-1"},
        {"cdr_token": {"country_code": "NL", "party_id": "TNM", "uid": "OTHER-1", "type": "OTHER", "contract_id": "OTHER-1"}},
        ["auth_id"],
    ),
    (Session, SESSION_211, {"auth_id": "nl-tnm-1"}, {"cdr_token": {**CDR_TOKEN, "contract_id": "nl-tnm-1"}}, []),
    (
        Session,
        SESSION_211,
        {"location": {**LOCATION_211, "evses": None}},
        {"evse_uid": "#NA", "connector_id": "#NA"},
        ["location.evses"],
    ),
    (Session, SESSION_211, {"total_cost": None}, {"total_cost": None, "location_id": "LOC1"}, []),
    (
        CDR,
        CDR_211,
        {"charging_periods": [{**PERIOD, "dimensions": [{"type": "FLAT", "volume": 1}, {"type": "TIME", "volume": 2}]}]},
        {"charging_periods": [{**PERIOD, "dimensions": [{"type": "TIME", "volume": 2}]}]},
        ["charging_periods[0].dimensions", "location"],
    ),
    (
        CDR,
        CDR_211,
        {"charging_periods": [{**PERIOD, "dimensions": [{"type": "FLAT", "volume": 1}]}]},
        {"charging_periods": [{**PERIOD, "dimensions": [{"type": "ENERGY", "volume": 15.342}, {"type": "TIME", "volume": 1.973}]}]},
        ["charging_periods[0].dimensions", "location"],
    ),
    (Tariff, TARIFF_211, {}, {"type": None, "country_code": "BE", "party_id": "BEC"}, []),
    (LocationReferences, {"location_id": "LOC1", "connector_ids": ["1"]}, {}, {"connector_ids": None}, ["connector_ids"]),
    (CommandResponse, {"result": "TIMEOUT"}, {}, {"result": "REJECTED", "timeout": 60}, ["result"]),
    (CommandResult, {"result": "TIMEOUT"}, {}, {"result": "TIMEOUT", "timeout": None}, []),
    (CommandResult, {"result": "UNKNOWN_SESSION"}, {}, {"result": "REJECTED"}, ["result"]),
]


@pytest.mark.parametrize(("type_", "base", "change", "expected", "losses"), UP)
def test_up(type_: type[OcpiObject], base: Document, change: Document, expected: Document, losses: list[str]) -> None:
    """What a 2.1.1 partner sends, in our model."""
    changed = {name: value for name, value in {**base, **change}.items() if value is not None}
    up = ADAPTER.up(type_, parsed(changed), AS_EMSP)
    got = {name: up.document.get(name) for name in expected}
    assert list(differences(got, parsed(expected))) == []
    assert [loss.field for loss in up.losses] == losses


@pytest.mark.parametrize(
    ("type_", "document", "field"),
    [
        (Location, {**LOCATION, "publish": False}, "publish"),
        (Location, {**LOCATION, "city": "x" * 46}, "city"),
        (Location, {**LOCATION, "id": None}, "id"),
        (EVSE, {**EVSE_, "connectors": [{**CONNECTOR, "power_type": "AC_2_PHASE"}]}, "connectors"),
        (Connector, {**CONNECTOR, "standard": "MCS"}, "standard"),
        (Session, {**SESSION, "location_id": "LOC2"}, "location_id"),
        (CDR, {**CDR_, "credit": True, "credit_reference_id": "1"}, "credit"),
        (
            CDR,
            {**CDR_, "charging_periods": [{**PERIOD, "dimensions": [{"type": "RESERVATION_TIME", "volume": 1}]}]},
            "charging_periods",
        ),
        (
            Tariff,
            {**TARIFF, "elements": [{**TARIFF["elements"][0], "restrictions": {"reservation": "RESERVATION"}}]},
            "elements",
        ),
        (ReserveNow, {**RESERVE, "reservation_id": "a"}, "reservation_id"),
        (CancelReservation, {"response_url": "https://example.com/1", "reservation_id": "1"}, ""),
        (ChargingPreferences, {"profile_type": "FAST"}, ""),
        (ClientInfo, {}, ""),
        (SetChargingProfile, {}, ""),
    ],
)
def test_what_cannot_be_sent(type_: type[OcpiObject], document: Document, field: str) -> None:
    """Digest, 21: it names the field."""
    with pytest.raises(CannotSend) as caught:
        ADAPTER.down(type_, parsed(document), AS_CPO)
    assert caught.value.field == field


@pytest.mark.parametrize("restriction", [{"reservation": "RESERVATION"}, {"min_current": 6}, {"max_current": 16}, {"x_new": 1}])
def test_a_tariff_element_is_not_sent_without_one_of_its_restrictions(restriction: Document) -> None:
    """It would price what it is not meant for."""
    free = {"price_components": [{"type": "FLAT", "price": 0, "step_size": 1}], "restrictions": {"max_kwh": 5, **restriction}}
    down = ADAPTER.down(Tariff, parsed({**TARIFF, "elements": [free, *TARIFF["elements"]]}), AS_CPO)
    assert list(differences(down.document, parsed(TARIFF_211))) == []
    assert [loss.field for loss in down.losses] == ["elements[0]"]


def test_the_tariff_of_a_connector_is_the_first_that_holds_for_regular_sessions_now() -> None:
    """Digest, 22: by type and by time (F6, L15)."""
    connector = parsed({**CONNECTOR, "tariff_ids": ["1", "2", "3", "4"]})
    tariffs = [
        {**TARIFF, "id": "1", "type": "AD_HOC_PAYMENT"},
        {**TARIFF, "id": "2", "type": "REGULAR", "end_date_time": "2024-05-01T12:00:00Z"},
        {**TARIFF, "id": "3", "start_date_time": "2024-05-01T12:00:00Z"},
        {**TARIFF, "id": "4", "type": "REGULAR"},
    ]
    around = context(partner=EMSP, own=CPO, tariffs=tariffs)
    assert ADAPTER.down(Connector, connector, around).document["tariff_id"] == "3"
    assert ADAPTER.down(Connector, connector, context(partner=EMSP, own=CPO, tariffs=tariffs[3:])).document["tariff_id"] == "4"
    assert ADAPTER.down(Connector, connector, context(partner=EMSP, own=CPO)).document["tariff_id"] == "1"


def test_numbers_of_reservations() -> None:
    """M10: a table of the caller's, or the number itself where the partner has numbered it."""

    class Table:
        def number(self, reservation_id: str) -> int | None:
            return {"r-1": 7}.get(reservation_id)

        def reservation_id(self, number: int) -> str:
            return f"DEABC-{number}"

    around = context(partner=CPO, own=EMSP, reservations=Table())
    assert ADAPTER.down(ReserveNow, parsed({**RESERVE, "reservation_id": "r-1"}), around).document["reservation_id"] == 7
    theirs = {**RESERVE, "token": TOKEN_211}
    assert ADAPTER.up(ReserveNow, {**theirs, "reservation_id": 7}, around).document["reservation_id"] == "DEABC-7"
    assert ADAPTER.up(ReserveNow, {**theirs, "reservation_id": 8}, AS_CPO_RECEIVING).document["reservation_id"] == "8"
    for number in ("007", "9" * 16, "1.5", "²", "-"):
        with pytest.raises(CannotSend):
            ADAPTER.down(ReserveNow, parsed({**RESERVE, "reservation_id": number}), AS_EMSP_SENDING)


def test_which_token_a_contract_means() -> None:
    """Digest, 22: the owner's own word first, then what the partner was shown, the last first; a uid where there is no contract."""
    card, app = TOKEN, {**CDR_TOKEN, "uid": "app", "type": "APP_USER"}
    older, foreign = {**app, "uid": "older"}, {**app, "party_id": "XYZ", "uid": "foreign"}
    for tokens, shown, vouched, expected in (
        ([card], [foreign, app, older], True, "app"),
        ([card], [foreign, app, older], False, "0123"),
        ([card], [foreign], True, "0123"),
        ([], [foreign, app, older], False, "app"),  # by its contract id it is TNM's
        ([], [foreign], True, "foreign"),
        ([], [], True, None),
    ):
        around = context(partner=CPO, own=EMSP, tokens=tokens, shown=shown)
        found = around.token_of_contract("nl-tnm-1", vouched=vouched)
        assert (None if found is None else found["uid"]) == expected
        assert around.token_of_contract("nobody") is None
    assert context(partner=CPO, own=EMSP, tokens=[card]).token_of_contract("0123") == card
    up = ADAPTER.up(CDR, parsed({**CDR_211, "auth_method": "AUTH_REQUEST"}), context(partner=CPO, own=EMSP, shown=[app])).document
    assert up["cdr_token"] == app

    start = VersionRequest(method="POST", module="commands", role="RECEIVER", segments=("START_SESSION",), body=START)
    asked = VersionRequest(method="POST", module="tokens", role="SENDER", segments=("0123", "authorize"))
    assert ADAPTER.tokens_shown(start) == (CDR_TOKEN,) == ADAPTER.tokens_shown(asked, {"allowed": "ALLOWED", "token": TOKEN})
    assert ADAPTER.tokens_shown(start, {"result": "ACCEPTED"}) == ADAPTER.tokens_shown(asked) == ()
    for odd in ("\x00", "x" * 256, "", None, 7, "\ud800"):
        assert ADAPTER.tokens_shown(replace(start, body={"token": {**TOKEN, "uid": odd}})) == ()
        assert not ADAPTER.needs_up(CDR, {"auth_id": odd}, AS_EMSP_SENDING)
        assert not ADAPTER.needs_down(Session, {**SESSION, "location_id": odd}, AS_EMSP_SENDING)


def test_the_answer_to_an_authorization_gets_its_token() -> None:
    """2.2.1 wants it; it is the stored one, or made of what is known."""
    answer = {"allowed": "ALLOWED"}
    known = ADAPTER.up(AuthorizationInfo, answer, context(partner=EMSP, own=CPO, tokens=[TOKEN], asked_token=("0123", "RFID")))
    assert (known.document["token"], known.losses) == (TOKEN, ())
    made = ADAPTER.up(AuthorizationInfo, answer, context(partner=EMSP, own=CPO, asked_token=("0123", "RFID")))
    assert {name: made.document["token"][name] for name in ("country_code", "party_id", "uid", "type", "contract_id", "valid")} == {
        "country_code": "NL",
        "party_id": "TNM",
        "uid": "0123",
        "type": "RFID",
        "contract_id": "0123",
        "valid": True,
    }
    assert said(made.losses) == [("token", "2.1.1")]
    with pytest.raises(Unreadable):
        ADAPTER.up(AuthorizationInfo, answer, context())


def test_an_answer_that_is_a_bare_string() -> None:
    """The text names the enumeration where the object is meant."""
    up = ADAPTER.up(CommandResponse, "ACCEPTED", context(command_timeout_s=20))
    assert up.document == {"result": "ACCEPTED", "timeout": 20}
    assert said(up.losses) == [("", "2.1.1")]


def test_the_token_of_a_contract_is_first_looked_for_among_those_near() -> None:
    """Two eMSPs may use the same contract id."""
    other = {**TOKEN, "party_id": "ZZZ", "uid": "other"}
    around = context(partner=CPO, own=EMSP, tokens=[other, TOKEN])
    assert ADAPTER.up(Session, parsed(SESSION_211), around).document["cdr_token"]["uid"] == "0123"
    foreign = context(partner=CPO, own=Party("FR", "FFF"), tokens=[other])
    assert ADAPTER.up(Session, parsed(SESSION_211), foreign).document["cdr_token"]["uid"] == "other"


def test_the_same_loss_many_times_is_told_once() -> None:
    """A location of many EVSEs must not fill the log."""
    evses = [{**EVSE_, "uid": str(number), "last_updated": "2020-05-01T12:00:00.5Z"} for number in range(500)]
    down = ADAPTER.down(Location, parsed({**LOCATION, "evses": evses, "last_updated": "2020-05-01T12:00:01Z"}), AS_CPO)
    assert [(loss.field, loss.text) for loss in down.losses] == [
        ("evses[0].last_updated", "its fraction of a second is cut off (500 times)")
    ]
    hostile = {**LOCATION, **{f"x{number}": 1 for number in range(1000)}}
    assert len(ADAPTER.down(Location, parsed(hostile), AS_CPO).losses) == 200
