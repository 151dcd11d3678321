"""What the adapters of all versions have in common: requests and answers, made of the conversion of objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from schemas.ocpi221.base import OcpiObject, Remark, fold
from schemas.ocpi221.headers import Party
from schemas.ocpi221.interfaces import OPERATIONS
from schemas.ocpi221.notes import MOST_REMARKS, Unreadable
from schemas.ocpi221.tokens import AuthorizationInfo
from schemas.ocpi221.versions import InterfaceRole, VersionNumber
from schemas.ocpi_versions.port import (
    CannotSend,
    Context,
    Converted,
    ConvertedRequest,
    Document,
    Key,
    Needs,
    NotOffered,
    VersionRequest,
)
from schemas.ocpi_versions.shapes import Shape, shape_of

ALL_MODULES: frozenset[tuple[str, InterfaceRole]] = frozenset(
    (operation.module, operation.role) for operation in OPERATIONS if operation.role is not None
)
"""The modules of 2.2.1, with their interfaces."""

LONGEST_ID: Final = 255
"""Characters; those of all versions are shorter, but not everybody keeps to that."""

Convert = Callable[[type[OcpiObject], Any, Context], Converted]


class ObjectAdapter(ABC):
    """The request and answer part of an adapter. A version says how objects are converted, and what is special about requests."""

    version: VersionNumber
    modules: frozenset[tuple[str, InterfaceRole]] = ALL_MODULES

    @abstractmethod
    def up(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        """As VersionAdapter has it."""

    @abstractmethod
    def down(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        """As VersionAdapter has it."""

    def needs_up(self, type_: type[OcpiObject], document: Any, context: Context) -> Needs:
        """What to look up before `up`. The document has not been read yet."""
        return Needs()

    def needs_down(self, type_: type[OcpiObject], document: Any, context: Context) -> Needs:
        """What to look up before `down`."""
        return Needs()

    def offers(self, request: VersionRequest) -> bool:
        return shape_of(request) is not None

    def request_needs_up(self, request: VersionRequest, context: Context) -> Needs:
        shape = shape_of(request)
        if shape is None:
            return Needs()
        needs = asked_token_needs(request)
        if shape.body is not None:
            needs |= self.needs_up(shape.body, request.body, _sent_by(context, shape))
        return needs

    def request_up(self, request: VersionRequest, context: Context) -> ConvertedRequest:
        shape = shape_of(request)
        if shape is None or not self.offers(request):
            raise NotOffered(f"OCPI {self.version} has no {request.method} of this")
        query, losses = query_type_up(request, context)
        if shape.body is None or request.body is None:
            return ConvertedRequest(replace(request, query=query), losses)
        converted = self.up(shape.body, request.body, _sent_by(context, shape), partial=shape.operation.partial)
        return ConvertedRequest(replace(request, query=query, body=converted.document), losses + converted.losses)

    def request_needs_down(self, request: VersionRequest, context: Context) -> Needs:
        shape = shape_of(request)
        if shape is None or shape.body is None:
            return Needs()
        return self.needs_down(shape.body, request.body, _sent_by_us(context, shape))

    def request_down(self, request: VersionRequest, context: Context) -> ConvertedRequest:
        shape = shape_of(request)
        if shape is None or not self.offers(request):
            raise CannotSend("", self.version, f"has no {request.method} of this in {request.module}")
        query, losses = self.query_down(request)
        if shape.body is None or request.body is None:
            return ConvertedRequest(replace(request, query=query), losses)
        converted = self.down(shape.body, request.body, _sent_by_us(context, shape), partial=shape.operation.partial)
        return ConvertedRequest(replace(request, query=query, body=converted.document), losses + converted.losses)

    def query_down(self, request: VersionRequest) -> tuple[tuple[tuple[str, str], ...], tuple[Remark, ...]]:
        """The query as it goes to the partner."""
        return request.query, ()

    def response_needs_up(self, request: VersionRequest, data: Any, context: Context) -> Needs:
        shape = shape_of(request)
        if shape is None or shape.data is None:
            return Needs()
        needs = Needs()
        for document in data if isinstance(data, list) else [data]:
            needs |= self.needs_up(shape.data, document, _answered(context, request, shape))
        return needs

    def response_up(self, request: VersionRequest, data: Any, context: Context) -> Converted:
        shape = shape_of(request)
        if shape is None or shape.data is None or data is None:
            return Converted(data)
        asked = _answered(context, request, shape)
        if shape.operation.listed:
            return _each(shape.data, data, asked, self.up)
        return self.up(shape.data, data, asked)

    def response_needs_down(self, request: VersionRequest, data: Any, context: Context) -> Needs:
        shape = shape_of(request)
        if shape is None or shape.data is None:
            return Needs()
        needs = Needs()
        for document in data if isinstance(data, list) else [data]:
            needs |= self.needs_down(shape.data, document, _sent_by_us(context, shape))
        return needs

    def response_down(self, request: VersionRequest, data: Any, context: Context) -> Converted:
        shape = shape_of(request)
        if shape is None or shape.data is None or data is None:
            return Converted(data)
        if shape.operation.listed:
            return _each(shape.data, data, _sent_by_us(context, shape), self.down)
        return self.down(shape.data, data, _sent_by_us(context, shape))

    def tokens_shown(self, request: VersionRequest, data: Any = None) -> tuple[Document, ...]:
        return ()

    def status_code_down(self, status_code: int) -> int:
        return status_code


def _each(type_: type[OcpiObject], data: Any, context: Context, convert: Convert) -> Converted:
    """The objects of a list (G8): what cannot be converted is left out and named."""
    if isinstance(data, dict):
        data = [data]  # Z12
    if not isinstance(data, list | tuple):
        raise Unreadable("", "B1", "is not a list")
    documents, losses = [], []
    for index, document in enumerate(data):
        try:
            converted = convert(type_, document, context)
        except (Unreadable, CannotSend) as fault:
            field = f"[{index}].{fault.field}".removesuffix(".")
            losses.append(Remark(field, fault.rule, f"{fault.text}: the object is left out"))
            continue
        documents.append(converted.document)
        losses += [remark_below(index, remark) for remark in converted.losses]
    return Converted(documents, tuple(losses[:MOST_REMARKS]))


def remark_below(index: int, remark: Remark) -> Remark:
    """A remark about an element, as one about its list."""
    return Remark(f"[{index}].{remark.field}".removesuffix("."), remark.rule, remark.text)


def _sent_by(context: Context, shape: Shape) -> Context:
    """The partner sends an object to a Receiver: the path says whose it is. A path below our Sender has ours."""
    return context if shape.owner is None else replace(context, partner=shape.owner)


def _sent_by_us(context: Context, shape: Shape) -> Context:
    return context if shape.owner is None else replace(context, own=shape.owner)


def _answered(context: Context, request: VersionRequest, shape: Shape) -> Context:
    """Our request to a Receiver was about an object of ours, whose owner the path names."""
    if shape.data is AuthorizationInfo and request.segments:
        return replace(context, asked_token=(request.segments[0], request.parameter("type") or "RFID"))
    return _sent_by(context, shape)


def key_of(owner: Party, object_id: Any) -> frozenset[Key]:
    """The key of an object as a need; none if it is no id."""
    known = all(is_id(part) for part in (*owner, object_id))
    return frozenset({(*owner.folded, fold(object_id))}) if known else frozenset()


def texts(*values: Any) -> frozenset[str]:
    """Those of `values` that may be ids, folded."""
    return frozenset(fold(value) for value in values if is_id(value))


def is_id(value: Any) -> bool:
    """What is looked up has not been read yet: nothing that no store could hold is asked for."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable()


