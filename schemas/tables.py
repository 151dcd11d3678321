"""The type tables of the native codec, derived from the typed definitions by introspection."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypedDict, Union, get_args, get_origin, get_type_hints

import msgspec

from schemas.annotations import DateTime, Items, Range, Text, Uri
from schemas.structs import ClosedObject, ExtensibleObject
from schemas.versions import VERSIONS, Version

Node = dict[str, Any]


class ActionTable(TypedDict):
    """One action: its directions and the nodes of its objects; what is sent by SEND has no response."""

    from_station: bool
    from_csms: bool
    billing: bool
    send: bool
    request: Node
    response: Node | None


class VersionTable(TypedDict):
    """One OCPP version: its shared object types by name and its actions."""

    dialect: str
    types: dict[str, Node]
    actions: dict[str, ActionTable]


@cache
def version_table(version: str) -> VersionTable:
    """The table of one version, by sub-protocol name. KeyError if there is no such version."""
    return build_table(VERSIONS[version])


def build_table(version: Version) -> VersionTable:
    """The table of a version. TypeError if a definition uses a type or an annotation that has no node."""
    return _Builder().build(version)


def native_tables() -> bytes:
    """The tables of all versions as JSON, in the form the native codec compiles."""
    return json.dumps({"versions": {name: version_table(name) for name in VERSIONS}}, separators=(",", ":")).encode()


@dataclass(slots=True)
class _Builder:
    types: dict[str, Node] = field(default_factory=dict)
    origins: dict[str, type[ClosedObject]] = field(default_factory=dict)

    def build(self, version: Version) -> VersionTable:
        actions: dict[str, ActionTable] = {
            action.name: {
                "from_station": action.from_station,
                "from_csms": action.from_csms,
                "billing": action.billing,
                "send": action.send,
                "request": self.object(action.request),
                "response": None if action.response is None else self.object(action.response),
            }
            for action in version.actions.values()
        }
        return {"dialect": version.dialect, "types": dict(sorted(self.types.items())), "actions": actions}

    def object(self, struct: type[ClosedObject]) -> Node:
        hints = get_type_hints(struct, include_extras=True)
        return {
            "t": "object",
            "fields": [
                {
                    "name": member.encode_name,
                    "required": member.default is msgspec.NODEFAULT,
                    "type": self.node(hints[member.name]),
                }
                for member in msgspec.structs.fields(struct)
                if member.name != "custom_data"
            ],
            "open": False,
            "custom_data": issubclass(struct, ExtensibleObject),
        }

    def reference(self, struct: type[ClosedObject]) -> Node:
        name = struct.__name__
        if self.origins.setdefault(name, struct) is not struct:
            raise TypeError(f"two datatypes are named {name}")
        if name not in self.types:
            self.types[name] = self.object(struct)
        return {"t": "ref", "name": name}

    def node(self, hint: Any) -> Node:
        if hint is Any:
            return {"t": "any"}
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, UnionType):
            (present,) = (member for member in arguments if member is not NoneType)
            return self.node(present)
        if origin is Annotated:
            node = self.node(arguments[0])
            for limit in arguments[1:]:
                node |= _limits(limit)
            return node
        if origin is Literal:
            return {"t": "string", "enum": list(arguments)}
        if origin is list:
            return {"t": "array", "items": self.node(arguments[0])}
        if isinstance(hint, type) and issubclass(hint, ClosedObject):
            return self.reference(hint)
        if hint in _SCALARS:
            return {"t": _SCALARS[hint]}
        raise TypeError(f"no node stands for {hint!r}")


_SCALARS: dict[type, str] = {str: "string", int: "integer", bool: "boolean", Decimal: "number"}


def _limits(annotation: object) -> Node:
    match annotation:
        case Text(max=most):
            return {"max": most}
        case DateTime():
            return {"format": "date-time"}
        case Uri():
            return {"format": "uri"}
        case Items(min=least, max=most) | Range(min=least, max=most):
            return {name: limit for name, limit in (("min", least), ("max", most)) if limit is not None}
    raise TypeError(f"not an annotation of schemas.annotations: {annotation!r}")
