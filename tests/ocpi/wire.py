"""HTTP for the platform of the tests: a small server of its own that can be told to misbehave, and what it has seen.

It knows nothing of our code: it is the other side of the wire.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import h11
import trio

LARGEST_BODY: Final = 8 * 1024 * 1024
RECEIVE: Final = 65_536


@dataclass
class Seen:
    """A request that came. `path` is as it was sent, `segments` decoded; names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes
    at: float = 0.0
    status: int | None = None
    """What it was answered with; None: not at all (yet)."""
    module: str | None = None
    role: str | None = None
    rest: tuple[str, ...] = ()
    """The segments after the endpoint of the module."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(unquote(part) for part in self.path.split("/") if part)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2]))

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None

    def party(self, direction: str) -> tuple[str, str] | None:
        """The party of the routing headers: `to` or `from`."""
        country, party = (self.headers.get(f"ocpi-{direction}-{name}") for name in ("country-code", "party-id"))
        return None if country is None or party is None else (country, party)

    def as_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "target": self.target,
            "headers": self.headers,
            "body": self.body,
            "at": self.at,
            "status": self.status,
            "module": self.module,
            "role": self.role,
            "rest": list(self.rest),
        }


@dataclass
class Answer:
    """What goes back. `verbatim`: these bytes instead of HTTP."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    verbatim: bytes | None = None


class Drop(Exception):
    """Close the connection without an answer."""


@dataclass
class Fault:
    """Something to do wrong, in answers to requests of `module` by `method` (None: any), `times` times (None: always).

    For any answer:
    stall            no answer, ever                    slow             an answer only after `seconds`
    drop             the connection is closed           error_500        HTTP 500 with a page of HTML
    garbage          HTTP 200 with text that is no JSON not_http         bytes that are no HTTP
    no_envelope      the data alone                     code_3000        status 3000 in HTTP 200, without data
    redirect         HTTP 308 to the same path with a slash              huge             a body of 20 MB
    unauthorized     HTTP 401                           too_many         HTTP 429
    no_ids           no X-Request-ID, X-Correlation-ID  no_routing       no OCPI-to and -from
    odd_headers      names of headers in capitals       no_timestamp     an envelope without time
    text_code        the status code as a string        no_location      no Location of a CDR
    wrapped          an object in a list; a list of one without its list
    other_case       ids and codes in the other case    refuses_slash    404 for a path that ends in a slash
    answers_anyone   no 401 for a wrong or missing token                 forbids_anyone   403 in its place
    knows_everything HTTP 200 for an object that does not exist          any_method       HTTP 200 for any method

    For lists:
    no_total, no_limit, no_link    the header is missing        ignores_limit, ignores_dates, ignores_offset
    endless                        Link of the last page names the first
    bare_link                      Link without the dates       unordered        the newest first
    takes_anything                 no 2001 for bad parameters   wrong_total      X-Total-Count is one too high
    """

    kind: str
    module: str | None = None
    method: str | None = None
    times: int | None = None
    seconds: float = 1.0

    def fits(self, seen: Seen) -> bool:
        return self.times != 0 and self.module in (None, seen.module) and self.method in (None, seen.method)


class Faults:
    """What a platform does wrong at the moment."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def take(self, kind: str, seen: Seen) -> Fault | None:
        """The fault of this kind that the request meets, which counts as met."""
        for fault in self._faults:
            if fault.kind == kind and fault.fits(seen):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


Handler = Callable[[Seen], Awaitable[Answer]]


async def start_serving(nursery: trio.Nursery, handler: Handler, port: int = 0) -> int:
    """Answer HTTP on 127.0.0.1, on any free port unless one is named, until the nursery ends; gives the port."""
    listeners = await nursery.start(partial(trio.serve_tcp, partial(_converse, handler=handler), port, host="127.0.0.1"))
    chosen: int = listeners[0].socket.getsockname()[1]
    return chosen


async def _converse(stream: trio.SocketStream, *, handler: Handler) -> None:
    """One connection. Whatever goes wrong ends it alone."""
    connection = h11.Connection(h11.SERVER)
    try:
        while True:
            seen = await _next_request(stream, connection)
            if seen is None:
                return
            answer = await handler(seen)
            if answer.verbatim is not None:
                await stream.send_all(answer.verbatim)
                return
            headers = [*answer.headers, ("Content-Length", str(len(answer.body)))]
            await stream.send_all(
                (connection.send(h11.Response(status_code=answer.status, headers=headers)) or b"")
                + (connection.send(h11.Data(data=answer.body)) or b"")
                + (connection.send(h11.EndOfMessage()) or b"")
            )
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()
    except (Drop, h11.RemoteProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
        return
    finally:
        await trio.aclose_forcefully(stream)


async def _next_request(stream: trio.SocketStream, connection: h11.Connection) -> Seen | None:
    seen: Seen | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                await stream.send_all(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            connection.receive_data(await stream.receive_some(RECEIVE))
        elif isinstance(event, h11.Request):
            headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            seen = Seen(event.method.decode(), event.target.decode("latin-1"), headers, b"", at=trio.current_time())
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY:
                raise Drop
        elif isinstance(event, h11.EndOfMessage):
            assert seen is not None
            seen.raw = bytes(body)
            return seen
        else:  # the connection was closed
            return None


def spelled_otherwise(document: Any, names: Iterable[str]) -> Any:
    """The document with the values of these members in the other case."""
    if isinstance(document, list):
        return [spelled_otherwise(item, names) for item in document]
    if isinstance(document, dict):
        return {
            name: value.swapcase() if name in names and isinstance(value, str) else spelled_otherwise(value, names)
            for name, value in document.items()
        }
    return document
