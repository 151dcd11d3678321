"""The definitions against the published JSON schemas: field by field, and by the verdict on generated payloads."""

from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from schemas.json_schema import json_schema
from schemas.versions import VERSIONS
from tests.unit.schemas.explained_differences import EXPLAINED
from tests.unit.schemas.generation import VALID, cases
from tests.unit.schemas.published import PAYLOADS, Payload, Schema, expected, facts, published_files


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


def test_same_verdict_on_generated_payloads() -> None:
    disagreements = []
    count = 0
    for case in cases(seed=20010, valid=12):
        if case.formal:
            continue
        count += 1
        ours = _validator(case.payload).is_valid(case.value)
        theirs = _published_validator(case.payload).is_valid(case.value)
        if not ours == theirs == (case.row == VALID):
            disagreements.append((case.payload.message, case.fault, ours, theirs))
    assert disagreements == []
    assert count > 20_000


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: f"{payload.version}-{payload.message}")
def test_schema_is_itself_valid(payload: Payload) -> None:
    Draft202012Validator.check_schema(json_schema(*payload))


@cache
def _validator(payload: Payload) -> Validator:
    return _inlined(Draft202012Validator, json_schema(*payload))


@cache
def _published_validator(payload: Payload) -> Validator:
    schema = expected(payload.version)[payload.message]
    return _inlined(validator_for(schema), schema)


def _inlined(kind: Any, schema: Schema) -> Validator:
    """A validator without references, which jsonschema resolves anew, and slowly, for each payload."""

    def inline(node: Any) -> Any:
        if isinstance(node, list):
            return [inline(member) for member in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            *_, group, name = node["$ref"].split("/")
            return inline(schema[group][name])
        return {key: inline(member) for key, member in node.items() if key not in ("$defs", "definitions")}

    validator: Validator = kind(inline(schema))
    return validator
