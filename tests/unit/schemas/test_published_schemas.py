"""The definitions against the published JSON schemas: field by field, and by the verdict on generated payloads."""

from functools import cache

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from gateway._native import Catalogue
from schemas.json_schema import json_schema
from schemas.tables import native_tables
from schemas.versions import VERSIONS
from tests.unit.schemas.explained_differences import EXPLAINED
from tests.unit.schemas.generation import VALID, cases
from tests.unit.schemas.published import PAYLOADS, Payload, expected, facts, published_files

BROKEN = {"ocpp1.6": (40, 50_000), "ocpp2.0.1": (10, 60_000), "ocpp2.1": (5, 70_000)}
"""How many valid values of each payload are broken in every way, and the cases that makes at least: 180,000 in all."""


@pytest.mark.parametrize("version", VERSIONS)
def test_same_messages(version: str) -> None:
    assert {payload.message for payload in PAYLOADS if payload.version == version} == set(published_files(version))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: f"{payload.version}-{payload.message}")
def test_same_structure(payload: Payload) -> None:
    assert facts(json_schema(*payload)) == facts(expected(payload.version)[payload.message])


def test_every_difference_has_a_reason_and_is_real() -> None:
    for version in VERSIONS:
        published = published_files(version)
        for difference in (entry for entry in EXPLAINED if entry.version == version):
            assert difference.reason
            assert facts(published[difference.message]) != facts(expected(version)[difference.message])


@pytest.mark.parametrize("version", VERSIONS)
def test_same_verdict_on_generated_payloads(version: str) -> None:
    """The native validator refuses by the right row, and it, our JSON schemas and the published ones judge alike."""
    broken, least = BROKEN[version]
    catalogue = Catalogue(native_tables())
    disagreements = []
    count = 0
    for case in cases(version, seed=20010, valid=40, broken=broken):
        count += 1
        fault = catalogue.validate(*case.payload, case.text())
        row = VALID if fault is None else fault.row
        verdicts = {case.row == VALID, row == VALID}
        if not case.formal:
            verdicts.add(_validator(case.payload).is_valid(case.value))
            verdicts.add(_published_validator(case.payload).is_valid(case.value))
        if len(verdicts) > 1 or row != case.row:
            disagreements.append((case.payload.message, case.fault, case.row, fault and fault.description))
    assert disagreements == []
    assert count > least


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: f"{payload.version}-{payload.message}")
def test_schema_is_itself_valid(payload: Payload) -> None:
    Draft202012Validator.check_schema(json_schema(*payload))


@cache
def _validator(payload: Payload) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json_schema(*payload))


@cache
def _published_validator(payload: Payload) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(expected(payload.version)[payload.message])
