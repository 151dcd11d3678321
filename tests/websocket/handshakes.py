"""The opening handshake: RFC 6455 sections 4 and 9.1, the message syntax of RFC 9112, and the negotiation of RFC 7692."""

from __future__ import annotations

import struct
from typing import Any

from tests.unit.native.client import frame
from tests.websocket.cases import OPEN, RFC6455, RFC7692, HandshakeCase
from tests.websocket.peer import BOOT, CLOSE, FIN, request

_KEY = "Sec-WebSocket-Key: "
_ACCEPT = {"sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}
_VERSION = {"sec-websocket-version": "13"}
_PROTOCOL = "Sec-WebSocket-Protocol: "
_OFFER = "Sec-WebSocket-Extensions: "
_DEFLATE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


def _case(section: str, name: str, data: bytes, status: int = 101, **more: Any) -> HandshakeCase:
    return HandshakeCase(RFC6455, section, name, data, status, **more)


def _good(section: str, name: str, *headers: str, **more: Any) -> HandshakeCase:
    return _case(section, name, request(*headers), 101, **more)


def _bad(section: str, name: str, status: int, *headers: str, without: str = "", **more: Any) -> HandshakeCase:
    return _case(section, name, request(*headers, without=without), status, **more)


def _speaks(name: str, headers: tuple[str, ...], chosen: str | None) -> HandshakeCase:
    then = () if chosen else ("close 1002",)
    without = "" if headers else "Sec-WebSocket-Protocol"
    data = request(*(_PROTOCOL + value for value in headers), without=without)
    return _case("4.2.2", f"subprotocol-{name}", data, headers={"sec-websocket-protocol": chosen}, then=then)


def _offer(section: str, name: str, answer: str | None, *offers: str) -> HandshakeCase:
    data = request(*(_OFFER + value for value in offers))
    return HandshakeCase(RFC7692, section, name, data, 101, {"sec-websocket-extensions": answer})


def _line(name: str, line: str, status: int) -> HandshakeCase:
    return _case("4.2.1", name, request(line=line), status)


REQUESTS = (
    _good("1.3", "accept-value-of-the-example", headers=_ACCEPT),
    _good("4.2.2", "answer-has-upgrade-and-connection", headers={"upgrade": "websocket", "connection": "Upgrade"}),
    _line("method-post", "POST /ocpp/ST1 HTTP/1.1", 405),
    _line("method-connect", "CONNECT /ocpp/ST1 HTTP/1.1", 405),
    _line("method-lower-case", "get /ocpp/ST1 HTTP/1.1", 400),
    _line("http-1.0", "GET /ocpp/ST1 HTTP/1.0", 505),
    _line("http-2.0", "GET /ocpp/ST1 HTTP/2.0", 505),
    _line("http-0.9", "GET /ocpp/ST1", 400),
    _line("request-line-with-two-spaces", "GET  /ocpp/ST1 HTTP/1.1", 400),
    _line("request-target-with-control-character", "GET /ocpp/ST\x01 HTTP/1.1", 400),
    _bad("4.2.1", "no-host", 400, without="Host"),
    _bad("4.2.1", "empty-host", 400, "Host: "),
    _bad("4.2.1", "two-hosts", 400, "Host: a", "Host: b"),
    _bad("4.2.1", "no-upgrade", 426, without="Upgrade", headers={"upgrade": "websocket"}),
    _bad("4.2.1", "upgrade-to-something-else", 426, "Upgrade: h2c"),
    _good("4.2.1", "upgrade-in-other-case", "Upgrade: WebSocket"),
    _good("4.2.1", "upgrade-in-a-list", "Upgrade: h2c, websocket"),
    _bad("4.2.1", "no-connection", 426, without="Connection"),
    _bad("4.2.1", "connection-without-upgrade", 426, "Connection: keep-alive"),
    _good("4.2.1", "connection-in-a-list", "Connection: keep-alive, Upgrade"),
    _good("4.2.1", "connection-in-two-headers", "Connection: keep-alive", "Connection: upgrade"),
    _bad("4.2.1", "no-key", 400, without="Sec-WebSocket-Key"),
    _bad("4.2.1", "key-empty", 400, _KEY),
    _bad("4.2.1", "key-of-15-bytes", 400, _KEY + "AAAAAAAAAAAAAAAAAAAA"),
    _bad("4.2.1", "key-of-17-bytes", 400, _KEY + "AAAAAAAAAAAAAAAAAAAAAAA="),
    _bad("4.2.1", "key-without-padding", 400, _KEY + "dGhlIHNhbXBsZSBub25jZQ"),
    _bad("4.2.1", "key-not-base64", 400, _KEY + "????????????????????????"),
    _bad("11.3.1", "two-keys", 400, _KEY + "dGhlIHNhbXBsZSBub25jZQ==", _KEY + "dGhlIHNhbXBsZSBub25jZQ=="),
    _good("4.2.1", "key-between-white-space", _KEY + " \tdGhlIHNhbXBsZSBub25jZQ== ", headers=_ACCEPT),
    _good("4.2.1", "header-names-in-other-case", "UPGRADE: websocket", "sec-websocket-KEY: dGhlIHNhbXBsZSBub25jZQ=="),
    _bad("4.2.1", "no-version", 400, without="Sec-WebSocket-Version"),
    _bad("4.4", "version-8", 426, "Sec-WebSocket-Version: 8", headers=_VERSION),
    _bad("4.4", "version-14", 426, "Sec-WebSocket-Version: 14", headers=_VERSION),
    _bad("4.4", "version-as-a-list", 426, "Sec-WebSocket-Version: 13, 8", headers=_VERSION),
    _bad("4.4", "version-with-leading-zero", 426, "Sec-WebSocket-Version: 013", headers=_VERSION),
    _bad("11.3.5", "two-versions", 400, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"),
    _bad("4.2.1", "body-announced", 400, "Content-Length: 5"),
    _bad("4.2.1", "body-in-chunks", 400, "Transfer-Encoding: chunked"),
    _good("4.2.1", "empty-body-announced", "Content-Length: 0"),
    _bad("4.1", "folded-header", 400, "X-A: b\r\n folded"),
    _bad("4.1", "space-before-the-colon", 400, "X-A : b"),
    _bad("4.1", "no-colon", 400, "X-A"),
    _bad("4.1", "nul-in-a-header", 400, "X-A: b\x00c"),
    _case("4.1", "lines-ended-by-lf", request().replace(b"\r\n", b"\n"), 400),
    _case("4.1", "empty-line-first", b"\r\n" + request(), 400),
    _case("4.1", "no-http", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 400),
    _case("4.1", "http-2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    _good("4.1", "header-not-ascii", "X-A: \xe9\xff"),
    _good("4.1", "unknown-headers", "X-A: b", "Cookie: a=b", "User-Agent: x"),
    _good("10.4", "63-header-lines", *(f"X-{number}: a" for number in range(57))),
    _bad("10.4", "65-header-lines", 431, *(f"X-{number}: a" for number in range(59))),
    _bad("10.4", "head-too-large", 431, "X-A: " + "a" * 8_192),
    _case("10.4", "line-without-end", b"GET /" + b"a" * 9_000, 431),
    _case("4.2.1", "head-byte-by-byte", request(), pieces=1, headers=_ACCEPT),
    _case("4.2.2", "frames-right-behind-the-request", request() + frame(BOOT), then=("result boot", OPEN)),
    _speaks("the-only-one", ("ocpp1.6",), "ocpp1.6"),
    _speaks("first-offered-of-two", ("ocpp1.6, ocpp2.0.1",), "ocpp1.6"),
    _speaks("first-offered-of-two-reversed", ("ocpp2.0.1, ocpp1.6",), "ocpp2.0.1"),
    _speaks("unknown-ones-passed-over", ("mqtt, ocpp0.9, ocpp1.6",), "ocpp1.6"),
    _speaks("in-two-headers", ("mqtt", "ocpp2.0.1, ocpp1.6"), "ocpp2.0.1"),
    _speaks("without-spaces", ("mqtt,ocpp1.6",), "ocpp1.6"),
    _speaks("given-twice", ("ocpp1.6, ocpp1.6",), "ocpp1.6"),
    _speaks("unknown", ("mqtt",), None),
    _speaks("in-other-case", ("OCPP1.6",), None),
    _speaks("none", (), None),
    _case("7.1.1", "close-by-both-at-once", request(without="Sec-WebSocket-Protocol") + frame(struct.pack(">H", 1000), FIN | CLOSE),
          then=("close 1002",)),
    _case("7.1.1", "message-when-we-have-closed", request(without="Sec-WebSocket-Protocol") + frame(BOOT), then=("close 1002",)),
    _bad("4.1", "subprotocol-not-a-token", 400, _PROTOCOL + '"ocpp1.6"'),
    _bad("4.1", "subprotocol-with-a-space", 400, _PROTOCOL + "ocpp1.6 ocpp2.0.1"),
    _good("9.1", "unknown-extension", _OFFER + "x-unknown; a=b", headers={"sec-websocket-extensions": None}),
    _good("9.1", "empty-extensions", _OFFER, headers={"sec-websocket-extensions": None}),
    _good("9.1", "no-extensions", headers={"sec-websocket-extensions": None}),
)  # fmt: skip

NEGOTIATIONS = (
    _offer("5", "plain-offer", _DEFLATE, "permessage-deflate"),
    _offer("5", "after-an-unknown-extension", _DEFLATE, "x-unknown, permessage-deflate"),
    _offer("5", "in-a-second-header", _DEFLATE, "x-unknown", "permessage-deflate"),
    _offer("5", "first-acceptable-of-several", _DEFLATE + "; server_max_window_bits=10",
           "permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=10, permessage-deflate"),
    _offer("5.1", "unknown-parameter", None, "permessage-deflate; x"),
    _offer("5.1", "unknown-parameter-then-a-fallback", _DEFLATE, "permessage-deflate; x, permessage-deflate"),
    _offer("5.1", "trailing-semicolon", None, "permessage-deflate;"),
    _offer("5", "name-in-other-case", None, "Permessage-Deflate"),
    _offer("5", "white-space-everywhere", _DEFLATE, "permessage-deflate ; client_max_window_bits = 10"),
    _offer("7.1.1.1", "server-no-context-takeover", _DEFLATE, "permessage-deflate; server_no_context_takeover"),
    _offer("7.1.1.1", "server-no-context-takeover-with-value", None, "permessage-deflate; server_no_context_takeover=1"),
    _offer("7.1.1.1", "server-no-context-takeover-twice", None,
           "permessage-deflate; server_no_context_takeover; server_no_context_takeover"),
    _offer("7.1.1.2", "client-no-context-takeover", _DEFLATE, "permessage-deflate; client_no_context_takeover"),
    _offer("7.1.1.2", "client-no-context-takeover-with-value", None, "permessage-deflate; client_no_context_takeover=true"),
    _offer("7.1.1.2", "client-no-context-takeover-twice", None,
           "permessage-deflate; client_no_context_takeover; client_no_context_takeover"),
    *(
        _offer("7.1.2.1", f"server-max-window-bits-{bits}", f"{_DEFLATE}; server_max_window_bits={bits}",
               f"permessage-deflate; server_max_window_bits={bits}")
        for bits in range(8, 16)
    ),
    _offer("7.1.2.1", "server-max-window-bits-quoted", _DEFLATE + "; server_max_window_bits=10",
           'permessage-deflate; server_max_window_bits="10"'),
    *(
        _offer("7.1.2.1", f"server-max-window-bits-{name}", None, f"permessage-deflate; server_max_window_bits{value}")
        for name, value in (
            ("without-value", ""), ("empty", "="), ("7", "=7"), ("16", "=16"), ("0", "=0"), ("negative", "=-9"), ("text", "=x"),
            ("leading-zero", "=010"), ("fraction", "=10.0"), ("too-long", "=99999999999999999999"),
            ("twice", "=10; server_max_window_bits=10"),
        )
    ),
    _offer("7.1.2.2", "client-max-window-bits-without-value", _DEFLATE, "permessage-deflate; client_max_window_bits"),
    *(
        _offer("7.1.2.2", f"client-max-window-bits-{bits}", _DEFLATE, f"permessage-deflate; client_max_window_bits={bits}")
        for bits in (8, 15)
    ),
    *(
        _offer("7.1.2.2", f"client-max-window-bits-{name}", None, f"permessage-deflate; client_max_window_bits{value}")
        for name, value in (("7", "=7"), ("16", "=16"), ("text", "=x"), ("leading-zero", "=08"),
                            ("twice", "; client_max_window_bits"))
    ),
    _offer("7.1", "all-parameters", _DEFLATE + "; server_max_window_bits=12",
           "permessage-deflate; client_max_window_bits=11; server_max_window_bits=12; "
           "client_no_context_takeover; server_no_context_takeover"),
)  # fmt: skip

HANDSHAKES = REQUESTS + NEGOTIATIONS
