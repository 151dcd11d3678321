"""Lists in pages: `?limit=&cursor=`, answered with `{"items": […], "next_cursor": …}`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec

from hub.api.routing import Call

T = TypeVar("T")
R = TypeVar("R")
V = TypeVar("V")

NIL: Final = UUID(int=0)
"""Before every UUID: where a list in the order of its UUIDs begins."""

Limit = Annotated[int, msgspec.Meta(ge=1, le=500, description="How many items at most")]
Cursor = Annotated[str, msgspec.Meta(max_length=512, description="The next_cursor of the page before")]


_NO_FILTERS: Final = ("limit", "cursor", "wait")
"""Parameters that do not change what is in the list."""


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Limit = 100
    cursor: Cursor | None = None


PQ = TypeVar("PQ", bound=PageQuery)


class Page(msgspec.Struct, Generic[T], frozen=True):
    """`next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None


def position(call: Call[PQ, Any], into: type[T]) -> T | None:
    """Where the page begins: after this position; None for the first page."""
    return call.hub.cursors.read(_scope(call), call.query.cursor, into)


def page(
    call: Call[PQ, Any], found: Sequence[R], place: Callable[[R], object], view: Callable[[R], V], *, cut: bool = False
) -> Page[V]:
    """A page of `found`, for which one more item than `limit` was asked. `cut`: there are more, though fewer were found."""
    limit = call.query.limit
    items = found[:limit]
    more = cut or len(found) > limit
    return Page([view(item) for item in items], call.hub.cursors.write(_scope(call), place(items[-1])) if more else None)


def resume(call: Call[PQ, Any], place: object) -> str:
    """The cursor of a list that grows at its end: read on after `place`."""
    return call.hub.cursors.write(_scope(call), place)


def _scope(call: Call[PQ, Any]) -> str:
    """A cursor fits this list of this tenant with these filters; the size of the pages may change on the way."""
    filters = {name: value for name, value in msgspec.to_builtins(call.query).items() if name not in _NO_FILTERS}
    names = ",".join(call.path.values())
    return f"{call.route.path}|{names}|{call.tenant_id}|{sorted(filters.items())}"
