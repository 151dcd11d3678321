"""The list of certification cases and the tests that play them fit together."""

from __future__ import annotations

import pytest

from tests.conformance.cases import SUITES, case_of, cases, outcome_of, played, table, write_tables

COUNTS = {"ocpp16": 77, "ocpp201": 252}


@pytest.mark.parametrize("suite", SUITES)
def test_every_case_is_listed(suite: str) -> None:
    assert len(cases(suite)) == COUNTS[suite]


@pytest.mark.parametrize("suite", SUITES)
def test_every_case_has_a_test_or_waits_for_a_feature(suite: str) -> None:
    tests = played(suite)
    assert sorted(tests.keys() - cases(suite).keys()) == []
    assert [case.id for case in cases(suite).values() if (case.id in tests) == (case.waits_for is not None)] == []


def test_names_carry_the_longest_id() -> None:
    assert case_of("test_tc_004_1_card_first") == "TC_004_1"
    assert case_of("test_tc_a_01") == "TC_A_01"
    assert case_of("test_cases") is None


def test_only_tests_of_a_suite_play_cases() -> None:
    assert outcome_of("tests/conformance/ocpp16/test_core.py::test_tc_001_boot[x]") == ("ocpp16", "TC_001")
    assert outcome_of("tests/conformance/test_vectors.py::test_tc_001_boot") is None


def test_a_table_names_failures_and_what_is_waited_for() -> None:
    first, *_ = cases("ocpp16")
    assert f"| {first} |" in table("ocpp16", {first: "failed"})
    assert "| failed |" in table("ocpp16", {first: "failed"})


def test_a_partial_run_writes_nothing() -> None:
    assert write_tables([("tests/conformance/ocpp16/test_core.py::test_tc_001_boot", True)]) == []
