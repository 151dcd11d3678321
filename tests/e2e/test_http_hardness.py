"""What an HTTP client does never touches the stations (design 6: the hub cannot take the gateway down)."""

from __future__ import annotations

import socket
import time

import pytest

from tests.conformance.wire import TEXT, Station, Wire, frame
from tests.e2e.running import RunningServer

_UPGRADE = (
    b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: %s\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
)
_FRAME = frame(TEXT, b"too early")
_PACKETS = {
    "websocket upgrade with a frame": _UPGRADE % (b"/", b"websocket") + _FRAME,
    "websocket upgrade of the API with a frame": _UPGRADE % (b"/api/v1/sessions", b"websocket") + _FRAME,
    "h2c upgrade with a frame": _UPGRADE % (b"/health", b"h2c") + b"\x00\x00\x00\x04\x01\x00\x00\x00\x00",
    "h2 preface and garbage": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00" + b"\x00" * 64 + b"\r\n\r\n",
    "huge header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    "two lengths": b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
    "half a request": b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{",
}


@pytest.mark.parametrize("packet", list(_PACKETS.values()), ids=list(_PACKETS))
def test_no_packet_touches_a_station(running_server: RunningServer, packet: bytes) -> None:
    station = Station(Wire.connect(running_server.ocpp_port, "/ocpp/HARD-1", "ocpp1.6"), "HARD-1")
    station.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", running_server.http_port), timeout=1) as client:
            try:
                client.sendall(packet)
                client.recv(65536)
            except (TimeoutError, ConnectionError):
                pass  # whatever the server does with it, it is about the others
    began = time.monotonic()
    station.call("Heartbeat", {})
    assert time.monotonic() - began < 1.0
    station.wire.close()
    running_server.wait_until_healthy(10)
