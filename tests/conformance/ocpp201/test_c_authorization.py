"""Certification cases of block C, authorization, OCPP 2.0.1."""

from __future__ import annotations

from tests.conformance.ocpp201.playing import ACCEPTED, REJECTED, ChargingStation
from tests.conformance.scene import at

MASTER = "MASTER-PASS"


def test_tc_c_02_unknown(strict_station: ChargingStation) -> None:
    assert strict_station.authorize("NOBODY") == {"status": "Unknown"}
    assert strict_station.has_no_session()


def test_tc_c_06_blocked(strict_station: ChargingStation) -> None:
    assert strict_station.authorize(strict_station.token(strict_station.card, status="blocked"))["status"] == "Blocked"


def test_tc_c_07_expired(strict_station: ChargingStation) -> None:
    info = strict_station.authorize(strict_station.token(strict_station.card, valid_until=at(-60)))
    assert info["status"] == "Expired"
    assert "cacheExpiryDateTime" in info


def test_tc_c_08_start_from_the_cache(strict_station: ChargingStation) -> None:
    card = strict_station.token(strict_station.card)
    transaction = strict_station.transaction()
    answer = transaction.started("Authorized", state="EVConnected", token=card)
    assert answer == {"idTokenInfo": {"status": "Accepted"}}
    transaction.ended("StopAuthorized", "Local", token=card)


def test_tc_c_20_cached_token_has_become_invalid(strict_station: ChargingStation) -> None:
    card = strict_station.token(strict_station.card)
    assert strict_station.authorize(card)["status"] == "Accepted"
    (entry,) = strict_station.api.items("/id-tokens", id_token=card)
    strict_station.api.call("PATCH", f"/id-tokens/{entry['token_id']}", {"status": "blocked"})
    transaction = strict_station.transaction()
    transaction.started("Authorized", token=card, info="Blocked")
    assert transaction.session()["authorization_status"] == "Blocked"
    transaction.ended("Deauthorized", "DeAuthorized")


def test_tc_c_37_clear_cache(station: ChargingStation) -> None:
    station.takes(station.order("clear_cache"), "ClearCache", {}, ACCEPTED)


def test_tc_c_38_clear_cache_rejected(station: ChargingStation) -> None:
    station.takes(station.order("clear_cache"), "ClearCache", {}, REJECTED, "rejected")


def _group(station: ChargingStation) -> tuple[str, str, dict[str, str]]:
    name = f"GROUP-{station.identity}"
    first, second = (station.token(f"{letter}-{station.identity}", group_id_token=name) for letter in "AB")
    return first, second, {"idToken": name, "type": "Central"}


def test_tc_c_39_another_card_of_the_group_stops(strict_station: ChargingStation) -> None:
    first, second, group = _group(strict_station)
    transaction = strict_station.transaction()
    answer = transaction.started("Authorized", state="EVConnected", token=first)
    assert answer["idTokenInfo"] == {"status": "Accepted", "groupIdToken": group}
    assert strict_station.authorize(second)["groupIdToken"] == group
    transaction.ended("StopAuthorized", "Local", token=second)
    session = transaction.session()
    assert (session["id_tag"], session["group_id_token"]) == (first, group["idToken"])


def test_tc_c_40_group_with_local_list(strict_station: ChargingStation) -> None:
    first, second, group = _group(strict_station)
    entries = [
        {"idToken": {"idToken": card, "type": "ISO14443"}, "idTokenInfo": {"status": "Accepted", "groupIdToken": group}}
        for card in (first, second)
    ]
    payload = {"versionNumber": 1, "updateType": "Full", "localAuthorizationList": entries}
    strict_station.ordered("SendLocalList", payload, ACCEPTED)
    transaction = strict_station.transaction()
    transaction.started("Authorized", state="EVConnected", token=first)
    transaction.ended("StopAuthorized", "Local", token=second)
    assert transaction.session()["id_tag"] == first


def test_tc_c_43_group_card_is_invalid_on_the_local_list(strict_station: ChargingStation) -> None:
    first, second, group = _group(strict_station)
    (entry,) = strict_station.api.items("/id-tokens", id_token=second)
    strict_station.api.call("PATCH", f"/id-tokens/{entry['token_id']}", {"status": "blocked"})
    entries = [
        {"idToken": {"idToken": card, "type": "ISO14443"}, "idTokenInfo": {"status": status, "groupIdToken": group}}
        for card, status in ((first, "Accepted"), (second, "Blocked"))
    ]
    payload = {"versionNumber": 1, "updateType": "Full", "localAuthorizationList": entries}
    strict_station.ordered("SendLocalList", payload, ACCEPTED)
    transaction = strict_station.transaction()
    transaction.started("Authorized", state="EVConnected", token=first)
    info = strict_station.authorize(second)
    assert (info["status"], info["groupIdToken"]) == ("Blocked", group)
    assert transaction.session()["status"] == "active"


def _master_pass(station: ChargingStation) -> str:
    """A card of the group that the station was told is its master pass group."""
    card = station.token(f"M-{station.identity}", group_id_token=MASTER)
    data = {"component": {"name": "AuthCtrlr"}, "variable": {"name": "MasterPassGroupId"}}
    payload = {"setVariableData": [{**data, "attributeValue": MASTER}]}
    station.ordered("SetVariables", payload, {"setVariableResult": [{**data, "attributeStatus": "Accepted"}]})
    assert station.authorize(card)["groupIdToken"] == {"idToken": MASTER, "type": "Central"}
    return card


def _two_charging(station: ChargingStation) -> list[str]:
    return [station.token(f"{letter}-{station.identity}") for letter in "XY"]


def test_tc_c_47_master_pass_ends_all(strict_station: ChargingStation) -> None:
    cards = _two_charging(strict_station)
    transactions = [strict_station.charging(card, evse) for evse, card in enumerate(cards, 1)]
    master = _master_pass(strict_station)
    for transaction in transactions:
        transaction.ended("StopAuthorized", "MasterPass", token=master)
        assert transaction.session()["id_tag"] in cards


def test_tc_c_48_master_pass_ends_a_chosen_one(strict_station: ChargingStation) -> None:
    first, second = (strict_station.charging(card, evse) for evse, card in enumerate(_two_charging(strict_station), 1))
    master = _master_pass(strict_station)
    second.ended("StopAuthorized", "MasterPass", token=master)
    assert first.session()["status"] == "active"


def test_tc_c_49_master_pass_without_display(strict_station: ChargingStation) -> None:
    (card, _) = _two_charging(strict_station)
    transaction = strict_station.charging(card)
    transaction.ended("StopAuthorized", "MasterPass", token=_master_pass(strict_station))
