"""Answers that are sent while they are made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from types import TracebackType

from quart import Response
from quart.wrappers.response import ResponseBody

from hub.api.routing import Stream


class _Body(ResponseBody):
    """A Stream as the web framework wants it. It asks for the next piece when the one before is in the socket."""

    def __init__(self, parts: AsyncGenerator[bytes, None], ended: Callable[[], None]) -> None:
        self._parts = parts
        self._ended = ended

    async def __aenter__(self) -> AsyncIterable[bytes]:
        return self._parts

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended()
        await self._parts.aclose()


def stream_response(stream: Stream) -> Response:
    """The web framework's response. A time limit or an error in the midst leaves the last chunk out: the client sees that it has
    not got all of it (RFC 9112, 7.1)."""
    response = Response(_Body(stream.parts, stream.ended), 200, dict(stream.headers), content_type=stream.media_type)
    response.timeout = stream.seconds
    return response
