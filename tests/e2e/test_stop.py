"""Ctrl-C stops everything cleanly, whoever has stopped reading; the next start finds all that was acknowledged."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from csms.postgres import running_url
from tests.conformance.scene import at
from tests.conformance.wire import TEXT, Station, Wire, frame
from tests.e2e.running import RunningServer

LONGEST_STOP = 20.0  # seconds: the drain of 5, the flush of the ledger, PostgreSQL


def _station(server: RunningServer, identity: str) -> Station:
    station = Station(Wire.connect(server.ocpp_port, f"/ocpp/{identity}", "ocpp1.6"), identity)
    booted = station.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    assert booted["status"] == "Accepted"
    return station


@pytest.mark.slow
def test_ctrl_c(own_server: RunningServer) -> None:
    station = _station(own_server, "STOP-1")
    start = {"connectorId": 1, "idTag": "T", "meterStart": 5, "timestamp": at()}
    transaction = station.call("StartTransaction", start)["transactionId"]
    began = time.monotonic()
    own_server.interrupt()
    assert station.wire.closed_with() in (1001, 1012)
    station.wire.socket.close()
    assert own_server.wait(LONGEST_STOP) == 0
    assert time.monotonic() - began < 10
    assert running_url(own_server.folder / "data") is None, "PostgreSQL still runs"
    own_server.start()
    with own_server.api() as api:
        (session,) = api.sessions("STOP-1")
    assert session["transaction_id"] == str(transaction)
    assert own_server.stop() == 0


@contextmanager
def _http_client_that_does_not_read(server: RunningServer) -> Iterator[None]:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.http_port))
        client.setblocking(False)
        request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try:
            for _ in range(200):
                client.send(request)
        except BlockingIOError:
            pass  # the server has stopped taking requests from it, which is what was wanted
        time.sleep(0.5)
        yield


@contextmanager
def _station_that_does_not_read(server: RunningServer) -> Iterator[None]:
    station = _station(server, "STOP-DEAF")
    connection = station.wire.socket
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    calls = frame(TEXT, b'[2,"x","Heartbeat",{}]') * 500
    try:
        for _ in range(200):
            connection.send(calls)
    except BlockingIOError:
        pass  # as above
    time.sleep(0.5)
    with connection:
        yield


@pytest.mark.slow
@pytest.mark.parametrize("deaf", [_http_client_that_does_not_read, _station_that_does_not_read], ids=["http", "station"])
def test_ctrl_c_with_a_client_that_has_stopped_reading(own_server: RunningServer, deaf: object) -> None:
    assert callable(deaf)
    with deaf(own_server):
        own_server.interrupt()
        assert own_server.wait(LONGEST_STOP) == 0
    assert running_url(own_server.folder / "data") is None, "PostgreSQL still runs"


@pytest.mark.slow
def test_kill_and_start_again(own_server: RunningServer) -> None:
    """kill -9 leaves PostgreSQL running; the next start finds it, and everything that was acknowledged."""
    station = _station(own_server, "KILL-1")
    start = {"connectorId": 1, "idTag": "T", "meterStart": 5, "timestamp": at()}
    transaction = station.call("StartTransaction", start)["transactionId"]
    own_server.kill()
    station.wire.socket.close()
    assert running_url(own_server.folder / "data") is not None
    own_server.start()
    again = Station(Wire.connect(own_server.ocpp_port, "/ocpp/KILL-1", "ocpp1.6"), "KILL-1")
    assert again.call("StartTransaction", start)["transactionId"] == transaction
    again.wire.close()
    assert own_server.stop() == 0
