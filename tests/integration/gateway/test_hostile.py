"""Hostile peers while an honest station keeps being served (attacks V10 to V15, vectors 21 to 24 and 63)."""

from __future__ import annotations

import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from gateway.connection import Connection
from gateway.inbound import InboundCall, InboundCalls
from tests.integration.gateway import frames
from tests.integration.gateway.site import Site, running


class PanicException(BaseException):
    """What a Rust panic looks like: no subclass of Exception."""


Attack = Callable[[Site], Awaitable[None]]


@asynccontextmanager
async def canary(site: Site) -> AsyncIterator[list[float]]:
    """An honest station that sends Heartbeats and a committed message all the time; gives its round-trip times."""
    times: list[float] = []
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}

    async with site.station("canary") as station, trio.open_nursery() as nursery:
        await station.boot()

        async def beat() -> None:
            number = 0
            while True:
                number += 1
                started = trio.current_time()
                action, payload = ("Heartbeat", {}) if number % 2 else ("StatusNotification", status)
                assert (await station.call(action, payload, f"c{number}"))[0] == 3
                times.append(trio.current_time() - started)
                await trio.sleep(0.01)

        nursery.start_soon(beat)
        yield times
        before = len(times)
        with trio.fail_after(5):
            while len(times) < before + 5:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


async def garbage(site: Site) -> None:
    for data in (b"\x00" * 5000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\r\n" * 1000):
        async with await site.raw() as stream:
            await stream.send_all(data)
            await stream.send_eof()
            await frames.read_all(stream)


async def huge_headers(site: Site) -> None:
    for headers in ([("X-Big", "a" * 100_000)], [(f"X-{number}", "a") for number in range(10_000)]):
        async with await site.raw() as stream:
            try:
                await stream.send_all(frames.request("/ocpp/CP1", headers=headers))
                answer = await frames.read_all(stream)
            except trio.BrokenResourceError:
                continue
            assert answer == b"" or answer.startswith(b"HTTP/1.1 431")


async def resets(site: Site) -> None:
    for after_handshake in (False, True) * 10:
        stream = await site.raw()
        if after_handshake:
            await frames.become_station(stream, "reset")
            await stream.send_all(frames.frame(b'[2,"x","Heartbeat",{}]'))
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()


async def bad_frames(site: Site) -> None:
    unmasked = b"\x81\x02{}"
    for data, code in [
        (frames.frame(b"\x00\x01", opcode=2), 1003),
        (frames.frame(b'["\xff"]'), 1007),
        (frames.frame(b"[" + b" " * 70_000 + b"]"), 1009),
        (b"\x81\xff" + (1 << 62).to_bytes(8) + bytes(4), 1009),
        (unmasked, 1002),
        (frames.frame(b"x", opcode=3), 1002),
        (frames.frame(b"x" * 126, opcode=9), 1002),
        (frames.frame(b"x", opcode=0), 1002),
    ]:
        async with await site.raw() as stream:
            await frames.become_station(stream, "bad")
            await stream.send_all(data)
            answer = await frames.read_all(stream)
            assert code.to_bytes(2) in answer, (data[:20], answer)


async def json_bombs(site: Site) -> None:
    async with await site.raw() as stream:
        await frames.become_station(stream, "bomb")
        for text in (
            b'[2,"a","Heartbeat",' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"]",
            b'[2,"a","Heartbeat",{"x":' + b"9" * 5_000 + b"}]",
            b'[2,"a","Heartbeat",{"x":1e400}]',
            b'[2,"a","Heartbeat",{"x":"\\ud800"}]',
            b'[2,"a","Heartbeat",{"x":"\\u0000"}]',
            b'[2,"a","Heartbeat",{' + b",".join(b'"k%d":1' % number for number in range(5_000)) + b"}]",
            b"[2",
        ):
            await stream.send_all(frames.frame(text))
        await stream.send_all(frames.frame(b'[2,"still","Heartbeat",{}]'))
        await frames.read_until(stream, b'[3,"still"')


async def compression_bomb(site: Site) -> None:
    squeeze = zlib.compressobj(wbits=-15)
    bomb = squeeze.compress(bytes(60_000_000)) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    async with await site.raw() as stream:
        await frames.become_station(stream, "deflate", compressed=True)
        try:
            await stream.send_all(frames.frame(bomb[:-4], compressed=True))
        except trio.BrokenResourceError:
            return
        assert (1009).to_bytes(2) in await frames.read_all(stream)


async def fragments(site: Site) -> None:
    async with await site.raw() as stream:
        await frames.become_station(stream, "fragments")
        text = b'[2,"frag","Heartbeat",{}]'
        parts = [frames.frame(text[n : n + 1], 1 if n == 0 else 0, fin=n == len(text) - 1) for n in range(len(text))]
        for part in parts:
            await stream.send_all(part)
            await trio.sleep(0.005)
        await frames.read_until(stream, b'[3,"frag"')
        try:
            await stream.send_all(frames.frame(b"x", fin=False))
            for _ in range(200):
                await stream.send_all(frames.frame(b"", 0, fin=False) * 100)
        except trio.BrokenResourceError:
            pass  # the limit on fragments has been met


async def never_reads(site: Site) -> None:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.setblocking(False)
    stream_socket = trio.socket.from_stdlib_socket(sock)
    await stream_socket.connect(("127.0.0.1", site.port))
    async with trio.SocketStream(stream_socket) as stream:
        await frames.become_station(stream, "deaf")
        heartbeats = frames.frame(b'[2,"x","Heartbeat",{}]') * 500
        with trio.fail_after(20):
            while True:
                try:
                    await stream.send_all(heartbeats)
                except trio.BrokenResourceError:
                    return  # more than 256 kB waited for it


async def ping_flood(site: Site) -> None:
    async with await site.raw() as stream:
        await frames.become_station(stream, "pings")
        async with trio.open_nursery() as nursery:

            async def drop() -> None:
                async for _ in stream:
                    pass

            nursery.start_soon(drop)
            for _ in range(100):
                await stream.send_all(frames.frame(b"x", opcode=9) * 200)
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "attack",
    [garbage, huge_headers, resets, bad_frames, json_bombs, compression_bomb, fragments, never_reads, ping_flood],
    ids=lambda attack: attack.__name__,
)
async def test_an_honest_station_is_served_under_attack(database: str, attack: Attack) -> None:
    async with running(database) as site, canary(site) as times:
        with trio.fail_after(30):
            await attack(site)
    assert max(times) < 1.0


