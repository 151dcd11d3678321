"""What partners order at our stations, in terms of OCPI and of our own (csms.roaming.commands)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.reservations.service import Why
from csms.roaming.commands import (
    BadProfile,
    Kind,
    StationEnd,
    StationEvse,
    active_profile,
    can,
    choose_evse,
    fits,
    limit_session,
    offers,
    profile_result_of,
    result_of,
    result_of_reservation,
)
from csms.roaming.details import EvseDetails
from schemas.ocpi221.chargingprofiles import ActiveChargingProfile, ChargingProfile, ChargingProfilePeriod
from schemas.ocpi221.commands import CommandResultType
from schemas.ocpi221.writing import check

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ENDS = ("accepted", "rejected", "failed", "timed_out", "unknown", "expired", "cancelled")


def evse(number: int, *statuses: str, online: bool = True, busy: bool = False) -> StationEvse:
    return StationEvse(
        station_id=number,
        charge_point_id=f"CP{number}",
        ocpp_version="ocpp1.6",
        online=online,
        evse_id=1,
        evse_uid=UUID(int=number),
        location_id=UUID(int=0),
        country="NL",
        details=EvseDetails(),
        connectors=(1,),
        statuses=statuses,
        busy=busy,
    )


@pytest.mark.parametrize(
    ("kind", "end", "result"),
    [
        ("START_SESSION", StationEnd("accepted", b"{}", None), "ACCEPTED"),
        ("START_SESSION", StationEnd("rejected", b'{"status":"Rejected"}', None), "FAILED"),  # M2
        ("STOP_SESSION", StationEnd("failed", None, "NotSupported: no"), "NOT_SUPPORTED"),
        ("STOP_SESSION", StationEnd("timed_out", None, "x"), "TIMEOUT"),
        ("STOP_SESSION", StationEnd("expired", None, None), "TIMEOUT"),
        ("UNLOCK_CONNECTOR", StationEnd("rejected", b'{"status":"UnlockFailed"}', None), "FAILED"),
        ("UNLOCK_CONNECTOR", StationEnd("rejected", b'{"status":"NotSupported"}', None), "NOT_SUPPORTED"),
        ("UNLOCK_CONNECTOR", StationEnd("rejected", b'{"status":"OngoingAuthorizedTransaction"}', None), "REJECTED"),
    ],
)
def test_what_an_emsp_is_told_of_an_answer(kind: Kind, end: StationEnd, result: str) -> None:
    assert result_of(kind, end) == result


@given(
    st.sampled_from(get_args(Kind)),
    st.sampled_from(ENDS),
    st.none() | st.just(b"{}") | st.text(max_size=9).map(lambda text: json.dumps({"status": text}).encode()),
    st.none() | st.text(max_size=20),
)
def test_every_end_has_a_word_in_ocpi(kind: Kind, status: str, result: bytes | None, error: str | None) -> None:
    end = StationEnd(status, result, error)
    assert result_of(kind, end) in get_args(CommandResultType)
    assert (result_of(kind, end) == "ACCEPTED") is (status == "accepted") is (profile_result_of(end) == "ACCEPTED")


def test_every_refusal_of_a_reservation_has_a_word_in_ocpi() -> None:
    refusals = {why for part in get_args(Why) for why in get_args(part)}
    assert {result_of_reservation(why) for why in refusals} <= set(get_args(CommandResultType)) - {
        "ACCEPTED",
        "CANCELED_RESERVATION",
    }
    assert result_of_reservation(None) == "ACCEPTED"
    assert [result_of_reservation(why) for why in ("reserved", "faulted", "rejected", "no_answer", "over")] == [
        "EVSE_OCCUPIED",
        "EVSE_INOPERATIVE",
        "REJECTED",
        "TIMEOUT",
        "UNKNOWN_RESERVATION",
    ]


def test_which_evse_is_chosen() -> None:
    offline, busy, taken = evse(1, "Available", online=False), evse(2, "Available", busy=True), evse(3, "Charging")
    waiting, unseen, free = evse(4, "Preparing"), evse(5), evse(6, "Available")
    assert choose_evse([offline, busy, taken, waiting, unseen, free]) == free
    assert choose_evse([offline, busy, taken, unseen, waiting]) == waiting
    assert choose_evse([offline, busy, taken, unseen]) == unseen
    assert choose_evse([offline, busy, taken, evse(7, "Faulted")]) is None


def test_what_is_offered() -> None:
    plain, chosen = EvseDetails(), EvseDetails(capabilities=("UNLOCK_CAPABLE", "CHARGING_PROFILE_CAPABLE"))
    assert [can(plain, kind) for kind in ("START_SESSION", "STOP_SESSION", "UNLOCK_CONNECTOR", "RESERVE_NOW", "SET_PROFILE")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert [can(chosen, kind) for kind in ("START_SESSION", "UNLOCK_CONNECTOR", "CLEAR_PROFILE")] == [False, True, True]
    assert can(EvseDetails(capabilities=()), "CANCEL_RESERVATION")
    assert not offers(plain, "CHARGING_PREFERENCES_CAPABLE")


@pytest.mark.parametrize(
    ("uid", "version", "told"),
    [
        ("x" * 20, "ocpp1.6", True),
        ("x" * 21, "ocpp1.6", False),
        ("x" * 21, None, False),
        ("a/b", "ocpp1.6", True),
        ("x" * 36, "ocpp2.0.1", True),
        ("x" * 37, "ocpp2.0.1", False),
        ("a/b", "ocpp2.0.1", False),
        ("x" * 255, "ocpp2.1", True),
    ],
)
def test_which_uids_a_station_can_take(uid: str, version: str | None, told: bool) -> None:
    assert fits(uid, version) is told


def profile(*periods: tuple[int, str], **members: Any) -> ChargingProfile:
    made = tuple(ChargingProfilePeriod(start_period=start, limit=Decimal(limit)) for start, limit in periods)
    return ChargingProfile(**{"charging_rate_unit": "A", "charging_profile_period": made} | members)


def test_a_profile_becomes_one_of_the_transaction() -> None:
    order = limit_session(
        profile((0, "16.5"), (600, "0"), duration=900, min_charging_rate=Decimal(6), start_date_time=NOW), "T1", 2
    )
    assert (order.purpose, order.transaction_id, order.evse_id, order.unit) == ("TxProfile", "T1", 2, "A")
    assert (order.start, order.duration_s, order.min_rate) == (NOW, 900, 6)
    assert [(period.start, period.limit) for period in order.periods] == [(0, Decimal("16.5")), (600, 0)]
    assert order.profile == limit_session(profile((0, "8")), "T1", 2).profile  # a new one takes the place of the old one


@pytest.mark.parametrize(
    "bad",
    [
        profile(),
        profile((1, "16")),
        profile((0, "16"), (0, "8")),
        profile((0, "16"), (600, "8"), (300, "8")),
        profile((0, "-1")),
        profile((0, "1.25")),
        profile((0, "16"), charging_rate_unit="kW"),
        profile((0, "16"), min_charging_rate=Decimal("-1")),
        profile(*((n, "1") for n in range(1100))),
        profile((0, "NaN")),
    ],
)
def test_profiles_that_no_station_could_follow(bad: ChargingProfile) -> None:
    with pytest.raises(BadProfile, match=r"^charging_profile"):
        limit_session(bad, "T1", 1)


PERIODS = [{"startPeriod": 0, "limit": 15.96, "numberPhases": 3}, {"startPeriod": 60, "limit": 8}]


@pytest.mark.parametrize(
    ("answer", "start", "least"),
    [
        (
            {
                "status": "Accepted",
                "scheduleStart": "2026-05-01T10:00:00",
                "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": PERIODS, "minChargingRate": 6.04},
            },
            datetime(2026, 5, 1, 10, tzinfo=UTC),
            Decimal("6.0"),
        ),
        ({"chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": PERIODS}}, NOW, None),
        (
            {
                "status": "Accepted",
                "schedule": {
                    "evseId": 1,
                    "duration": 600,
                    "scheduleStart": "2026-05-01T12:00:00+02:00",
                    "chargingRateUnit": "W",
                    "chargingSchedulePeriod": PERIODS,
                },
            },
            datetime(2026, 5, 1, 10, tzinfo=UTC),
            None,
        ),
    ],
)
def test_the_schedule_that_a_station_works_out(answer: Any, start: datetime, least: Decimal | None) -> None:
    told = active_profile(json.dumps(answer).encode(), NOW)
    assert isinstance(told, ActiveChargingProfile)
    assert (told.start_date_time, told.charging_profile.min_charging_rate) == (start, least)
    limits = [(period.start_period, period.limit) for period in told.charging_profile.charging_profile_period]
    assert limits == [(0, Decimal("16.0")), (60, Decimal("8.0"))]  # Q7
    assert check(told) == ()


@given(st.binary(max_size=60) | st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.dictionaries(
    st.sampled_from(["schedule", "chargingSchedule", "scheduleStart", "chargingRateUnit", "chargingSchedulePeriod"]), inner
), max_leaves=6).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_answers_that_make_no_sense_are_no_schedule(answer: bytes) -> None:
    assert active_profile(answer, NOW) is None
