"""The definitions against the published JSON schemas: field by field, and by the verdict on generated payloads."""

from functools import cache

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from gateway._native import Catalogue
from schemas.json_schema import json_schema
from schemas.tables import native_tables
from schemas.versions import VERSIONS
from tests.unit.schemas.explained_differences import EVERYWHERE, EXPLAINED
from tests.unit.schemas.generation import COUNT, FRAME, MISSING, TYPE, UNKNOWN, VALID, VALUE, cases
from tests.unit.schemas.published import PAYLOADS, Payload, expected, facts, published_files

CHANGED = {"ocpp1.6": (40, 80_000), "ocpp2.0.1": (10, 90_000), "ocpp2.1": (5, 100_000)}
"""How many valid values of each payload are changed in every way, and the cases that makes at least: 270,000 in all."""

CODES = {
    False: {
        FRAME: "FormationViolation",
        MISSING: "OccurenceConstraintViolation",
        UNKNOWN: "FormationViolation",
        TYPE: "TypeConstraintViolation",
        COUNT: "OccurenceConstraintViolation",
        VALUE: "PropertyConstraintViolation",
    },
    True: {
        FRAME: "RpcFrameworkError",
        MISSING: "OccurrenceConstraintViolation",
        UNKNOWN: "FormatViolation",
        TYPE: "TypeConstraintViolation",
        COUNT: "OccurrenceConstraintViolation",
        VALUE: "PropertyConstraintViolation",
    },
}
"""The error code of each row (OCPP-J rules, section 3), of 1.6 and of 2.x."""


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
    """The native validator refuses by the right row, with its code and the place. It, our schemas and the published ones agree."""
    changed, least = CHANGED[version]
    codes = CODES[version != "ocpp1.6"]
    catalogue = Catalogue(native_tables())
    disagreements = []
    count = 0
    explained = {"32 bits"}
    for case in cases(version, seed=20010, valid=40, changed=changed):
        count += 1
        fault = catalogue.validate(*case.payload, case.text())
        told = (VALID, None, None) if fault is None else (fault.row, fault.code, fault.path)
        wanted = (VALID, None, None) if case.row == VALID else (case.row, codes[case.row], case.path)
        ours = published = (case.row == VALID) == (case.explained is None)
        if case.explained == "2.0" and "draft-04" in expected(version)[case.payload.message]["$schema"]:
            published = False  # in draft 4, which most schemas of 1.6 are of, an integer has no fraction either
        verdicts = _validator(case.payload).is_valid(case.value), _published_validator(case.payload).is_valid(case.value)
        if told != wanted or verdicts != (ours, published):
            disagreements.append((case.payload.message, case.change, wanted, told, verdicts))
        if case.explained is not None:
            explained.add(case.explained)
    assert disagreements == []
    assert count > least
    assert explained == EVERYWHERE.keys() - (set() if version == "ocpp1.6" else {"empty URI"})


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: f"{payload.version}-{payload.message}")
def test_schema_is_itself_valid(payload: Payload) -> None:
    Draft202012Validator.check_schema(json_schema(*payload))


@cache
def _validator(payload: Payload) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json_schema(*payload), validate_formats=True)


@cache
def _published_validator(payload: Payload) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(expected(payload.version)[payload.message], validate_formats=True)
