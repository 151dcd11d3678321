"""A third party on a real socket, which answers well or in any bad way."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio

Behaviour = Callable[[trio.abc.Stream, "Asked"], Awaitable[None]]


@dataclass
class Asked:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def question(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class ThirdPartyServer:
    """`behave` answers each request; it may be exchanged at any time."""

    url: str
    behave: Behaviour
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    open: int = 0

    def says(self, status: str = "Accepted", **members: Any) -> None:
        """Answer well from now on."""
        self.behave = partial(answer, {"status": status, **members})


async def answer(body: Any, stream: trio.abc.Stream, asked: Asked, *, status: str = "200 OK", headers: str = "") -> None:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n{headers}\r\n"
    await stream.send_all(head.encode() + text)


async def drip(stream: trio.abc.Stream, asked: Asked) -> None:
    """A byte of the answer now and then, for ever."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while True:
        await stream.send_all(b" ")
        await trio.sleep(0.02)


async def drip_headers(stream: trio.abc.Stream, asked: Asked) -> None:
    """A header now and then, for ever."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send_all(b"X-A: b\r\n")
        await trio.sleep(0.02)


async def drip_interim(stream: trio.abc.Stream, asked: Asked) -> None:
    """Interim answers now and then, for ever."""
    while True:
        await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        await trio.sleep(0.02)


async def huge(stream: trio.abc.Stream, asked: Asked) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send_all(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


async def huge_headers(stream: trio.abc.Stream, asked: Asked) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send_all(b"X-" + b"a" * 8000 + b": b\r\n")


async def close_early(stream: trio.abc.Stream, asked: Asked) -> None:
    await stream.send_all(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"status"')
    await stream.aclose()


async def close_at_once(stream: trio.abc.Stream, asked: Asked) -> None:
    await stream.aclose()


async def say_nothing(stream: trio.abc.Stream, asked: Asked) -> None:
    while await stream.receive_some(1024):
        pass


async def no_http(stream: trio.abc.Stream, asked: Asked) -> None:
    await stream.send_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n" * 10)


async def _serve(server: ThirdPartyServer, stream: trio.abc.Stream) -> None:
    server.connections += 1
    server.open += 1
    received = bytearray()
    try:
        async with stream:
            while True:
                while b"\r\n\r\n" not in received:
                    part = await stream.receive_some(65536)
                    if not part:
                        return
                    received += part
                head, _, rest = bytes(received).partition(b"\r\n\r\n")
                line, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
                length = int(headers.get("content-length", "0"))
                while len(rest) < length:
                    part = await stream.receive_some(65536)
                    if not part:
                        return
                    rest += part
                received = bytearray(rest[length:])
                asked = Asked(line, headers, rest[:length])
                server.asked.append(asked)
                await server.behave(stream, asked)
    except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError):
        pass  # the client has left
    finally:
        server.open -= 1


@asynccontextmanager
async def third_party(tls: ssl.SSLContext | None = None) -> AsyncIterator[ThirdPartyServer]:
    """A server on a port of this machine that accepts every token."""
    async with trio.open_nursery() as nursery:
        server = ThirdPartyServer("", partial(answer, {"status": "Accepted"}))

        async def handle(stream: trio.SocketStream) -> None:
            await _serve(server, stream if tls is None else trio.SSLStream(stream, tls, server_side=True, https_compatible=True))

        listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        server.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/ask?who=us"
        yield server
        nursery.cancel_scope.cancel()
