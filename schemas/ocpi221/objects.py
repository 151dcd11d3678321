"""How lists and objects are read, checked and written, and how that is found out from the definitions of the types."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from schemas.ocpi221.base import AbsentAs, AtLeastOne, Coordinate, Limits, OcpiObject, ReadAs, Text
from schemas.ocpi221.notes import Notes, quoted
from schemas.ocpi221.scalars import (
    ChoiceKind,
    CoordinateKind,
    InstantKind,
    IntegerKind,
    Kind,
    NumberKind,
    TextKind,
    TruthKind,
)

MOST_ITEMS: Final = 10_000
"""Of one list."""

_NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ListKind:
    """A list of cardinality `*` or `+` (B1)."""

    item: Kind
    at_least_one: bool
    empty_is_absent: bool = True

    def read(self, value: Any, notes: Notes) -> tuple[Any, ...]:
        return tuple(self.each(value, notes, self.item.read))

    def each(self, value: Any, notes: Notes, convert: Callable[[Any, Notes], Any]) -> list[Any]:
        """What `convert` makes of the elements of a partner's list, or of what stands where a list is due."""
        if not isinstance(value, list):
            notes.remark("Z12", "is a single value where a list is due")
            value = [value]
        if len(value) > MOST_ITEMS:
            raise notes.fault("B1", f"has more than {MOST_ITEMS} elements")
        items = []
        for index, element in enumerate(value):
            notes.trail.append(index)
            if element is None:
                notes.remark("Z3", "is null in a list")
            else:
                items.append(convert(element, notes))
            notes.trail.pop()
        if self.at_least_one and not items:
            raise notes.fault("B1", "is empty")
        return items

    def check(self, value: Any, notes: Notes) -> None:
        if not isinstance(value, tuple):
            notes.remark("B1", "is not a list")
            return
        if self.at_least_one and not value:
            notes.remark("B1", "is empty")
        for index, element in enumerate(value):
            notes.trail.append(index)
            self.item.check(element, notes)
            notes.trail.pop()

    def wire(self, value: Any) -> Any:
        item = self.item
        return [item.wire(element) for element in value]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object. `required` as the standard has it; `absent_as` is what may stand for it if a partner omits it."""

    name: str
    kind: Kind
    required: bool
    absent_as: AbsentAs | None

    def given(self, value: dict[str, Any], notes: Notes) -> Any:
        """What a partner's object has here; None: nothing."""
        found = value.get(self.name)
        if found == "" and not self.required and self.kind.empty_is_absent:
            notes.remark("Z3", "is an empty string, read as absent")
            return None
        return found


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """An object with the members of one of our types."""

    type: type[OcpiObject]
    members: tuple[Member, ...]
    names: frozenset[str]
    empty_is_absent: bool = True

    def read(self, value: Any, notes: Notes, fallbacks: Mapping[str, object] | None = None) -> OcpiObject:
        """As for each kind; `fallbacks` gives members of this very object that are absent."""
        value = as_object(value, notes)
        found: dict[str, Any] = {}
        for member in self.members:
            notes.trail.append(member.name)
            given = member.given(value, notes)
            if given is not None:
                found[member.name] = member.kind.read(given, notes)
            elif member.required:
                found[member.name] = self._instead(member, notes, fallbacks or {})
            notes.trail.pop()
        for name in value:
            if name not in self.names:
                notes.remark("B11", f"has the unknown member {quoted(str(name))}")
        thing = self.type(**found)
        for broken in thing.broken_rules():
            if broken.severity == "fatal":
                raise notes.fault(broken.rule, broken.text, broken.field)
            notes.remark(broken.rule, broken.text, broken.field)
        return thing

    def check(self, value: Any, notes: Notes) -> None:
        if type(value) is not self.type:
            notes.remark("B1", f"is not of type {self.type.__name__}")
            return
        before = len(notes.remarks)
        for member in self.members:
            given = getattr(value, member.name)
            notes.trail.append(member.name)
            if given is None:
                if member.required:
                    notes.remark("B1", "is missing")
            else:
                member.kind.check(given, notes)
            notes.trail.pop()
        if len(notes.remarks) > before:
            return  # rules between fields presume that each of them is right
        for broken in value.broken_rules():
            if broken.severity != "odd":
                notes.remark(broken.rule, broken.text, broken.field)

    def wire(self, value: Any) -> Any:
        document = {}
        for member in self.members:
            given = getattr(value, member.name)
            if given is not None and (given != () or member.required):
                document[member.name] = member.kind.wire(given)
        return document

    @staticmethod
    def _instead(member: Member, notes: Notes, fallbacks: Mapping[str, object]) -> Any:
        if member.name in fallbacks:
            notes.remark("Z23", f"is missing, read as {quoted(str(fallbacks[member.name]))}")
            return fallbacks[member.name]
        if member.absent_as is not None:
            notes.remark(member.absent_as.rule, "is missing")
            return member.absent_as.value
        raise notes.fault("B1", "is missing")


