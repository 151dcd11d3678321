"""Vectors 49 to 52, 55 and 56: commands on their way down (section 5)."""

from __future__ import annotations

import time
from typing import Any

from tests.conformance.scene import CALL_TIMEOUT, Scene


def _read(scene: Scene) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A command that reads: its name, its parameters, and a right answer of the station."""
    if scene.is16:
        return "get_configuration", {"keys": ["HeartbeatInterval"]}, {"unknownKey": ["HeartbeatInterval"]}
    name = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    return (
        "get_variables",
        {"variables": [{"component": "OCPPCommCtrlr", "variable": "HeartbeatInterval"}]},
        {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": "300", **name}]},
    )


def calls_cross(scene: Scene) -> None:
    """49: ten CALLs are answered before our answer to the CSMS."""
    station = scene.station()
    command, parameters, answer = _read(scene)
    ordered = scene.background(lambda: scene.api.command(station.identity, command, **parameters))
    call = station.receive()
    for _ in range(10):
        station.call("Heartbeat", {})
    station.send([3, call[1], answer])
    assert ordered.result(10)["status"] == "accepted"


def one_command_at_a_time(scene: Scene) -> None:
    """50: the second command leaves only after the first is answered."""
    station = scene.station()
    command, parameters, answer = _read(scene)
    ordered = [scene.background(lambda: scene.api.command(station.identity, command, **parameters)) for _ in range(2)]
    first = station.receive()
    assert station.wire.silent(0.5)
    station.send([3, first[1], answer])
    second = station.receive()
    assert second[1] != first[1]
    station.send([3, second[1], answer])
    assert [one.result(10)["status"] for one in ordered] == ["accepted", "accepted"]


def late_answer(scene: Scene) -> None:
    """51: an answer after the time-out is dropped, and does not complete the command that waits by then."""
    station = scene.station()
    command, parameters, answer = _read(scene)
    first_order = scene.background(lambda: scene.api.command(station.identity, command, **parameters))
    first = station.receive()
    assert first_order.result(CALL_TIMEOUT + 10)["status"] == "timed_out"
    second_order = scene.background(lambda: scene.api.command(station.identity, command, **parameters))
    second = station.receive()
    station.send([3, first[1], answer])
    time.sleep(0.3)
    assert not second_order.done()
    station.send([3, second[1], answer])
    assert second_order.result(10)["status"] == "accepted"


def stations_do_not_wait_for_each_other(scene: Scene) -> None:
    """52: a station that never answers does not delay another one."""
    silent, prompt = scene.station(), scene.station()
    command, parameters, answer = _read(scene)
    unanswered = scene.background(lambda: scene.api.command(silent.identity, command, **parameters))
    silent.receive()
    began = time.monotonic()
    ordered = scene.background(lambda: scene.api.command(prompt.identity, command, **parameters))
    call = prompt.receive()
    prompt.send([3, call[1], answer])
    assert ordered.result(10)["status"] == "accepted"
    assert time.monotonic() - began < CALL_TIMEOUT / 2
    assert unanswered.result(CALL_TIMEOUT + 10)["status"] == "timed_out"


def broken_answer(scene: Scene) -> None:
    """56: no frame goes back (2.0.1 has no error for a result), and the caller learns of the failure."""
    station = scene.station()
    command, parameters, answer = _read(scene)
    ordered = scene.background(lambda: scene.api.command(station.identity, command, **parameters))
    call = station.receive()
    answer["getVariableResult"][0]["attributeStatus"] = 5
    station.send([3, call[1], answer])
    assert ordered.result(10)["status"] == "failed"
    assert station.probe('[3,"nope",{}]', patience=lambda before: False) == []


def broken_answer_is_told(scene: Scene) -> None:
    """55: OCPP 2.1 has an error for a result: the station gets it, and the caller learns of the failure."""
    station = scene.station()
    command, parameters, answer = _read(scene)
    ordered = scene.background(lambda: scene.api.command(station.identity, command, **parameters))
    call = station.receive()
    answer["getVariableResult"][0]["attributeStatus"] = 5
    station.send([3, call[1], answer])
    told = station.receive()
    assert told[:3] == [5, call[1], "TypeConstraintViolation"], told
    assert "/getVariableResult/0/attributeStatus" in told[3], told
    assert isinstance(told[4], dict), told
    failed = ordered.result(10)
    assert failed["status"] == "failed"
    assert "/getVariableResult/0/attributeStatus" in failed["error"], failed
    assert station.probe('[3,"nope",{}]', patience=lambda before: False) == []
