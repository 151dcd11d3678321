"""Envelope, headers, paging and the endpoint table, all without a socket."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ocpi221.envelope import NoEnvelope, StatusCode, read_envelope, write_envelope
from schemas.ocpi221.headers import (
    MessageHeaders,
    Party,
    authorization_value,
    read_headers,
    token_candidates,
    write_headers,
)
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES, OPERATIONS, TYPICAL_INTERFACES
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.paging import PageRequest, next_link, page_headers, read_page_headers, read_page_request
from schemas.ocpi221.types import DisplayText
from schemas.ocpi221.urls import join_url, path_segments

NOW = datetime(2020, 5, 1, 12, tzinfo=UTC)


def test_an_answer_has_its_envelope() -> None:
    """Section 2.4: data is left out where there is none, but an empty list is there."""
    assert json.loads(write_envelope(NOW)) == {"status_code": 1000, "timestamp": "2020-05-01T12:00:00Z"}
    assert json.loads(write_envelope(NOW, []))["data"] == []
    text = DisplayText(language="en", text="x")
    assert json.loads(write_envelope(NOW, [text]))["data"] == [{"language": "en", "text": "x"}]
    assert json.loads(write_envelope(NOW, "ACCEPTED"))["data"] == "ACCEPTED"
    refused = read_envelope(write_envelope(NOW, status_code=StatusCode.HUB_TIMEOUT, status_message="no answer"))
    assert (refused.status_code, refused.status_message, refused.timestamp, refused.data) == (4002, "no answer", NOW, None)
    assert not refused.successful
    assert refused.remarks == ()


@pytest.mark.parametrize(
    ("body", "code", "fields"),
    [
        ({"status_code": "1000", "timestamp": "2020-05-01T12:00:00Z"}, 1000, ["status_code"]),
        ({"status_code": 1900, "timestamp": None, "data": None}, 1900, ["timestamp"]),
        (
            {"status_code": 2001, "status_message": ["no"], "timestamp": "yesterday"},
            2001,
            ["status_message", "timestamp", "timestamp"],
        ),
    ],
)
def test_odd_envelopes_are_read(body: dict[str, Any], code: int, fields: list[str]) -> None:
    """S6, S7, Z7."""
    envelope = read_envelope(json.dumps(body).encode())
    assert envelope.status_code == code
    assert envelope.successful is (code < 2000)
    assert [remark.field for remark in envelope.remarks] == fields


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"status_code":null}', b'{"status_code":"ok"}'])
def test_what_is_no_envelope(body: bytes) -> None:
    """S6."""
    with pytest.raises(NoEnvelope):
        read_envelope(body)


def test_authorization_is_decoded_or_taken_as_it_is() -> None:
    """A1, A2, A6, A7, Z1."""
    token = "ebf3b399-779f-4497-9b9d-ac6ad3cc44d2"
    once = base64.b64encode(token.encode()).decode()
    assert authorization_value(token) == f"Token {once}"
    for header in (
        authorization_value(token),
        authorization_value(token, "raw"),
        f"token  {once.rstrip('=')}",
        "TOKEN " + base64.b64encode(f"{token}\n".encode()).decode(),
        f"Token {base64.b64encode(once.encode()).decode()}",
    ):
        assert token in token_candidates(header)
    assert token_candidates(authorization_value(token))[0] == token
    for bad in (None, "", "Token", f"Bearer {once}", f"Token {once} {once}", "Token " + "x" * 600, "Token a\x00b"):
        assert token_candidates(bad) == ()


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64), st.sampled_from(["base64", "raw"]))
def test_every_token_survives_either_encoding(token: str, encoding: Any) -> None:
    """A2, A6: also one that is valid Base64 itself."""
    candidates = token_candidates(authorization_value(token, encoding))
    assert token in candidates
    assert len(candidates) <= 3


@given(st.text(max_size=700))
def test_no_authorization_header_is_too_strange(header: str) -> None:
    """A3: hostile headers give candidates of the right form or none."""
    assert all(1 <= len(token) <= 64 and token.isascii() and token.isprintable() for token in token_candidates(header))


def test_message_headers_are_read_in_any_case_and_swapped_for_the_answer() -> None:
    """Section 2.3."""
    headers = MessageHeaders(request_id="r", correlation_id="c", to_party=Party("NL", "TNM"), from_party=Party("be", "bec"))
    written = write_headers(headers)
    assert written["OCPI-to-party-id"] == "TNM"
    assert read_headers({name.upper(): value for name, value in written.items()}, functional=True) == (headers, ())
    assert headers.of_answer().to_party == Party("be", "bec")
    assert headers.of_answer().from_party == Party("NL", "TNM")
    assert Party("be", "bec").folded == Party("BE", "BEC").folded
    ids_only, remarks = read_headers(written, functional=False)
    assert (ids_only.to_party, ids_only.from_party, remarks) == (None, None, ())  # R17
    nothing, remarks = read_headers({"X-Request-ID": "two words"}, functional=True)
    assert nothing == MessageHeaders()
    assert [remark.field for remark in remarks] == ["X-Request-ID", "X-Correlation-ID", "OCPI-from-party-id"]
    for half in (
        {"OCPI-to-country-code": "NL"},
        {"OCPI-from-party-id": "TNM"},
        {"ocpi-to-country-code": "NLD", "ocpi-to-party-id": "TNM"},
    ):
        with pytest.raises(Unreadable):
            read_headers(half, functional=True)


def test_the_query_of_a_list() -> None:
    """G1, G2, E9, Z5, Z21."""
    query = [("date_from", "2020-05-01T14:00:00 02:00"), ("date_to", ""), ("offset", "50"), ("limit", "10"), ("x", "y")]
    assert read_page_request(query) == PageRequest(date_from=NOW, offset=50, limit=10)
    assert read_page_request([]) == PageRequest()
    with pytest.raises(Unreadable, match=r"date_from.*E9"):
        read_page_request([], date_from_required=True)
    for name, value in (
        ("offset", "-1"),
        ("limit", "0"),
        ("limit", "1.5"),
        ("date_to", "today"),
        ("offset", "9" * 19),
        ("limit", "٣"),
    ):
        with pytest.raises(Unreadable) as caught:
            read_page_request([(name, value)])
        assert (caught.value.field, caught.value.status_code) == (name, 2001)


@given(
    st.integers(0, 100),
    st.integers(1, 20),
    st.lists(st.tuples(st.sampled_from(["date_from", "type", "a b"]), st.text(max_size=5)), max_size=3),
)
def test_following_the_links_visits_every_object_once_and_keeps_the_query(
    total: int, limit: int, query: list[tuple[str, str]]
) -> None:
    """G4, G5, G6, G8."""
    url = "https://hub.example/ocpi/2.2.1/locations"
    seen: list[int] = []
    offset = 0
    given = [*query, ("limit", str(limit))]
    for _ in range(total + 1):
        headers = page_headers(url, given, offset=offset, limit=limit, total=total, maximum=50)
        seen += range(offset, min(offset + limit, total))
        read = read_page_headers({name.lower(): value for name, value in headers.items()}, url)
        assert (read.total, read.maximum, read.remarks) == (total, 50, ())
        if read.next_url is None:
            break
        given = parse_qsl(urlsplit(read.next_url).query, keep_blank_values=True)
        assert [pair for pair in given if pair[0] not in ("offset", "limit")] == query
        offset = read_page_request([(name, value) for name, value in given if name in ("offset", "limit")]).offset
    assert seen == list(range(total))
    assert "Link" not in headers


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ('<https://a/x?offset=5>; rel="next"', "https://a/x?offset=5"),
        ("<https://a/1>; rel=prev, <https://a/2>; title='a'; rel=next", "https://a/2"),
        ("<https://a/1>;REL='last next'", "https://a/1"),
        ('<https://a/1>; rel="nextish"', None),
        ("https://a/1; rel=next", None),
        ("<>; rel=next", None),
        ("<" * 5000, None),
        ("<a>;" * 2000, None),
    ],
)
def test_links_of_every_kind(link: str, url: str | None) -> None:
    """G8, Z6."""
    assert next_link(link) == url


@given(st.lists(st.text(min_size=1, max_size=5).filter(lambda text: text not in (".", "..")), max_size=3), st.booleans())
def test_ids_of_every_kind_survive_a_url(ids: list[str], slash: bool) -> None:
    """T3, T4, Z2, Z26."""
    url = join_url("https://a.example/ocpi/locations" + "/" * slash, *ids, query=[("type", "APP_USER")])
    parts = urlsplit(url)
    assert path_segments(parts.path) == ("ocpi", "locations", *ids)
    assert parts.query == "type=APP_USER"
    assert "//" not in parts.path


def test_urls_that_are_left_alone_and_ids_that_are_refused() -> None:
    """T3."""
    assert join_url("https://a.example/ocpi/locations/?x=%2F") == "https://a.example/ocpi/locations/?x=%2F"
    assert join_url("https://a.example/l?key=1", "NL*ALF*E1") == "https://a.example/l/NL%2AALF%2AE1?key=1"
    for segment in ("", ".", ".."):
        with pytest.raises(ValueError, match="no URL"):
            join_url("https://a.example/l", segment)


def test_odd_page_headers() -> None:
    """Z6: a relative link, no counts."""
    read = read_page_headers({"Link": "<?offset=2>; rel=next", "X-Limit": "many"}, "https://a.example/ocpi/locations?limit=2")
    assert (read.next_url, read.total, read.maximum) == ("https://a.example/ocpi/locations?offset=2", None, None)
    assert [remark.field for remark in read.remarks] == ["X-Total-Count", "X-Limit"]


def test_the_endpoint_table_is_whole() -> None:
    """Section 4: 38 rows, methods not offered are not there, pages only by GET at data owners."""
    assert [operation.number for operation in OPERATIONS] == list(range(1, 39))
    offered = {(operation.module, operation.role, operation.method) for operation in OPERATIONS}
    assert not offered & {("locations", "RECEIVER", "DELETE"), ("tariffs", "RECEIVER", "PATCH"), ("tokens", "RECEIVER", "DELETE")}
    assert not {method for module, _, method in offered if module == "cdrs"} & {"PUT", "PATCH", "DELETE"}
    assert [operation.number for operation in OPERATIONS if operation.paged] == [7, 10, 15, 20, 23, 30]
    assert [operation.number for operation in OPERATIONS if not operation.routed] == [*range(1, 10)]
    assert [operation.number for operation in OPERATIONS if operation.partial] == [14, 19, 29]
    for operation in OPERATIONS:
        assert len(operation.paths) == 1 or len(operation.paths) in (len(operation.body), len(operation.data))
    modules = {str(operation.module) for operation in OPERATIONS}
    assert modules == set(TYPICAL_INTERFACES)
    assert modules > FUNCTIONAL_MODULES - {"invoicereconciliation"}
