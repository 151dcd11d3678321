"""Which EVSE a reservation gets, and why it gets none (F4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from csms.domain.reservations import answer_of, end_of
from csms.reservations.service import _Refused, choose
from csms.store.queries.reservations import Evse, Reservation, Surroundings
from tests.unit.gateway_versions.support import COMMAND_ID

NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)


def evse(number: int, *statuses: str, charging: bool = False, reserved: bool = False) -> Evse:
    return Evse(number, list(statuses), charging, reserved)


def station(*evses: Evse, anywhere: int = 0, **variables: str) -> Surroundings:
    return Surroundings(1, "accepted", True, list(evses), anywhere, variables)


def former(evse_id: int | None) -> Reservation:
    fields: dict[str, Any] = dict.fromkeys(Reservation.__struct_fields__)
    return Reservation(**fields | {"reservation_id": 1, "status": "active", "evse_id": evse_id, "expires_at": NOW})


FREE = evse(1, "Available")


@pytest.mark.parametrize(
    ("surroundings", "wanted", "chosen", "others"),
    [
        (station(FREE), 1, 1, []),
        (station(), 1, 1, []),
        (station(), None, None, []),
        (station(evse(1)), 1, 1, []),
        # the connector was seen free since: a session whose end is missing keeps nobody out
        (station(evse(1, "Available", charging=True)), 1, 1, []),
        (station(evse(1, "Charging"), evse(2, "Available"), evse(3, "Available")), None, 2, [3]),
        (station(FREE, NonEvseSpecific="true"), None, None, []),
        (station(FREE, evse(2, "Available"), anywhere=1), 1, 1, []),
    ],
)
def test_what_is_free(surroundings: Surroundings, wanted: int | None, chosen: int | None, others: list[int]) -> None:
    assert [choose(surroundings, wanted, None)[0], *choose(surroundings, wanted, None)[1]] == [chosen, *others]


@pytest.mark.parametrize(
    ("surroundings", "wanted", "why"),
    [
        (station(FREE), 2, "unknown_evse"),
        (station(evse(1, "Available", reserved=True)), 1, "reserved"),
        (station(evse(1, "Reserved")), 1, "reserved"),
        (station(evse(1, "Faulted")), 1, "faulted"),
        (station(evse(1, "Available", "Unavailable")), 1, "unavailable"),
        (station(evse(1, "Available", "Occupied")), 1, "occupied"),
        (station(evse(1, "Finishing")), 1, "occupied"),
        (station(evse(1, charging=True)), 1, "occupied"),
        (station(evse(1, "Charging"), evse(2, "Faulted")), None, "occupied"),
        (station(evse(1, "Charging"), evse(2, reserved=True)), None, "reserved"),
        # the last free one is kept for whom any was promised to
        (station(FREE, evse(2, "Charging"), anywhere=1), 1, "reserved"),
        (station(FREE, evse(2, "Charging"), anywhere=1), None, "reserved"),
    ],
)
def test_what_is_not(surroundings: Surroundings, wanted: int | None, why: str) -> None:
    with pytest.raises(_Refused) as refused:
        choose(surroundings, wanted, None)
    assert refused.value.why == why


def test_who_replaces_his_own_reservation_is_not_in_his_own_way() -> None:
    both = station(evse(1, "Reserved", reserved=True), evse(2, "Available"))
    assert choose(both, 1, former(1))[0] == 1
    assert choose(both, 2, former(1))[0] == 2
    assert choose(both, None, former(1))[0] == 1
    assert choose(station(FREE, anywhere=1), 1, former(None))[0] == 1


@pytest.mark.parametrize(
    ("status", "result", "error", "refusal"),
    [
        ("accepted", b'{"status":"Accepted"}', None, None),
        ("rejected", b'{"status":"Occupied"}', None, "occupied"),
        ("rejected", b'{"status":"Faulted"}', None, "faulted"),
        ("rejected", b'{"status":"Unavailable"}', None, "unavailable"),
        ("rejected", b'{"status":"Rejected","statusInfo":{"reasonCode":"x"}}', None, "rejected"),
        ("failed", None, "NotImplemented: x", "not_supported"),
        ("failed", None, "OCPP 1.6 takes id tokens of at most 20 characters", "failed"),
        ("timed_out", None, "the station did not answer in time", "no_answer"),
        ("unknown", None, None, "no_answer"),
        ("expired", None, None, "not_connected"),
    ],
)
def test_what_an_answer_means(status: str, result: bytes | None, error: str | None, refusal: str | None) -> None:
    answer = answer_of(1, 2, COMMAND_ID, "reserve_now", status, result, error)
    assert (answer.refusal, answer.cancels) == (refusal, False)
    assert answer_of(1, 2, COMMAND_ID, "cancel_reservation", status, result, error).cancels


@pytest.mark.parametrize(
    ("update", "status", "reason"),
    [("Expired", "expired", None), ("Removed", "cancelled", "removed"), ("NoTransaction", "expired", "no_transaction")],
)
def test_what_a_station_tells(update: str, status: str, reason: str | None) -> None:
    end = end_of(1, 2, b'{"reservationId":3,"reservationUpdateStatus":"%s"}' % update.encode())
    assert end is not None
    assert (end.reservation_id, end.status, end.reason) == (3, status, reason)
    assert end_of(1, 2, b'{"reservationId":3,"reservationUpdateStatus":"Lost"}') is None
