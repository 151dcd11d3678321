"""The JSON schemas that the PyPI package `ocpp` ships, read in place, and the facts by which schemas are compared."""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from schemas.versions import VERSIONS
from tests.unit.schemas.explained_differences import EXPLAINED, Difference

Schema = dict[str, Any]
Kind = Literal["request", "response"]

_FOLDERS = {"ocpp1.6": "v16", "ocpp2.0.1": "v201", "ocpp2.1": "v21"}
_INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}
_KEYWORDS = (
    "type",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "multipleOf",
)


class Payload(NamedTuple):
    """One payload of one action of one version."""

    version: str
    action: str
    kind: Kind

    @property
    def message(self) -> str:
        return f"{self.action}{self.kind.capitalize()}"


PAYLOADS = [
    Payload(version, action, kind)
    for version, definition in VERSIONS.items()
    for action, row in definition.actions.items()
    for kind in ("request", "response")
    if kind == "request" or row.response is not None
]


def published_files(version: str) -> dict[str, Schema]:
    """The published schemas of a version by message name, unchanged."""
    schemas = {}
    for entry in files("ocpp").joinpath(_FOLDERS[version], "schemas").iterdir():
        name = entry.name.removesuffix(".json")
        if not name.endswith(("Request", "Response")):
            name += "Request"
        schemas[name] = json.loads(entry.read_text("utf-8-sig"))
    return schemas


@cache
def expected(version: str) -> dict[str, Schema]:
    """The published schemas of a version with the explained differences applied, by message name."""
    schemas = published_files(version)
    for schema in schemas.values():
        _bound_integers(schema)
    for difference in EXPLAINED:
        if difference.version == version:
            _apply(difference, schemas[difference.message])
    return schemas


def facts(schema: Schema) -> dict[str, dict[str, object]]:
    """Everything a schema demands, by path: references followed, what does not constrain a payload left out."""
    found: dict[str, dict[str, object]] = {}
    _collect(schema, schema, "", found)
    return found


def _collect(root: Schema, node: Schema, path: str, found: dict[str, dict[str, object]]) -> None:
    node = _resolve(root, node)
    fact: dict[str, object] = {keyword: node[keyword] for keyword in _KEYWORDS if keyword in node}
    if "enum" in node:
        fact["enum"] = frozenset(node["enum"])
    if node.get("type") == "object":
        fact["open"] = node.get("additionalProperties", True)
        fact["members"] = frozenset(node.get("properties", {}))
        fact["required"] = frozenset(node.get("required", []))
    found[path] = fact
    for name, member in node.get("properties", {}).items():
        _collect(root, member, f"{path}/{name}", found)
    if "items" in node:
        _collect(root, node["items"], f"{path}/[]", found)


def _resolve(root: Schema, node: Schema) -> Schema:
    while "$ref" in node:
        target: Any = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def _bound_integers(node: object) -> None:
    if isinstance(node, dict):
        if node.get("type") == "integer":
            for keyword, limit in _INT32.items():
                node.setdefault(keyword, limit)
        for member in node.values():
            _bound_integers(member)
    elif isinstance(node, list):
        for member in node:
            _bound_integers(member)


def _apply(difference: Difference, schema: Schema) -> None:
    node = schema
    for step in difference.path.removeprefix("/").split("/"):
        node = _resolve(schema, node)
        node = node["items"] if step == "[]" else node["properties"][step]
    node = _resolve(schema, node)
    if node.get(difference.keyword) != difference.published:
        raise AssertionError(f"stale: {difference} but published is {node.get(difference.keyword)!r}")
    if difference.ours is None:
        del node[difference.keyword]
    else:
        node[difference.keyword] = difference.ours
