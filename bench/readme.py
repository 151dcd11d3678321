"""The figures of the short form for people: on the terminal, in bench/reports, and in the README between two markers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[1]
_REPORT: Final = _ROOT / "bench" / "reports" / "latest.json"
_README: Final = _ROOT / "README.md"
_BEGIN: Final = "<!-- bench:start -->"
_END: Final = "<!-- bench:end -->"


def table(figures: dict[str, Any]) -> str:
    """The figures as Markdown tables with what they mean."""
    found: dict[str, float] = figures["figures"]
    rows = [
        ("", "Open-CSMS", "peer", "ratio", "aim"),
        ("---", "---", "---", "---", "---"),
        (
            "meter readings answered per CPU second of the server",
            f"{found['flood/run/messages_per_cpu_second']:,.0f}",
            f"{found['peer/run/messages_per_cpu_second']:,.0f}",
            f"{found['ratio/messages per CPU second']:.1f}",
            "≥ 5",
        ),
        (
            "CPU per message, server + PostgreSQL",
            f"{found['flood/run/us_per_message.gateway']:.0f} + {found['flood/run/us_per_message.postgresql']:.0f} µs",
            f"{found['peer/run/us_per_message.gateway']:.0f} µs, stores nothing",
            "",
            "",
        ),
        (
            "messages per second, all on one machine",
            f"{found['flood/run/messages_per_second']:,.0f}",
            f"{found['peer/run/messages_per_second']:,.0f}",
            "",
            "",
        ),
        (
            f"durable answer at {found['steady/run/messages_per_second']:,.0f} messages a second, median / 99 % / longest",
            f"{found['steady/run/p50_ms']:.1f} / {found['steady/run/p99_ms']:.1f} / {found['steady/run/longest_ms']:.1f} ms",
            "",
            "",
            "99 % < 100 ms",
        ),
        (
            "CPU at that rate, server + PostgreSQL",
            f"{found['steady/run/cores.gateway']:.0%} + {found['steady/run/cores.postgresql']:.0%} of a core",
            "",
            "",
            "",
        ),
        ("memory of an idle connection", f"{found['idle/hold/kb_per_connection']:.1f} KB", "", "", "< 12 KB"),
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
    machine = figures["machine"]
    return (
        f"One run on {machine['cpus']} cores ({machine['processor']}), {machine['python']}, PostgreSQL and the stations on the same"
        " machine. 200 stations of OCPP 1.6, each with one MeterValues of five samples (728 bytes) in flight, answered after the"
        " commit; then 2,000 stations in an open loop, where a message's time counts from when it was due; then 5,000 that only"
        " stay connected. Peer: the PyPI package `ocpp` on `websockets` and asyncio, validating without its thread pool (the"
        " faster of its two ways), logging off, answering without storing anything. CPU counts all threads."
    )


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
