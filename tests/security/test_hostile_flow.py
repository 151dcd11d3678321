"""Stations that do not keep step: they send without end, do not read, or never finish their handshake (attacks V12 to V14,
rule T3). The server process neither grows nor lets the others wait."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from itertools import count

import pytest

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from tests.conformance.wire import PING, TEXT, frame
from tests.e2e.running import RunningServer
from tests.integration.gateway.frames import request
from tests.security.hostile import MIB, Arena, serving

HANDSHAKE_TIMEOUT_S = 4
_numbers = count(1)


@pytest.fixture(scope="module")
def server(
    postgres: EmbeddedPostgres, migrated_template: str, root_secret: RootSecret, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("flow")
    settings = {"CSMS_HANDSHAKE_TIMEOUT_S": str(HANDSHAKE_TIMEOUT_S)}
    with serving(postgres, migrated_template, root_secret, folder, **settings) as server:
        yield server


@pytest.fixture
def arena(server: RunningServer) -> Iterator[Arena]:
    with Arena(server) as arena:
        yield arena


def _calls(first: int, number: int, action: str, payload: object) -> bytes:
    text = json.dumps(payload)
    return b"".join(frame(TEXT, f'[2,"n{first + n:06}","{action}",{text}]'.encode()) for n in range(number))


def _send_while_taken(sock: socket.socket, data: bytes, seconds: float) -> int:
    """Send without reading, as long as the server takes it; gives the number of bytes that it took."""
    end = time.monotonic() + seconds
    sent = 0
    # not select(): it knows no descriptor above 1023
    writable = select.poll()
    writable.register(sock, select.POLLOUT)
    sock.setblocking(False)
    try:
        while sent < len(data) and time.monotonic() < end:
            if writable.poll(50):
                sent += sock.send(data[sent : sent + 65_536])
    finally:
        sock.setblocking(True)
    return sent


def test_thousands_of_calls_without_reading_the_answers(arena: Arena) -> None:
    """Served in order, one at a time; what we cannot take yet stays with the sender (TCP pushes back). Nothing is lost."""
    station = arena.booted()
    station.wire.socket.settimeout(30)
    large = {"vendorId": "nobody", "data": "d" * 30_000}
    data = _calls(0, 2_000, "DataTransfer", large)
    one = len(data) // 2_000
    with arena.attacked(allowed=8 * MIB):
        sent = _send_while_taken(station.wire.socket, data, 2.0)
        assert sent < len(data), "60 MB were taken in two seconds: nothing pushed back"
        complete = sent // one
        begun = data[sent : (complete + 1) * one] if sent % one else b""
        station.wire.socket.sendall(begun)
        for number in range(complete + bool(begun)):
            answer = station.receive(30)
            assert answer[0] == 3
            assert answer[1] == f"n{number:06}"
    station.call("Heartbeat", {})


def test_small_calls_pipelined(arena: Arena) -> None:
    """Heartbeats need no commit: thousands in one go are all answered, in their order."""
    station = arena.booted()
    with arena.attacked(allowed=12 * MIB):
        for first in range(0, 6_000, 2_000):
            station.wire.socket.sendall(_calls(first, 2_000, "Heartbeat", {}))
            assert [station.receive(30)[1] for _ in range(2_000)] == [f"n{first + n:06}" for n in range(2_000)]


def _deaf(arena: Arena) -> socket.socket:
    """A station that has booted and whose socket takes next to nothing."""
    deaf = arena.connected(receive_buffer=4_096)
    boot = frame(TEXT, b'[2,"boot","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]')
    deaf.sendall(request(f"/ocpp/DEAF-{next(_numbers)}") + boot)
    received = b""
    while b"Accepted" not in received:
        received += deaf.recv(4_096)
    return deaf


@pytest.mark.parametrize("kind", ["calls", "pings"])
def test_stations_that_never_read(arena: Arena, kind: str) -> None:
    """Each is cut when 256 KiB wait for it: twenty of them cost a small multiple of that, however much they send (without
    the limit: 20 times as much, and no end)."""
    one = frame(TEXT, b'[2,"n","Heartbeat",{}]') if kind == "calls" else frame(PING, b"p" * 125)
    data = one * 2_000
    # how far into a frame each has come: the socket takes what it takes
    begun = {_deaf(arena): 0 for _ in range(20)}
    with arena.attacked(allowed=20 * 4 * 256 * 1024):
        end = time.monotonic() + 100
        while begun and time.monotonic() < end:
            for sock, at in list(begun.items()):
                try:
                    begun[sock] = (at + _send_while_taken(sock, data[at:], 0.01)) % len(one)
                except ConnectionError:
                    del begun[sock]
    assert begun == {}, f"{len(begun)} were not cut"


_HALVES = (
    b"",
    b"GET /ocpp/ST1 HTTP/1.1\r\nHost: h\r\n",
    b"G",
    b"GET /ocpp/ST1 HTTP/1.1\r\n" + b"X-A: b\r\n" * 50,
)


def test_slow_handshakes(arena: Arena) -> None:
    """More than may be half-open at once: the oldest make room, all of them end, and a true station gets in at once."""
    with arena.attacked(allowed=12 * MIB):
        place = arena.connected()  # keeps a low number free for the true station: its client uses select()
        slow = []
        for number in range(1_300):
            sock = arena.connected()
            sock.sendall(_HALVES[number % len(_HALVES)])
            slow.append(sock)
        place.close()
        began = time.monotonic()
        arena.booted().call("Heartbeat", {})
        assert time.monotonic() - began < 2.0
        end = time.monotonic() + 3 * HANDSHAKE_TIMEOUT_S
        open_still = slow
        while open_still and time.monotonic() < end:
            open_still = [sock for sock in open_still if not _ended(sock)]
            time.sleep(0.1)
        assert open_still == []


def _ended(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        while sock.recv(4_096):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    sock.close()
    return True


def test_heads_a_byte_at_a_time(arena: Arena) -> None:
    """Bytes that drip in do not prolong the handshake."""
    head = b"GET /ocpp/ST1 HTTP/1.1\r\nHost: h\r\nX-A: " + b"a" * 4_000
    with arena.attacked(allowed=12 * MIB):
        dripping = [arena.connected() for _ in range(100)]
        began = time.monotonic()
        at = 0
        while dripping and time.monotonic() - began < 3 * HANDSHAKE_TIMEOUT_S:
            still = []
            for sock in dripping:
                try:
                    sock.sendall(head[at : at + 1])
                    still.append(sock)
                except ConnectionError:
                    sock.close()
            dripping = still
            at += 1
            time.sleep(0.1)
        assert dripping == []
        assert time.monotonic() - began > HANDSHAKE_TIMEOUT_S / 2, "they were not even waited for"
