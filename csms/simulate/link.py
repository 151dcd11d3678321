"""One WebSocket connection of a station: OCPP-J on trio-websocket, one CALL at a time in each direction."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, HandshakeError, WebSocketConnection, wrap_client_stream

from csms.simulate.report import Ledger

_CONNECT_TIMEOUT: Final = 15.0
_CLOSE_TIMEOUT: Final = 2.0
_SEND_TIMEOUT: Final = 20.0
_MAX_MESSAGE: Final = 1_048_576

_CALL, _RESULT, _ERROR = 2, 3, 4
_frame = msgspec.json.Decoder(list[msgspec.Raw])


class LinkLost(Exception):
    """The connection is gone; whether an unanswered CALL arrived is not known."""


class LinkRefused(Exception):
    """The CSMS did not take the connection; the text says why."""


class CallRefused(Exception):
    """The CSMS answered with a CALLERROR."""

    def __init__(self, action: str, code: str, description: str) -> None:
        super().__init__(f"{action}: {code} {description}".rstrip())


class CallTimedOut(Exception):
    """The CSMS did not answer in time."""

    def __init__(self, action: str) -> None:
        super().__init__(f"{action}: no answer in time")


class Answer(msgspec.Struct, frozen=True):
    """What a CALL of the CSMS is answered: a payload, or an error code.

    `after` runs once the answer is on its way (rule T8).
    """

    payload: bytes = b"{}"
    error: str | None = None
    after: Callable[[], None] | None = None


Serve = Callable[[str, bytes], Answer]


class _Waiting:
    """A CALL that waits for its answer; the event without an answer means that the connection is gone."""

    __slots__ = ("answer", "event", "message_id")

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        self.event = trio.Event()
        self.answer: list[msgspec.Raw] | None = None


class Link:
    """An open connection."""

    def __init__(self, socket: WebSocketConnection, ledger: Ledger) -> None:
        self._socket = socket
        self._ledger = ledger
        self._turn = trio.Lock()
        self._waiting: _Waiting | None = None
        self.lost = False

    async def serve(self, serve: Serve) -> None:
        """Read until the connection is gone.

        CALLs of the CSMS are answered at once, also while one of ours waits (rule T2).
        """
        try:
            while True:
                await self._take(await self._socket.get_message(), serve)
        except ConnectionClosed:
            pass
        finally:
            self.lost = True
            if self._waiting is not None:
                self._waiting.event.set()

    async def call(self, message_id: str, action: str, payload: bytes, timeout: float) -> bytes:
        """Send a CALL and wait for its answer. Raises CallRefused, CallTimedOut or LinkLost."""
        async with self._turn:
            if self.lost:
                raise LinkLost
            answered = _Waiting(message_id)
            self._waiting = answered
            counters = self._ledger.counters
            counters.sent += 1
            try:
                await self._send(b'[2,"%b","%b",%b]' % (message_id.encode(), action.encode(), payload))
                with trio.move_on_after(timeout):
                    await answered.event.wait()
            except LinkLost:
                counters.cut += 1
                raise
            finally:
                self._waiting = None
            if answered.answer is None:
                if answered.event.is_set():
                    counters.cut += 1
                    raise LinkLost
                counters.timed_out += 1
                raise CallTimedOut(action)
            if msgspec.json.decode(answered.answer[0]) == _ERROR:
                counters.refused += 1
                raise CallRefused(action, _text(answered.answer, 2), _text(answered.answer, 3))
            counters.answered += 1
            return bytes(answered.answer[2])

    async def _send(self, frame: bytes) -> None:
        try:
            with trio.fail_after(_SEND_TIMEOUT):
                await self._socket.send_message(frame.decode())
        except (ConnectionClosed, trio.TooSlowError) as gone:
            # a frame cut off in the middle cannot be mended: the connection is of no more use
            self.lost = True
            raise LinkLost from gone

    async def _take(self, message: str | bytes, serve: Serve) -> None:
        try:
            parts = _frame.decode(message)
            kind, message_id = msgspec.json.decode(parts[0]), msgspec.json.decode(parts[1])
        except (msgspec.DecodeError, IndexError):
            self._ledger.error("the CSMS sent a frame that is no OCPP-J")
            return
        waiting = self._waiting
        if kind == _CALL and len(parts) == 4:
            self._ledger.counters.received += 1
            answer = serve(_text(parts, 2), bytes(parts[3]))
            if answer.error is None:
                await self._send(b"[3,%b,%b]" % (bytes(parts[1]), answer.payload))
            else:
                await self._send(b'[4,%b,"%b","",{}]' % (bytes(parts[1]), answer.error.encode()))
            if answer.after is not None:
                answer.after()
        elif kind in (_RESULT, _ERROR) and waiting is not None and message_id == waiting.message_id and len(parts) > 2:
            waiting.answer = parts
            waiting.event.set()
        else:
            self._ledger.error("the CSMS sent an answer that nobody waits for")


def _text(parts: list[msgspec.Raw], index: int) -> str:
    try:
        value = msgspec.json.decode(parts[index])
    except (IndexError, msgspec.DecodeError):
        return ""
    return value if isinstance(value, str) else ""


@asynccontextmanager
async def open_link(url: str, identity: str, subprotocol: str, password: str | None, ledger: Ledger) -> AsyncGenerator[Link, None]:
    """Connect as `identity`. Raises LinkRefused; what breaks later shows as LinkLost to those who use the link."""
    address = urlsplit(url)
    secure = address.scheme == "wss"
    port = address.port or (443 if secure else 80)
    resource = f"{address.path.rstrip('/')}/{quote(identity, safe='')}"
    headers = []
    if password is not None:
        headers.append((b"Authorization", b"Basic " + b64encode(f"{identity}:{password}".encode())))
    stream = await _open_stream(address.hostname or "", port, secure=secure)
    refusal: str | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                with trio.fail_after(_CONNECT_TIMEOUT):
                    socket = await wrap_client_stream(
                        nursery,
                        stream,
                        f"{address.hostname}:{port}",
                        resource,
                        subprotocols=[subprotocol],
                        extra_headers=headers,
                        max_message_size=_MAX_MESSAGE,
                    )
            except ConnectionRejected as rejected:
                refusal = f"HTTP {rejected.status_code}"
            except (HandshakeError, ConnectionClosed, trio.TooSlowError) as failed:
                refusal = f"no handshake ({type(failed).__name__})"
            else:
                if socket.subprotocol != subprotocol:
                    refusal = f"the CSMS does not speak {subprotocol}"
                else:
                    yield Link(socket, ledger)
                    with trio.move_on_after(_CLOSE_TIMEOUT):
                        await socket.aclose()
            nursery.cancel_scope.cancel()
    except* ConnectionClosed:
        pass  # trio-websocket's reader may end with it; those who use the link have been told
    finally:
        # trio-websocket leaves the socket of a connection that was cut to the garbage collector
        await trio.aclose_forcefully(stream)
    if refusal is not None:
        raise LinkRefused(refusal)


async def _open_stream(host: str, port: int, *, secure: bool) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    try:
        with trio.fail_after(_CONNECT_TIMEOUT):
            if secure:
                return await trio.open_ssl_over_tcp_stream(host, port)
            return await trio.open_tcp_stream(host, port)
    except (OSError, trio.TooSlowError) as failed:
        raise LinkRefused(f"no connection ({type(failed).__name__})") from None
