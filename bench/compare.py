"""Two results of one scenario side by side: each figure as a ratio."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, Final

from bench import page, plots

_SHOWN: Final = (
    "us_per_message",
    "p50_ms",
    "p99_ms",
    "messages_per_second",
    "kb_per_connection",
    "seconds",
    "errors",
    "unanswered",
)
"""Figures that the picture shows; the table shows all."""


def common_figures(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, float, float]]:
    """(name, first, second) of every figure that both have."""
    return [(name, value, second["figures"][name]) for name, value in first["figures"].items() if name in second["figures"]]


def text(first: dict[str, Any], second: dict[str, Any]) -> str:
    """A table for the terminal."""
    rows = common_figures(first, second)
    width = max((len(name) for name, _, _ in rows), default=10)
    lines = [f"{'figure':{width}}  {'first':>12}  {'second':>12}  ratio"]
    for name, before, after in rows:
        lines.append(f"{name:{width}}  {page.number(before):>12}  {page.number(after):>12}  {_ratio(before, after)}")
    return "\n".join(lines)


def write(first: dict[str, Any], second: dict[str, Any], folder: Path) -> list[Path]:
    """Write `comparison.html` and `comparison.png`; gives the files."""
    rows = common_figures(first, second)
    shown = [
        (name, after / before)
        for name, before, after in rows
        if before and (name.rpartition("/")[2] in _SHOWN or name.rpartition("/")[2].startswith("us_per_message."))
    ]
    body = f"<h1>{escape(second['title'])}: two runs</h1>"
    written = []
    if shown:
        figure = plots.comparison(shown)
        picture = folder / "comparison.png"
        plots.save(figure, picture)
        written.append(picture)
        body += plots.svg(figure)
    body += page.table(
        ["figure", "first", "second", "ratio"],
        [[escape(name), page.number(before), page.number(after), _ratio(before, after)] for name, before, after in rows],
    )
    for title, result in (("first", first), ("second", second)):
        body += f"<h2>The {title} run</h2>{page.facts(result['machine'])}"
    path = folder / "comparison.html"
    path.write_text(page.render(f"{second['title']}: two runs", body))
    return [path, *written]


def _ratio(before: float, after: float) -> str:
    return f"{after / before:.2f}" if before else "-"
