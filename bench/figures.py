"""From what was measured to figures with names, and to what the scenario's aims say of them.

A figure's name is `case/step/figure`. `us_per_message` is the CPU of the product and of PostgreSQL together for each answered
message; `us_per_message.gateway` and so on that of one role. `cores.ROLE` is CPU seconds per second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

from bench.histogram import Histogram
from bench.scenario import Aim, Scenario

_PRODUCT: Final = ("gateway", "hub", "postgresql")
Figures = dict[str, float]


def finish(scenario: Scenario, result: dict[str, Any]) -> None:
    """Add `figures` and `aims` to a result, and bring it into the form that is written to a file."""
    figures: Figures = {}
    for case in result["cases"]:
        for step, found in case_figures(case):
            figures |= {f"{case['name']}/{step}/{name}": value for name, value in found.items()}
    for ratio in scenario.ratios:
        of, to = figures.get(ratio.of), figures.get(ratio.to)
        if of is not None and to:
            figures[f"ratio/{ratio.name}"] = of / to
    result["figures"] = figures
    result["aims"] = [verdict for aim in scenario.aims for verdict in _verdicts(aim, figures)]
    for case in result["cases"]:
        _plain(case)


def case_figures(case: dict[str, Any]) -> Iterator[tuple[str, Figures]]:
    """The steps of a case with their figures."""
    if "ready" in case:
        yield "ready", _ready(case["ready"], case["stations"])
    for step in case["steps"]:
        yield step["name"], _hold(step, case) if step["do"] == "hold" else _run(step)


def _ready(ready: dict[str, Any], stations: int) -> Figures:
    accepted: Histogram = ready["accepted_after"]
    return {
        "seconds": ready["seconds"],
        "accepted": ready["accepted"],
        **_times(accepted, "accepted_"),
        **_times(ready["connect"], "connect_"),
        **{f"us_per_station.{role}": seconds / stations * 1e6 for role, seconds in ready["cpu"].items()},
    }


def _hold(step: dict[str, Any], case: dict[str, Any]) -> Figures:
    memory, empty = step["memory"], case["memory_empty"]
    found = {f"resident_mb.{role}": sum(each) / 1e6 for role, each in memory.items()}
    found |= {f"cores.{role}": seconds / step["seconds"] for role, seconds in step["cpu"].items()}
    if memory.get("gateway"):
        found["largest_gateway_mb"] = max(memory["gateway"]) / 1e6
        found["kb_per_connection"] = (sum(memory["gateway"]) - sum(empty.get("gateway", []))) / case["stations"] / 1024
    return found


def _run(step: dict[str, Any]) -> Figures:
    answered = step["answered"]
    everything = Histogram()
    found: Figures = {}
    for action, latency in step["latency"].items():
        if action == "all":
            everything = latency
        else:
            found |= _times(latency, f"{action}.")
    for action, latency in step["answering"].items():
        found |= _times(latency, f"{action}.answering_")
    found |= _times(everything)
    found |= {
        "messages": answered,
        "messages_per_second": answered / step["seconds"] if step["seconds"] else 0.0,
        "errors": sum(step["errors"].values()),
        "unanswered": step["unanswered"],
        "cuts": sum(step["cuts"].values()),
        "reconnects": step["reconnects"],
    }
    if step["reconnects"]:
        found |= _times(step["accepted_after"], "back_")
    for name, load in step["http"].items():
        found |= _times(load["latency"], f"{name}.")
        found[f"{name}.errors"] = sum(load["errors"].values())
        found[f"{name}.per_second"] = load["answered"] / step["seconds"]
    found |= {f"cores.{role}": seconds / step["seconds"] for role, seconds in step["cpu"].items()}
    if answered:
        found |= {f"us_per_message.{role}": seconds / answered * 1e6 for role, seconds in step["cpu"].items()}
        product = sum(step["cpu"].get(role, 0.0) for role in _PRODUCT)
        found["us_per_message"] = product / answered * 1e6
        server = step["cpu"].get("gateway", 0.0)
        if server:
            found["messages_per_cpu_second"] = answered / server
            found["messages_per_cpu_second_in_all"] = answered / product
    found |= step["more"]
    # the readings of 2.x come with other messages as well
    if step.get("stored_readings") is not None and "MeterValues" in step["latency"] and "TransactionEvent" not in step["latency"]:
        found["lost_readings"] = step["latency"]["MeterValues"].count - step["stored_readings"]
    return found


def _times(histogram: Histogram, prefix: str = "") -> Figures:
    return {f"{prefix}{name}": value for name, value in histogram.summary().items() if value is not None and name != "count"}


def _verdicts(aim: Aim, figures: Figures) -> Iterator[dict[str, Any]]:
    """What the figures say of an aim: one verdict for each that its name fits. One that fits none is not held."""
    fitting = {name: value for name, value in figures.items() if fnmatchcase(name, aim.figure)} or {aim.figure: math.nan}
    for name, value in fitting.items():
        held = (aim.most is None or value <= aim.most) and (aim.least is None or value >= aim.least) and not math.isnan(value)
        yield {
            "figure": name,
            "value": None if math.isnan(value) else value,
            "most": aim.most,
            "least": aim.least,
            "held": held,
            "text": aim.text,
        }


def _plain(value: Any) -> Any:
    """Histograms as JSON, in place."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in list(entries):
        if isinstance(entry, Histogram):
            value[key] = entry.to_json()
        else:
            _plain(entry)
