"""Certification cases of block E, transactions, OCPP 2.0.1."""

from __future__ import annotations

from tests.conformance.ocpp201.playing import ChargingStation, Transaction


def _occupied(station: ChargingStation) -> Transaction:
    station.status("Occupied")
    return station.transaction()


def _finished(station: ChargingStation) -> None:
    station.status("Available")


def test_tc_e_01_start_at_power_path_closed(station: ChargingStation) -> None:
    transaction = _occupied(station)
    assert station.authorize(station.card)["status"] == "Accepted"
    assert station.has_no_session()
    transaction.started("Authorized", state="EVConnected", token=station.card)
    assert transaction.session()["id_tag"] == station.card


def test_tc_e_02_start_at_energy_transfer(station: ChargingStation) -> None:
    transaction = _occupied(station)
    assert station.authorize(station.card)["status"] == "Accepted"
    transaction.started("ChargingStateChanged", state="Charging", token=station.card)
    session = transaction.session()
    assert (session["id_tag"], session["charging_state"]) == (station.card, "Charging")


def test_tc_e_03_cable_first(station: ChargingStation) -> None:
    transaction = _occupied(station)
    transaction.started("CablePluggedIn", state="EVConnected")
    assert transaction.session()["id_tag"] is None
    transaction.updated("Authorized", token=station.card)
    assert transaction.session()["id_tag"] == station.card
    transaction.updated("ChargingStateChanged", state="Charging")
    transaction.ended("StopAuthorized", "Local", token=station.card)
    _finished(station)


def test_tc_e_04_card_first(station: ChargingStation) -> None:
    transaction = station.transaction()
    transaction.started("Authorized", token=station.card, evse=False)
    assert transaction.session()["evse_id"] is None
    station.status("Occupied")
    transaction.updated("CablePluggedIn", state="EVConnected")
    assert (transaction.session()["evse_id"], transaction.session()["connector_id"]) == (1, 1)
    transaction.updated("ChargingStateChanged", state="Charging")
    transaction.ended("StopAuthorized", "Local", token=station.card)


def test_tc_e_07_stop_at_power_path_closed_by_the_card(station: ChargingStation) -> None:
    transaction = station.charging()
    transaction.ended("StopAuthorized", "Local", token=station.card, chargingState="EVConnected")
    _finished(station)


def test_tc_e_08_stop_of_energy_by_the_card(station: ChargingStation) -> None:
    transaction = station.charging()
    transaction.updated("StopAuthorized", token=station.card)
    transaction.ended("ChargingStateChanged", "Local", chargingState="EVConnected")


def test_tc_e_09_start_at_ev_connected(station: ChargingStation) -> None:
    transaction = _occupied(station)
    transaction.started("CablePluggedIn", state="EVConnected")
    assert transaction.session()["charging_state"] == "EVConnected"


def test_tc_e_10_start_at_authorized(station: ChargingStation) -> None:
    transaction = station.transaction()
    transaction.started("Authorized", token=station.card, evse=False)
    assert transaction.session()["id_tag"] == station.card


def test_tc_e_11_start_at_data_signed(station: ChargingStation) -> None:
    transaction = _occupied(station)
    transaction.started("SignedDataReceived", state="EVConnected", token=station.card)
    assert transaction.session()["status"] == "active"


def test_tc_e_12_start_at_parking_bay_occupied(station: ChargingStation) -> None:
    transaction = station.transaction()
    transaction.started("EVDetected")
    transaction.updated("Authorized", token=station.card)
    assert transaction.session()["id_tag"] == station.card


def test_tc_e_14_stop_by_unplugging_at_the_station(station: ChargingStation) -> None:
    transaction = station.charging()
    transaction.updated("StopAuthorized", state="EVConnected", token=station.card)
    _finished(station)
    transaction.ended("EVCommunicationLost", "Local", chargingState="Idle")


def test_tc_e_15_stop_by_the_card(station: ChargingStation) -> None:
    transaction = station.charging()
    transaction.ended("StopAuthorized", "Local", token=station.card)


def _with_invalid_card(station: ChargingStation) -> Transaction:
    transaction = _occupied(station)
    transaction.started("CablePluggedIn", state="EVConnected")
    transaction.updated("Authorized", token="NOBODY", info="Unknown")
    assert transaction.session()["authorization_status"] == "Unknown"
    return transaction


def test_tc_e_16_deauthorized_within_the_transaction(strict_station: ChargingStation) -> None:
    transaction = _with_invalid_card(strict_station)
    transaction.ended("Deauthorized", "DeAuthorized")


