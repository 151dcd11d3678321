"""Certification cases of reservations, OCPP 1.6: made and given up through the API, which tells what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.ocpp16.playing import ChargePoint
from tests.conformance.scene import Order, at


def _reserve(point: ChargePoint, *, connector: int = 1, **more: object) -> Order:
    """A reservation that the charge point takes."""
    order = point.scene.reserve(point.station, tenant=point.tenant, **{"evse_id": connector, "id_token": "HOLDER", **more})
    assert order.action == "ReserveNow"
    assert (order.payload["connectorId"], order.payload["idTag"]) == (connector, more.get("id_token", "HOLDER"))
    made = order.answer({"status": "Accepted"})
    assert (made["status"], made["reservation_id"]) == ("active", order.payload["reservationId"])
    return order


def _state(point: ChargePoint, order: Order) -> tuple[str, str | None]:
    shown = point.scene.reservation(order, tenant=point.tenant)
    return shown["status"], shown["session_id"]


def _used(point: ChargePoint, number: int, tag: str = "HOLDER") -> Any:
    """The reservation is used: the session names it."""
    transaction = point.start(tag, reservationId=number)
    point.status(1, "Charging")
    session = point.session()
    assert (session["id_tag"], session["reservation_id"]) == (tag, number)
    point.ended(transaction, "Local", tag)
    return session


def _refused(point: ChargePoint, status: str, *, connector: int) -> None:
    """What the charge point says to a raw ReserveNow is told as it is; the API would not even ask for such a connector."""
    request = {"connectorId": connector, "expiryDate": at(3600), "idTag": "HOLDER", "reservationId": 99}
    point.ordered("ReserveNow", request, {"status": status}, "rejected")


def test_tc_046_reservation_and_transaction(point: ChargePoint) -> None:
    order = _reserve(point)
    point.status(1, "Reserved")
    assert point.authorize("HOLDER")["status"] == "Accepted"
    point.status(1, "Preparing")
    session = _used(point, order.payload["reservationId"])
    assert _state(point, order) == ("used", session["session_id"])


def test_tc_047_reservation_expires(point: ChargePoint) -> None:
    order = _reserve(point)
    point.status(1, "Reserved")
    point.status(1, "Available")
    assert point.has_no_session()
    assert _state(point, order)[1] is None


@pytest.mark.parametrize("connector", [1, 0])
def test_tc_048_1_reservation_faulted(point: ChargePoint, connector: int) -> None:
    point.status(1, "Faulted", "InternalError")
    _refused(point, "Faulted", connector=connector)


def test_tc_048_2_reservation_occupied(point: ChargePoint) -> None:
    point.status(1, "Preparing")
    _refused(point, "Occupied", connector=1)


def test_tc_048_3_reservation_unavailable(point: ChargePoint) -> None:
    point.status(1, "Unavailable")
    _refused(point, "Unavailable", connector=1)


def test_tc_048_4_reservation_rejected(point: ChargePoint) -> None:
    order = point.scene.reserve(point.station, expect=409, id_token="HOLDER", evse_id=1)
    refused = order.answer({"status": "Rejected"})
    assert refused["type"].endswith(":reservation-rejected")
    assert _state(point, order) == ("refused", None)


def test_tc_049_reservation_of_a_charge_point(point: ChargePoint) -> None:
    request = {"connectorId": 0, "expiryDate": at(3600), "idTag": "HOLDER", "reservationId": 99}
    point.ordered("ReserveNow", request, {"status": "Accepted"})
    point.status(1, "Preparing")
    _used(point, 99)


def test_tc_051_cancel_reservation(point: ChargePoint) -> None:
    order = _reserve(point)
    point.status(1, "Reserved")
    cancel = point.scene.cancel(order)
    assert (cancel.action, cancel.payload) == ("CancelReservation", {"reservationId": order.payload["reservationId"]})
    assert cancel.answer({"status": "Accepted"})["status"] == "cancelled"
    point.status(1, "Available")


def test_tc_052_cancel_reservation_rejected(point: ChargePoint) -> None:
    order = _reserve(point)
    gone = point.scene.cancel(order).answer({"status": "Rejected"})
    assert (gone["status"], gone["status_reason"]) == ("cancelled", "unknown_to_station")
    point.ordered("CancelReservation", {"reservationId": 98}, {"status": "Rejected"}, "rejected")


def test_tc_053_reservation_used_by_another_card_of_the_group(strict_point: ChargePoint) -> None:
    holder = strict_point.token(f"HOLDER-{strict_point.identity}", group_id_token="GROUP")
    friend = strict_point.token(f"FRIEND-{strict_point.identity}", group_id_token="GROUP")
    order = _reserve(strict_point, id_token=holder, group_id_token="GROUP")
    assert order.payload["parentIdTag"] == "GROUP"
    strict_point.status(1, "Reserved")
    assert strict_point.authorize(friend) == {"status": "Accepted", "parentIdTag": "GROUP"}
    strict_point.status(1, "Preparing")
    _used(strict_point, order.payload["reservationId"], friend)
    assert _state(strict_point, order)[0] == "used"
