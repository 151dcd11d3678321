"""The native tables: the agreed node forms, complete and closed under references."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import pytest

from schemas.action import Action
from schemas.annotations import Text
from schemas.ocpp16.core import ClearCacheRequest, ClearCacheResponse
from schemas.structs import ClosedObject
from schemas.tables import build_table, native_tables, version_table
from schemas.versions import VERSIONS, Version

ALLOWED = {
    "object": {"t", "fields", "open", "custom_data"},
    "ref": {"t", "name"},
    "string": {"t", "min", "max", "format", "enum"},
    "integer": {"t", "min", "max"},
    "number": {"t", "min", "max"},
    "boolean": {"t"},
    "any": {"t"},
    "array": {"t", "min", "max", "items"},
}


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for field in node.get("fields", ()):
        yield from _nodes(field["type"])
    if "items" in node:
        yield from _nodes(node["items"])


def test_tables_hold_all_versions() -> None:
    versions = json.loads(native_tables())["versions"]
    assert {name: (table["dialect"], len(table["types"]), len(table["actions"])) for name, table in versions.items()} == {
        "ocpp1.6": ("1.6", 11, 39),
        "ocpp2.0.1": ("2.0.1", 54, 64),
        "ocpp2.1": ("2.1", 121, 91),
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_every_node_has_an_agreed_form(version: str) -> None:
    table = json.loads(native_tables())["versions"][version]
    roots = [action[kind] for action in table["actions"].values() for kind in ("request", "response") if action[kind]]
    used = Counter[str]()
    for root in (*roots, *table["types"].values()):
        for node in _nodes(root):
            assert node.keys() <= ALLOWED[node["t"]]
            if node["t"] == "ref":
                used[node["name"]] += 1
            if node["t"] == "object":
                assert node["custom_data"] == (version != "ocpp1.6")
                assert "customData" not in {field["name"] for field in node["fields"]}
    assert used.keys() == table["types"].keys()


def test_a_field_keeps_its_limits_and_form() -> None:
    fields = {field["name"]: field for field in version_table("ocpp1.6")["actions"]["StartTransaction"]["request"]["fields"]}
    assert list(fields) == ["connectorId", "idTag", "meterStart", "timestamp", "reservationId"]
    assert fields["idTag"] == {"name": "idTag", "required": True, "type": {"t": "string", "max": 20}}
    assert fields["timestamp"]["type"] == {"t": "string", "format": "date-time"}
    assert fields["reservationId"] == {"name": "reservationId", "required": False, "type": {"t": "integer"}}


class _Foreign(ClosedObject, frozen=True, kw_only=True):
    text: Annotated[str, "at most 20"]


def _twin() -> type[ClosedObject]:
    class Twin(ClosedObject, frozen=True, kw_only=True):
        text: Annotated[str, Text(max=20)]

    return Twin


class _TwoTwins(ClosedObject, frozen=True, kw_only=True):
    first: _twin()  # type: ignore[valid-type]  # two classes of one name, which only a call can make
    second: _twin()  # type: ignore[valid-type]  # see above


@pytest.mark.parametrize(
    ("struct", "complaint"),
    [(_Foreign, "not an annotation"), (_TwoTwins, "two datatypes are named Twin")],
)
def test_a_definition_that_has_no_node_is_refused(struct: type[ClosedObject], complaint: str) -> None:
    version = Version("1.6", {"X": Action("X", struct, ClearCacheResponse, from_station=True)})
    with pytest.raises(TypeError, match=complaint):
        build_table(version)
    assert build_table(Version("1.6", {"X": Action("X", ClearCacheRequest, ClearCacheResponse)}))["types"] == {}
