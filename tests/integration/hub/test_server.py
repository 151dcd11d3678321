"""The HTTP server: one bad client harms nobody, and the server ends when it shall."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import trio

from csms.accounts import UserPasswords
from csms.secret import RootSecret
from hub import connections, server
from tests.integration.hub.harness import Person, RunningHub, running_hub

UPGRADE = (
    b"GET /api/v1/me HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
FRAME = b"\x81\x85\x00\x00\x00\x00hello"


async def _read_all(stream: trio.SocketStream, seconds: float = 5) -> bytes:
    received = b""
    with trio.move_on_after(seconds):
        try:
            while data := await stream.receive_some():
                received += data
        except trio.BrokenResourceError:
            pass
    return received


async def _answers(hub: RunningHub) -> bool:
    return (await hub.client().get("/health")).status_code == 200


async def test_an_upgrade_with_a_frame_in_the_same_packet_ends_its_own_connection(hub: RunningHub) -> None:
    keep = hub.client()
    assert (await keep.get("/health")).status_code == 200
    for _ in range(5):
        stream = await trio.open_tcp_stream("127.0.0.1", hub.port)
        await stream.send_all(UPGRADE + FRAME)
        await _read_all(stream)
        await stream.aclose()
    assert (await keep.get("/health")).status_code == 200
    assert await _answers(hub)


async def test_an_upgrade_is_answered_as_what_it_is(hub: RunningHub) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", hub.port)
    await stream.send_all(UPGRADE)
    assert (await _read_all(stream)).startswith(b"HTTP/1.1 40")
    await stream.aclose()


async def test_a_client_that_has_stopped_reading_does_not_hold_the_server(
    database: str, root_secret: RootSecret, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "DRAIN_S", 0.5)
    with socket.socket() as sock:
        async with running_hub(database, root_secret, nursery) as hub:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", hub.port))
            # more answers than the socket buffers hold, and nobody who reads them
            await trio.to_thread.run_sync(_flood, sock)
            assert await _answers(hub)
            hub.shutdown.set()
            begun = trio.current_time()
        assert trio.current_time() - begun < 5


def _flood(sock: socket.socket) -> None:
    sock.settimeout(1)
    try:
        while True:
            sock.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: hub\r\n\r\n" * 100)
    except (TimeoutError, ConnectionResetError, BrokenPipeError):
        pass


async def test_the_write_deadline_gives_up_who_does_not_read(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WRITE_DEADLINE_S", 0.3)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", hub.port))
        await trio.to_thread.run_sync(_flood, sock)
        with trio.fail_after(10):
            while not await trio.to_thread.run_sync(_is_cut, sock):
                await trio.sleep(0.1)


def _is_cut(sock: socket.socket) -> bool:
    """The other side has closed: more cannot be sent. While it only waits, sending blocks."""
    try:
        sock.send(b"GET")
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


async def test_a_failing_server_is_started_again_on_the_same_port(
    database: str, root_secret: RootSecret, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = trio.serve_listeners
    failures = [OSError("the accept loop failed"), RuntimeError("and again")]

    async def failing(*arguments: Any, **named: Any) -> None:
        if failures:
            for listener in arguments[1]:
                await listener.aclose()
            raise failures.pop(0)
        await real(*arguments, **named)

    monkeypatch.setattr(trio, "serve_listeners", failing)
    monkeypatch.setattr(server, "_FIRST_DELAY_S", 0.05)
    async with running_hub(database, root_secret, nursery) as hub:
        client = hub.client()
        with trio.fail_after(10):
            while True:
                try:
                    answer = await client.get("/health")
                    break
                except httpx.TransportError:
                    await trio.sleep(0.05)
        assert answer.json()["components"]["hub"]["state"] == "ok"
        assert not failures


async def test_an_exception_of_any_kind_stays_in_its_connection(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        pass

    async def panic(self: Any) -> None:
        raise Panic("not an Exception")

    with monkeypatch.context() as patched:
        patched.setattr(connections.Connection, "_read_data", panic)
        stream = await trio.open_tcp_stream("127.0.0.1", hub.port)
        assert await _read_all(stream) == b""
        await stream.aclose()
    assert await _answers(hub)


async def test_an_early_refusal_does_not_block_the_connection(hub: RunningHub) -> None:
    """hypercorn 0.18: an answer before the body has arrived left the next request of the connection unanswered."""
    stream = await trio.open_tcp_stream("127.0.0.1", hub.port)
    for path in (b"/nowhere", b"/api/v1/chargepoints"):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n"
        await stream.send_all(head)
        await trio.sleep(0.1)
        await stream.send_all(b"x" * 20)
        answer = b""
        with trio.fail_after(5):
            while not answer.endswith(b"}"):
                answer += await stream.receive_some()
        assert answer.startswith(b"HTTP/1.1 40")
    await stream.send_all(b"GET / HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    assert (await _read_all(stream)).startswith(b"HTTP/1.1 200")
    await stream.aclose()


async def test_connections_are_not_kept_for_ever(
    database: str, root_secret: RootSecret, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEEP_ALIVE_S", 1.0)
    async with running_hub(database, root_secret, nursery) as hub:
        await _connections_end(hub)


async def _connections_end(hub: RunningHub) -> None:
    idle = await trio.open_tcp_stream("127.0.0.1", hub.port)
    closing = await trio.open_tcp_stream("127.0.0.1", hub.port)
    silent = await trio.open_tcp_stream("127.0.0.1", hub.port)
    await silent.send_all(b"GET / HTTP/1.1\r\nHo")
    await closing.send_all(b"GET / HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    begun = trio.current_time()
    assert (await _read_all(closing)).startswith(b"HTTP/1.1 200")
    assert trio.current_time() - begun < 2
    await idle.send_all(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
    assert (await _read_all(idle)).startswith(b"HTTP/1.1 200")
    await _read_all(silent)
    assert 0.5 < trio.current_time() - begun < 4
    for stream in (idle, closing, silent):
        await stream.aclose()


async def test_too_large_a_body_is_told_so(hub: RunningHub) -> None:
    client = hub.client()
    declared = await client.post("/api/v1/auth/login", content=b"x" * (1024 * 1024 + 1))
    assert declared.status_code == 413
    assert declared.headers["content-type"] == "application/problem+json"

    async def chunks() -> Any:
        for _ in range(40):
            yield b"x" * 65536

    chunked = await client.post("/api/v1/auth/login", content=chunks())
    assert chunked.status_code == 413
    assert await _answers(hub)


async def test_too_many_connections_are_turned_away(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    streams = [await trio.open_tcp_stream("127.0.0.1", hub.port) for _ in range(4)]
    last = await _read_all(streams[3])
    for stream in streams:
        await stream.aclose()
    assert last.startswith(b"HTTP/1.1 503")
    await trio.sleep(0.1)
    assert await _answers(hub)


ATTACKS = [
    b"\x16\x03\x01\x02\x00" * 10,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 50,
    b"GET / HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: hub\r\n" + b"X: " + b"y" * 20000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxx",
    b"GET http://[::1 HTTP/1.1\r\nHost: hub\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: hub\r\n\r\n",
    b"GET /%ff%fe%00 HTTP/1.1\r\nHost: \xff\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
]


async def test_hostile_bytes_harm_nobody(hub: RunningHub) -> None:
    for attack in ATTACKS:
        stream = await trio.open_tcp_stream("127.0.0.1", hub.port)
        await stream.send_all(attack)
        await _read_all(stream, 0.3)
        await stream.aclose()
        assert await _answers(hub), attack


async def test_a_change_goes_on_when_its_client_leaves(hub: RunningHub, boss: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """quart-trio cancels the handler then; a user whose password is being hashed is stored nevertheless."""
    real = UserPasswords.hash

    async def slow(self: UserPasswords, password: str) -> str:
        await trio.sleep(0.4)
        return await real(self, password)

    monkeypatch.setattr(UserPasswords, "hash", slow)
    body = b'{"email":"late@example.org","password":"a-good-password","role":"viewer"}'
    stream = await trio.open_tcp_stream("127.0.0.1", hub.port)
    await stream.send_all(
        b"POST /api/v1/users HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nAuthorization: Bearer "
        + boss.access_token.encode()
        + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body
    )
    await trio.sleep(0.2)
    await stream.aclose()

    async def stored() -> bool:
        return len(await hub.sql("SELECT 1 FROM users WHERE email = 'late@example.org'")) == 1

    await _eventually(stored)


async def _eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    with trio.fail_after(5):
        while not await condition():
            await trio.sleep(0.05)
