"""From what fleets report to figures, aims, pages and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import compare, figures, page, scenario
from bench.fleets import merged
from bench.histogram import Histogram

_SCENARIO = """
title = "Two <cases>"
about = "a"
[[steps]]
do = "run"
name = "run"
[[cases]]
name = "first"
[[cases]]
name = "second"
[[ratios]]
name = "dearer"
of = "second/run/us_per_message"
to = "first/run/us_per_message"
[[aims]]
figure = "*/run/p99_ms"
most = 30.0
[[aims]]
figure = "ratio/dearer"
most = 1.2
[[aims]]
figure = "first/run/nonsense"
least = 1.0
[[charts]]
kind = "bars"
title = "CPU"
figures = ["run/us_per_message.gateway", "run/us_per_message.postgresql"]
[[charts]]
kind = "over-load"
title = "Load"
figures = ["p50_ms", "p99_ms"]
[[charts]]
kind = "over-connections"
title = "Memory"
figures = ["run/us_per_message"]
[[charts]]
kind = "over-time"
title = "Time"
"""


def _histogram(*buckets: tuple[int, int]) -> dict[str, Any]:
    return {"buckets": [list(bucket) for bucket in buckets]}


def _part(**changes: Any) -> dict[str, Any]:
    """What one fleet process reports of a run."""
    latency = _histogram((10_000, 90), (20_000, 9), (50_000, 1))
    return {
        "partial": False,
        "seconds": 10.0,
        "cpu_seconds": 0.1,
        "sent": 100,
        "answered": 100,
        "resent": 0,
        "dropped": 0,
        "unanswered": 0,
        "reconnects": 0,
        "commands_answered": 0,
        "errors": {},
        "cuts": {},
        "connect_failures": {},
        "faults": {},
        "latency": {"MeterValues": latency, "all": latency},
        "answering": {"MeterValues": latency},
        "connect": _histogram(),
        "accepted_after": _histogram(),
        "http": {},
        "per_second": [
            {"t": 0, "sent": 60, "answered": 50, "p50_ms": 1.0, "p99_ms": 2.0, "max_ms": 3.0},
            {"t": 1, "sent": 40, "answered": 50, "p50_ms": None, "p99_ms": None, "max_ms": None},
        ],
        **changes,
    }


def _case(name: str, gateway_cpu: float) -> dict[str, Any]:
    run = merged([_part(), _part()])
    return {
        "name": name,
        "system": {"tls": "none"},
        "stations": 10,
        "memory_empty": {"gateway": [1_000_000]},
        "samples": [
            {"t": 1.0, "cores": {"gateway": 0.5}, "resident": {"gateway": 2_000_000}, "connected": 5},
            {"t": 2.0, "cores": {"gateway": 0.6}, "resident": {"gateway": 3_000_000}, "connected": 10},
        ],
        "steps": [
            {
                "name": "run",
                "do": "run",
                **run,
                "stored_readings": 199,
                "cpu": {"gateway": gateway_cpu, "postgresql": 0.01, "fleet": 1.0},
                "more": {},
                "memory": {"gateway": [2_000_000]},
            },
            {"name": "hold", "do": "hold", "seconds": 5.0, "cpu": {"gateway": 0.1}, "memory": {"gateway": [1_010_240]}},
        ],
    }


@pytest.fixture
def finished() -> tuple[scenario.Scenario, dict[str, Any]]:
    loaded = scenario.parse("two", _SCENARIO, {})
    result: dict[str, Any] = {
        "scenario": "two",
        "title": loaded.title,
        "about": loaded.about,
        "partial": False,
        "machine": {"cpus": 2},
        "failed": [{"case": "third", "reason": "no <go>"}],
        "cases": [_case("first", 0.01), _case("second", 0.02)],
    }
    figures.finish(loaded, result)
    return loaded, result


def test_processes_add_up() -> None:
    late = _part(
        errors={"CALLERROR InternalError": 2},
        latency={"Heartbeat": _histogram((5, 1)), "all": _histogram((5, 1))},
        per_second=[{"t": 0, "sent": 1, "answered": 1, "p50_ms": 9.0, "p99_ms": 9.0, "max_ms": 9.0}],
        partial=True,
    )
    both = merged([_part(errors={"CALLERROR InternalError": 1}), late])
    assert both["partial"]
    assert both["sent"] == 200
    assert both["errors"] == {"CALLERROR InternalError": 3}
    assert both["latency"]["all"].counts == {10_000: 90, 20_000: 9, 50_000: 1, 5: 1}
    assert [(row["sent"], row["p50_ms"]) for row in both["per_second"]] == [(61, 9.0), (40, None)]


def test_quantiles_are_those_of_the_counts() -> None:
    histogram = Histogram.merged([_histogram((10_000, 90), (20_000, 9)), _histogram((50_000, 1))])
    assert histogram.count == 100
    assert histogram.summary() == {
        "count": 100,
        "p50_ms": 10.0,
        "p90_ms": 10.0,
        "p99_ms": 20.0,
        "p999_ms": 50.0,
        "longest_ms": 50.0,
    }
    assert Histogram().quantile_ms(0.5) is None


def test_figures_of_a_run_and_of_a_hold(finished: tuple[scenario.Scenario, dict[str, Any]]) -> None:
    found = finished[1]["figures"]
    assert found["first/run/messages_per_second"] == pytest.approx(20.0)
    assert found["first/run/us_per_message.gateway"] == pytest.approx(50.0)
    assert found["first/run/us_per_message"] == pytest.approx(100.0), "gateway and database, not the fleet"
    assert found["first/run/lost_readings"] == 1
    assert found["first/run/MeterValues.p99_ms"] == 20.0
    assert found["first/hold/kb_per_connection"] == pytest.approx(1.0)
    assert found["ratio/dearer"] == pytest.approx(1.5)


def test_aims_are_held_missed_or_about_nothing(finished: tuple[scenario.Scenario, dict[str, Any]]) -> None:
    verdicts = {aim["figure"]: (aim["held"], aim["value"]) for aim in finished[1]["aims"]}
    assert verdicts == {
        "first/run/p99_ms": (True, 20.0),
        "second/run/p99_ms": (True, 20.0),
        "ratio/dearer": (False, pytest.approx(1.5)),
        "first/run/nonsense": (False, None),
    }


def test_the_page_shows_all_and_escapes_what_it_shows(finished: tuple[scenario.Scenario, dict[str, Any]], tmp_path: Path) -> None:
    loaded, result = finished
    written = page.write(result, loaded.charts, tmp_path)
    text = written[0].read_text()
    assert "Two &lt;cases&gt;" in text
    assert "no &lt;go&gt;" in text
    assert "<cases>" not in text
    assert "missed" in text
    assert text.count("<svg") == 7, "bars, load, memory, two runs over time, what two cases took"
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[1:])
    assert len(written) == 6


def test_a_partial_result_says_so(finished: tuple[scenario.Scenario, dict[str, Any]], tmp_path: Path) -> None:
    loaded, result = finished
    result |= {"partial": True, "cases": result["cases"][:1]}
    assert "interrupted" in page.write(result, loaded.charts, tmp_path)[0].read_text()


def test_two_results_are_compared(finished: tuple[scenario.Scenario, dict[str, Any]], tmp_path: Path) -> None:
    _, first = finished
    second = {**first, "figures": {name: 2 * value for name, value in first["figures"].items()}}
    assert "2.00" in compare.text(first, second)
    html, png = compare.write(first, second, tmp_path)
    assert "second run" in html.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")
