"""The definitions of a message as people read them, derived from the typed definitions and the comments at their fields."""

from __future__ import annotations

import ast
import inspect
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from schemas.action import Action
from schemas.annotations import DateTime, Items, Range, Text, Uri
from schemas.structs import ClosedObject, ExtensibleObject
from schemas.versions import VERSIONS


@dataclass(frozen=True, slots=True)
class Field:
    """A member of an object. `cardinality` such as 1, 0..1 or 1..*; `type` with its limits, such as string[36]."""

    name: str
    cardinality: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class Definition:
    """An object: a request, a response, or a datatype that occurs in them."""

    name: str
    purpose: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """A message: its action, its objects, and what occurs in them in the order of its first use.

    `block` is the functional block or feature profile that the standard puts it in.
    """

    version: str
    action: Action
    block: str
    request: Definition
    response: Definition | None
    datatypes: tuple[Definition, ...]
    enumerations: dict[str, tuple[str, ...]]

    @property
    def extensible(self) -> bool:
        """Whether every object may carry customData."""
        return issubclass(self.action.request, ExtensibleObject)


def describe(version: str, action: str) -> Description:
    """The description of one action by sub-protocol name. KeyError if there is no such version or action."""
    row = VERSIONS[version].actions[action]
    reader = _Reader()
    request = reader.define(row.request)
    response = None if row.response is None else reader.define(row.response)
    datatypes = tuple(reader.datatypes())
    return Description(version, row, block_of(row), request, response, datatypes, reader.enumerations)


def block_of(action: Action) -> str:
    """The functional block (2.x) or feature profile (1.6) of an action, in the words of its module."""
    text = (sys.modules[action.request.__module__].__doc__ or "").split("\n")[0].rstrip(".")
    return text.rpartition(", ")[2] if ", " in text else text


class _Reader:
    """Reads definitions and remembers what they refer to."""

    def __init__(self) -> None:
        self.enumerations: dict[str, tuple[str, ...]] = {}
        self._seen: dict[type[ClosedObject], None] = {}

    def define(self, kind: type[ClosedObject]) -> Definition:
        source = _sources(kind)
        hints = get_type_hints(kind, include_extras=True)
        members = [member for member in msgspec.structs.fields(kind) if member.name != "custom_data"]
        return Definition(
            kind.__name__,
            inspect.cleandoc(kind.__doc__ or ""),
            tuple(
                self._field(member, hints[member.name], source[member.name], vars(sys.modules[kind.__module__]))
                for member in members
            ),
        )

    def datatypes(self) -> Iterator[Definition]:
        """The datatypes that were met, and those that these refer to."""
        done = 0
        while done < len(self._seen):
            kind = list(self._seen)[done]
            done += 1
            yield self.define(kind)

    def _field(self, member: Any, hint: Any, source: _Source, names: dict[str, Any]) -> Field:
        required = member.default is msgspec.NODEFAULT
        element, items = _element(hint)
        enumeration = next((name for name in source.names if get_origin(names.get(name)) is Literal), None)
        if enumeration is not None:
            self.enumerations[enumeration] = get_args(names[enumeration])
        if items is None:
            cardinality = "1" if required else "0..1"
        else:
            cardinality = f"{items.min if required else 0}..{'*' if items.max is None else items.max}"
        return Field(member.encode_name, cardinality, enumeration or self._type(element), source.comment)

    def _type(self, hint: Any) -> str:
        limits: tuple[Any, ...] = ()
        if get_origin(hint) is Annotated:
            hint, *annotations = get_args(hint)
            limits = tuple(annotations)
        if isinstance(hint, type) and issubclass(hint, ClosedObject):
            self._seen.setdefault(hint)
            return hint.__name__
        name = "any" if hint is Any else _SCALARS[hint]
        for limit in limits:
            name = _limited(name, limit)
        return name


_SCALARS: dict[type, str] = {str: "string", int: "integer", bool: "boolean", Decimal: "decimal"}


def _limited(name: str, limit: object) -> str:
    match limit:
        case Text(max=most):
            return f"{name}[{most}]"
        case DateTime():
            return "dateTime"
        case Uri():
            return "anyURI"
        case Range(min=least, max=None):
            return f"{name}(>={least})"
        case Range(min=None, max=most):
            return f"{name}(<={most})"
        case Range(min=least, max=most):
            return f"{name}({least}..{most})"
    return name


def _element(hint: Any) -> tuple[Any, Items | None]:
    """The type of the member, or of its elements when it is a list, with how many."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (member for member in get_args(hint) if member is not NoneType)
    if get_origin(hint) is Annotated and get_origin(get_args(hint)[0]) is list:
        items = next((limit for limit in get_args(hint)[1:] if isinstance(limit, Items)), Items())
        return get_args(get_args(hint)[0])[0], items
    if get_origin(hint) is list:
        return get_args(hint)[0], Items()
    return hint, None


@dataclass(frozen=True, slots=True)
class _Source:
    names: tuple[str, ...]
    comment: str


def _sources(kind: type[ClosedObject]) -> dict[str, _Source]:
    """The names in the annotation of each field, and the comment beside it or, if it is long, above it."""
    text = inspect.getsource(kind)
    comments, above = {}, set()
    for token in tokenize.generate_tokens(StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token.string.lstrip("# ")
            if not token.line[: token.start[1]].strip():
                above.add(token.start[0])
    found = {}
    for statement in ast.walk(ast.parse(text)):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            first = statement.lineno
            while first - 1 in above:
                first -= 1
            lines = range(first, (statement.end_lineno or statement.lineno) + 1)
            found[statement.target.id] = _Source(
                tuple(node.id for node in ast.walk(statement.annotation) if isinstance(node, ast.Name)),
                " ".join(comments[line] for line in lines if line in comments),
            )
    return found
