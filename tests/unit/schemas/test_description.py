"""The descriptions for people are complete and say what the tables say."""

import re

import pytest

from schemas.description import Definition, describe
from schemas.tables import Node, version_table
from schemas.versions import VERSIONS

ACTIONS = [(version, action) for version, definition in VERSIONS.items() for action in definition.actions]
SCALARS = {"string", "integer", "decimal", "boolean", "dateTime", "anyURI", "any"}


@pytest.mark.parametrize(("version", "action"), ACTIONS)
def test_everything_that_occurs_is_described(version: str, action: str) -> None:
    message = describe(version, action)
    definitions = [message.request, *([message.response] if message.response else []), *message.datatypes]
    assert [definition.name for definition in definitions if not definition.purpose] == []
    assert len({definition.name for definition in definitions}) == len(definitions)
    known = SCALARS | {definition.name for definition in message.datatypes} | message.enumerations.keys()
    used = {re.split(r"[\[(]", field.type)[0] for definition in definitions for field in definition.fields}
    assert used <= known
    assert known - SCALARS <= used
    assert "block" in message.block or "profile" in message.block or "security" in message.block


@pytest.mark.parametrize(("version", "action"), ACTIONS)
def test_members_are_those_of_the_tables(version: str, action: str) -> None:
    message = describe(version, action)
    table = version_table(version)
    described: list[tuple[Definition, Node | None]] = [(message.request, table["actions"][action]["request"])]
    if message.response is not None:
        described.append((message.response, table["actions"][action]["response"]))
    described.extend((datatype, table["types"][datatype.name]) for datatype in message.datatypes)
    for definition, node in described:
        assert node is not None
        required = {field["name"]: field["required"] for field in node["fields"]}
        assert {field.name: not field.cardinality.startswith("0") for field in definition.fields} == required


def test_a_field_is_told_with_its_limits_and_its_comment() -> None:
    fields = {field.name: field for field in describe("ocpp2.1", "TransactionEvent").request.fields}
    assert (fields["seqNo"].type, fields["seqNo"].cardinality) == ("integer(>=0)", "1")
    assert fields["meterValue"].cardinality == "0..*"
    assert fields["timestamp"].type == "dateTime"
    assert fields["timestamp"].comment == "when it happened"
    assert describe("ocpp1.6", "Authorize").request.fields[0].type == "string[20]"
