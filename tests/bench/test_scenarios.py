"""Scenario files: what is in the repository can be played, and what is wrong is told by name."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from bench import scenario
from bench.peers import PEERS
from bench.plans import Target, group_sizes, id_tokens, plans
from bench.processes import BenchError
from bench.scenario import Group


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_can_be_played(name: str) -> None:
    loaded = scenario.load(name)
    for case in loaded.cases:
        assert case.steps, case.name
        assert case.system.product == "csms" or case.system.product in {peer.name for peer in PEERS}
        made = plans(case, loaded.seed, Target("ws://127.0.0.1:9000/ocpp", http_url="http://127.0.0.1:8080"))
        assert sum(group["stations"] for plan in made for group in plan["groups"]) == case.fleet.stations
        assert max(sum(group["stations"] for group in plan["groups"]) for plan in made) <= 20_000, "files of one process"


@pytest.mark.parametrize("name", scenario.names())
def test_every_aim_names_a_case_and_a_step(name: str) -> None:
    loaded = scenario.load(name)
    steps = {f"{case.name}/{step.name}" for case in loaded.cases for step in case.steps}
    steps |= {f"{case.name}/ready" for case in loaded.cases}
    wanted = [aim.figure for aim in loaded.aims] + [figure for ratio in loaded.ratios for figure in (ratio.of, ratio.to)]
    for figure in wanted:
        first, _, rest = figure.partition("/")
        step = rest.partition("/")[0]
        if first == "ratio":
            assert rest in {ratio.name for ratio in loaded.ratios}
        else:
            assert any(found.endswith(f"/{step}") if first == "*" else found == f"{first}/{step}" for found in steps), figure


def test_no_two_stations_of_a_plan_are_the_same() -> None:
    case = scenario.load("steady-10000").cases[0]
    case.fleet.processes = 3
    seen: set[int] = set()
    sources: set[str] = set()
    for plan in plans(case, 1, Target("ws://127.0.0.1:9000/ocpp")):
        assert sources.isdisjoint(plan["sources"])
        sources |= set(plan["sources"])
        for group in plan["groups"]:
            numbers = set(range(group["first"], group["first"] + group["stations"]))
            assert seen.isdisjoint(numbers)
            seen |= numbers
    assert seen == set(range(1, 10_001))


def test_every_connector_has_a_token() -> None:
    case = scenario.load("steady-10000").cases[0]
    case.fleet.groups = [
        Group(name="a", changes={"connectors": 2, "id_token": "ONE"}),
        Group(name="b", share=2.0, changes={"id_token": "TWO"}),
    ]
    case.fleet.stations = 3
    assert list(id_tokens(case)) == ["ONE000001-1", "ONE000001-2", "TWO000002-1", "TWO000003-1"]


def test_shares_add_up_to_all_stations() -> None:
    groups = [Group(name="a", share=1), Group(name="b", share=1), Group(name="c", share=1)]
    assert group_sizes(groups, 100) == [33, 34, 33]
    assert group_sizes(groups, 2) == [1, 0, 1]


def test_the_rate_of_readings_sets_their_interval() -> None:
    case = scenario.load("api").cases[0]
    (plan,) = plans(case, 1, Target("ws://127.0.0.1:9000/ocpp"))
    assert plan["groups"][0]["behaviour"]["meter_values_s"] == pytest.approx(5.0)


def test_a_ramp_is_a_run_for_each_speed() -> None:
    steps = scenario.load("load-curve").cases[0].steps
    assert [step.do for step in steps] == ["run"] * len(steps)
    assert [step.speed for step in steps][:3] == [1.0, 2.0, 3.0]
    assert len({step.name for step in steps}) == len(steps)


_WRONG = {
    "an unknown key": ('title = "t"\nabout = "a"\ncolour = 1', "colour"),
    "a wrong type": ('title = "t"\nabout = "a"\n[fleet]\nstations = "many"', "stations"),
    "an unknown step": ('title = "t"\nabout = "a"\n[[steps]]\ndo = "jump"', "jump"),
    "an unknown behaviour": ('title = "t"\nabout = "a"\n[fleet]\ngroups = [{ name = "g", behaviour = "lazy" }]', "lazy"),
    "an unknown field of a behaviour": (
        'title = "t"\nabout = "a"\n[fleet]\ngroups = [{ name = "g", changes = { speed = 1 } }]',
        "speed",
    ),
    "no title": ('about = "a"', "title"),
    "no TOML": ("title = ", "Invalid value"),
}


@pytest.mark.parametrize("wrong", _WRONG)
def test_a_wrong_file_is_told_by_name(wrong: str, tmp_path: Path) -> None:
    text, named = _WRONG[wrong]
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(BenchError, match=named) as failure:
        scenario.load(str(path))
    assert "wrong.toml" in str(failure.value)


def test_an_unknown_scenario_names_the_known_ones() -> None:
    with pytest.raises(BenchError, match="steady-10000"):
        scenario.load("nothing")


def test_cases_override_parts_of_what_is_common() -> None:
    text = """
title = "t"
about = "a"
[fleet]
stations = 10
connect = { at_once = 5, per_second = 2.0 }
[[steps]]
do = "hold"
[[cases]]
name = "one"
fleet = { stations = 20, connect = { at_once = 7 } }
[[cases]]
name = "two"
steps = [{ do = "run", name = "r" }]
"""
    one, two = scenario.parse("x", text, {"fleet": {"processes": 2}}).cases
    assert (one.fleet.stations, one.fleet.connect.at_once, one.fleet.connect.per_second, one.fleet.processes) == (20, 7, 2.0, 2)
    assert (two.fleet.stations, two.fleet.connect.at_once, [step.do for step in two.steps]) == (10, 5, ["run"])


@pytest.mark.slow
@pytest.mark.parametrize("name", scenario.names())
def test_the_fleet_accepts_every_plan(name: str, fleet: Path, tmp_path: Path) -> None:
    loaded = scenario.load(name)
    for case in loaded.cases:
        for plan in plans(case, loaded.seed, Target("ws://127.0.0.1:9000/ocpp", http_url="http://127.0.0.1:8080")):
            path = tmp_path / "plan.json"
            path.write_text(json.dumps(plan))
            checked = subprocess.run([fleet, "--check", path], capture_output=True, text=True, timeout=20, check=False)
            assert checked.returncode == 0, f"{case.name}: {checked.stderr}"


def test_behaviours_are_all_used() -> None:
    used = {
        group["behaviour"]
        for path in scenario.SCENARIOS.glob("*.toml")
        for table in [tomllib.loads(path.read_text())]
        for part in [table, *table.get("cases", [])]
        for group in part.get("fleet", {}).get("groups", [])
        if "behaviour" in group
    }
    assert {path.stem for path in scenario.BEHAVIOURS.glob("*.toml")} == used
