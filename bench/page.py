"""A result as a page that needs nothing but itself, and as pictures."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from bench import plots
from bench.scenario import Chart

_STYLE: Final = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #1c2733; background: #fff; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; } .about { color: #51606f; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid #e3e8ee; } td.n { text-align: right; }
.held { color: #1d7a4f; } .missed { color: #b3261e; font-weight: 600; } .partial { background: #fff3cd; padding: .5rem 1rem; }
svg { width: 100%; height: auto; } details { margin: .5rem 0; } summary { cursor: pointer; }
"""


def write(result: dict[str, Any], charts: list[Chart], folder: Path) -> list[Path]:
    """Write `report.html` and a PNG of every chart; gives the files."""
    written = []
    pictures = list(plots.charts(result, charts))
    for number, (_, figure) in enumerate(pictures, 1):
        path = folder / f"chart-{number}.png"
        plots.save(figure, path)
        written.append(path)
    page = folder / "report.html"
    page.write_text(render(result["title"], "".join(_result(result, pictures))))
    return [page, *written]


def render(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>{body}</body></html>\n'
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """Cells from the second column on that begin with a digit are set as numbers. The cells are HTML."""
    lines = ["<table><tr>", *(f"<th>{name}</th>" for name in head), "</tr>"]
    for row in rows:
        lines += ["<tr>", *(_cell(place, cell) for place, cell in enumerate(row)), "</tr>"]
    return "".join([*lines, "</table>"])


def number(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.3g}"


def facts(machine: dict[str, Any]) -> str:
    return table(["machine", ""], [[escape(name.replace("_", " ")), escape(str(value))] for name, value in machine.items()])


def _result(result: dict[str, Any], pictures: list[tuple[str, Figure]]) -> Iterator[str]:
    yield f'<h1>{escape(result["title"])}</h1><p class="about">{escape(result["about"].strip())}</p>'
    if result["partial"]:
        yield '<p class="partial">This run was interrupted: the figures are those of the part that was played.</p>'
    for failure in result["failed"]:
        yield f'<p class="partial">{escape(failure["case"])} could not be played: {escape(failure["reason"])}</p>'
    if result["aims"]:
        yield "<h2>Aims</h2>" + table(["figure", "measured", "aim", ""], [_aim(aim) for aim in result["aims"]])
    for title, figure in pictures:
        yield f"<h2>{escape(title)}</h2>{plots.svg(figure)}"
    for case in result["cases"]:
        yield f"<h2>{escape(case['name'])}</h2>"
        prefix = f"{case['name']}/"
        rows = [[escape(name.removeprefix(prefix)), number(v)] for name, v in result["figures"].items() if name.startswith(prefix)]
        yield f"<details><summary>{len(rows)} figures</summary>{table(['figure', 'value'], rows)}</details>"
        used = plots.resources(case)
        if used is not None:
            yield plots.svg(used)
    yield f"<h2>Where it ran</h2>{facts(result['machine'])}"


def _aim(aim: dict[str, Any]) -> list[str]:
    limits = [f"≤ {number(aim['most'])}"] if aim["most"] is not None else []
    limits += [f"≥ {number(aim['least'])}"] if aim["least"] is not None else []
    verdict = '<span class="held">held</span>' if aim["held"] else '<span class="missed">missed</span>'
    text = f"<br><small>{escape(aim['text'])}</small>" if aim["text"] else ""
    return [escape(aim["figure"]) + text, number(aim["value"]), " ".join(limits), verdict]


def _cell(place: int, cell: str) -> str:
    kind = ' class="n"' if place and cell[:1].isdigit() else ""
    return f"<td{kind}>{cell}</td>"
