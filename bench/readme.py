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
    throughput, memory, steady = figures["throughput"], figures["memory"], figures["steady"]
    ours, peer, paced = throughput["ours"], throughput["peer"], steady["ours"]
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
            f"durable answer at {steady['rate']:,.0f} messages/s, median / 99 % / longest",
            f"{paced['p50_ms']:.1f} / {paced['p99_ms']:.1f} / {paced['longest_ms']:.1f} ms",
            "",
            "",
            "99 % < 100 ms",
        ),
        (
            "CPU per message at that rate, the process + PostgreSQL",
            f"{paced['us_per_message']:.0f} + {steady['postgresql_us_per_message']:.0f} µs",
            "",
            "",
            "",
        ),
        ("memory of an idle connection", f"{memory['bytes_per_connection'] / 1024:.1f} KB", "", "", "< 12 KB"),
    ]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", _conditions(figures), "", *_codec_table(figures["codec"]), "", _CODEC_CONDITIONS]
    return "\n".join(lines)


def _codec_table(rows: list[dict[str, Any]]) -> list[str]:
    """One message taken and answered: our time, and how many times as long the others take."""
    lines = [
        "| one message decoded, validated and answered | Open-CSMS | orjson + jsonschema-rs | msgspec | `ocpp` |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        for mode, words in (("validated", ""), ("objects", ", every field as an object")):
            ours = row[mode]["ours"]
            others = " | ".join(f"{_times(row[mode][name] / ours)}" for name in ("orjson", "msgspec", "ocpp"))
            lines.append(f"| {row['message']}{words} | {ours:.2f} µs | {others} |")
    return lines


def _times(ratio: float) -> str:
    return f"{ratio:.0f} x" if ratio >= 10 else f"{ratio:.2f} x"


_CODEC_CONDITIONS: Final = (
    "The time of the others as a multiple of ours, all in turns in one process. Ours begins with a masked WebSocket frame and"
    " ends with one; theirs begin and end with text. msgspec decodes into the same types and checks neither lengths nor"
    " formats nor unknown members; `ocpp` and jsonschema-rs use the published schemas. Aims: below orjson + jsonschema-rs, at"
    " most 1.5 times msgspec (0.67 x here), `ocpp` at least 100 x on MeterValues."
)


def _conditions(figures: dict[str, Any]) -> str:
    throughput, memory, steady = figures["throughput"], figures["memory"], figures["steady"]
    return (
        f"One run on {figures['machine']['cpus']} cores, {figures['machine']['python']}, PostgreSQL and the load on the same"
        f" machine. Load: {throughput['stations']} stations of OCPP 1.6, each with one MeterValues of five samples (728"
        " bytes) in flight, acknowledged after the commit. Peer: the PyPI package `ocpp` on `websockets` and asyncio,"
        " validating without its thread pool (the faster of its two ways), logging off, answering without storing anything."
        f" Steady load: {steady['stations']:,} stations in turn, an open loop: a message's time counts from when it was due."
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
