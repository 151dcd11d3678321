"""One question over real HTTP: what is sent, what is taken as an answer, and what hostile servers come to."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import trio
import trustme

from csms.clock import SystemClock
from csms.external_authorization.messages import Answered, Failed, Outcome, Question
from hub.external_authorization.client import MOST_KEPT_OPEN, ThirdParty, ThirdPartyClient
from tests.integration.external_authorization import third_party as bad
from tests.integration.external_authorization.third_party import Behaviour, ThirdPartyServer, answer, third_party

AT = datetime(2026, 5, 1, 12, 0, 0, 500000, UTC)
QUESTION = Question(1, "CP-1", "TAG1", "start", AT, AT, "ISO14443", 2)
REQUEST_ID = UUID(int=7)


@pytest.fixture
async def server() -> AsyncIterator[ThirdPartyServer]:
    async with third_party() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[ThirdPartyClient]:
    async with ThirdPartyClient(SystemClock(), private=True) as made:
        yield made


async def _ask(client: ThirdPartyClient, url: str, *, timeout_ms: int = 1000, **secrets: str) -> Outcome:
    party = ThirdParty(url, timeout_ms, secrets.get("authorization"), secrets.get("signing_secret"))
    with trio.fail_after(timeout_ms / 1000 + 1):
        return await client.ask(party, "north", QUESTION, REQUEST_ID)


async def test_what_is_sent(server: ThirdPartyServer, client: ThirdPartyClient) -> None:
    outcome = await _ask(client, server.url, authorization="Bearer abc", signing_secret="0123456789abcdef")
    assert outcome == Answered("Accepted")
    (asked,) = server.asked
    assert asked.line == "POST /ask?who=us HTTP/1.1"
    assert asked.question == {
        "request_id": str(REQUEST_ID),
        "tenant": "north",
        "charge_point_id": "CP-1",
        "evse_id": 2,
        "id_token": "TAG1",
        "type": "ISO14443",
        "purpose": "start",
        "time": "2026-05-01T12:00:00.500000Z",
    }
    assert asked.headers["authorization"] == "Bearer abc"
    assert asked.headers["content-type"] == "application/json"
    # as the documentation tells a third party to check it
    timestamp, _, mac = asked.headers["x-csms-signature"].removeprefix("t=").partition(",v1=")
    assert abs(int(timestamp) - datetime.now(UTC).timestamp()) < 5
    assert mac == hmac.new(b"0123456789abcdef", timestamp.encode() + b"." + asked.body, hashlib.sha256).hexdigest()


async def test_without_secrets_none_are_sent_and_connections_are_kept(server: ThirdPartyServer, client: ThirdPartyClient) -> None:
    for _ in range(5):
        assert isinstance(await _ask(client, server.url), Answered)
    assert {"authorization", "x-csms-signature"}.isdisjoint(server.asked[0].headers)
    assert server.connections == 1


async def test_all_that_an_answer_may_say(server: ThirdPartyServer, client: ThirdPartyClient) -> None:
    server.says("NoCredit", expires_at="2026-06-01T00:00:00+02:00", group_id_token="FLEET", reason="no money é")
    expected = Answered("NoCredit", datetime(2026, 5, 31, 22, tzinfo=UTC), "FLEET", "no money é")
    assert await _ask(client, server.url) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"Accepted", b"{", b"{}", b'{"status": "accepted"}', b'{"status": null}', b'{"status": "Accepted"} x',
        b'{"status": "Accepted", "credit": 5}', b'{"status": "Accepted", "expires_at": "tomorrow"}',
        b'{"status": "Accepted", "expires_at": "2026-06-01T00:00:00"}', b'{"status": "Accepted", "expires_at": 1}',
        b'{"status": "Accepted", "expires_at": "0001-01-01T00:00:00+14:00"}',
        b'{"status": "Accepted", "expires_at": "9999-12-31T23:59:59-14:00"}',
        b'{"status": "Accepted", "group_id_token": ""}', b'{"status": "Accepted", "group_id_token": "%b"}' % (b"x" * 37),
        b'{"status": "Accepted", "reason": "\\u0000"}', b'{"status": "Accepted", "reason": "\\ud800"}', b'\xff\xfe{}',
        b'{"status": "Accepted", "reason": "%b"}' % (b"x" * 201), b'{"status": "\\u0000"}', b"[" * 60_000,
        b'{"status":' * 5000, b'{"status": "Accepted", "reason": "a\\nb"}', b"9" * 60_000,
    ],
)  # fmt: skip
async def test_an_answer_that_is_none(server: ThirdPartyServer, client: ThirdPartyClient, body: bytes) -> None:
    server.behave = partial(answer, body)
    outcome = await _ask(client, server.url)
    assert isinstance(outcome, Failed)
    assert outcome.failure.startswith("its answer cannot be understood: ")
    assert outcome.failure.isprintable()
    assert len(outcome.failure) < 300


@pytest.mark.parametrize(
    ("behave", "failure"),
    [
        (bad.drip, "timed out after 300 ms"),
        (bad.drip_headers, "timed out after 300 ms"),
        (bad.drip_interim, "timed out after 300 ms"),
        (bad.say_nothing, "timed out after 300 ms"),
        (bad.huge, "its answer is larger than 64 KB"),
        (bad.huge_headers, "the connection was lost"),
        (bad.close_early, "the connection was lost"),
        (bad.close_at_once, "the connection was lost"),
        (bad.no_http, "the connection was lost"),
        (partial(answer, {}, status="500 Oh"), "it answered with status 500"),
        (partial(answer, {"status": "Accepted"}, status="201 Created"), "it answered with status 201"),
        (partial(answer, {"status": "Accepted"}, headers="Content-Encoding: gzip\r\n"), "its answer is compressed"),
    ],
)
async def test_hostile_servers(server: ThirdPartyServer, client: ThirdPartyClient, behave: Behaviour, failure: str) -> None:
    server.behave = behave
    assert await _ask(client, server.url, timeout_ms=300) == Failed(failure)
    server.says("Blocked")
    assert await _ask(client, server.url) == Answered("Blocked")


async def test_a_redirect_is_not_followed(server: ThirdPartyServer, client: ThirdPartyClient) -> None:
    async with third_party() as elsewhere:
        for status in ("301 x", "302 x", "303 x", "307 x", "308 x"):
            server.behave = partial(answer, {}, status=status, headers=f"Location: {elsewhere.url}\r\n")
            outcome = await _ask(client, server.url)
            assert outcome == Failed(f"it answered with status {status[:3]}")
        assert elsewhere.connections == 0


async def test_nobody_there(client: ThirdPartyClient) -> None:
    async with third_party() as gone:
        url = gone.url
    assert await _ask(client, url) == Failed("the connection was refused")
    assert await _ask(client, "http://does-not-exist.invalid/", timeout_ms=4000) in (
        Failed("its host has no address that may be connected to"),
        Failed("timed out after 4000 ms"),
    )


async def test_what_a_strict_operator_never_connects_to(server: ThirdPartyServer) -> None:
    """The check is made where the connection is made: it holds whatever stood in the settings, and for any spelling."""
    port = server.url.rpartition(":")[2]
    async with ThirdPartyClient(SystemClock(), private=False) as strict:
        for host in ("127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]"):
            assert await _ask(strict, f"https://{host}:{port}") == Failed("its host has no address that may be connected to")
        assert await _ask(strict, server.url) == Failed("plain HTTP is not allowed")
    assert server.connections == 0


@pytest.mark.parametrize("secured", [False, True])
async def test_a_question_that_is_given_up_leaves_nothing_behind(secured: bool) -> None:
    """Cancelled at any moment, many times over: the pool of connections still serves, and no socket is forgotten."""
    authority, served, trusting = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(served)
    authority.configure_trust(trusting)
    async with third_party(served if secured else None) as server:
        async with ThirdPartyClient(SystemClock(), private=True, tls=trusting) as client:
            await _give_up_many_times(server, client)
            await _until_open(server, MOST_KEPT_OPEN)
        await _until_open(server, 0)


async def _until_open(server: ThirdPartyServer, most: int) -> None:
    with trio.fail_after(2):
        while server.open > most:
            await trio.sleep(0.01)


async def _give_up_many_times(server: ThirdPartyServer, client: ThirdPartyClient) -> None:
    for step in range(60):
        # no connection is kept, so that every step of making one is met
        server.behave = partial(answer, {"status": "Accepted"}, headers="Connection: close\r\n")
        with trio.move_on_after(step * 0.0003):
            await _ask(client, server.url)
    server.behave = bad.say_nothing
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(partial(_ask, client, server.url, timeout_ms=200))
    server.says("Accepted")
    outcomes: list[Outcome] = []

    async def ask() -> None:
        outcomes.append(await _ask(client, server.url))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(ask)
    assert outcomes == [Answered("Accepted")] * 50


async def test_tls_is_checked() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    wrong = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example.org").configure_cert(wrong)
    cases: list[tuple[ssl.SSLContext, ssl.SSLContext | None, Any]] = [
        (context, trusting, Answered("Accepted")),
        (context, None, Failed("its certificate is not trusted")),
        (wrong, trusting, Failed("its certificate is not trusted")),
    ]
    for served, trusted, expected in cases:
        async with third_party(served) as server, ThirdPartyClient(SystemClock(), private=True, tls=trusted) as client:
            assert await _ask(client, server.url) == expected
            assert bool(server.asked) is isinstance(expected, Answered)


async def test_a_server_that_never_finishes_the_tls_handshake_is_let_go() -> None:
    """Neither the time nor the socket is held by it."""
    ended = trio.Event()

    async def silent(stream: trio.SocketStream) -> None:
        while await stream.receive_some(65536):
            pass
        ended.set()

    async with trio.open_nursery() as nursery, ThirdPartyClient(SystemClock(), private=True) as client:
        (listener,) = await nursery.start(partial(trio.serve_tcp, silent, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        assert await _ask(client, f"https://127.0.0.1:{port}/", timeout_ms=300) == Failed("timed out after 300 ms")
        with trio.fail_after(1):
            await ended.wait()
        nursery.cancel_scope.cancel()
