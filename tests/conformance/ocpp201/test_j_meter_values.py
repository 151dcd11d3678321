"""Certification cases of block J, meter values, OCPP 2.0.1."""

from __future__ import annotations

from typing import Any

from tests.conformance.ocpp201.playing import ChargingStation, Transaction
from tests.conformance.scene import at

SIGNED = {
    "signedMeterData": "T0NNRnx7IkZWIjoiMS4wIn18eyJTRCI6ImFiY2QifQ==",
    "signingMethod": "ECDSA-secp256r1-SHA256",
    "encodingMethod": "OCMF",
    "publicKey": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
}


def _samples(transaction: Transaction, context: str) -> list[dict[str, Any]]:
    power = {"value": 7360.5, "measurand": "Power.Active.Import", "context": context, "unitOfMeasure": {"unit": "W"}}
    return [*transaction.register(context), power]


def _recorded(transaction: Transaction, context: str, count: int) -> None:
    """The samples of this context: pairs of energy and power."""
    samples = [s for s in transaction.station.api.samples(transaction.session()["session_id"]) if s["context"] == context]
    assert len(samples) == count
    energy = [s["value"] for s in samples if s["measurand"] == "Energy.Active.Import.Register"]
    assert energy[-1] == transaction.meter
    assert {s["value"] for s in samples if s["measurand"] == "Power.Active.Import"} <= {7360.5}


def test_tc_j_01_clock_aligned_without_transaction(station: ChargingStation) -> None:
    for evse in (0, 1):
        sample = {"value": 100 + evse, "context": "Sample.Clock", "measurand": "Energy.Active.Import.Register"}
        station.tells("MeterValues", {"evseId": evse, "meterValue": [{"timestamp": at(), "sampledValue": [sample]}]})
    rows = station.scene.rows(
        'SELECT evse_id, "values" FROM station_samples JOIN stations USING (tenant_id, station_id) WHERE identity = $1 '
        "ORDER BY evse_id",
        station.identity,
    )
    assert [(row["evse_id"], [int(value) for value in row["values"]]) for row in rows] == [(0, [100]), (1, [101])]
    assert station.has_no_session()


def test_tc_j_02_clock_aligned_while_charging(station: ChargingStation) -> None:
    transaction = station.charging()
    for _ in range(2):
        transaction.updated("MeterValueClock", samples=_samples(transaction, "Sample.Clock"))
    _recorded(transaction, "Sample.Clock", 4)


def test_tc_j_03_clock_aligned_at_the_end(station: ChargingStation) -> None:
    transaction = station.charging()
    collected = _samples(transaction, "Sample.Clock")
    transaction.event("Ended", "StopAuthorized", samples=collected + _samples(transaction, "Transaction.End"))
    assert transaction.session()["status"] == "completed"
    samples = transaction.station.api.samples(transaction.session()["session_id"])
    assert {"Sample.Clock", "Transaction.End"} <= {sample["context"] for sample in samples}


def _signed(station: ChargingStation, trigger: str, context: str) -> None:
    transaction = station.charging()
    samples = [{**transaction.register(context)[0], "signedMeterValue": SIGNED}]
    transaction.updated(trigger, samples=samples)
    rows = station.scene.rows(
        "SELECT texts FROM samples JOIN sessions USING (tenant_id, session_id) WHERE transaction_ref = $1 AND texts IS NOT NULL",
        transaction.id,
    )
    assert any(SIGNED["signedMeterData"] in text for row in rows for text in row["texts"] if text)


def test_tc_j_04_clock_aligned_signed(station: ChargingStation) -> None:
    _signed(station, "MeterValueClock", "Sample.Clock")


def test_tc_j_07_sampled_at_the_start(station: ChargingStation) -> None:
    transaction = station.transaction()
    transaction.event("Started", "CablePluggedIn", samples=_samples(transaction, "Transaction.Begin"))
    _recorded(transaction, "Transaction.Begin", 2)
    assert transaction.session()["evse_id"] == 1


def test_tc_j_08_sampled_at_the_start_evse_not_known(station: ChargingStation) -> None:
    transaction = station.transaction()
    transaction.event("Started", "Authorized", token=station.card, evse=False)
    assert transaction.session()["evse_id"] is None
    transaction.updated("CablePluggedIn", state="EVConnected", samples=_samples(transaction, "Transaction.Begin"))
    _recorded(transaction, "Transaction.Begin", 2)
    assert transaction.session()["start_meter_wh"] == transaction.meter


def test_tc_j_09_sampled_in_between(station: ChargingStation) -> None:
    transaction = station.charging()
    for _ in range(3):
        transaction.updated("MeterValuePeriodic", samples=_samples(transaction, "Sample.Periodic"))
    _recorded(transaction, "Sample.Periodic", 6)


def test_tc_j_10_sampled_at_the_end(station: ChargingStation) -> None:
    transaction = station.charging()
    transaction.event("Ended", "StopAuthorized", samples=_samples(transaction, "Transaction.End"))
    _recorded(transaction, "Transaction.End", 2)
    assert transaction.session()["stop_meter_wh"] == transaction.meter


def test_tc_j_11_sampled_signed(station: ChargingStation) -> None:
    _signed(station, "MeterValuePeriodic", "Sample.Periodic")
