"""Certification cases of block H, reservation, OCPP 2.0.1."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.conformance.ocpp201.playing import ACCEPTED, ChargingStation
from tests.conformance.scene import at

_ids = count(1)


def _reserve(station: ChargingStation, status: str = "Accepted", **more: object) -> Any:
    """Order a reservation; gives the command."""
    token = {"idToken": station.card, "type": "ISO14443"}
    payload = {"id": next(_ids), "expiryDateTime": at(3600), "idToken": token, **more}
    return station.ordered("ReserveNow", payload, {"status": status}, "accepted" if status == "Accepted" else "rejected")


def _id(command: Any) -> int:
    number: int = command["payload"]["id"]
    return number


def _used(station: ChargingStation, reservation: Any, card: str) -> None:
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
        "reservationId": _id(reservation),
    }
    transaction.events += 1
    assert station.call("TransactionEvent", request)["idTokenInfo"]["status"] == "Accepted"
    session = transaction.session()
    assert (session["reservation_id"], session["id_tag"]) == (_id(reservation), card)
    transaction.ended("StopAuthorized", "Local", token=card)


def _ended(station: ChargingStation, reservation: Any, update: str) -> None:
    """The station ends the reservation by itself; that is tied to the order."""
    told = {"reservationId": _id(reservation), "reservationUpdateStatus": update}
    station.tells("ReservationStatusUpdate", told)
    assert station.events("reservation_status", reservation) == [told]
    assert station.has_no_session()


def test_tc_h_01_reserve_one_evse(station: ChargingStation) -> None:
    reservation = _reserve(station, evseId=1)
    station.status("Reserved")
    _used(station, reservation, station.card)


def test_tc_h_07_reservation_not_used(station: ChargingStation) -> None:
    reservation = _reserve(station, evseId=1)
    station.status("Reserved")
    station.status("Available")
    _ended(station, reservation, "Expired")


def test_tc_h_08_reserve_any_evse(station: ChargingStation) -> None:
    _used(station, _reserve(station), station.card)


def test_tc_h_14_as_many_reservations_as_evses(station: ChargingStation) -> None:
    station.status("Available", 2)
    reservations = [_reserve(station) for _ in (1, 2)]
    for evse in (1, 2):
        station.status("Reserved", evse)
    _used(station, reservations[0], station.card)


def test_tc_h_15_reserve_by_connector_type(station: ChargingStation) -> None:
    reservation = _reserve(station, connectorType="cType2")
    _used(station, reservation, station.card)


def test_tc_h_17_cancel_reservation(station: ChargingStation) -> None:
    reservation = _reserve(station, evseId=1)
    station.status("Reserved")
    station.ordered("CancelReservation", {"reservationId": _id(reservation)}, ACCEPTED)
    station.status("Available")


def test_tc_h_19_reservation_used_by_another_card_of_the_group(strict_station: ChargingStation) -> None:
    group = f"GROUP-{strict_station.identity}"
    strict_station.token(strict_station.card, group_id_token=group)
    friend = strict_station.token(f"FRIEND-{strict_station.identity}", group_id_token=group)
    reservation = _reserve(strict_station, evseId=1, groupIdToken={"idToken": group, "type": "Central"})
    strict_station.status("Reserved")
    assert strict_station.authorize(friend) == {"status": "Accepted", "groupIdToken": {"idToken": group, "type": "Central"}}
    _used(strict_station, reservation, friend)


def test_tc_h_20_reservation_removed_on_a_fault(station: ChargingStation) -> None:
    reservation = _reserve(station, evseId=1)
    station.status("Reserved")
    station.status("Faulted")
    _ended(station, reservation, "Removed")


def test_tc_h_22_reservation_rejected(station: ChargingStation) -> None:
    _reserve(station, "Rejected", evseId=1)
