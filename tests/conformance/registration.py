"""Vectors 25 to 29: what a station may do before it is accepted (section 6)."""

from __future__ import annotations

from tests.conformance.scene import PENDING, Scene, at
from tests.conformance.wire import Station


def _status(scene: Scene) -> object:
    if scene.is16:
        return {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    return {"timestamp": at(), "connectorStatus": "Available", "evseId": 1, "connectorId": 1}


def heartbeat_before_boot(scene: Scene) -> None:
    answer = scene.connect().exchange("Heartbeat", {})
    assert answer[:1] + answer[2:3] == [4, "SecurityError"], answer


def accepted_earlier(scene: Scene) -> None:
    first = scene.station()
    first.wire.close()
    again = scene.connect(first.identity)
    assert again.call("StatusNotification", _status(scene)) == {}
    scene.server.stop()
    scene.server.start()
    assert scene.connect(first.identity).call("StatusNotification", _status(scene)) == {}


def _pending(scene: Scene) -> Station:
    station = scene.connect(tenant=PENDING)
    assert scene.boot(station) == "Pending"
    return station


def transaction_while_pending(scene: Scene) -> None:
    station = _pending(scene)
    answer = station.exchange(
        "TransactionEvent",
        {
            "eventType": "Started",
            "timestamp": at(),
            "triggerReason": "Authorized",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "while-pending"},
        },
    )
    assert answer[:1] + answer[2:3] == [4, "SecurityError"], answer
    (kept,) = scene.quarantined(station.identity)
    assert kept["reason"] == "gate"
    assert b"while-pending" in kept["payload"]


def triggered_while_pending(scene: Scene) -> None:
    station = _pending(scene)
    ordered = scene.background(
        lambda: scene.apis[PENDING].command(
            station.identity, "trigger_message", message="StatusNotification", evse_id=1, connector_id=1
        )
    )
    call = station.receive()
    assert call[2] == "TriggerMessage", call
    station.send([3, call[1], {"status": "Accepted"}])
    assert station.call("StatusNotification", _status(scene)) == {}
    answer = station.exchange("StatusNotification", _status(scene))
    assert answer[:1] + answer[2:3] == [4, "SecurityError"], answer
    assert ordered.result(10)["status"] == "accepted"


def command_to_a_rejected_station(scene: Scene) -> None:
    identity = scene.identity()
    scene.api.post("/chargepoints", {"charge_point_id": identity, "registration": "rejected"})
    station = scene.connect(identity)
    assert scene.boot(station) == "Rejected"
    refused = scene.api.call(
        "POST",
        f"/chargepoints/{identity}/commands",
        {"command": "remote_start", "parameters": {"id_token": "T", "evse_id": 1}},
        expect=(409,),
    )
    assert "rejected" in refused["detail"], refused
    assert station.wire.silent(0.5)
