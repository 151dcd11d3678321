"""The figures for people: on the terminal, in bench/reports/latest.json, and in the README between two markers."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[1]
_REPORT: Final = _ROOT / "bench" / "reports" / "latest.json"
_README: Final = _ROOT / "README.md"
_BEGIN: Final = "<!-- bench:start -->"
_END: Final = "<!-- bench:end -->"


def table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table with what they mean."""
    throughput, memory, decode = figures["throughput"], figures["memory"], figures["decode"]
    ours, peer = throughput["ours"], throughput["peer"]
    rows = [
        ("", "Open-CSMS", "peer", "ratio", "aim"),
        ("---", "---", "---", "---", "---"),
        (
            "MeterValues per CPU-second of the process",
            f"{ours['messages_per_cpu_second']:,.0f}",
            f"{peer['messages_per_cpu_second']:,.0f}",
            f"{throughput['ratio']:.1f}",
            "≥ 5",
        ),
        ("CPU per message", f"{ours['us_per_message']:.0f} µs", f"{peer['us_per_message']:.0f} µs", "", ""),
        ("PostgreSQL's CPU per message", f"{throughput['postgresql_us_per_message']:.0f} µs", "stores nothing", "", ""),
        (
            "messages per second, all on one machine",
            f"{ours['messages_per_second']:,.0f}",
            f"{peer['messages_per_second']:,.0f}",
            "",
            "",
        ),
        (
            "time to the answer, median / 99 %",
            f"{ours['p50_ms']:.1f} / {ours['p99_ms']:.1f} ms",
            f"{peer['p50_ms']:.1f} / {peer['p99_ms']:.1f} ms",
            "",
            "",
        ),
        (
            "decode and validate, faults found",
            f"{decode['ours_validated_us']:.2f} µs",
            f"{decode['peer_validated_us']:.0f} µs",
            f"{decode['ratio_validated']:.0f}",
            "≥ 50",
        ),
        (
            "the same, and every field as a Python object",
            f"{decode['ours_objects_us']:.2f} µs",
            f"{decode['peer_objects_us']:.0f} µs",
            f"{decode['ratio_objects']:.0f}",
            "",
        ),
        ("memory of an idle connection", f"{memory['bytes_per_connection'] / 1024:.1f} KB", "", "", "< 12 KB"),
    ]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", _conditions(figures)]
    return "\n".join(lines)


def _conditions(figures: dict[str, Any]) -> str:
    throughput, memory = figures["throughput"], figures["memory"]
    return (
        f"One run on {figures['machine']['cpus']} cores, {figures['machine']['python']}, PostgreSQL and the load on the same"
        f" machine. Load: {throughput['stations']} stations of OCPP 1.6, each with one MeterValues of five samples (728"
        " bytes) in flight, acknowledged after the commit. Peer: the PyPI package `ocpp` on `websockets` and asyncio,"
        " validating without its thread pool (the faster of its two ways), logging off, answering without storing anything."
        f" Memory: resident size with {memory['stations']:,} stations, each after a Boot and a Heartbeat, less that with"
        " none, by the number of stations. CPU counts all threads."
    )


def machine() -> dict[str, Any]:
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "python": f"CPython {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
    }


def write(figures: dict[str, Any]) -> list[str]:
    """Keep the figures; gives what was written."""
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(json.dumps(figures, indent=2) + "\n")
    written = [str(_REPORT.relative_to(_ROOT))]
    text = _README.read_text() if _README.exists() else ""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if begin and end:
        _README.write_text(f"{before}{_BEGIN}\n{table(figures)}\n{_END}{after}")
        written.append(_README.name)
    return written
