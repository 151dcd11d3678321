"""The rules of the JSON side of OCPP from ids to clocks, which of our tests prove each, and the page of them in the docs.

A test proves the rule whose id its name begins with: `test_x3_an_equal_start_gets_the_same_answer` proves X3. Sentences are
in rules.toml.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = ROOT / "docs" / "ocpp" / "rules.md"
SOURCES: Final = ("tests/conformance/rules", "tests/integration/gateway", "tests/integration/ledger")
"""Folders whose tests prove rules."""

_TEST: Final = re.compile(r"^(?:async )?def (test_(r4_\d|[tbdxyl]\d{1,2})_\w+)\(", flags=re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    rules: tuple[Rule, ...]


@cache
def sections() -> tuple[Section, ...]:
    listed = tomllib.loads((Path(__file__).parent / "rules.toml").read_text())
    found = []
    for section in listed["section"]:
        rules = [Rule(rule_id, sentence) for rule_id, sentence in section["rules"].items()]
        found.append(Section(section["title"], tuple(sorted(rules, key=_order))))
    return tuple(found)


def rules() -> list[Rule]:
    return [rule for section in sections() for rule in section.rules]


@cache
def proofs() -> dict[str, list[str]]:
    """The tests of each rule id, read from the sources: `module.py::test`."""
    tests: dict[str, list[str]] = {}
    for folder in SOURCES:
        for source in sorted((ROOT / folder).glob("test_*.py")):
            for name, rule_id in _TEST.findall(source.read_text()):
                tests.setdefault(rule_id.upper(), []).append(f"{source.relative_to(ROOT / 'tests')}::{name}")
    return tests


def page() -> str:
    """The page as it has to be."""
    lines = [
        "# Rules between stations and the gateway",
        "",
        "Written by `make pages`. What the gateway and the ledger keep to beyond the frames themselves, for OCPP 1.6, 2.0.1 and",
        "2.1, and the tests that prove it. They play stations against a running gateway on PostgreSQL.",
        "",
        f"{len(rules())} rules.",
    ]
    for section in sections():
        lines += ["", f"## {section.title}", "", "| rule | says | tests |", "|---|---|---|"]
        lines += [f"| {rule.id.replace('_', '.')} | {rule.sentence} | {_proof(rule)} |" for rule in section.rules]
    return "\n".join(lines) + "\n"


def _proof(rule: Rule) -> str:
    return "<br>".join(f"`{test}`" for test in proofs().get(rule.id, ()))


def _order(rule: Rule) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", rule.id))