def test_tc_e_17_deauthorized_then_unplugged(strict_station: ChargingStation) -> None:
    transaction = _with_invalid_card(strict_station)
    transaction.updated("Deauthorized", state="EVConnected")
    transaction.ended("EVCommunicationLost", "EVDisconnected", chargingState="Idle")


def test_tc_e_19_stop_at_parking_bay_unoccupied(station: ChargingStation) -> None:
    transaction = station.charging()
    transaction.updated("StopAuthorized", state="EVConnected", token=station.card)
    transaction.updated("EVCommunicationLost", state="Idle")
    transaction.ended("EVDeparted", "Local")


def test_tc_e_20_stop_by_unplugging_at_the_ev(station: ChargingStation) -> None:
    transaction = station.charging()
    transaction.ended("EVCommunicationLost", "EVDisconnected", chargingState="Idle")
    _finished(station)


def test_tc_e_21_remote_stop(station: ChargingStation) -> None:
    transaction = station.charging()
    order = station.order("remote_stop", transaction_id=transaction.id)
    station.takes(order, "RequestStopTransaction", {"transactionId": transaction.id}, {"status": "Accepted"})
    transaction.ended("RemoteStop", "Remote")


def test_tc_e_22_stop_at_suspended_ev(station: ChargingStation) -> None:
    transaction = station.charging()
    transaction.ended("ChargingStateChanged", "StoppedByEV", chargingState="SuspendedEV")


def test_tc_e_26_unplugged_at_the_ev_suspends(station: ChargingStation) -> None:
    transaction = station.charging()
    transaction.updated("EVCommunicationLost", state="SuspendedEV")
    assert transaction.session()["status"] == "active"
    transaction.updated("ChargingStateChanged", state="Charging")
    transaction.ended("StopAuthorized", "Local", token=station.card)


def _status_of(station: ChargingStation, transaction: Transaction | None, answer: dict[str, object]) -> None:
    payload = {} if transaction is None else {"transactionId": transaction.id}
    station.ordered("GetTransactionStatus", payload, answer)


def test_tc_e_29_transaction_status_ongoing_with_queue(station: ChargingStation) -> None:
    transaction = station.charging()
    _status_of(station, transaction, {"ongoingIndicator": True, "messagesInQueue": True})
    transaction.updated("MeterValuePeriodic", samples=transaction.register("Sample.Periodic"), offline=True)
    assert transaction.session()["status"] == "active"


def test_tc_e_30_transaction_status_ongoing_without_queue(station: ChargingStation) -> None:
    transaction = station.charging()
    _status_of(station, transaction, {"ongoingIndicator": True, "messagesInQueue": False})
    assert transaction.session()["status"] == "active"


def test_tc_e_31_transaction_status_ended_with_queue(station: ChargingStation) -> None:
    transaction = station.charging()
    _status_of(station, transaction, {"ongoingIndicator": False, "messagesInQueue": True})
    transaction.ended("EVCommunicationLost", "EVDisconnected", offline=True)


def test_tc_e_33_queue_status_with_messages(station: ChargingStation) -> None:
    _status_of(station, None, {"messagesInQueue": True})


def test_tc_e_34_queue_status_without_messages(station: ChargingStation) -> None:
    _status_of(station, None, {"messagesInQueue": False})


def test_tc_e_38_ev_not_ready(station: ChargingStation) -> None:
    transaction = _occupied(station)
    transaction.started("CablePluggedIn", state="EVConnected")
    transaction.updated("Authorized", token=station.card)
    transaction.updated("ChargingStateChanged", state="SuspendedEV")
    transaction.updated("ChargingStateChanged", state="Charging")
    transaction.ended("StopAuthorized", "Local", token=station.card)


def test_tc_e_39_deauthorized_by_time_out(station: ChargingStation) -> None:
    transaction = station.transaction()
    transaction.started("Authorized", token=station.card, evse=False)
    transaction.ended("EVConnectTimeout", "Timeout", evse=False)


def test_tc_e_53_sequence_numbers_begin_at_zero_again(station: ChargingStation) -> None:
    for _ in range(2):
        transaction = station.charging()
        assert transaction.events == 3
        transaction.ended("StopAuthorized", "Local", token=station.card)
    rows = station.scene.rows(
        "SELECT first_seq, last_seq, flags FROM sessions JOIN stations USING (tenant_id, station_id) WHERE identity = $1",
        station.identity,
    )
    assert [(row["first_seq"], row["last_seq"], row["flags"]) for row in rows] == [(0, 3, []), (0, 3, [])]
