"""Certification cases of block H, reservation, OCPP 2.0.1: made and given up through the API, which tells what becomes of them."""

from __future__ import annotations

from typing import Any

from tests.conformance.ocpp201.playing import ACCEPTED, ChargingStation
from tests.conformance.scene import Order, at


def _reserve(station: ChargingStation, evse: int | None = 1, **more: object) -> Order:
    """A reservation that the station takes."""
    place = {} if evse is None else {"evse_id": evse}
    order = station.scene.reserve(station.station, tenant=station.tenant, id_token=station.card, **place, **more)
    assert order.action == "ReserveNow"
    assert order.payload["idToken"] == {"idToken": station.card, "type": "ISO14443"}
    made = order.answer(ACCEPTED)
    assert (made["status"], made["reservation_id"]) == ("active", order.payload["id"])
    return order


def _state(station: ChargingStation, order: Order) -> tuple[str, str | None]:
    shown = station.scene.reservation(order, tenant=station.tenant)
    return shown["status"], shown["status_reason"]


def _begun(station: ChargingStation, number: int, card: str) -> None:
    station.status("Occupied")
    transaction = station.transaction()
    transaction.started("CablePluggedIn", state="EVConnected")
    # the reservation is told once, with the token that uses it
    request = {
        "eventType": "Updated",
        "timestamp": at(),
        "triggerReason": "Authorized",
        "seqNo": transaction.events,
        "transactionInfo": {"transactionId": transaction.id},
        "idToken": {"idToken": card, "type": "ISO14443"},
        "reservationId": number,
    }
    transaction.events += 1
    assert station.call("TransactionEvent", request)["idTokenInfo"]["status"] == "Accepted"
    session = transaction.session()
    assert (session["reservation_id"], session["id_tag"]) == (number, card)
    transaction.ended("StopAuthorized", "Local", token=card)


def _used(station: ChargingStation, order: Order, card: str) -> None:
    _begun(station, order.payload["id"], card)
    assert _state(station, order) == ("used", None)


def _ended(station: ChargingStation, order: Order, update: str, state: tuple[str, str | None]) -> None:
    """The station ends the reservation by itself; that is tied to the order."""
    told = {"reservationId": order.payload["id"], "reservationUpdateStatus": update}
    station.tells("ReservationStatusUpdate", told)
    command_id = station.scene.reservation(order)["command_id"]
    assert station.events("reservation_status", {"command_id": command_id}) == [told]
    assert station.has_no_session()
    assert _state(station, order) == state


def test_tc_h_01_reserve_one_evse(station: ChargingStation) -> None:
    order = _reserve(station)
    assert order.payload["evseId"] == 1
    station.status("Reserved")
    _used(station, order, station.card)


def test_tc_h_07_reservation_not_used(station: ChargingStation) -> None:
    order = _reserve(station)
    station.status("Reserved")
    station.status("Available")
    _ended(station, order, "Expired", ("expired", None))


def test_tc_h_08_reserve_any_evse(station: ChargingStation) -> None:
    _used(station, _reserve(station, None), station.card)


def test_tc_h_14_as_many_reservations_as_evses(station: ChargingStation) -> None:
    station.status("Available", 2)
    reservations = [_reserve(station, None) for _ in (1, 2)]
    assert {order.payload["evseId"] for order in reservations} == {1, 2}
    for evse in (1, 2):
        station.status("Reserved", evse)
    _used(station, reservations[0], station.card)


def test_tc_h_15_reserve_by_connector_type(station: ChargingStation) -> None:
    token = {"idToken": station.card, "type": "ISO14443"}
    expires = at(3600)
    order = station.order("reserve_now", reservation_id=15, id_token=station.card, expires_at=expires, connector_type="cType2")
    assert order.payload.pop("expiryDateTime")[:19] == expires[:19]
    station.takes(order, "ReserveNow", {"id": 15, "idToken": token, "connectorType": "cType2"}, ACCEPTED)
    _begun(station, 15, station.card)


def test_tc_h_17_cancel_reservation(station: ChargingStation) -> None:
    order = _reserve(station)
    station.status("Reserved")
    cancel = station.scene.cancel(order)
    assert (cancel.action, cancel.payload) == ("CancelReservation", {"reservationId": order.payload["id"]})
    assert cancel.answer(ACCEPTED)["status"] == "cancelled"
    station.status("Available")


def test_tc_h_19_reservation_used_by_another_card_of_the_group(strict_station: ChargingStation) -> None:
    group = f"GROUP-{strict_station.identity}"
    strict_station.token(strict_station.card, group_id_token=group)
    friend = strict_station.token(f"FRIEND-{strict_station.identity}", group_id_token=group)
    order = _reserve(strict_station, group_id_token=group)
    assert order.payload["groupIdToken"] == {"idToken": group, "type": "Central"}
    strict_station.status("Reserved")
    assert strict_station.authorize(friend) == {"status": "Accepted", "groupIdToken": {"idToken": group, "type": "Central"}}
    _used(strict_station, order, friend)


def test_tc_h_20_reservation_removed_on_a_fault(station: ChargingStation) -> None:
    order = _reserve(station)
    station.status("Reserved")
    station.status("Faulted")
    _ended(station, order, "Removed", ("cancelled", "removed"))


def test_tc_h_22_reservation_rejected(station: ChargingStation) -> None:
    order: Any = station.scene.reserve(station.station, expect=409, id_token=station.card, evse_id=1)
    refused = order.answer({"status": "Rejected"})
    assert refused["type"].endswith(":reservation-rejected")
    assert _state(station, order) == ("refused", "rejected")
