"""OCPI 2.2, 2.2.1 and 2.3.0 (digest, 20 and 22)."""

from decimal import Decimal
from typing import Any

import pytest

from schemas.ocpi221.base import OcpiObject
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.commands import StartSession
from schemas.ocpi221.hubclientinfo import ClientInfo
from schemas.ocpi221.locations import EVSE, Connector, Location
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.tokens import AuthorizationInfo, Token
from schemas.ocpi_versions.port import CannotSend, Document
from schemas.ocpi_versions.versions import ADAPTERS, best_of
from tests.unit.ocpi_versions.documents import (
    CDR_,
    CDR_TOKEN,
    CONNECTOR,
    EVSE_,
    LOCATION,
    NOON,
    SESSION,
    START,
    TARIFF,
    TOKEN,
    parsed,
)
from tests.unit.ocpi_versions.generation import CPO, EMSP, context, differences

AS_CPO = context(partner=EMSP, own=CPO)
AS_EMSP = context(partner=CPO, own=EMSP)
PARKING = {"id": "P1", "vehicle_types": ["VAN"], "restricted_to_type": False, "reservation_required": False}


def priced(vat: Any, price: Any) -> list[Document]:
    component = {"type": "TIME", "price": price, "step_size": 300, **({} if vat is None else {"vat": vat})}
    return [{"price_components": [component]}]


def fields(losses: Any) -> list[str]:
    return [loss.field for loss in losses]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"excl_vat": 4}, {"before_taxes": 4}),
        ({"excl_vat": 4, "incl_vat": 4.4}, {"before_taxes": 4, "taxes": [{"name": "VAT", "amount": 0.4}]}),
        ({"excl_vat": 4, "incl_vat": 4}, {"before_taxes": 4, "taxes": [{"name": "VAT", "amount": 0}]}),
        (
            {
                "excl_vat": 4,
                "incl_vat": 4.6,
                "taxes": [{"name": "VAT", "percentage": 10, "amount": 0.4}, {"name": "City", "amount": 0.2}],
            },
            {"before_taxes": 4, "taxes": [{"name": "VAT", "percentage": 10, "amount": 0.4}, {"name": "City", "amount": 0.2}]},
        ),
    ],
)
def test_prices(ours: Document, theirs: Document) -> None:
    """Digest, 22: VAT is one tax; several are kept as they came, for others who know them."""
    adapter = ADAPTERS["2.3.0"]
    down = adapter.down(Session, parsed({**SESSION, "total_cost": ours}), AS_CPO)
    assert (list(differences(down.document, parsed({**SESSION, "total_cost": theirs}))), down.losses) == ([], ())
    up = adapter.up(Session, parsed({**SESSION, "total_cost": theirs}), AS_EMSP)
    assert (list(differences(up.document, parsed({**SESSION, "total_cost": ours}))), up.losses) == ([], ())
    to_221 = ADAPTERS["2.2.1"].down(Session, up.document, AS_CPO)
    assert "taxes" not in to_221.document["total_cost"]
    assert fields(to_221.losses) == (["total_cost.taxes"] if "taxes" in ours else [])


def test_taxes_that_do_not_add_up_any_more() -> None:
    """They were kept, but the price has changed since."""
    changed = {"excl_vat": 5, "incl_vat": 6, "taxes": [{"name": "City", "amount": 0.2}]}
    down = ADAPTERS["2.3.0"].down(Session, parsed({**SESSION, "total_cost": changed}), AS_CPO)
    assert down.document["total_cost"]["taxes"] == [{"name": "VAT", "amount": 1}]
    for taxes in ("x", [1], [{"amount": "1"}]):
        odd = {"excl_vat": 5, "incl_vat": 6, "taxes": taxes}
        sent = ADAPTERS["2.3.0"].down(Session, parsed({**SESSION, "total_cost": odd}), AS_CPO)
        assert sent.document["total_cost"]["taxes"] == [{"name": "VAT", "amount": 1}]


@pytest.mark.parametrize(
    ("included", "vat", "price", "ours", "our_vat", "lost"),
    [
        ("NO", 21, 2, "2", 21, False),
        ("YES", 21, "2.42", "2.0000", 21, True),
        ("YES", 21, 1, "0.8264", 21, True),
        ("YES", None, 2, "2", None, False),
        ("YES", 0, 2, "2", 0, False),
        ("N/A", 21, 2, "2", None, True),
        ("N/A", None, 2, "2", None, False),
    ],
)
def test_tax_included(included: str, vat: Any, price: Any, ours: str, our_vat: Any, lost: bool) -> None:
    """Digest, 22: 2.2.1 prices are without tax."""
    tariff = {**TARIFF, "tax_included": included, "elements": priced(vat, Decimal(price))}
    up = ADAPTERS["2.3.0"].up(Tariff, parsed(tariff), AS_EMSP)
    component = up.document["elements"][0]["price_components"][0]
    assert (component["price"], component.get("vat")) == (Decimal(ours), our_vat)
    assert bool(up.losses) is lost
    down = ADAPTERS["2.3.0"].down(Tariff, up.document, AS_CPO)
    assert down.document["tax_included"] == ("N/A" if included == "N/A" else "NO")
    assert "tax_included" not in ADAPTERS["2.2.1"].down(Tariff, up.document, AS_CPO).document


