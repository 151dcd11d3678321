"""Memory a connection holds, measured as resident memory of the process: what counts where tens of thousands are idle."""

import gc
import resource
from pathlib import Path

import pytest

from gateway import _native as native
from tests.unit.native.client import catalogue, connect, deflated, frame, request, text

CONNECTIONS = 40_000


@pytest.fixture(scope="module")
def kept() -> list[native.Connection]:
    """Connections kept so that those measured cannot grow into memory that earlier tests gave back."""
    catalogue()
    connections: list[native.Connection] = []
    for _ in range(10):
        if grown(connections) > 100:
            break
    return connections


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def grown(kept: list[native.Connection], *messages: bytes, compression: bool = False) -> float:
    """Resident bytes per connection after each has handled `messages`."""
    head = request("Sec-WebSocket-Protocol: ocpp2.0.1", "Sec-WebSocket-Extensions: permessage-deflate")
    limits = native.Limits()
    gc.collect()
    before = resident()
    for _ in range(CONNECTIONS):
        connection = native.Connection(catalogue(), limits)
        connection.receive(head)
        connection.accept("ocpp2.0.1", compression=compression, max_message=65_536)
        for message in messages:
            connection.receive(message)
        kept.append(connection)
    assert all(connection.buffered == 0 for connection in kept)
    return (resident() - before) / CONNECTIONS


def test_an_idle_connection_takes_less_than_a_kilobyte(kept: list[native.Connection]) -> None:
    """The lower bound shows that something was measured."""
    assert 100 < grown(kept) < 1_024


def test_also_after_traffic(kept: list[native.Connection]) -> None:
    message = b'[2,"a","Heartbeat",{"customData":{"vendorId":"v","x":"' + b"y" * 2_000 + b'"}}]'
    whole, ping = frame(message), frame(b"p" * 100, 0x89)
    assert 100 < grown(kept, whole, whole[:1_000], whole[1_000:], ping, frame(deflated(message), 0xC1), compression=True) < 1_024


def test_a_thousand_compression_bombs_leave_no_memory_behind() -> None:
    bomb = frame(deflated(b" " * 60_000_000), 0xC1)
    connections = [connect("ocpp2.0.1", compression=True) for _ in range(1_000)]
    before = resident()
    for connection in connections:
        (event,) = connection.receive(bomb)
        assert event[:2] == (native.VIOLATION, 1009)
    assert resident() - before < 2_000_000


def test_messages_leave_nothing_behind() -> None:
    connection = connect("ocpp1.6")
    invalid, valid = text([2, "a", "Heartbeat", {"x": 1}]), text([2, "a", "Heartbeat", {}])
    for _ in range(2_000):
        connection.receive(invalid + valid)
    before = resident()
    for _ in range(50_000):
        connection.receive(invalid + valid)
    assert resident() - before < 2_000_000
