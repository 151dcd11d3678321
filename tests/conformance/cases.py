"""The certification cases of a central system, which of our tests plays which, and the tables of them in the docs.

A test plays the case whose id its name carries: `test_tc_004_1_card_first` plays TC_004_1. A case without a test says in
cases_ocpp16.toml or cases_ocpp201.toml what it waits for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Outcome = Literal["passed", "failed"]

HERE = Path(__file__).parent
TABLES = HERE.parents[1] / "docs" / "ocpp"
SUITES = {"ocpp16": "1.6", "ocpp201": "2.0.1"}
_NAME = re.compile(r"^test_(tc(?:_[a-z])?(?:_[0-9]+)+)(?:_|\Z)")


@dataclass(frozen=True, slots=True)
class Case:
    """One certification case. `duty` is what the central system must do, `waits_for` the feature that is missing."""

    id: str
    title: str
    duty: str
    waits_for: str | None = None


@cache
def cases(suite: str) -> dict[str, Case]:
    """The cases of a suite by id, in the order of the certification's list."""
    listed = tomllib.loads((HERE / f"cases_{suite}.toml").read_text())
    return {case_id: Case(case_id, **facts) for case_id, facts in listed.items()}


def case_of(test_name: str) -> str | None:
    """The id of the case that a test plays, None when its name carries none."""
    found = _NAME.match(test_name)
    return None if found is None else found[1].upper()


def played(suite: str) -> dict[str, list[str]]:
    """The names of the tests of a suite by case, read from the sources."""
    tests: dict[str, list[str]] = {}
    for source in sorted((HERE / suite).glob("test_*.py")):
        for name in re.findall(r"^def (test_\w+)\(", source.read_text(), flags=re.MULTILINE):
            tests.setdefault(case_of(name) or name, []).append(f"{source.name}::{name}")
    return tests


def outcome_of(node_id: str) -> tuple[str, str] | None:
    """(suite, case) of a test by its node id, None when it plays no case."""
    path, _, name = node_id.partition("::")
    suite = Path(path).parent.name
    case_id = case_of(name.partition("[")[0]) if suite in SUITES else None
    return None if case_id is None else (suite, case_id)


def table(suite: str, outcomes: Mapping[str, Outcome]) -> str:
    """The page of a suite: every case with how its test ended, or with what it waits for."""
    listed = cases(suite).values()
    passed = sum(outcomes.get(case.id) == "passed" for case in listed)
    waiting = sum(case.waits_for is not None for case in listed)
    lines = [
        f"# Certification cases of OCPP {SUITES[suite]} for a central system",
        "",
        "Written by the test run. Each case is played against a running server: the test is the station, and checks the wire",
        "and the records. Ids and titles are the Open Charge Alliance's; passing these tests is not a certification.",
        "",
        f"{len(listed)} cases: {passed} pass, {waiting} wait for a feature that is not there yet.",
        "",
        "| case | title | the central system | result |",
        "|---|---|---|---|",
    ]
    lines.extend(f"| {case.id} | {case.title} | {case.duty} | {_result(case, outcomes)} |" for case in listed)
    return "\n".join(lines) + "\n"


def write_tables(outcomes: Iterable[tuple[str, bool]]) -> list[Path]:
    """Write the page of every suite that was run whole; `outcomes` are node ids with whether the test passed."""
    by_suite: dict[str, dict[str, Outcome]] = {suite: {} for suite in SUITES}
    for node_id, passed in outcomes:
        if (found := outcome_of(node_id)) is not None:
            suite, case_id = found
            if not passed or case_id not in by_suite[suite]:
                by_suite[suite][case_id] = "passed" if passed else "failed"
    written = []
    for suite, results in by_suite.items():
        if results.keys() >= {case.id for case in cases(suite).values() if case.waits_for is None}:
            page = TABLES / f"conformance-{SUITES[suite]}.md"
            content = table(suite, results)
            if not page.exists() or page.read_text() != content:
                page.write_text(content)
                written.append(page)
    return written


def _result(case: Case, outcomes: Mapping[str, Outcome]) -> str:
    return f"waits for {case.waits_for}" if case.waits_for is not None else outcomes.get(case.id, "not run")