def member(document: Any, name: str) -> Any:
    """A member of what may be no object at all."""
    return document.get(name) if isinstance(document, dict) else None


def members(document: Any, name: str) -> list[Document]:
    """The objects in a list, of what may have any shape."""
    value = member(document, name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def asked_token_needs(request: VersionRequest) -> Needs:
    """K1, digest 22: a partner whose version has fewer token types than ours names OTHER what may be another."""
    if request.module == "tokens" and request.role == "SENDER" and request.method == "POST" and _asks_for_other(request):
        return Needs(token_uids=texts(*request.segments[:1]))
    return Needs()


def query_type_up(request: VersionRequest, context: Context) -> tuple[tuple[tuple[str, str], ...], tuple[Remark, ...]]:
    """The query of a partner's request; what it calls OTHER is what we know its token to be, if there is only one such."""
    if not (asked_token_needs(request) and request.segments):
        return request.query, ()
    types = context.token_types(request.segments[0]) - {"RFID"}
    if len(types) != 1 or "OTHER" in types:
        return request.query, ()
    (known,) = types
    query = tuple(("type", known) if name == "type" else (name, value) for name, value in request.query)
    return query, (Remark("type", "K1", f"OTHER is read as {known}, as the token is known to be"),)


def _asks_for_other(request: VersionRequest) -> bool:
    return request.parameter("type") == "OTHER"
