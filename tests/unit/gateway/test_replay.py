"""Answers to repeated message ids (ocpp-j-rules section 4)."""

from __future__ import annotations

from gateway.replay import KEPT_ANSWERS, KEPT_SECONDS, ReplayCache


def test_the_same_message_gets_the_same_answer() -> None:
    cache = ReplayCache()
    cache.remember("a", 7, b'{"x":1}', 0.0)
    assert cache.find("a", 7, 1.0) == b'{"x":1}'
    assert cache.find("b", 7, 1.0) is None


def test_an_id_with_other_content_is_a_new_message() -> None:
    cache = ReplayCache()
    cache.remember("a", 7, b"1", 0.0)
    assert cache.find("a", 8, 1.0) is None
    cache.remember("a", 8, b"2", 2.0)
    assert cache.find("a", 8, 3.0) == b"2"
    assert cache.find("a", 7, 3.0) is None


def test_it_keeps_the_last_answers_only() -> None:
    cache = ReplayCache()
    for number in range(10 * KEPT_ANSWERS):
        cache.remember(str(number), number, b"", 0.0)
    assert len(cache) == KEPT_ANSWERS
    assert cache.find(str(10 * KEPT_ANSWERS - 1), 10 * KEPT_ANSWERS - 1, 0.0) == b""
    assert cache.find("0", 0, 0.0) is None


def test_an_answer_again_counts_as_the_newest() -> None:
    cache = ReplayCache()
    for number in range(KEPT_ANSWERS):
        cache.remember(str(number), number, b"", 0.0)
    cache.remember("0", 0, b"", 0.0)
    cache.remember("new", 1, b"", 0.0)
    assert cache.find("0", 0, 0.0) is not None
    assert cache.find("1", 1, 0.0) is None


def test_old_answers_are_forgotten() -> None:
    cache = ReplayCache()
    cache.remember("a", 1, b"", 0.0)
    cache.remember("b", 2, b"", 500.0)
    assert cache.find("a", 1, KEPT_SECONDS + 1) is None
    cache.remember("c", 3, b"", KEPT_SECONDS + 1)
    assert len(cache) == 2
