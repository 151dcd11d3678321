"""What is measured over the wire: messages per CPU-second, and memory of idle connections."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bench.installation import PREFIX, Installation
from bench.processes import Child, child, cpu_seconds, resident_bytes, tree_cpu_seconds

_PREPARE_TIMEOUT: Final = 90.0
_SETTLE: Final = 2.0  # seconds after which what was freed is given back

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Load:
    """MeterValues of five samples from `stations` stations, each with one in flight, for `seconds`."""

    stations: int = 200
    seconds: float = 10.0

    def generator(self, port: int, path: str) -> list[str]:
        return [
            "bench.load", "closed-loop", "--port", str(port), "--path", path, "--prefix", PREFIX,
            "--stations", str(self.stations), "--seconds", str(self.seconds),
        ]  # fmt: skip


def throughput(load: Load, installation: Installation, tell: Tell) -> dict[str, Any]:
    """The gateway, acknowledging after the commit, and the peer, which stores nothing, under the same load."""
    tell(f"messages per CPU-second: the gateway, {load.stations} stations, {load.seconds:.0f} s")
    with installation.gateway() as (pid, port), child(*load.generator(port, "/ocpp")) as generator:
        generator.line(_PREPARE_TIMEOUT)
        database_before = tree_cpu_seconds(installation.postmaster)
        ours = _under_load(generator, pid, load)
        database = tree_cpu_seconds(installation.postmaster) - database_before
    tell(f"messages per CPU-second: the peer, {load.stations} stations, {load.seconds:.0f} s")
    with child("bench.peer") as peer:
        port = int(peer.line(30)["port"])
        with child(*load.generator(port, "")) as generator:
            generator.line(_PREPARE_TIMEOUT)
            theirs = _under_load(generator, peer.pid, load)
    return {
        "stations": load.stations,
        "ours": ours,
        "postgresql_us_per_message": database / ours["messages"] * 1e6,
        "peer": theirs,
        "ratio": ours["messages_per_cpu_second"] / theirs["messages_per_cpu_second"],
    }


def steady(rate: float, load: Load, installation: Installation, tell: Tell) -> dict[str, Any]:
    """Durable acknowledgement at a given rate: how long it takes, and what CPU it costs here and in PostgreSQL."""
    tell(f"{rate:,.0f} messages a second: {load.stations} stations, {load.seconds:.0f} s")
    arguments = ["--port", "", "--path", "/ocpp", "--prefix", PREFIX, "--stations", str(load.stations)]
    with installation.gateway() as (pid, port):
        arguments[1] = str(port)
        with child("bench.load", "open-loop", *arguments, "--seconds", str(load.seconds), "--rate", str(rate)) as generator:
            generator.line(_PREPARE_TIMEOUT)
            time.sleep(_SETTLE)
            database_before = tree_cpu_seconds(installation.postmaster)
            ours = _under_load(generator, pid, load)
            database = tree_cpu_seconds(installation.postmaster) - database_before
    return {
        "rate": rate,
        "stations": load.stations,
        "ours": ours,
        "postgresql_us_per_message": database / ours["messages"] * 1e6,
        "cores_used": ours["us_per_message"] * ours["messages_per_second"] / 1e6,
    }


def _under_load(generator: Child, pid: int, load: Load) -> dict[str, float]:
    before = cpu_seconds(pid)
    generator.order()
    result = generator.line(load.seconds + 60)
    cpu = cpu_seconds(pid) - before
    messages = result["messages"]
    return {
        "messages": messages,
        "messages_per_second": messages / result["seconds"],
        "messages_per_cpu_second": messages / cpu,
        "us_per_message": cpu / messages * 1e6,
        "p50_ms": result["p50_ms"],
        "p99_ms": result["p99_ms"],
        "longest_ms": result["longest_ms"],
    }


def idle_memory(stations: int, installation: Installation, tell: Tell) -> dict[str, Any]:
    """Resident memory of a gateway with no and with many stations, each after a Boot and one Heartbeat."""
    tell(f"idle memory: {stations} stations")
    with installation.gateway() as (pid, port):
        time.sleep(_SETTLE)
        empty = resident_bytes(pid)
        arguments = ["--port", str(port), "--path", "/ocpp", "--prefix", PREFIX, "--stations", str(stations)]
        with child("bench.load", "idle", *arguments) as generator:
            ready = generator.line(_PREPARE_TIMEOUT)
            time.sleep(_SETTLE)
            full = resident_bytes(pid)
    return {
        "stations": stations,
        "bytes_per_connection": (full - empty) / stations,
        "resident_empty": empty,
        "resident_full": full,
        "connect_seconds": ready["seconds"],
    }
