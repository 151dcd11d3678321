"""The route table: what every endpoint takes, answers and needs. The application, the OpenAPI document and the tests of
tenant isolation are made from the same rows."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec

from hub.api.problems import not_found
from hub.auth.caller import Caller
from hub.services import Hub

Q = TypeVar("Q")
B = TypeVar("B")

MAX_BODY: Final = 1024 * 1024
"""Bytes of a request body, where the route does not say otherwise."""

_PARAMETER: Final = re.compile(r"\{([a-z_]+)\}")


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The endpoint takes no query parameters."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body (a Struct, or None for no content) and additional headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A body that is no JSON of ours: bytes with their media type."""

    content: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that is made while it is sent, piece by piece as the client takes it, for at most `seconds`.

    One that does not get to its end breaks the connection off, so that nobody takes a part for the whole. `ended` is called when
    it is over, if it has begun.
    """

    parts: AsyncGenerator[bytes, None]
    media_type: str
    seconds: float
    ended: Callable[[], None]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request, decoded and authorised. `source` is the peer's address; proxies are never believed."""

    hub: Hub
    route: Route
    known_caller: Caller | None
    path: Mapping[str, str]
    query: Q
    body: B
    source: str

    @property
    def caller(self) -> Caller:
        if self.known_caller is None:
            raise LookupError(f"{self.route.path} is public: it has no caller")
        return self.known_caller

    @property
    def tenant_id(self) -> int:
        return self.caller.tenant_id

    def uuid(self, name: str) -> UUID:
        """A path parameter that is a UUID; anything else names no resource."""
        try:
            return UUID(self.path[name])
        except ValueError:
            raise not_found() from None


Handler = Callable[[Call[Q, B]], Awaitable[Answer | Document | Stream]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table.

    permission: None for the public ones. body: None when there is none. answers: status -> type (None: no content).
    problems: statuses beyond those that follow from the rest, with their cause. waits: the handler may wait long and
    shields what must not be interrupted by itself. body_optional: no body at all means all defaults. takes: media type -> type,
    of an Upload. most_bytes: of the body.
    """

    method: str
    path: str
    handler: Handler[Any, Any]
    query: type[Any]
    body: type[Any] | None
    permission: str | None
    answers: Mapping[int, Any]
    tag: str
    summary: str
    description: str
    problems: Mapping[int, str]
    waits: bool
    media_type: str
    body_optional: bool
    takes: Mapping[str, Any]
    most_bytes: int

    @property
    def bodies(self) -> Mapping[str, Any]:
        """Media type -> type of what the route takes; empty where it takes no body."""
        return self.takes or ({} if self.body is None else {"application/json": self.body})

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(_PARAMETER.findall(self.path))

    @property
    def rule(self) -> str:
        """The path as the web framework writes it."""
        return _PARAMETER.sub(r"<\1>", self.path)

    @property
    def changes(self) -> bool:
        return self.method != "GET"


def route(
    method: str,
    path: str,
    handler: Handler[Q, B],
    *,
    permission: str | None,
    tag: str,
    summary: str,
    answers: Mapping[int, Any],
    query: type[Q] = NoQuery,  # type: ignore[assignment]  # NoQuery is what Q is then
    body: type[B] | None = None,
    description: str = "",
    problems: Mapping[int, str] | None = None,
    waits: bool = False,
    media_type: str = "application/json",
    body_optional: bool = False,
    takes: Mapping[str, Any] | None = None,
    most_bytes: int = MAX_BODY,
) -> Route:
    """A row of the table; the types tie the handler to what it takes."""
    return Route(
        method,
        path,
        handler,
        query,
        body,
        permission,
        answers,
        tag,
        summary,
        description,
        problems or {},
        waits,
        media_type,
        body_optional,
        takes or {},
        most_bytes,
    )