def test_limits_of_prices() -> None:
    """min_price and max_price are PriceLimits."""
    ours = {**TARIFF, "min_price": {"excl_vat": 1}, "max_price": {"excl_vat": 10, "incl_vat": 12.1}}
    theirs = {
        **TARIFF,
        "tax_included": "NO",
        "min_price": {"before_taxes": 1},
        "max_price": {"before_taxes": 10, "after_taxes": 12.1},
    }
    down = ADAPTERS["2.3.0"].down(Tariff, parsed(ours), AS_CPO)
    assert (list(differences(down.document, parsed(theirs))), down.losses) == ([], ())
    assert list(differences(ADAPTERS["2.3.0"].up(Tariff, parsed(theirs), AS_EMSP).document, parsed(ours))) == []


WITHOUT_PRICE = {name: value for name, value in SESSION.items() if name != "total_cost"}
NEWER: list[tuple[type[OcpiObject], Document, Document, Document, list[str]]] = [
    (Location, LOCATION, {"parking_places": [PARKING]}, {"parking_places": None}, ["parking_places"]),
    (Location, LOCATION, {"help_phone": "+32 9 1"}, {"help_phone": None}, ["help_phone"]),
    (
        EVSE,
        EVSE_,
        {"parking": [{"parking_id": "P1", "evse_position": "LEFT"}], "accepted_service_providers": ["A"]},
        {"parking": None, "accepted_service_providers": None},
        ["parking", "accepted_service_providers"],
    ),
    (
        EVSE,
        EVSE_,
        {"parking_restrictions": ["EV_ONLY", "TAXIS"]},
        {"parking_restrictions": ["EV_ONLY"]},
        ["parking_restrictions[1]"],
    ),
    (Connector, CONNECTOR, {"capabilities": ["ISO_15118_2_PLUG_AND_CHARGE"]}, {"capabilities": None}, ["capabilities"]),
    (
        EVSE,
        EVSE_,
        {"connectors": [{**CONNECTOR, "standard": "MCS"}, {**CONNECTOR, "id": "2", "standard": "X_PLUG"}]},
        {"connectors": [{**CONNECTOR, "id": "2", "standard": "X_PLUG"}]},
        ["connectors[0]"],
    ),
    (Token, TOKEN, {"type": "EMAID"}, {"type": "OTHER"}, ["type"]),
    (
        Session,
        WITHOUT_PRICE,
        {"cdr_token": {**CDR_TOKEN, "type": "EMAID"}},
        {"cdr_token": {**CDR_TOKEN, "type": "OTHER"}},
        ["cdr_token.type"],
    ),
    (StartSession, START, {"token": {**TOKEN, "type": "EMAID"}}, {"token": {**TOKEN, "type": "OTHER"}}, ["token.type"]),
    (
        AuthorizationInfo,
        {"allowed": "ALLOWED", "token": TOKEN},
        {"token": {**TOKEN, "type": "EMAID"}},
        {"token": {**TOKEN, "type": "OTHER"}},
        ["token.type"],
    ),
]


@pytest.mark.parametrize(("type_", "base", "change", "expected", "losses"), NEWER)
def test_what_only_2_3_0_has(
    type_: type[OcpiObject], base: Document, change: Document, expected: Document, losses: list[str]
) -> None:
    """Kept in our store, told to 2.3.0, dropped downwards."""
    theirs = parsed({**base, **change})
    up = ADAPTERS["2.3.0"].up(type_, theirs, AS_EMSP)
    kept = {name: up.document.get(name) for name in change}
    assert list(differences(kept, parsed(change))) == []
    assert "X_PLUG" in str(up.losses) or up.losses == ()
    again = ADAPTERS["2.3.0"].down(type_, up.document, AS_CPO)
    assert list(differences({name: again.document.get(name) for name in change}, parsed(change))) == []
    for version in ("2.2.1", "2.2"):
        down = ADAPTERS[version].down(type_, up.document, AS_CPO)
        got = {name: down.document.get(name) for name in expected}
        if version == "2.2.1":
            assert list(differences(got, parsed(expected))) == []
        assert fields(down.losses) == losses


