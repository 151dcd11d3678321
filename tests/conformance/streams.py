"""Vectors 53 and 54: SEND, which OCPP 2.1 stations use for streams of values and which is never answered (section 10)."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.conformance.scene import Scene, at
from tests.conformance.wire import Station

STREAM = 7


def _values(stream: int = STREAM, **changes: Any) -> dict[str, Any]:
    return {"id": stream, "pending": 0, "basetime": at(), "data": [{"t": 0, "v": "230.1"}, {"t": 0.5, "v": "230.4"}], **changes}


def _open(station: Station, stream: int = STREAM) -> None:
    constant = {"id": stream, "variableMonitoringId": 3, "params": {"interval": 1, "values": 2}}
    assert station.call("OpenPeriodicEventStream", {"constantStreamData": constant}) == {"status": "Accepted"}


def _stored(scene: Scene, station: Station, count: int) -> list[Any]:
    """The values that are stored, newest first, once there are so many."""
    deadline = time.monotonic() + 5
    while True:
        events: list[Any] = scene.api.get(f"/chargepoints/{station.identity}/events", type="event_stream")["items"]
        if len(events) >= count or time.monotonic() > deadline:
            return [event["data"] for event in events]
        time.sleep(0.05)


def values_while_our_call_waits(scene: Scene) -> None:
    """53: no answer, and stored, although a CALL of ours is open."""
    station = scene.station()
    _open(station)
    ordered = scene.background(lambda: scene.api.command(station.identity, "clear_cache"))
    call = station.receive()
    values = _values()
    assert station.probe(_send("s1", values), patience=lambda before: False) == []
    stored = _stored(scene, station, 1)
    assert stored == [values], stored
    station.send([3, call[1], {"status": "Accepted"}])
    assert ordered.result(10)["status"] == "accepted"


def broken_sends(scene: Scene) -> None:
    """54: no answer, not even an error; nothing is stored, and the next right one is."""
    station = scene.station()
    _open(station)
    without_values = _values(data=[])
    another_stream = _values(STREAM + 1)
    for broken in (
        '[6,"s2","Heartbeat",{}]',
        '[6,"s3","NotifyPeriodicEventStream",{}]',
        _send("s4", without_values),
        _send("s5", another_stream),
        '[6,"s6","NotifyPeriodicEventStream"]',
        '[6,7,"NotifyPeriodicEventStream",{}]',
        '[6,"s8","NoSuchAction",{}]',
    ):
        assert station.probe(broken, patience=lambda before: False) == [], broken
    # a CALL of an action that is only sent is wrong, and a CALL gets an answer
    (answer,) = station.probe('[2,"c","NotifyPeriodicEventStream",{}]', patience=lambda before: not before)
    assert answer[:2] == [4, "c"], answer
    values = _values()
    station.send(_send("s9", values))
    stored = _stored(scene, station, 1)
    assert stored == [values], stored
    # after the station has closed it, the stream takes nothing more
    assert station.call("ClosePeriodicEventStream", {"id": STREAM}) == {}
    assert station.probe(_send("s10", _values()), patience=lambda before: False) == []
    stored = _stored(scene, station, 1)
    assert stored == [values], stored


def _send(message_id: str, payload: dict[str, Any]) -> str:
    return json.dumps([6, message_id, "NotifyPeriodicEventStream", payload])