def as_object(value: Any, notes: Notes) -> dict[str, Any]:
    """What stands where an object is due, as one."""
    if isinstance(value, list) and len(value) == 1:
        notes.remark("Z12", "is a list where an object is due")
        value = value[0]
    if not isinstance(value, dict):
        raise notes.fault("B1", "is not an object")
    return value


@cache
def kind_of(type_: type[OcpiObject]) -> ObjectKind:
    """How objects of `type_` are read, checked and written."""
    hints = get_type_hints(type_, include_extras=True)
    members = []
    for described in msgspec.structs.fields(type_):
        hint = hints[described.name]
        members.append(
            Member(
                name=described.name,
                kind=_kind(hint),
                required=described.default is msgspec.NODEFAULT,
                absent_as=next((marker for marker in _markers(hint) if isinstance(marker, AbsentAs)), None),
            )
        )
    return ObjectKind(type_, tuple(members), frozenset(member.name for member in members))


@dataclass(slots=True)
class _Taken:
    """A type hint taken apart."""

    base: Any
    markers: list[Any] = field(default_factory=list)

    def marker(self, type_: type[Any]) -> Any:
        return next((marker for marker in self.markers if isinstance(marker, type_)), None)


def _markers(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def _take(hint: Any) -> _Taken:
    """`hint` without Annotated and None."""
    markers: list[Any] = []
    while True:
        if get_origin(hint) is Annotated:
            markers.extend(_markers(hint))
            hint = get_args(hint)[0]
        elif get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
            rest = tuple(choice for choice in get_args(hint) if choice is not NoneType)
            hint = rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 (built from a tuple)
        else:
            return _Taken(hint, markers)


def _kind(hint: Any) -> Kind:
    taken = _take(hint)
    base = taken.base
    origin = get_origin(base)
    if origin in (Union, UnionType):
        return _choice(next(choice for choice in get_args(base) if get_origin(choice) is Literal), taken)
    if origin is tuple:
        return ListKind(_kind(get_args(base)[0]), taken.marker(AtLeastOne) is not None)
    if base is str and (coordinate := taken.marker(Coordinate)) is not None:
        return CoordinateKind(coordinate)
    if base is str:
        limits: Text = taken.marker(Text)
        return TextKind(limits, re.compile(limits.pattern) if limits.pattern is not None else None)
    if base is Decimal:
        return NumberKind(taken.marker(Limits) or _NO_LIMITS)
    if base is int:
        return IntegerKind(taken.marker(Limits) or _NO_LIMITS)
    if base is bool:
        return TruthKind()
    if base is datetime:
        return InstantKind()
    return kind_of(base)


def _choice(literal: Any, taken: _Taken) -> ChoiceKind:
    values = get_args(literal)
    read_as = tuple(marker for marker in taken.markers if isinstance(marker, ReadAs))
    return ChoiceKind(frozenset(values), {value.casefold(): value for value in values}, read_as)
