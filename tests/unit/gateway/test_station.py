"""Two clients that take one identity from each other (rule C10)."""

from __future__ import annotations

from typing import cast

from gateway.connection import Connection
from gateway.station import Station


def test_three_live_swaps_within_a_minute_close_the_door_for_a_minute() -> None:
    station = Station((1, 1), "accepted")
    station.connection = cast(Connection, object())
    station.live_client_displaced(100.0)
    station.live_client_displaced(110.0)
    assert not station.refuses_newcomers(110.0)
    station.live_client_displaced(120.0)
    assert station.refuses_newcomers(121.0)
    assert not station.refuses_newcomers(180.0)


def test_slow_swaps_are_allowed() -> None:
    station = Station((1, 1), "accepted")
    station.connection = cast(Connection, object())
    for at in (0.0, 61.0, 122.0, 183.0):
        station.live_client_displaced(at)
        assert not station.refuses_newcomers(at)


def test_newcomers_are_welcome_when_nobody_is_there() -> None:
    station = Station((1, 1), "accepted")
    for at in (1.0, 2.0, 3.0):
        station.live_client_displaced(at)
    assert not station.refuses_newcomers(4.0)
