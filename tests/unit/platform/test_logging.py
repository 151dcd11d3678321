"""Logs: one event per line, no secrets, nothing forged."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from csms.clock import SystemClock
from csms.logging import Format, configure_logging


@pytest.fixture
def configured() -> Iterator[Callable[[Format], io.StringIO]]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)

    def configure(form: Format, level: str = "info") -> io.StringIO:
        stream = io.StringIO()
        configure_logging(level, form, SystemClock(), stream=stream)
        return stream

    yield configure
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:], _ = before
    root.setLevel(before[1])


def json_lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


HOSTILE = "a\r\n2026-01-01T00:00:00Z INFO admin.signed_in\x1b[2J\x9b31m\u2028\u202eend"


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_a_station_sends_cannot_forge_a_line(configured: Callable[..., io.StringIO], form: Format) -> None:
    stream = configured(form)
    structlog.get_logger().info("station.boot", vendor=HOSTILE, **{"key\n": HOSTILE}, nested={HOSTILE: [HOSTILE]})
    text = stream.getvalue()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    assert not any(character in text for character in "\x1b\x9b\r\u2028\u202e")


@pytest.mark.parametrize("form", ["json", "text"])
def test_secrets_do_not_reach_it(configured: Callable[..., io.StringIO], form: Format) -> None:
    stream = configured(form)
    structlog.get_logger().info(
        "x",
        password="hunter2",
        AuthorizationKey="hunter2",
        refresh_token="hunter2",
        idTag="hunter2",
        headers={"Authorization": "hunter2", "X-API-Key": "hunter2", "Set-Cookie": b"hunter2"},
        rows=[{"admin_password": "hunter2"}],
        url="postgresql://csms:hunter2@db/csms and https://hunter2@host",
        header="Authorization: Basic hunter2hunter2==",
    )
    assert "hunter2" not in stream.getvalue()


def test_json_keeps_values(configured: Callable[..., io.StringIO]) -> None:
    stream = configured("json")
    structlog.get_logger().warning("ledger.slow", seconds=1.5, stations=3, ok=True, who=None, big=2**80)
    (event,) = json_lines(stream)
    assert list(event)[:3] == ["time", "level", "event"]
    assert event["time"].endswith("Z")
    del event["time"]
    assert event == {
        "level": "warning",
        "event": "ledger.slow",
        "seconds": 1.5,
        "stations": 3,
        "ok": True,
        "who": None,
        "big": str(2**80),
    }


def test_any_value_can_be_logged(configured: Callable[..., io.StringIO]) -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd \ud800"

    stream = configured("json")
    deep: list[Any] = []
    for _ in range(50):
        deep = [deep]
    structlog.get_logger().info("x", odd=Odd(), raw=b"\xff\x00", deep=deep, long="y" * 100_000, surrogate="\udfff")
    (event,) = json_lines(stream)
    assert event["odd"] == "odd \\ud800"
    assert len(event["long"]) < 5000


def test_a_traceback_is_one_event(configured: Callable[..., io.StringIO]) -> None:
    for form in ("json", "text"):
        stream = configured(form)
        try:
            raise ValueError("boom\nforged")
        except ValueError:
            structlog.get_logger().exception("failed")
        lines = stream.getvalue().splitlines()
        assert "boom" in stream.getvalue()
        if form == "json":
            assert len(lines) == 1
        else:
            assert all(line.startswith("  | ") for line in lines[1:])


def test_other_libraries_take_the_same_way(configured: Callable[..., io.StringIO]) -> None:
    stream = configured("json")
    logging.getLogger("hypercorn.error").warning("went %s", "wrong\nforged")
    logging.getLogger("hypercorn.error").info("chatter")
    logging.getLogger("broken").error("%d", "not a number")
    events = json_lines(stream)
    assert [(e["logger"], e["level"]) for e in events] == [("hypercorn.error", "warning"), ("broken", "error")]
    assert events[0]["message"] == "went wrong\nforged"


def test_level(configured: Callable[..., io.StringIO]) -> None:
    stream = configured("json", "warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().error("loud")
    assert [event["event"] for event in json_lines(stream)] == ["loud"]


def test_a_reader_that_is_gone_does_no_harm(configured: Callable[..., io.StringIO]) -> None:
    stream = configured("json")
    stream.close()
    structlog.get_logger().error("nobody reads this")
