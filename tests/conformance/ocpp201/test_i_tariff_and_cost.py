"""Certification cases of block I, tariff and cost, OCPP 2.0.1."""

from __future__ import annotations

from typing import Any

from tests.conformance.ocpp201.playing import ChargingStation, Transaction
from tests.conformance.scene import at

TARIFF = {
    "id": "by-energy",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.4, "vat": 25, "step_size": 1}]}],
}
SHOWS_COST = {"component": {"name": "TariffCostCtrlr"}, "variable": {"name": "Enabled", "instance": "Cost"}}


def _charging(station: ChargingStation, shows_cost: str) -> Transaction:
    """A transaction at a station with a price, which was asked whether it shows costs."""
    api = station.api
    if not api.get("/tariffs")["items"]:
        api.post("/tariffs", {"name": "By energy", "tariff": TARIFF})
    api.post("/tariff-assignments", {"tariff_id": "by-energy", "charge_point_id": station.identity})
    station.status("Occupied")
    transaction = station.transaction()
    transaction.started("Authorized", token=station.card, state="Charging")
    asked = station.station.receive()
    assert asked[2:] == ["GetVariables", {"getVariableData": [SHOWS_COST]}]
    result = SHOWS_COST | {"attributeStatus": "Accepted", "attributeValue": shows_cost}
    station.station.send([3, asked[1], {"getVariableResult": [result]}])
    return transaction


def _cost(transaction: Transaction) -> float:
    """With VAT."""
    return round((transaction.meter - 1000) / 1000 * 0.5, 2)


def test_tc_i_01_running_cost(station: ChargingStation) -> None:
    transaction = _charging(station, "true")
    told: list[float] = []
    wire = station.station
    while not told or told[-1] != _cost(transaction):
        if not told:
            sample = {"timestamp": at(), "sampledValue": transaction.register("Sample.Periodic", 400)}
            event = {"transactionId": transaction.id}
            transaction.events += 1
            update: dict[str, Any] = {"eventType": "Updated", "timestamp": at(), "triggerReason": "MeterValuePeriodic"}
            update |= {"seqNo": transaction.events - 1, "transactionInfo": event, "meterValue": [sample]}
            wire.send([2, f"u{transaction.events}", "TransactionEvent", update])
        frame = wire.receive()
        if frame[0] == 2:
            assert (frame[2], frame[3]["transactionId"]) == ("CostUpdated", transaction.id)
            told.append(frame[3]["totalCost"])
            wire.send([3, frame[1], {}])
    assert told == sorted(told)
    assert told[-1] > 0


def test_tc_i_02_final_cost(station: ChargingStation) -> None:
    transaction = _charging(station, "false")
    transaction.updated("MeterValuePeriodic", samples=transaction.register("Sample.Periodic", 4000))
    answer = transaction.event("Ended", "StopAuthorized", samples=transaction.register("Transaction.End", 400), priced=True)
    assert answer["totalCost"] == _cost(transaction)
    assert answer["totalCost"] > 2
