"""A gateway that closes its door: who has knocked already is answered."""

from __future__ import annotations

import socket

import pytest
import trio

from csms.bus import BusUnavailable
from csms.bus.local import LocalBus
from gateway.listener import accept_connections, bind_addresses, open_listeners
from tests.integration.gateway import frames
from tests.integration.gateway.site import running

KNOCKING = 200


async def test_whoever_waits_to_be_accepted_is_served_when_listening_ends() -> None:
    (listener,) = open_listeners("127.0.0.1", 0)
    address = listener.getsockname()
    clients = [socket.create_connection(address) for _ in range(KNOCKING)]
    served: list[str] = []

    async def serve(sock: socket.socket, peer: str) -> None:
        sock.send(b"hello")
        sock.close()
        served.append(peer)

    async with trio.open_nursery() as connections, trio.open_nursery() as doors:
        doors.start_soon(accept_connections, listener, None, connections, serve)
        doors.cancel_scope.cancel()
    assert len(served) == KNOCKING
    assert [client.recv(10) for client in clients] == [b"hello"] * KNOCKING
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    for client in clients:
        client.close()


async def test_a_handshake_under_way_is_told_to_come_back(database: str) -> None:
    async with running(database) as site, await site.raw() as stream:
        await trio.sleep(0.1)
        site.shutdown.set()
        await trio.sleep(0.2)
        await stream.send_all(frames.request("/ocpp/CP1"))
        assert (await frames.read_all(stream)).startswith(b"HTTP/1.1 503")


async def test_a_slow_handshake_does_not_hold_up_the_end(database: str) -> None:
    async with running(database) as site, await site.raw() as stream:
        await stream.send_all(b"GET /ocpp/CP1 HTTP/1.1\r\n")
        site.shutdown.set()
        with trio.fail_after(4):
            await site.stopped.wait()


def test_a_port_that_is_held_is_not_listened_on() -> None:
    """The launcher holds the port; connections go to those who listen, and to nobody before."""
    (held,) = bind_addresses("127.0.0.1", 0)
    address = held.getsockname()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    (listener,) = open_listeners("127.0.0.1", address[1])
    clients = [socket.create_connection(address) for _ in range(20)]
    for client in clients:
        listener.accept()[0].close()
        client.close()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    held.close()


async def test_commands_are_found_without_the_bus(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def publish(self: LocalBus, topic: str, body: bytes) -> None:
        raise BusUnavailable

    monkeypatch.setattr(LocalBus, "connected", False)
    monkeypatch.setattr(LocalBus, "publish", publish)
    async with running(database) as site, site.station() as station:
        await station.boot()
        for _ in range(3):
            command_id = await site.order("CP1", "clear_cache", {}, poke=False)
            frame = await station.receive(1.0)
            await station.send([3, frame[1], {"status": "Accepted"}])
            await site.command(command_id, until="accepted")


async def test_commands_are_looked_for_at_once_when_the_bus_is_lost(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = trio.Event()
    monkeypatch.setattr(LocalBus, "until_changed", lambda self: lost.wait())
    async with running(database) as site, site.station() as station:
        await station.boot()
        await trio.sleep(0.3)
        await site.order("CP1", "clear_cache", {}, poke=False)
        assert await station.silent(0.6)
        monkeypatch.setattr(LocalBus, "connected", False)
        lost.set()
        lost = trio.Event()
        frame = await station.receive(0.4)
        assert frame[2] == "ClearCache"
        await station.send([3, frame[1], {"status": "Accepted"}])
        monkeypatch.setattr(LocalBus, "connected", True)
        await site.order("CP1", "clear_cache", {}, poke=False)
        assert (await station.receive(1.0))[2] == "ClearCache", "whoever sent it may not have the bus back yet"
