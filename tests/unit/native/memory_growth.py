"""Resident memory that connections take, measured in a process that has had no other use for its memory.

`python -m tests.unit.native.memory_growth idle` prints bytes per connection.
"""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path

from gateway import _native as native
from tests.unit.native.client import catalogue, deflated, frame, request

CONNECTIONS = 40_000


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def traffic() -> tuple[bytes, ...]:
    message = b'[2,"a","Heartbeat",{"customData":{"vendorId":"v","x":"' + b"y" * 2_000 + b'"}}]'
    whole, ping = frame(message), frame(b"p" * 100, 0x89)
    return (whole, whole[:1_000], whole[1_000:], ping, frame(deflated(message), 0xC1))


def grown(kept: list[native.Connection], *messages: bytes) -> float:
    """Resident bytes per connection after each has handled `messages`."""
    head = request("Sec-WebSocket-Protocol: ocpp2.0.1", "Sec-WebSocket-Extensions: permessage-deflate")
    limits = native.Limits()
    gc.collect()
    before = resident()
    for _ in range(CONNECTIONS):
        connection = native.Connection(catalogue(), limits)
        connection.receive(head)
        connection.accept("ocpp2.0.1", compression=bool(messages), max_message=65_536)
        for message in messages:
            connection.receive(message)
        kept.append(connection)
    assert all(connection.buffered == 0 for connection in kept)
    return (resident() - before) / CONNECTIONS


if __name__ == "__main__":
    catalogue()
    first: list[native.Connection] = []
    grown(first)  # what only the first ones take
    print(grown(first, *(traffic() if sys.argv[1] == "traffic" else ())))