async def test_slow_handshakes_neither_last_nor_keep_others_out(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.reception.HALF_OPEN_LIMIT", 50)
    async with running(database, handshake_timeout_s=2) as site, canary(site), trio.open_nursery() as nursery:
        ended = 0

        async def slow(said: bytes) -> None:
            nonlocal ended
            async with await site.raw() as stream:
                if said:
                    await stream.send_all(said)
                with trio.fail_after(10):
                    await frames.read_all(stream, timeout=10)
            ended += 1

        for number in range(200):
            nursery.start_soon(slow, (b"", b"GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\n")[number % 2])
        await trio.sleep(0.3)
        started = trio.current_time()
        async with site.station("honest") as station:
            await station.boot()
        assert trio.current_time() - started < 1.0
        with trio.fail_after(8):
            while ended < 200:
                await trio.sleep(0.05)


async def test_the_process_runs_on_without_file_descriptors(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.accept
    failures = iter([OSError(24, "Too many open files")] * 3 + [OSError(103, "Software caused connection abort")] * 3)

    def accept(self: socket.socket) -> tuple[socket.socket, object]:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        return real(self)

    async with running(database) as site:
        monkeypatch.setattr(socket.socket, "accept", accept)
        async with site.station() as station:
            await station.boot()


async def test_a_codec_that_panics_ends_one_station_only(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Rust panic is a BaseException: the boundary around the station holds it (attack V15)."""

    def panic(self: object, connection: object, message_id: str, code: str, description: str) -> None:
        raise PanicException("index out of bounds")

    async with running(database) as site, canary(site):
        monkeypatch.setattr("gateway.calls.OutgoingCalls.on_error", panic)
        async with site.station("victim") as station:
            await station.boot()
            await site.order("victim", "clear_cache", {})
            frame = await station.receive()
            await station.send([4, frame[1], "GenericError", "", {}])
            assert await station.closed() == (1011, "internal_error")
        monkeypatch.undo()
        async with site.station("victim") as station:
            assert (await station.call("Heartbeat", {}))[0] == 3


async def test_a_panic_in_the_sweeper_ends_one_station_only(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Connection.ping

    def ping(self: Connection, now: float) -> None:
        if self.identity == "victim":
            raise PanicException("already borrowed")
        real(self, now)

    monkeypatch.setattr(Connection, "ping", ping)
    async with (
        running(database, ping_interval_s=1, pong_timeout_s=1) as site,
        site.station("quiet") as quiet,
        site.raw_station("victim") as victim,
    ):
        await quiet.boot()
        await frames.read_all(victim)
        await trio.sleep(1.5)
        assert (await quiet.call("Heartbeat", {}))[0] == 3


async def test_a_panic_after_a_commit_ends_one_station_only(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = InboundCalls.committed

    def committed(self: InboundCalls, call: InboundCall, outcome: object) -> None:
        if call.origin.identity == "victim" and call.action == "StatusNotification":
            raise PanicException("index out of bounds")
        real(self, call, outcome)

    monkeypatch.setattr(InboundCalls, "committed", committed)
    async with running(database) as site, canary(site), site.raw_station("victim") as victim:
        text = b'[2,"s","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]'
        await victim.send_all(frames.frame(text))
        await frames.read_all(victim)
