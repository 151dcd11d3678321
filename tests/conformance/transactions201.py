"""Vectors 42 to 48: OCPP 2.0.1 transactions (section 7.3)."""

from __future__ import annotations

import time
from typing import Any

from tests.conformance.scene import STRICT, Scene, at
from tests.conformance.wire import Station

MISSING_EVENTS = "missing_events"  # the flag of a session whose events are not complete (rule Y5)


def _event(kind: str, seq_no: int, **more: Any) -> dict[str, Any]:
    reasons = {"Started": "Authorized", "Updated": "MeterValuePeriodic", "Ended": "StopAuthorized"}
    return {
        "eventType": kind,
        "timestamp": at(seq_no - 600),
        "triggerReason": reasons[kind],
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": "T-1"},
        **more,
    }


def _only_session(scene: Scene, station: Station) -> Any:
    (session,) = scene.api.sessions(station.identity)
    return session


def _seqs(scene: Scene, station: Station) -> list[tuple[int, bool]]:
    rows = scene.rows(
        "SELECT e.seq_no, e.conflict FROM transaction_events e JOIN sessions t USING (tenant_id, session_id)"
        " JOIN stations s USING (tenant_id, station_id) WHERE s.identity = $1 ORDER BY e.seq_no, e.recorded_at",
        station.identity,
    )
    return [(row["seq_no"], row["conflict"]) for row in rows]


def out_of_order(scene: Scene) -> None:
    station = scene.station()
    station.call("TransactionEvent", _event("Started", 0))
    station.call("TransactionEvent", _event("Ended", 2))
    assert MISSING_EVENTS in _only_session(scene, station)["flags"]
    station.call("TransactionEvent", _event("Updated", 1))
    session = _only_session(scene, station)
    assert session["status"] == "completed"
    assert MISSING_EVENTS not in session["flags"]
    assert [seq_no for seq_no, _ in _seqs(scene, station)] == [0, 1, 2]


def only_the_end(scene: Scene) -> None:
    """43: answered, flagged, and the station is asked whether it has more of it (rule Y8)."""
    station = scene.station()
    ended = _event("Ended", 7)
    station.call("TransactionEvent", ended)
    session = _only_session(scene, station)
    assert MISSING_EVENTS in session["flags"]
    asked = station.receive()
    assert asked[2:] == ["GetTransactionStatus", {"transactionId": ended["transactionInfo"]["transactionId"]}], asked
    answer = {"messagesInQueue": True, "ongoingIndicator": False}
    station.send([3, asked[1], answer])
    command = _finished_command(scene, station)
    assert (command["status"], command["result"]) == ("accepted", answer), command
    assert (command["session_id"], command["requested_by"]) == (session["session_id"], "system:reconciliation"), command


def _finished_command(scene: Scene, station: Station) -> Any:
    """The one command of the station once its end is committed, which nothing on the wire tells."""
    for _ in range(100):
        (command,) = scene.api.items(f"/chargepoints/{station.identity}/commands")
        if command["finished_at"] is not None:
            return command
        time.sleep(0.05)
    raise AssertionError(f"the command does not end: {command}")


def continuous_counter(scene: Scene) -> None:
    station = scene.station()
    station.call("TransactionEvent", _event("Started", 415))
    for seq_no in range(416, 420):
        station.call("TransactionEvent", _event("Updated", seq_no))
    station.call("TransactionEvent", _event("Ended", 420))
    session = _only_session(scene, station)
    assert session["status"] == "completed"
    assert MISSING_EVENTS not in session["flags"]


def same_seq_no_twice(scene: Scene) -> None:
    station = scene.station()
    started = _event("Started", 0, idToken={"idToken": "TOKEN", "type": "ISO14443"})
    assert station.call("TransactionEvent", started) == station.call("TransactionEvent", started)
    assert _seqs(scene, station) == [(0, False)]
    updated = _event("Updated", 1)
    station.call("TransactionEvent", updated)
    station.call("TransactionEvent", {**updated, "timestamp": at(-1)})
    assert [seq_no for seq_no, _ in _seqs(scene, station)] == [0, 1, 1]
    assert any(conflict for seq_no, conflict in _seqs(scene, station) if seq_no == 1)


def unknown_token(scene: Scene) -> None:
    station = scene.station(tenant=STRICT)
    answer = station.call("TransactionEvent", _event("Started", 0, idToken={"idToken": "NOBODY", "type": "ISO14443"}))
    assert answer["idTokenInfo"]["status"] in ("Unknown", "Invalid"), answer
    assert len(scene.apis[STRICT].sessions(station.identity)) == 1


def no_token(scene: Scene) -> None:
    assert "idTokenInfo" not in scene.station().call("TransactionEvent", _event("Started", 0))


def old_event_with_a_bad_token(scene: Scene) -> None:
    station = scene.station(tenant=STRICT)
    station.call("TransactionEvent", _event("Started", 0))
    old = _event("Updated", 1, offline=True, idToken={"idToken": "NOBODY", "type": "ISO14443"})
    station.call("TransactionEvent", {**old, "timestamp": at(-36_000)})
    assert [seq_no for seq_no, _ in _seqs(scene, station)] == [0, 1]
    assert station.wire.silent(0.5), "a command was sent because of an old event"
