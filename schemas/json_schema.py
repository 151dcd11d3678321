"""JSON Schema of the messages, derived from the same nodes as the native tables; for API documentation and tests."""

from collections.abc import Iterator
from typing import Any, Literal

from schemas.tables import Node, version_table

JsonSchema = dict[str, Any]

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
_CUSTOM_DATA = "CustomDataType"


def json_schema(version: str, action: str, kind: Literal["request", "response"]) -> JsonSchema:
    """The schema (draft 2020-12) of one payload.

    `version` is the sub-protocol name, such as "ocpp1.6". KeyError if there is no such version or action, or if the
    action has no such payload (a SEND has no response).
    """
    table = version_table(version)
    root = table["actions"][action][kind]
    if root is None:
        raise KeyError(f"{action} has no {kind}")
    definitions: dict[str, JsonSchema] = {}
    pending = list(_references(root))
    while pending:
        name = pending.pop()
        if name not in definitions:
            definitions[name] = _schema(table["types"][name])
            pending.extend(_references(table["types"][name]))
    if root["custom_data"]:
        definitions[_CUSTOM_DATA] = {
            "type": "object",
            "properties": {"vendorId": {"type": "string", "maxLength": 255}},
            "required": ["vendorId"],
        }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{action}{kind.capitalize()}",
        **_schema(root),
    }
    if definitions:
        schema["$defs"] = dict(sorted(definitions.items()))
    return schema


def _references(node: Node) -> Iterator[str]:
    match node:
        case {"t": "ref", "name": name}:
            yield name
        case {"t": "object", "fields": fields}:
            for field in fields:
                yield from _references(field["type"])
        case {"t": "array", "items": items}:
            yield from _references(items)


def _schema(node: Node) -> JsonSchema:
    match node["t"]:
        case "ref":
            return {"$ref": f"#/$defs/{node['name']}"}
        case "any":
            return {}
        case "object":
            return _object(node)
        case "array":
            return {
                "type": "array",
                "items": _schema(node["items"]),
                **_renamed(node, min="minItems", max="maxItems"),
            }
        case "string":
            return {
                "type": "string",
                **_renamed(node, min="minLength", max="maxLength", format="format", enum="enum"),
            }
        case "integer":
            return {
                "type": "integer",
                "minimum": node.get("min", _INT32_MIN),
                "maximum": node.get("max", _INT32_MAX),
            }
        case "number":
            return {"type": "number", **_renamed(node, min="minimum", max="maximum")}
        case scalar:
            return {"type": scalar}


def _object(node: Node) -> JsonSchema:
    properties = {field["name"]: _schema(field["type"]) for field in node["fields"]}
    if node["custom_data"]:
        properties["customData"] = {"$ref": f"#/$defs/{_CUSTOM_DATA}"}
    schema: JsonSchema = {"type": "object", "properties": properties, "additionalProperties": node["open"]}
    required = [field["name"] for field in node["fields"] if field["required"]]
    if required:
        schema["required"] = required
    return schema


def _renamed(node: Node, **keywords: str) -> JsonSchema:
    return {keyword: node[name] for name, keyword in keywords.items() if name in node}
