"""Conversions of JSON documents along the definitions of a type: what every version does the same way.

Three steps: `canonical` reads a document with all leniency and keeps the members that nobody knows, `transformed` applies the
differences between two versions from the inside out, `fitted` takes out what the version it is for has no form for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from schemas.ocpi221.base import OcpiObject
from schemas.ocpi221.notes import Notes, quoted
from schemas.ocpi221.objects import ListKind, Member, ObjectKind, as_object, kind_of
from schemas.ocpi221.scalars import ChoiceKind, InstantKind, Kind, NumberKind
from schemas.ocpi_versions.losses import Losses
from schemas.ocpi_versions.port import CannotSend, Document

Rule = Callable[[Document, Losses], Document]
"""What becomes of an object whose members have been converted; it may change and return the one that it is given."""
LeafRule = Callable[[Any, Losses], Any]

_FORM_ONLY: Final = "B9"
"""A partner's text that has not quite the form that is due is passed on; all else about single values holds it up."""


def canonical(type_: type[OcpiObject], document: Any, notes: Notes, *, partial: bool = False) -> Document:
    """`document` with each known member in the form that we write, unknown members as they are.

    `partial`: required members may be absent, and null stays (W3). Raises Unreadable.
    """
    return _canonical_object(kind_of(type_), document, notes, partial)


def _canonical(kind: Kind, value: Any, notes: Notes) -> Any:
    if isinstance(kind, ObjectKind):
        return _canonical_object(kind, value, notes, False)
    if isinstance(kind, ListKind):
        return kind.each(value, notes, lambda element, notes: _canonical(kind.item, element, notes))
    read = kind.read(value, notes)
    return read if isinstance(kind, NumberKind) else kind.wire(read)  # R4: a partner's decimals are not ours to round


def _canonical_object(kind: ObjectKind, value: Any, notes: Notes, partial: bool) -> Document:
    value = as_object(value, notes)
    result = {name: given for name, given in value.items() if name not in kind.names}
    for member in kind.members:
        notes.trail.append(member.name)
        given = member.given(value, notes)
        if given is not None:
            result[member.name] = _canonical(member.kind, given, notes)
        elif partial:
            if member.name in value and member.required:
                raise notes.fault("W3", "is null although required")
            if member.name in value:
                result[member.name] = None
        elif member.required:
            result.update(_absent(member, notes))
        notes.trail.pop()
    return result


