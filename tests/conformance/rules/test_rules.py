"""Every rule has its tests, every test its rule, and the page tells of them all."""

from __future__ import annotations

from tests.conformance.rules.index import PAGE, page, proofs, rules

COUNTS = {"R": 6, "T": 10, "B": 10, "D": 4, "X": 11, "Y": 13, "L": 6}


def test_every_rule_is_listed() -> None:
    listed: dict[str, int] = {}
    for rule in rules():
        listed[rule.id[0]] = listed.get(rule.id[0], 0) + 1
    assert listed == COUNTS


def test_every_rule_has_a_test() -> None:
    assert [rule.id for rule in rules() if rule.id not in proofs()] == []


def test_no_test_names_a_rule_that_is_not_listed() -> None:
    assert sorted(proofs().keys() - {rule.id for rule in rules()}) == []


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "write it with `make pages`"
