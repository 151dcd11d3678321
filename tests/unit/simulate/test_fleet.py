"""Stations against a small CSMS of this test, which can also behave badly."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from csms.clock import SystemClock, SystemIds
from csms.simulate import SimulateOptions, SimulateReport, simulate
from csms.simulate.ocpp16 import Ocpp16

ANSWERS: dict[str, dict[str, Any]] = {
    "BootNotification": {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 300},
    "Authorize": {"idTagInfo": {"status": "Accepted"}},
    "StartTransaction": {"transactionId": 77, "idTagInfo": {"status": "Accepted"}},
}


class Csms:
    """Answers every CALL; `misbehave` may do something else and say so by returning True."""

    def __init__(self, misbehave: Callable[[WebSocketConnection, list[Any]], Awaitable[bool]] | None = None) -> None:
        self._misbehave = misbehave
        self.received: list[tuple[str, list[Any]]] = []
        self.answers: list[list[Any]] = []

    async def serve(self, request: WebSocketRequest) -> None:
        socket = await request.accept(subprotocol="ocpp1.6")
        identity = request.path.rsplit("/", 1)[1]
        try:
            while True:
                message = json.loads(await socket.get_message())
                if message[0] != 2:
                    self.answers.append(message)
                    continue
                self.received.append((identity, message))
                if self._misbehave is None or not await self._misbehave(socket, message):
                    await socket.send_message(json.dumps([3, message[1], ANSWERS.get(message[2], {})]))
        except ConnectionClosed:
            pass

    def actions(self, identity: str) -> list[str]:
        return [message[2] for sender, message in self.received if sender == identity]


async def _run(csms: Csms, **options: Any) -> SimulateReport:
    clock = SystemClock()
    values: dict[str, Any] = {
        "stations": 1,
        "version": "1.6",
        "connectors": 1,
        "prefix": "S",
        "speed": 600,
        "duration": 1.5,
        "sessions_per_day": 2000,
        "meter_interval": 60,
        "offline_spells_per_day": 0,
        "retry_interval": 0.05,
        "backoff_minimum": 0.05,
        "backoff_random": 0,
        **options,
    }
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, csms.serve, "127.0.0.1", 0, None)
        wanted = SimulateOptions(url=f"ws://127.0.0.1:{server.port}/ocpp", **values)
        with trio.fail_after(30):
            report = await simulate(wanted, clock=clock, ids=SystemIds(clock))
        nursery.cancel_scope.cancel()
    return report


async def test_a_charge_in_order() -> None:
    csms = Csms()
    report = await _run(csms)
    actions = [action for action in csms.actions("S-00001") if action != "StatusNotification"]
    assert actions[:4] == ["BootNotification", "Authorize", "StartTransaction", "MeterValues"]
    assert actions.count("StartTransaction") == actions.count("StopTransaction") == len(report.sessions) > 0
    assert all(session.transaction_id == "77" for session in report.sessions)
    # the run may end while the last message waits for its answer
    assert report.counters.sent - report.counters.answered in (0, 1)
    assert len(csms.received) in (report.counters.answered, report.counters.sent)
    assert report.undelivered == 0


async def test_one_failing_station_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    boot = Ocpp16.boot

    def failing_boot(self: Ocpp16, identity: str, reason: Any) -> Any:
        if identity == "S-00002":
            raise ZeroDivisionError("a bug of this station")
        return boot(self, identity, reason)

    monkeypatch.setattr(Ocpp16, "boot", failing_boot)
    csms = Csms()
    report = await _run(csms, stations=3)
    assert report.counters.station_failures == 1
    assert any("a bug of this station" in kind for kind in report.errors)
    assert {session.charge_point_id for session in report.complete} == {"S-00001", "S-00003"}


async def test_a_start_without_an_answer_is_sent_again_on_the_next_connection() -> None:
    cuts = 0

    async def cut_the_first_start(socket: WebSocketConnection, message: list[Any]) -> bool:
        nonlocal cuts
        if message[2] == "StartTransaction" and cuts == 0:
            cuts += 1
            await socket.aclose(1001)
            return True
        return False

    csms = Csms(cut_the_first_start)
    report = await _run(csms)
    starts = [message[3] for _, message in csms.received if message[2] == "StartTransaction"]
    assert starts[0] == starts[1]
    assert report.counters.cut >= 1
    assert csms.actions("S-00001").count("BootNotification") == 1, "a mere reconnect is no boot"
    readings = [message[3] for _, message in csms.received if message[2] == "MeterValues"]
    assert all(reading["transactionId"] == 77 for reading in readings)
    assert report.undelivered == 0


async def test_a_start_that_is_always_refused_is_thrown_away() -> None:
    async def refuse_starts(socket: WebSocketConnection, message: list[Any]) -> bool:
        if message[2] == "StartTransaction":
            await socket.send_message(json.dumps([4, message[1], "InternalError", "no", {}]))
            return True
        return False

    csms = Csms(refuse_starts)
    report = await _run(csms, attempts=2)
    assert report.sessions[0].discarded == 1
    stop = next(message[3] for _, message in csms.received if message[2] == "StopTransaction")
    assert stop["transactionId"] == -1, "rule X5"
    assert report.errors["StartTransaction: InternalError no"] >= 2


async def test_garbage_from_the_csms_is_counted_and_survived() -> None:
    async def add_garbage(socket: WebSocketConnection, message: list[Any]) -> bool:
        if message[2] == "Authorize":
            for frame in ("[2", "[]", '{"a":1}', '[3,"nobody",{}]', '[2,"u","Unknown",{}]', '[2,"r","Reset",{"type":5}]'):
                await socket.send_message(frame)
        return False

    csms = Csms(add_garbage)
    # long enough for a machine that stands still for a while in between
    report = await _run(csms, duration=5)
    assert report.complete
    assert report.counters.station_failures == 0
    assert ["u", "NotImplemented"] in [answer[1:3] for answer in csms.answers]
    assert ["r", "GenericError"] in [answer[1:3] for answer in csms.answers]


async def test_a_token_that_is_refused_does_not_charge() -> None:
    async def refuse_tokens(socket: WebSocketConnection, message: list[Any]) -> bool:
        if message[2] == "Authorize":
            await socket.send_message(json.dumps([3, message[1], {"idTagInfo": {"status": "Blocked"}}]))
            return True
        return False

    csms = Csms(refuse_tokens)
    report = await _run(csms, duration=0.5)
    assert report.sessions == []
    assert report.counters.tokens_refused > 0
