"""Memory a connection holds, measured as resident memory of the process: what counts where tens of thousands are idle."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway import _native as native
from tests.unit.native.client import connect, deflated, frame, text
from tests.unit.native.memory_growth import resident

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("after", ["idle", "traffic"])
def test_a_connection_takes_less_than_a_kilobyte(after: str) -> None:
    """The lower bound shows that something was measured."""
    command = [sys.executable, "-m", "tests.unit.native.memory_growth", after]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    assert 100 < float(done.stdout) < 1_024


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
