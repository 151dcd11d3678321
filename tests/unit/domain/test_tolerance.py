"""Which of a tenant's tolerance rules decides about a fault."""

from __future__ import annotations

from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest

from csms.domain.tolerance import LONGEST_PATH, RuleSet, ToleranceRule, counted_path


def rule(**fields: Any) -> ToleranceRule:
    given = {
        "rule_id": uuid4(),
        "kind": "call",
        "vendor": "Acme",
        "model": None,
        "ocpp_version": None,
        "action": None,
        "path": None,
        "effect": "spare",
    }
    return ToleranceRule(**(given | fields))


def found(
    rules: list[ToleranceRule],
    *paths: str,
    vendor: str | None = "Acme",
    model: str | None = "M1",
    kind: Any = "call",
    action: str = "MeterValues",
    version: str = "ocpp1.6",
) -> UUID | None:
    decided = RuleSet(rules).find(kind, vendor, model, version, action, paths or ("/a/0/b",))
    return None if decided is None else decided.rule_id


SPECIFIC = [
    rule(model="M1", action="MeterValues", path="/a/0/b"),
    rule(model="M1", action="MeterValues", path="/a/*/b"),
    rule(model="M1", action="MeterValues", path="/a/*/*"),
    rule(model="M1", action="MeterValues", ocpp_version="ocpp1.6"),
    rule(model="M1", action="MeterValues"),
    rule(model="M1", path="/a/0/b"),
    rule(model="M1"),
    rule(action="MeterValues", path="/a/0/b"),
    rule(action="MeterValues"),
    rule(path="/a/0/b", ocpp_version="ocpp1.6"),
    rule(path="/a/0/b"),
    rule(ocpp_version="ocpp1.6"),
    rule(effect="refuse"),
    rule(),
]
"""In the order in which they are asked; each fits."""


@pytest.mark.parametrize("position", range(len(SPECIFIC)))
def test_the_most_specific_rule_decides_whatever_the_order(position: int) -> None:
    rest = SPECIFIC[position:]
    assert found(rest) == rest[0].rule_id
    assert found(rest[::-1]) == rest[0].rule_id


def test_ties_do_not_depend_on_the_order() -> None:
    three = [SPECIFIC[1], SPECIFIC[5], SPECIFIC[12]]
    assert {found(list(order)) for order in permutations(three)} == {three[0].rule_id}


def test_vendor_and_model_are_compared_trimmed_and_without_case() -> None:
    rules = [rule(vendor=" aCME  gmbh ", model="m1 ")]
    assert found(rules, vendor="ACME  GmbH", model=" M1") is not None
    assert found(rules, vendor="ACME GmbH", model="M1") is None


@pytest.mark.parametrize(
    "other",
    [
        {"vendor": "Acme2"},
        {"vendor": None},
        {"model": "M2"},
        {"model": None},
        {"kind": "answer"},
        {"action": "StatusNotification"},
        {"version": "ocpp2.0.1"},
    ],
)
def test_what_a_rule_names_must_fit(other: dict[str, Any]) -> None:
    rules = [rule(model="M1", action="MeterValues", ocpp_version="ocpp1.6")]
    assert found(rules) is not None
    assert found(rules, **other) is None


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/x", "/x", True),
        ("/x", "/x/y", False),
        ("/x", "/X", False),
        ("/*", "/anything", True),
        ("/*", "/a/b", False),
        ("/a/*/b", "/a/17/b", True),
        ("/a/*/b", "/a/17/c", False),
        ("/a/*", "/a/own member", True),
        ("/a~1b", "/a~1b", True),
    ],
)
def test_paths(pattern: str, path: str, fits: bool) -> None:
    assert (found([rule(path=pattern)], path) is not None) == fits


def test_a_rule_may_name_the_missing_member_or_the_object_that_lacks_it() -> None:
    for path in ("/evse/id", "/evse"):
        assert found([rule(path=path)], "/evse/id", "/evse") is not None


def test_counted_paths_have_no_indices_and_a_bounded_length() -> None:
    assert counted_path("/meterValue/0/sampledValue/12/unit") == "/meterValue/*/sampledValue/*/unit"
    assert counted_path("/a/0") == "/a/*"
    assert counted_path("/a0/b1") == "/a0/b1"
    assert len(counted_path("/" + "x" * 5000)) == LONGEST_PATH


def test_no_rules_are_false() -> None:
    assert not RuleSet()
    assert RuleSet([rule()])
