"""Pictures of results: bars over cases, answer times over load, memory over connections, runs over time, two runs compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.scenario import Chart

COLOURS: Final = ("#1f5f8b", "#d9822b", "#3a9679", "#a23e48", "#6b5b95", "#7f7f7f")
_SIZE: Final = (9.0, 4.2)
_STYLE: Final[Any] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "svg.fonttype": "none",
    "svg.hashsalt": "open-csms",
}


def charts(result: dict[str, Any], wanted: Sequence[Chart]) -> Iterator[tuple[str, Figure]]:
    """(title, picture) of every chart that a scenario asks for and that the result has figures for."""
    draw = {"bars": bars, "over-load": over_load, "over-connections": over_connections}
    with mpl.rc_context(_STYLE):
        for chart in wanted:
            if chart.kind == "over-time":
                yield from over_time(result, chart)
            elif (figure := draw[chart.kind](result, chart)) is not None:
                yield chart.title, figure


def bars(result: dict[str, Any], chart: Chart) -> Figure | None:
    """One bar for each case; several figures are stacked."""
    figures = result["figures"]
    shown = [case for case in result["cases"] if any(f"{case['name']}/{name}" in figures for name in chart.figures)]
    cases = [case["name"] for case in shown]
    if not cases:
        return None
    figure, axes = _figure(height=0.9 + 0.5 * len(cases))
    labels = ["\n".join(filter(None, (case["name"], case.get("note")))) for case in shown]
    left = [0.0] * len(cases)
    for colour, name in zip(COLOURS, chart.figures, strict=False):
        widths = [figures.get(f"{case}/{name}", 0.0) for case in cases]
        axes.barh(labels, widths, left=left, color=colour, label=name.rpartition("/")[2].rpartition(".")[2], height=0.6)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    for place, total in enumerate(left):
        axes.annotate(f" {total:,.4g}" if total < 1000 else f" {total:,.0f}", (total, place), va="center")
    axes.set_xlim(0, max(left) * 1.12)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(chart.unit)
    if len(chart.figures) > 1:
        axes.legend(frameon=False, loc="lower right")
    return figure


def over_load(result: dict[str, Any], chart: Chart) -> Figure | None:
    """The runs of every case, by the messages that were answered a second."""
    figures = result["figures"]
    lines: dict[str, list[tuple[float, float]]] = {}
    for case in result["cases"]:
        for step in case["steps"]:
            prefix = f"{case['name']}/{step['name']}/"
            for name in chart.figures if step["do"] == "run" else ():
                if prefix + name in figures:
                    label = name if len(result["cases"]) == 1 else f"{case['name']}, {name}"
                    lines.setdefault(label, []).append((figures[prefix + "messages_per_second"], figures[prefix + name]))
    if not lines:
        return None
    figure, axes = _figure()
    for colour, (label, points) in zip(COLOURS, lines.items(), strict=False):
        axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=_plain(label))
    axes.set_yscale("log")
    axes.set_xlabel("messages a second")
    axes.set_ylabel(chart.unit)
    axes.set_xlim(left=0)
    axes.legend(frameon=False)
    return figure


def over_connections(result: dict[str, Any], chart: Chart) -> Figure | None:
    """The cases by their number of stations, one line for each way of securing the connection."""
    kinds = {"none": "without TLS", "server": "TLS", "mutual": "TLS with client certificates"}
    lines: dict[str, list[tuple[float, float]]] = {}
    for case in result["cases"]:
        for name in chart.figures:
            value = result["figures"].get(f"{case['name']}/{name}")
            if value is not None:
                lines.setdefault(kinds[case["system"]["tls"]], []).append((case["stations"], value))
    if not lines:
        return None
    figure, axes = _figure()
    for colour, (label, points) in zip(COLOURS, lines.items(), strict=False):
        axes.plot(*zip(*sorted(points), strict=True), marker="o", color=colour, label=label)
    axes.set_xlabel("connections")
    axes.set_ylabel(chart.unit)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def over_time(result: dict[str, Any], chart: Chart) -> Iterator[tuple[str, Figure]]:
    """Each run second by second: answer times above, messages below."""
    for case in result["cases"]:
        for step in case["steps"]:
            seconds = step.get("per_second")
            if not seconds:
                continue
            figure, (above, below) = _pair()
            times = [row["t"] for row in seconds]
            for colour, (name, label) in zip(COLOURS, (("p50_ms", "p50"), ("p99_ms", "p99"), ("max_ms", "longest")), strict=False):
                above.plot(times, [row[name] for row in seconds], color=colour, label=label)
            above.set_yscale("log")
            above.set_ylabel("ms")
            above.legend(frameon=False, ncols=3, loc="upper right")
            below.plot(times, [row["sent"] for row in seconds], color=COLOURS[5], label="sent")
            below.plot(times, [row["answered"] for row in seconds], color=COLOURS[2], label="answered")
            below.set_ylabel("messages a second")
            below.set_xlabel("s")
            below.set_ylim(bottom=0)
            below.legend(frameon=False, ncols=2, loc="lower right")
            yield f"{chart.title}: {case['name']}, {step['name']}", figure


def resources(case: dict[str, Any]) -> Figure | None:
    """What the processes of a case took from its beginning to its end: cores above, memory and connections below."""
    samples = case["samples"]
    if len(samples) < 2:
        return None
    with mpl.rc_context(_STYLE):
        figure, (above, below) = _pair()
        times = [sample["t"] for sample in samples]
        roles = sorted({role for sample in samples for role in sample["cores"]})
        for colour, role in zip(COLOURS, roles, strict=False):
            above.plot(times, [sample["cores"].get(role) for sample in samples], color=colour, label=role)
            if any(role in sample["resident"] for sample in samples):
                below.plot(
                    times, [sample["resident"].get(role, 0) / 1e6 for sample in samples], color=colour, label=f"{role} memory"
                )
        above.set_ylabel("cores")
        above.set_ylim(bottom=0)
        above.legend(frameon=False, ncols=5, loc="upper right")
        connections = below.twinx()
        connections.plot(times, [sample["connected"] for sample in samples], color="black", linestyle=":", label="connections")
        connections.set_ylabel("connections (dotted)")
        connections.set_ylim(bottom=0)
        connections.grid(visible=False)
        below.set_ylabel("MB resident")
        below.set_xlabel("s")
        below.set_ylim(bottom=0)
        return figure


def comparison(rows: Sequence[tuple[str, float]]) -> Figure:
    """How many times as large each figure is in the second run as in the first."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(height=1.0 + 0.28 * len(rows))
        names, ratios = [name for name, _ in rows], [ratio for _, ratio in rows]
        axes.barh(names, [ratio - 1 for ratio in ratios], left=1.0, color=COLOURS[0], height=0.6)
        axes.axvline(1.0, color="black", linewidth=0.8)
        for place, ratio in enumerate(ratios):
            axes.annotate(f" {ratio:.2f} ", (ratio, place), va="center", ha="left" if ratio >= 1 else "right")
        axes.margins(x=0.15)
        axes.invert_yaxis()
        axes.set_xlabel("second run / first run")
        return figure


def svg(figure: Figure) -> str:
    """The picture as text that can stand in a page."""
    out = BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue().decode()
    return text[text.index("<svg") :]


def save(figure: Figure, path: Path) -> None:
    """The picture as a PNG file."""
    figure.savefig(path, dpi=130, metadata={"Software": None})


def _figure(height: float = _SIZE[1]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_SIZE[0], height), layout="constrained")
    return figure, figure.add_subplot()


def _pair() -> tuple[Figure, tuple[Axes, Axes]]:
    figure = Figure(figsize=(_SIZE[0], 5.4), layout="constrained")
    above = figure.add_subplot(2, 1, 1)
    return figure, (above, figure.add_subplot(2, 1, 2, sharex=above))


def _plain(name: str) -> str:
    return name.removesuffix("_ms")
