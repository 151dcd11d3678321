"""Certification cases of block O, display messages, OCPP 2.0.1."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.conformance.ocpp201.playing import ACCEPTED, ChargingStation
from tests.conformance.scene import at

_ids = count(900)


def _message(number: int = 1, /, **more: object) -> dict[str, Any]:
    content = {"format": "UTF8", "language": "en", "content": "Welcome, bienvenue, 欢迎"}
    return {"id": number, "priority": "NormalCycle", "message": content, **more}


def _set(station: ChargingStation, message: dict[str, Any], status: str = "Accepted") -> None:
    outcome = "accepted" if status == "Accepted" else "rejected"
    station.ordered("SetDisplayMessage", {"message": message}, {"status": status}, outcome)


def _get(station: ChargingStation, *messages: dict[str, Any], **asked: object) -> None:
    """Ask for messages; they come one by one and are tied to the order."""
    request_id = next(_ids)
    command = station.ordered("GetDisplayMessages", {"requestId": request_id, **asked}, ACCEPTED)
    parts: list[dict[str, Any]] = [
        {"requestId": request_id, "messageInfo": [message], **({"tbc": True} if number < len(messages) else {})}
        for number, message in enumerate(messages, 1)
    ]
    for part in parts:
        station.tells("NotifyDisplayMessages", part)
    assert station.events("display_messages", command) == parts


def test_tc_o_01_set(station: ChargingStation) -> None:
    _set(station, _message())


def test_tc_o_02_get_all(station: ChargingStation) -> None:
    _get(station, _message(1), _message(2))


def test_tc_o_03_get_all_where_there_are_none(station: ChargingStation) -> None:
    station.ordered("GetDisplayMessages", {"requestId": next(_ids)}, {"status": "Unknown"}, "rejected")


def test_tc_o_04_clear(station: ChargingStation) -> None:
    _set(station, _message())
    station.ordered("ClearDisplayMessage", {"id": 1}, ACCEPTED)


def test_tc_o_05_clear_unknown(station: ChargingStation) -> None:
    station.ordered("ClearDisplayMessage", {"id": 77}, {"status": "Unknown"}, "rejected")


def _while_charging(station: ChargingStation, **more: str) -> None:
    transaction = station.charging()
    _set(station, _message(transactionId=transaction.id, **more))
    transaction.ended("StopAuthorized", "Local", token=station.card)


def test_tc_o_06_set_for_a_transaction(station: ChargingStation) -> None:
    _while_charging(station)


def test_tc_o_07_get_by_id(station: ChargingStation) -> None:
    _get(station, _message(7), id=[7])


def test_tc_o_08_get_by_priority(station: ChargingStation) -> None:
    _get(station, _message(8, priority="AlwaysFront"), priority="AlwaysFront")


def test_tc_o_09_get_by_state(station: ChargingStation) -> None:
    _get(station, _message(9, state="Idle"), state="Idle")


def test_tc_o_10_set_for_an_unknown_transaction(station: ChargingStation) -> None:
    _set(station, _message(transactionId="no-such-transaction"), "UnknownTransaction")


def test_tc_o_11_get_what_matches_nothing(station: ChargingStation) -> None:
    payload = {"requestId": next(_ids), "id": [999], "state": "Faulted"}
    station.ordered("GetDisplayMessages", payload, {"status": "Unknown"}, "rejected")


def test_tc_o_12_replace(station: ChargingStation) -> None:
    _set(station, _message(12))
    changed = _message(12, priority="InFront")
    _set(station, changed)
    _get(station, changed, id=[12])


def test_tc_o_13_start_time(station: ChargingStation) -> None:
    _set(station, _message(startDateTime=at(60)))


def test_tc_o_14_end_time(station: ChargingStation) -> None:
    _set(station, _message(endDateTime=at(60)))


@pytest.mark.parametrize("priority", ["AlwaysFront", "InFront"])
def test_tc_o_17_priority_not_supported(station: ChargingStation, priority: str) -> None:
    _set(station, _message(priority=priority), "NotSupportedPriority")


def test_tc_o_18_state_not_supported(station: ChargingStation) -> None:
    _set(station, _message(state="Faulted"), "NotSupportedState")


def test_tc_o_19_format_not_supported(station: ChargingStation) -> None:
    message = _message()
    message["message"] = {"format": "HTML", "content": "<b>Welcome</b>"}
    _set(station, message, "NotSupportedMessageFormat")


def test_tc_o_25_set_for_a_state(station: ChargingStation) -> None:
    for state in ("Charging", "Faulted", "Idle", "Unavailable"):
        _set(station, _message(state=state))


def test_tc_o_26_rejected(station: ChargingStation) -> None:
    _set(station, _message(), "Rejected")


def test_tc_o_27_for_a_transaction_with_start_time(station: ChargingStation) -> None:
    _while_charging(station, startDateTime=at(30))


def test_tc_o_28_for_a_transaction_with_end_time(station: ChargingStation) -> None:
    _while_charging(station, endDateTime=at(30))
