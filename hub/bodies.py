"""Bodies of requests: how long they may be, and how much memory the long ones may take together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from quart_trio.asgi import TrioASGIHTTPConnection
from quart_trio.wrappers.request import TrioBody

from hub.api.routing import MAX_BODY, Route

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
    from quart.wrappers import Request

_DRAINED_AT_MOST: Final = 16 * 1024 * 1024
_ROOM: Final = 64 * 1024 * 1024
"""Bytes that all bodies of more than MAX_BODY have at one time: they are read before it is known who sends them."""


class LongBodies:
    """Which addresses take bodies of more than MAX_BODY, and the room that is left for those."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._limits = [
            (re.compile(re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(row.path))), row.method, row.most_bytes)
            for row in routes
            if row.most_bytes > MAX_BODY
        ]
        self._room = _ROOM

    def limit(self, method: str, path: str) -> int:
        return next((most for pattern, verb, most in self._limits if verb == method and pattern.fullmatch(path)), MAX_BODY)

    def take(self, size: int) -> bool:
        """False when there is no room for so many bytes."""
        if size > self._room:
            return False
        self._room -= size
        return True

    def give_back(self, size: int) -> None:
        self._room += size


class DrainedBody(TrioBody):
    """Takes the whole body off the connection, also when it is too long to be kept: with an answer sent before the body
    has arrived, hypercorn 0.18 never answers the next request of that connection."""

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(None, None)
        self._received = 0
        self._taken = 0
        self._long: LongBodies | None = None
        self.most = MAX_BODY
        self.too_long = False
        self.no_room = False

    def lengthen(self, most: int, bodies: LongBodies) -> None:
        """Take up to `most` bytes, if there is room; before the first byte."""
        self.most, self._long = most, bodies

    def append(self, data: bytes) -> None:
        self._received += len(data)
        if self._received <= self.most and not self.no_room and self._has_room(len(data)):
            super().append(data)
            return
        self.too_long = self._received > self.most
        self.clear()
        self.let_go()
        if self._received > _DRAINED_AT_MOST:
            self.set_complete()

    def let_go(self) -> None:
        """Give back the room; at the end of the request."""
        if self._long is not None:
            self._long.give_back(self._taken)
        self._taken = 0

    def _has_room(self, size: int) -> bool:
        if self._long is None or self._received <= MAX_BODY:
            return True
        self.no_room = not self._long.take(size)
        self._taken += 0 if self.no_room else size
        return not self.no_room


class HubConnection(TrioASGIHTTPConnection):
    """One request: its body may be as long as its route takes, and its room is free again when the request is over."""

    long_bodies: LongBodies
    _body: DrainedBody | None = None

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        try:
            await super().__call__(receive, send)
        finally:
            if self._body is not None:
                self._body.let_go()

    def _create_request_from_scope(self, send: ASGISendCallable) -> Request:
        request = super()._create_request_from_scope(send)
        if isinstance(request.body, DrainedBody):
            self._body = request.body
            most = self.long_bodies.limit(request.method, request.path)
            if most > MAX_BODY:
                self._body.lengthen(most, self.long_bodies)
        return request


def connections_for(bodies: LongBodies) -> type[HubConnection]:
    """The connections of one application, which share the room."""

    class Connection(HubConnection):
        long_bodies = bodies

    return Connection
