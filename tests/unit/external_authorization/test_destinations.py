"""Where a request of ours may go (attack V16)."""

from __future__ import annotations

import ipaddress

import httpcore2
import pytest

from hub.external_authorization.destinations import (
    Address,
    BadUrl,
    GuardedBackend,
    Resolver,
    check_url,
    is_of_our_network,
    is_public,
    origin,
)

FORBIDDEN = [
    "127.0.0.1", "127.255.0.3", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1",
    "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fec0::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2001:0:7f00:1::", "2001:db8::1", "100::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_what_is_not_the_public_internet(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))
    assert not is_of_our_network(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("fd00::1", True),
        ("::ffff:10.0.0.1", True),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("100.64.0.1", False),
    ],
)
def test_a_laboratory_reaches_its_own_network_but_never_the_metadata_of_a_cloud(text: str, allowed: bool) -> None:
    assert is_of_our_network(ipaddress.ip_address(text)) is allowed


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "https://", "https:///x",
        "https://user@example.org/", "https://user:password@example.org/", "https://example.org@127.0.0.1/", "https://example.org/#x",
        "https://example.org:0/", "https://example.org:99999/", "https://exa mple.org/", "https://example.org/\r\nX: y",
        "https://ex\u00e4mple.org/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/latest",
        "https://[fe80::1%25eth0]/", "https://[::ffff:127.0.0.1]/", "https://example.org\\@127.0.0.1/", "https://" + "x" * 2000,
        "example.org", "https://[1::2/",
    ],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(BadUrl):
        check_url(url, private=False)


def test_urls_that_are_taken() -> None:
    for url in ("https://example.org/", "https://example.org:8443/ask?x=1", "https://xn--exmple-cua.org", "https://8.8.8.8/"):
        check_url(url, private=False)
    for url in ("http://127.0.0.1:1/", "http://10.0.0.1/", "https://[::1]/", "http://partner.lan/"):
        check_url(url, private=True)
    for url in ("http://8.8.8.8/", "http://169.254.169.254/", "https://169.254.169.254/"):
        with pytest.raises(BadUrl):
            check_url(url, private=True)


def test_the_same_server_is_known_in_other_spellings() -> None:
    assert origin("https://Example.org/a") == origin("https://example.org:443/b?c")
    assert origin("https://example.org/") != origin("https://example.org:444/")
    assert origin("https://example.org/") != origin("http://example.org/")


class _Names(Resolver):
    """Names that lead where a hostile name server says."""

    def __init__(self, *answers: list[str]) -> None:
        super().__init__()
        self._answers = list(answers)

    async def addresses(self, host: str, port: int) -> list[Address]:
        return [ipaddress.ip_address(text) for text in self._answers.pop(0)]


@pytest.mark.parametrize("text", FORBIDDEN)
async def test_a_name_that_leads_to_a_forbidden_address_is_not_connected_to(text: str) -> None:
    backend = GuardedBackend(_Names([text]), private=False, plain=False)
    with pytest.raises(httpcore2.ConnectError, match="no address that may be connected to"):
        await backend.connect_tcp("rebound.example.org", 443)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "017700000001", "localhost", "[::1]", "0"])
async def test_other_notations_of_an_address_are_seen_through(host: str) -> None:
    backend = GuardedBackend(Resolver(), private=False, plain=False)
    with pytest.raises(httpcore2.ConnectError, match="no address that may be connected to"):
        await backend.connect_tcp(host, 443)


async def test_plain_http_never_leaves_our_own_network() -> None:
    backend = GuardedBackend(_Names(["8.8.8.8"]), private=True, plain=True)
    with pytest.raises(httpcore2.ConnectError, match="no address that may be connected to"):
        await backend.connect_tcp("example.org", 80)