def _absent(member: Member, notes: Notes) -> Document:
    if member.absent_as is None:
        raise notes.fault("B1", "is missing")
    notes.remark(member.absent_as.rule, "is missing")
    value = member.absent_as.value
    return {} if value is None else {member.name: value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The differences between two versions: rules by the type of an object, or by the kind of a single value.

    `targets` names the type that an object becomes; members that only that one has were made up by the sender and are dropped.
    """

    objects: Mapping[type[OcpiObject], Rule]
    leaves: Mapping[type[Kind], LeafRule] = field(default_factory=dict)
    targets: Mapping[type[OcpiObject], type[OcpiObject]] = field(default_factory=dict)


def transformed(type_: type[OcpiObject], document: Any, rules: Rules, losses: Losses) -> Any:
    """`document` with `rules` applied to it and all within, children first. What has another shape than is due stays as it is."""
    return _transformed(kind_of(type_), document, rules, losses)


def _transformed(kind: Kind, value: Any, rules: Rules, losses: Losses) -> Any:
    if isinstance(kind, ListKind):
        return _each(kind, value, rules, losses) if isinstance(value, list) else value
    if not isinstance(kind, ObjectKind):
        leaf = rules.leaves.get(type(kind))
        return value if leaf is None or value is None else leaf(value, losses)
    if not isinstance(value, dict):
        return value
    result = dict(value)
    target = rules.targets.get(kind.type)
    if target is not None:
        for name in [name for name in result if name not in kind.names and name in kind_of(target).names]:
            losses.remark("B11", "does not belong to this version", name)
            del result[name]
    for member in kind.members:
        inner = member.kind
        if member.name in result and (isinstance(inner, ObjectKind | ListKind) or type(inner) in rules.leaves):
            losses.trail.append(member.name)
            result[member.name] = _transformed(inner, result[member.name], rules, losses)
            losses.trail.pop()
    rule = rules.objects.get(kind.type)
    return result if rule is None else rule(result, losses)


def _each(kind: ListKind, value: list[Any], rules: Rules, losses: Losses) -> list[Any]:
    items = []
    for index, element in enumerate(value):
        losses.trail.append(index)
        items.append(_transformed(kind.item, element, rules, losses))
        losses.trail.pop()
    return items


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What the version `rule` has no form for.

    `strict`: everything that its types do not have. Otherwise only the members `dropped` and the values of enumerations `refused`:
    those of newer versions; what partners have made up passes (R4). `indivisible`: types that mean something else when a part of
    them is missing.
    """

    rule: str
    strict: bool
    dropped: Mapping[type[OcpiObject], frozenset[str]] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    indivisible: frozenset[type[OcpiObject]] = frozenset()


class _Unfit(Exception):
    """A value that does not fit; whoever can do without it drops it."""

    def __init__(self, field: str, rule: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.rule = rule
        self.text = text


def fitted(type_: type[OcpiObject], document: Any, fit: Fit, losses: Losses, *, partial: bool = False) -> Any:
    """`document`, which has the form of `type_`, without what `fit` is against.

    What does not fit is dropped with the smallest thing around it that may be absent. Raises CannotSend if that is all of it.
    """
    try:
        return _fitted(kind_of(type_), document, fit, losses, partial=partial)
    except _Unfit as unfit:
        raise CannotSend(unfit.field, unfit.rule, unfit.text) from None


def _fitted(kind: Kind, value: Any, fit: Fit, losses: Losses, *, partial: bool = False, whole: bool = False) -> Any:
    if isinstance(kind, ObjectKind):
        return _fitted_object(kind, value, fit, losses, partial) if isinstance(value, dict) else value
    if isinstance(kind, ListKind):
        return _fitted_list(kind, value, fit, losses, whole) if isinstance(value, list) else value
    if isinstance(kind, ChoiceKind):
        if isinstance(value, str) and (value in fit.refused or (fit.strict and value not in kind.values)):
            raise _Unfit(losses.path(), fit.rule, f"{quoted(str(value))} is not known there")
    elif fit.strict and not isinstance(kind, InstantKind):
        notes = losses.probe
        kind.check(Decimal(value) if isinstance(kind, NumberKind) else value, notes)
        if notes.remarks:
            found = [remark for remark in notes.remarks if remark.rule != _FORM_ONLY]
            notes.remarks.clear()
            if found:
                raise _Unfit(losses.path(), found[0].rule, found[0].text)
    return value


def _fitted_list(kind: ListKind, value: list[Any], fit: Fit, losses: Losses, whole: bool) -> list[Any]:
    items = []
    for index, element in enumerate(value):
        losses.trail.append(index)
        try:
            items.append(_fitted(kind.item, element, fit, losses))
        except _Unfit as unfit:
            if whole:
                raise
            losses.remark(unfit.rule, _left_out(losses.path(), unfit))
        finally:
            losses.trail.pop()
    if kind.at_least_one and value and not items:
        raise _Unfit(losses.path(), fit.rule, "has no element that can be sent")
    return items


def _fitted_object(kind: ObjectKind, value: Document, fit: Fit, losses: Losses, partial: bool) -> Document:
    members = {member.name: member for member in kind.members}
    dropped = fit.dropped.get(kind.type, frozenset())
    whole = kind.type in fit.indivisible
    result = {}
    for name, given in value.items():
        member = members.get(name)
        if name in dropped or (member is None and fit.strict):
            if given is None or given == []:
                continue
            shown = quoted(name).strip("'")
            if whole:
                raise _Unfit(losses.path(shown), fit.rule, "is not known there")
            losses.remark(fit.rule, "is not known there", shown)
        elif member is None or given is None:
            result[name] = given
        else:
            losses.trail.append(name)
            try:
                result[name] = _fitted(member.kind, given, fit, losses, whole=whole)
            except _Unfit as unfit:
                if member.required or whole or (isinstance(member.kind, ObjectKind) and member.kind.type in fit.indivisible):
                    raise
                losses.remark(unfit.rule, _left_out(losses.path(), unfit))
            finally:
                losses.trail.pop()
    if fit.strict and not partial:
        for member in kind.members:
            if member.required and result.get(member.name) is None:
                raise _Unfit(losses.path(member.name), fit.rule, "is missing")
    return result


def _left_out(path: str, unfit: _Unfit) -> str:
    below = unfit.field.removeprefix(path).removeprefix(".")
    return f"is left out: {below} {unfit.text}" if below else f"is left out: {unfit.text}"


def without_fraction(text: Any, losses: Losses) -> Any:
    """A canonical date without its fraction of a second."""
    if isinstance(text, str) and "." in text:
        losses.remark("B7", "its fraction of a second is cut off")
        return text.partition(".")[0] + "Z"
    return text


def rename(document: Document, old: str, new: str) -> None:
    """Give the member `old`, if it is there, another name."""
    if old in document:
        document[new] = document.pop(old)


def lose(document: Document, losses: Losses, rule: str, *names: str) -> None:
    """Take members out that the version `rule` does not have, and say so where there was something in them."""
    for name in names:
        if document.pop(name, None) not in (None, []):
            losses.remark(rule, "is not known there", name)
