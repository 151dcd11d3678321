"""Certification cases of reservations, OCPP 1.6."""

from __future__ import annotations

import pytest

from tests.conformance.ocpp16.playing import ChargePoint
from tests.conformance.scene import at


def _reserve(point: ChargePoint, status: str = "Accepted", *, connector: int = 1, **more: object) -> None:
    request = {"connectorId": connector, "expiryDate": at(3600), "idTag": "HOLDER", "reservationId": 99, **more}
    point.ordered("ReserveNow", request, {"status": status}, "accepted" if status == "Accepted" else "rejected")


def _used(point: ChargePoint, tag: str = "HOLDER") -> None:
    """The reservation is used: the session names it."""
    transaction = point.start(tag, reservationId=99)
    point.status(1, "Charging")
    session = point.session()
    assert (session["id_tag"], session["reservation_id"]) == (tag, 99)
    point.ended(transaction, "Local", tag)


def test_tc_046_reservation_and_transaction(point: ChargePoint) -> None:
    _reserve(point)
    point.status(1, "Reserved")
    assert point.authorize("HOLDER")["status"] == "Accepted"
    point.status(1, "Preparing")
    _used(point)


def test_tc_047_reservation_expires(point: ChargePoint) -> None:
    _reserve(point)
    point.status(1, "Reserved")
    point.status(1, "Available")
    assert point.has_no_session()


@pytest.mark.parametrize("connector", [1, 0])
def test_tc_048_1_reservation_faulted(point: ChargePoint, connector: int) -> None:
    point.status(1, "Faulted", "InternalError")
    _reserve(point, "Faulted", connector=connector)


def test_tc_048_2_reservation_occupied(point: ChargePoint) -> None:
    point.status(1, "Preparing")
    _reserve(point, "Occupied")


def test_tc_048_3_reservation_unavailable(point: ChargePoint) -> None:
    point.status(1, "Unavailable")
    _reserve(point, "Unavailable")


def test_tc_048_4_reservation_rejected(point: ChargePoint) -> None:
    _reserve(point, "Rejected")


def test_tc_049_reservation_of_a_charge_point(point: ChargePoint) -> None:
    _reserve(point, connector=0)
    point.status(1, "Preparing")
    _used(point)


def test_tc_051_cancel_reservation(point: ChargePoint) -> None:
    _reserve(point)
    point.status(1, "Reserved")
    point.ordered("CancelReservation", {"reservationId": 99}, {"status": "Accepted"})
    point.status(1, "Available")


def test_tc_052_cancel_reservation_rejected(point: ChargePoint) -> None:
    point.ordered("CancelReservation", {"reservationId": 98}, {"status": "Rejected"}, "rejected")


def test_tc_053_reservation_used_by_another_card_of_the_group(strict_point: ChargePoint) -> None:
    holder = strict_point.token(f"HOLDER-{strict_point.identity}", group_id_token="GROUP")
    friend = strict_point.token(f"FRIEND-{strict_point.identity}", group_id_token="GROUP")
    _reserve(strict_point, idTag=holder, parentIdTag="GROUP")
    strict_point.status(1, "Reserved")
    assert strict_point.authorize(friend) == {"status": "Accepted", "parentIdTag": "GROUP"}
    strict_point.status(1, "Preparing")
    _used(strict_point, friend)
