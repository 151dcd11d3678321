"""Every action that a central system may call, of every version: ordered raw at the API, played by a station on the wire.

Payloads and answers are generated from the definitions, once with the least and once with all that they may hold.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import pytest

from schemas.tables import version_table
from schemas.versions import VERSIONS
from tests.conformance.scene import OCPP16, OCPP21, OCPP201, Scene
from tests.conformance.wire import Station
from tests.unit.schemas.generation import Generator

ALL = (OCPP16, OCPP201, OCPP21)
SEED: Final = 201
DONE: Final = {"Accepted", "AcceptedCanceled", "RebootRequired", "Scheduled", "Unlocked", "Unpublished"}
PER_ITEM: Final = {"clearTariffsResult", "clearMonitoringResult", "setMonitoringResult", "setVariableResult"}


def _actions(version: str) -> list[str]:
    return [action.name for action in VERSIONS[version].actions.values() if action.from_csms]


def _values(version: str, action: str, kind: Literal["request", "response"], seed: int) -> Iterator[Any]:
    """The least and the most that a payload may hold."""
    table = version_table(version)
    row = table["actions"][action]
    node = row["request"] if kind == "request" else row["response"]
    assert node is not None
    for share in (0.0, 1.0):
        yield _without_passwords(Generator(table, random.Random(f"{action}{seed}"), share).value(node))


def _without_passwords(value: Any) -> Any:
    """Decision 10: a command that carries a station's password is refused."""
    if isinstance(value, dict):
        return {name: _without_passwords(member) for name, member in value.items() if name != "basicAuthPassword"}
    return [_without_passwords(item) for item in value] if isinstance(value, list) else value


def _status(answer: dict[str, Any]) -> str:
    for name in PER_ITEM & set(answer):
        statuses = [item.get("status") or item.get("attributeStatus") for item in answer[name]]
        return "accepted" if set(statuses) <= DONE else "rejected"
    return "accepted" if answer.get("status", "Accepted") in DONE else "rejected"


def _answered(scene: Scene, station: Station, action: str, payload: Any, answer: Any) -> tuple[list[Any], Any]:
    """(the CALL as the station got it, the command as whoever ordered it sees its end)"""
    order = scene.order(station, action, payload)
    return order.call, order.answer(answer)


@pytest.mark.parametrize("version", ALL)
def test_every_action_goes_out_as_it_was_ordered_and_brings_its_answer_back(version: str, scene: Callable[[str], Scene]) -> None:
    play = scene(version)
    station = play.station()
    seen = set()
    for action in _actions(version):
        pairs = zip(_values(version, action, "request", SEED), _values(version, action, "response", SEED), strict=True)
        for payload, answer in pairs:
            call, command = _answered(play, station, action, payload, answer)
            assert call[2:] == [action, payload]
            assert call[1] == command["command_id"]
            assert (command["status"], command["result"]) == (_status(answer), answer), (action, command)
            assert (command["action"], command["payload"], command["error"]) == (action, payload, None)
            seen.add(command["status"])
    assert seen == {"accepted", "rejected"}


@pytest.mark.parametrize("version", ALL)
def test_a_payload_that_breaks_its_definition_does_not_leave(version: str, scene: Callable[[str], Scene]) -> None:
    play = scene(version)
    station = play.station()
    for action in _actions(version):
        least, _ = _values(version, action, "request", SEED)
        command = play.api.raw(station.identity, action, least | {"noSuchMember": 1})
        assert command["status"] == "failed", (action, command)
        assert "/noSuchMember" in command["error"], (action, command)
        for member in least:
            command = play.api.raw(station.identity, action, {name: value for name, value in least.items() if name != member})
            assert command["status"] == "failed", (action, command)
            assert f"/{member}: required" in command["error"], (action, command)
    assert station.wire.silent(0.2)


@pytest.mark.parametrize("version", ALL)
def test_an_answer_that_breaks_its_definition_fails_the_command(version: str, scene: Callable[[str], Scene]) -> None:
    play = scene(version)
    station = play.station()
    for action in _actions(version):
        payload, _ = _values(version, action, "request", SEED)
        answer, _ = _values(version, action, "response", SEED)
        call, command = _answered(play, station, action, payload, answer | {"noSuchMember": 1})
        assert command["status"] == "failed", (action, command)
        assert "/noSuchMember" in command["error"], (action, command)
        assert command["result"] is None
        if version == OCPP21:
            told = station.receive()
            assert told[:2] == [5, call[1]], told
            assert "/noSuchMember" in told[3], told


@pytest.mark.parametrize("version", ALL)
def test_what_is_no_action_of_a_central_system_does_not_leave(version: str, scene: Callable[[str], Scene]) -> None:
    play = scene(version)
    station = play.station()
    for action in ("BootNotification", "NoSuchAction", "reset", "NotifyPeriodicEventStream"):
        command = play.api.raw(station.identity, action, {})
        assert command["status"] == "failed", (action, command)
        assert action in command["error"], (action, command)
    assert station.wire.silent(0.2)
