"""Vectors 30, 31, 34 to 41: OCPP 1.6 transactions (section 7.2)."""

from __future__ import annotations

from typing import Any

from tests.conformance.envelope import ROW
from tests.conformance.scene import Scene, at
from tests.conformance.wire import Station


def _start(token: str = "TOKEN", connector: int = 1, meter: int = 100, timestamp: str | None = None) -> dict[str, Any]:
    return {"connectorId": connector, "idTag": token, "meterStart": meter, "timestamp": timestamp or at(-60)}


def _stop(transaction_id: int, meter: int = 1100, **more: object) -> dict[str, Any]:
    return {"transactionId": transaction_id, "meterStop": meter, "timestamp": at(), **more}


def _cut_before_the_answer(scene: Scene, repeated_id: str) -> None:
    station = scene.station()
    start = _start()
    station.send([2, "first", "StartTransaction", start])
    station.wire.reset()
    again = scene.connect(station.identity)
    again.owed.add("first")  # its answer belongs to the newest connection, if it was not sent before the cut
    answer = again.call("StartTransaction", start, repeated_id)
    once_more = again.call("StartTransaction", start)
    assert answer == once_more
    (session,) = scene.api.sessions(station.identity)
    assert session["transaction_id"] == str(answer["transactionId"])


def repeated_with_the_same_id(scene: Scene) -> None:
    _cut_before_the_answer(scene, "first")


def repeated_with_a_new_id(scene: Scene) -> None:
    _cut_before_the_answer(scene, "second")


def two_connectors_in_one_second(scene: Scene) -> None:
    station = scene.station()
    now = at()
    first = station.call("StartTransaction", _start(connector=1, timestamp=now))
    second = station.call("StartTransaction", _start(connector=2, timestamp=now))
    assert first["transactionId"] != second["transactionId"]


def station_without_a_clock(scene: Scene) -> None:
    station = scene.station()
    start = _start(meter=0, timestamp="1970-01-01T00:00:00Z")
    first = station.call("StartTransaction", start)["transactionId"]
    station.call("StopTransaction", {"transactionId": first, "meterStop": 500, "timestamp": "1970-01-01T01:00:00Z"})
    second = station.call("StartTransaction", start)["transactionId"]
    assert first != second
    assert len(scene.api.sessions(station.identity)) == 2


def stopped_twice(scene: Scene) -> None:
    station = scene.station()
    transaction = station.call("StartTransaction", _start())["transactionId"]
    stop = _stop(transaction, idTag="TOKEN")
    assert station.call("StopTransaction", stop) == station.call("StopTransaction", stop)
    (session,) = scene.api.sessions(station.identity)
    assert session["status"] == "completed"
    assert session["energy_wh"] == 1000
    (ended,) = scene.rows(
        "SELECT count(*) FROM outbox JOIN stations USING (tenant_id, station_id) WHERE identity = $1 AND type = 'session.ended'",
        station.identity,
    )
    assert ended["count"] == 1


def stop_of_another_station(scene: Scene) -> None:
    thief, owner = scene.station(), scene.station()
    transaction = owner.call("StartTransaction", _start())["transactionId"]
    answer = thief.exchange("StopTransaction", _stop(transaction))
    assert answer[0] == 3, answer
    (session,) = scene.api.sessions(owner.identity)
    assert session["status"] == "active"
    assert scene.api.sessions(thief.identity) == []
    told = scene.rows(
        "SELECT 1 FROM station_events e JOIN stations s USING (tenant_id, station_id)"
        " WHERE s.identity = $1 AND e.type = 'security_event'",
        thief.identity,
    )
    assert told, "no security event"


def never_answered_start(scene: Scene) -> None:
    station = scene.station()
    transaction = station.call("StartTransaction", _start())["transactionId"]
    station.call("StopTransaction", _stop(-1, idTag="TOKEN"))
    (session,) = scene.api.sessions(station.identity)
    assert session["transaction_id"] == str(transaction)
    assert session["status"] == "completed"


def never_answered_start_unclear(scene: Scene) -> None:
    nothing_open = scene.station()
    nothing_open.call("StopTransaction", _stop(-1, idTag="TOKEN"))
    assert [row["reason"] for row in scene.quarantined(nothing_open.identity)] == ["orphan"]
    two_open = scene.station()
    two_open.call("StartTransaction", _start(connector=1))
    two_open.call("StartTransaction", _start(connector=2))
    two_open.call("StopTransaction", _stop(-1, idTag="TOKEN"))
    assert [row["reason"] for row in scene.quarantined(two_open.identity)] == ["orphan"]
    assert {session["status"] for session in scene.api.sessions(two_open.identity)} == {"active"}


def nonsense(scene: Scene) -> None:
    """Schema-valid nonsense is stored and answered; an unreadable time may be refused, but is kept."""
    station = scene.station()
    transaction = station.call("StartTransaction", _start(meter=5000))["transactionId"]
    station.call("StopTransaction", _stop(transaction, meter=4000))
    (session,) = scene.api.sessions(station.identity)
    assert session["stop_meter_wh"] == 4000
    for timestamp in ("2222-01-01T00:00:00Z", "222222017-10-27T19:10:11Z", "1000000"):
        _answered_or_kept(scene, timestamp)
    scene.api.get("/sessions")
    scene.api.get("/chargepoints")


def _answered_or_kept(scene: Scene, timestamp: str) -> None:
    station: Station = scene.station()
    answer = station.exchange("StartTransaction", _start(timestamp=timestamp))
    if answer[0] == 3:
        assert len(scene.api.sessions(station.identity)) == 1
    else:
        assert answer[2] in ROW[16][0], answer
        (kept,) = scene.quarantined(station.identity)
        assert timestamp.encode() in kept["payload"]


def late_meter_values(scene: Scene) -> None:
    station = scene.station()
    transaction = station.call("StartTransaction", _start())["transactionId"]
    station.call("StopTransaction", _stop(transaction))
    late = {
        "connectorId": 1,
        "transactionId": transaction,
        "meterValue": [{"timestamp": at(-30), "sampledValue": [{"value": "600"}]}],
    }
    assert station.call("MeterValues", late) == {}
    (session,) = scene.api.sessions(station.identity)
    assert session["status"] == "completed"
    assert session["energy_wh"] == 1000
    assert len(scene.api.samples(session["session_id"])) == 1