def test_unknown_members_pass_between_versions_of_the_same_kind() -> None:
    """B11, R4: a partner's own members and values are nobody's business."""
    odd = parsed({**LOCATION, "x_own": {"a": [1]}, "facilities": ["X_SAUNA"], "evses": "not a list"})
    for version in ("2.2", "2.2.1", "2.3.0"):
        assert ADAPTERS[version].down(Location, odd, AS_CPO) == (odd, ())
    assert ADAPTERS["2.2.1"].up(Location, odd, AS_EMSP) == (odd, ())


def test_depth_does_no_harm() -> None:
    """A partner's own members may be nested without end."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    for version in ("2.2", "2.2.1", "2.3.0"):
        sent = ADAPTERS[version].down(EVSE, {**EVSE_, "x_deep": deep, "parking": [1]}, AS_CPO)
        assert fields(sent.losses) == ([] if version == "2.3.0" else ["parking"])
        assert ADAPTERS[version].down(EVSE, {**EVSE_, "x_deep": deep}, AS_CPO).document["x_deep"] is deep
    assert "x_deep" not in ADAPTERS["2.1.1"].down(EVSE, {**EVSE_, "x_deep": deep}, AS_CPO).document
    assert ADAPTERS["2.3.0"].up(EVSE, parsed(EVSE_) | {"x_deep": deep}, AS_EMSP).losses == ()


def test_a_malformed_parking_place_is_refused_by_its_name() -> None:
    """What 2.3.0 has is read as 2.3.0 has it."""
    with pytest.raises(Unreadable) as caught:
        ADAPTERS["2.3.0"].up(Location, parsed({**LOCATION, "parking_places": [{**PARKING, "vehicle_types": []}]}), AS_EMSP)
    assert caught.value.field == "parking_places[0].vehicle_types"
    with pytest.raises(Unreadable) as caught:
        ADAPTERS["2.3.0"].up(Session, parsed({**SESSION, "total_cost": {"excl_vat": 1}}), AS_EMSP)
    assert caught.value.field == "total_cost.before_taxes"


def test_there_is_no_hub_among_the_parties_of_2_3_0() -> None:
    """Digest, 20."""
    info = {"country_code": "NL", "party_id": "HUB", "role": "HUB", "status": "CONNECTED", "last_updated": NOON}
    with pytest.raises(CannotSend) as caught:
        ADAPTERS["2.3.0"].down(ClientInfo, info, AS_CPO)
    assert caught.value.field == "role"
    assert ADAPTERS["2.3.0"].down(ClientInfo, {**info, "role": "CPO"}, AS_CPO).losses == ()


def test_tokens_in_sessions_of_2_2_have_no_owner() -> None:
    """Digest, end of 20: down it goes without saying for its owner only, up it is looked up."""
    adapter = ADAPTERS["2.2"]
    down = adapter.down(Session, parsed(SESSION), AS_CPO)
    assert down.document["cdr_token"] == {"uid": "0123", "type": "RFID", "contract_id": "NL-TNM-1"}
    assert down.losses == ()
    assert fields(adapter.down(Session, parsed(SESSION), context(partner=CPO, own=CPO)).losses) == ["cdr_token.party_id"]
    stored = {**TOKEN, "country_code": "DE", "party_id": "ABC"}
    known = adapter.up(Session, down.document, context(partner=CPO, own=EMSP, tokens=[stored]))
    assert (known.document["cdr_token"]["party_id"], known.losses) == ("ABC", ())
    unknown = adapter.up(Session, down.document, AS_EMSP)
    assert (unknown.document["cdr_token"]["party_id"], fields(unknown.losses)) == ("TNM", ["cdr_token"])
    assert adapter.up(Session, parsed(SESSION), AS_EMSP) == (parsed(SESSION), ())


def test_cdrs_of_2_2() -> None:
    """Digest, end of 20: state, postal code, compensation, signatures."""
    adapter = ADAPTERS["2.2"]
    place = {name: value for name, value in CDR_["cdr_location"].items() if name != "postal_code"}
    signed = {"encoding_method": "OCMF", "signed_values": [{"nature": "Start", "plain_data": "x" * 512, "signed_data": "y"}]}
    cdr = {**CDR_, "cdr_location": {**place, "state": "A"}, "home_charging_compensation": True, "signed_data": signed}
    down = adapter.down(CDR, parsed(cdr), AS_CPO)
    assert down.document["cdr_location"]["postal_code"] == "#NA"
    assert "state" not in down.document["cdr_location"]
    assert "home_charging_compensation" not in down.document
    assert down.document["signed_data"] == signed
    assert sorted(fields(down.losses)) == ["cdr_location.postal_code", "cdr_location.state", "home_charging_compensation"]
    assert "postal_code" not in adapter.up(CDR, down.document, AS_EMSP).document["cdr_location"]
    longer = {**signed, "signed_values": [*signed["signed_values"], {"nature": "End", "plain_data": "x", "signed_data": "y" * 513}]}  # type: ignore[misc]
    refused = adapter.down(CDR, parsed({**CDR_, "signed_data": longer}), AS_CPO)
    assert "signed_data" not in refused.document
    assert fields(refused.losses) == ["signed_data"]


@pytest.mark.parametrize(
    ("type_", "base", "change", "expected", "loss"),
    [
        (StartSession, START, {"connector_id": "1"}, {"connector_id": None}, "connector_id"),
        (
            EVSE,
            EVSE_,
            {"capabilities": ["RESERVABLE", "START_SESSION_CONNECTOR_REQUIRED"]},
            {"capabilities": ["RESERVABLE"]},
            "capabilities[1]",
        ),
        *(
            (EVSE, EVSE_, {"connectors": [CONNECTOR, {**CONNECTOR, name: value}]}, {"connectors": [CONNECTOR]}, "connectors[1]")
            for name, value in [
                ("power_type", "AC_2_PHASE"),
                ("power_type", "AC_2_PHASE_SPLIT"),
                ("standard", "CHAOJI"),
                ("standard", "DOMESTIC_M"),
                ("standard", "GBT_AC"),
                ("standard", "NEMA_14_50"),
            ]
        ),
    ],
)
def test_values_that_2_2_does_not_have(
    type_: type[OcpiObject], base: Document, change: Document, expected: Document, loss: str
) -> None:
    """Digest, end of 20."""
    down = ADAPTERS["2.2"].down(type_, parsed({**base, **change}), AS_CPO)
    assert list(differences({name: down.document.get(name) for name in expected}, parsed(expected))) == []
    assert fields(down.losses) == [loss]
    assert ADAPTERS["2.2.1"].down(type_, parsed({**base, **change}), AS_CPO).losses == ()


def test_a_patch_is_converted_as_far_as_it_goes() -> None:
    """W2, W3: absent stays absent, null stays null, and null for what is required is refused."""
    patch = parsed({"total_cost": {"excl_vat": 1, "incl_vat": 2}, "end_date_time": None, "last_updated": NOON})
    down = ADAPTERS["2.3.0"].down(Session, patch, AS_CPO, partial=True)
    assert down.document == parsed(
        {"total_cost": {"before_taxes": 1, "taxes": [{"name": "VAT", "amount": 1}]}, "end_date_time": None, "last_updated": NOON}
    )
    assert ADAPTERS["2.3.0"].up(Session, down.document, AS_EMSP, partial=True).document == patch
    with pytest.raises(Unreadable) as caught:
        ADAPTERS["2.3.0"].up(Session, {"currency": None, "last_updated": NOON}, AS_EMSP, partial=True)
    assert (caught.value.field, caught.value.rule) == ("currency", "W3")
    patch_211 = {"parking_type": None, "postal_code": None, "name": None, "last_updated": NOON}
    down = ADAPTERS["2.1.1"].down(Location, patch_211, AS_CPO, partial=True)
    assert down.document == {"type": "UNKNOWN", "postal_code": "", "name": None, "last_updated": NOON}
    assert ADAPTERS["2.1.1"].up(Location, down.document, AS_EMSP, partial=True).document == patch_211
    assert ADAPTERS["2.1.1"].down(Connector, {"tariff_ids": [], "last_updated": NOON}, AS_CPO, partial=True).document == {
        "tariff_id": None,
        "last_updated": NOON,
    }
    assert ADAPTERS["2.1.1"].up(Connector, {"tariff_id": None}, AS_EMSP, partial=True).document == {"tariff_ids": []}
    kept = ADAPTERS["2.1.1"].up(Location, {"time_zone": None}, AS_EMSP, partial=True)
    assert (kept.document, fields(kept.losses)) == ({}, ["time_zone"])
    with pytest.raises(CannotSend):
        ADAPTERS["2.1.1"].down(Location, {"publish": False, "last_updated": NOON}, AS_CPO, partial=True)
    with pytest.raises(CannotSend):
        ADAPTERS["2.1.1"].down(Session, {"evse_uid": "1", "last_updated": NOON}, AS_CPO, partial=True)


def test_the_best_version() -> None:
    """V4: the highest that both have."""
    assert list(ADAPTERS) == ["2.1.1", "2.2", "2.2.1", "2.3.0"]
    assert best_of({"2.0", "2.1.1", "2.2.1", "9.9"}) == "2.2.1"
    assert best_of({"2.0", "2.1"}) is None
