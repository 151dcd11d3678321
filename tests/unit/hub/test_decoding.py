"""Hostile input to typed input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.api.decoding import MAX_DEPTH, decode_body, decode_query
from hub.api.problems import Problem

JSON = "application/json; charset=utf-8"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    number: int


class Body(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    inner: list[Inner] = []
    free: Any = None


class Query(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = 1
    flag: bool | None = None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


def _refusal(decode: Callable[[], object]) -> int | None:
    """The status of the problem, None when there was none."""
    try:
        decode()
    except Problem as problem:
        return problem.status
    return None


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"inner":[{"number":1},{"number":"x"}],"name":"a"}', "inner[1].number"),
        (b'{"inner":[{}],"name":"a"}', "inner[0].number"),
        (b'{"inner":[{"number":1,"more":2}],"name":"a"}', "inner[0].more"),
        (b'{"name":"a\\u0000"}', "name"),
        (b'{"name":"a","free":{"k\\u0000":1}}', "free"),
        (b'{"name":"a","free":[[["\\u0000"]]]}', "free[0][0][0]"),
        (b"5", ""),
    ],
)
def test_the_field_is_named(raw: bytes, field: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_body(raw, JSON, Body)
    assert caught.value.status == 422
    assert caught.value.errors[0].field == field


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert decode_body(b'{"name":"a\\\\u0000"}', JSON, Body).name == "a\\u0000"


def test_depth_ends_at_the_limit() -> None:
    fits = b"[" * (MAX_DEPTH - 2) + b"]" * (MAX_DEPTH - 2)
    assert decode_body(b'{"name":"a","free":' + fits + b"}", JSON, Body).name == "a"
    for depth in (MAX_DEPTH + 1, 1000, 100_000):
        with pytest.raises(Problem) as caught:
            decode_body(b'{"name":"a","free":' + b"[" * depth + b"]" * depth + b"}", JSON, Body)
        assert caught.value.status in (400, 422)


@given(st.binary(max_size=200))
def test_no_bytes_get_through_or_fall_over(raw: bytes) -> None:
    assert _refusal(lambda: decode_body(raw, JSON, Body)) in (None, 400, 422)


@given(st.binary(max_size=200))
def test_no_query_falls_over(raw: bytes) -> None:
    assert _refusal(lambda: decode_query(raw, Query)) in (None, 400, 414, 422)


@given(ANYTHING)
def test_free_form_input_has_no_nul_afterwards(value: Any) -> None:
    raw = msgspec.json.encode({"name": "a", "free": value})
    try:
        decoded = decode_body(raw, JSON, Body)
    except Problem:
        return
    assert "\\u0000" not in msgspec.json.encode(decoded.free).decode().replace("\\\\", "")


def test_queries() -> None:
    assert decode_query(b"limit=5&flag=true", Query) == Query(5, True)
    assert decode_query(b"", Query) == Query()
