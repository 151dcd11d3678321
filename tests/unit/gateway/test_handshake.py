"""Paths, credentials and sub-protocols of upgrade requests (rules C1 to C7, vectors 59 to 61, attack V24)."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.handshake import (
    BadCredentials,
    BadRequest,
    Credentials,
    Target,
    came_through_browser_or_proxy,
    choose_subprotocol,
    names_station,
    parse_basic,
    parse_target,
)


@pytest.mark.parametrize(
    ("path", "tenant", "identity"),
    [
        ("/ocpp/CP1", "default", "CP1"),
        ("/ocpp/acme/CP1", "acme", "CP1"),
        ("/steve/websocket/CentralSystemService/CP1", "default", "CP1"),
        ("/ocpp/CP%31", "default", "CP1"),
        ("/ocpp/A*-_=+|@.z9", "default", "A*-_=+|@.z9"),
        ("/ocpp/" + "x" * 48, "default", "x" * 48),
        ("/ocpp/CP1?version=2.0.1", "default", "CP1"),
    ],
)
def test_served_paths(path: str, tenant: str, identity: str) -> None:
    assert parse_target(path) == Target(tenant, identity)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/ocpp",
        "/ocpp/",
        "/ocpp/acme/",
        "/CP1",
        "/ocpp/t/x/y",
        "/steve/websocket/CentralSystemService/",
        "/steve/websocket/CP1",
        "/ocpp/ST%2F1",
        "/ocpp/..%2fx",
        "/ocpp/..",
        "/ocpp/.hidden",
        "/ocpp/" + "x" * 49,
        "/ocpp/ST:1",
        "/ocpp/ST%3A1",
        "/ocpp/%00",
        "/ocpp/%2531",
        "/ocpp/%zz",
        "/ocpp/ST%20X",
        "/ocpp/ST\u00e4",
        "/ocpp/%C3%A4",
        "/ocpp/\uff21",
        "/ocpp/Acme/CP1",
        "/ocpp/a%2Fb/CP1",
        "http://host/ocpp/CP1",
        "*",
        "",
    ],
)
def test_refused_paths(path: str) -> None:
    with pytest.raises(BadRequest):
        parse_target(path)


@given(st.text(st.characters(max_codepoint=255)))
def test_any_target_is_read_or_refused(target: str) -> None:
    try:
        parsed = parse_target(target)
    except BadRequest:
        return
    assert 1 <= len(parsed.identity) <= 48
    assert not set(parsed.identity) & set("/:%\\#? ")


def _basic(raw: bytes) -> list[tuple[str, str]]:
    return [("host", "x"), ("authorization", "Basic " + b64encode(raw).decode())]


def test_credentials_are_bytes_split_at_the_first_colon() -> None:
    assert parse_basic(_basic(b"CP1:a:\x00\xff")) == Credentials(b"CP1", b"a:\x00\xff")
    assert parse_basic([("authorization", "bAsIc   " + b64encode(b"CP1:x").decode())]) == Credentials(b"CP1", b"x")
    assert parse_basic([("host", "x")]) is None


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", "Bearer abc")],
        [("authorization", "Basic")],
        [("authorization", "Basic ###")],
        [("authorization", "Basic Q1AxOng= =")],
        _basic(b"no colon"),
        [*_basic(b"CP1:x"), *_basic(b"CP1:y")],
        [("authorization", "Basic \u00e9")],
    ],
)
def test_unreadable_credentials(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(BadCredentials):
        parse_basic(headers)


def test_the_user_is_the_identity_byte_for_byte() -> None:
    assert names_station(Credentials(b"CP1", b"x"), "CP1")
    assert not names_station(Credentials(b"cp1", b"x"), "CP1")
    assert not names_station(Credentials(b"CP1 ", b"x"), "CP1")
    assert not names_station(Credentials("CPé".encode(), b"x"), "CP1")


def test_the_first_offered_subprotocol_that_is_served() -> None:
    served = {"ocpp1.6": 16, "ocpp2.0.1": 201}
    assert choose_subprotocol(["ocpp1.6", "ocpp2.0.1"], served) == 16
    assert choose_subprotocol(["ocpp2.0.1", "ocpp1.6"], served) == 201
    assert choose_subprotocol(["ocpp2.1", "foo", "ocpp1.6"], served) == 16
    assert choose_subprotocol(["foo", "OCPP1.6"], served) is None
    assert choose_subprotocol([], served) is None


@pytest.mark.parametrize("name", ["origin", "forwarded", "x-forwarded-for", "x-forwarded-proto", "via"])
def test_browsers_and_proxies_are_seen(name: str) -> None:
    assert came_through_browser_or_proxy([("host", "x"), (name, "y")])
    assert not came_through_browser_or_proxy([("host", "x"), ("user-agent", "y")])
