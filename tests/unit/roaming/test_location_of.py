"""Which messages are about a location that agreements may name (R14)."""

from __future__ import annotations

from typing import Any

import pytest

from csms.roaming.routing import RoutedMessage, location_of


@pytest.mark.parametrize(
    ("method", "module", "role", "segments", "body", "expected"),
    [
        ("PUT", "locations", "RECEIVER", ("NL", "XCP", "L*1"), {}, "L*1"),
        ("PATCH", "locations", "RECEIVER", ("NL", "XCP", "L1", "E1", "1"), {}, "L1"),
        ("PUT", "locations", "RECEIVER", ("NL", "XCP"), {}, None),
        ("GET", "locations", "RECEIVER", ("NL", "XCP", "L1"), None, None),  # what it has told itself
        ("GET", "locations", "SENDER", ("L1", "E1"), None, "L1"),
        ("GET", "locations", "SENDER", (), None, None),
        ("POST", "commands", "RECEIVER", ("START_SESSION",), {"location_id": "L1"}, "L1"),
        ("POST", "commands", "RECEIVER", ("START_SESSION",), {"location_id": 7}, None),
        ("POST", "commands", "RECEIVER", ("START_SESSION",), ["L1"], None),
        ("POST", "commands", "SENDER", ("START_SESSION", "key"), {"location_id": "L1"}, None),
        ("PUT", "tariffs", "RECEIVER", ("NL", "XCP", "T1"), {}, None),
    ],
)
def test_location_of(method: Any, module: str, role: Any, segments: tuple[str, ...], body: Any, expected: str | None) -> None:
    assert location_of(RoutedMessage(method=method, module=module, role=role, segments=segments, body=body)) == expected
