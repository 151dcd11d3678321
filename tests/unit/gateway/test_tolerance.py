"""Billing messages that break the schema where it does not matter (ocpp-j-rules section 3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway import _native
from gateway.tolerance.essentials import ESSENTIAL
from gateway.tolerance.sparing import Allowance
from gateway.tolerance.sparing import spare as take_out
from schemas.tables import native_tables

CATALOGUE = _native.Catalogue(native_tables())
START: dict[str, Any] = {"connectorId": 1, "idTag": "T", "meterStart": 5, "timestamp": "2026-01-01T00:00:00Z"}
EVENT: dict[str, Any] = {
    "eventType": "Updated",
    "timestamp": "2026-01-01T00:00:00Z",
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 3,
    "transactionInfo": {"transactionId": "T1"},
}


def without_faulty_members(version: str, action: str, payload: bytes) -> bytes | None:
    """As the tolerant mode has it: everything is forgiven that is not essential."""
    spared = take_out(CATALOGUE, version, action, "request", payload, ESSENTIAL.get(action, ()), lambda _: Allowance(None))
    return None if spared is None else spared[0]


def spare(version: str, action: str, payload: Any) -> Any:
    spared = without_faulty_members(version, action, json.dumps(payload).encode())
    return None if spared is None else json.loads(spared)


def test_an_unknown_member_is_taken_out() -> None:
    assert spare("ocpp1.6", "StartTransaction", START | {"vendorThing": {"a": [1]}, "a/b~c": 1}) == START


def test_a_broken_optional_member_is_taken_out() -> None:
    assert spare("ocpp1.6", "StartTransaction", START | {"reservationId": "none"}) == START


@pytest.mark.parametrize("name", list(START))
def test_a_broken_essential_member_cannot_be_spared(name: str) -> None:
    assert spare("ocpp1.6", "StartTransaction", START | {name: {"x": 1}}) is None
    assert spare("ocpp1.6", "StartTransaction", {key: value for key, value in START.items() if key != name}) is None


def test_a_broken_value_goes_and_its_siblings_stay() -> None:
    good = {"value": "1.50", "measurand": "Voltage"}
    payload = {
        "connectorId": 1,
        "transactionId": 7,
        "meterValue": [{"timestamp": "2026-01-01T00:00:00Z", "sampledValue": [good, {"value": "2", "measurand": "Nonsense"}, {}]}],
    }
    spared = spare("ocpp1.6", "MeterValues", payload)
    assert spared["meterValue"][0]["sampledValue"][0] == good
    assert len(spared["meterValue"][0]["sampledValue"]) == 2
    assert spared["meterValue"][0]["sampledValue"][1] == {"value": "2"}


def test_the_parent_of_something_essential_stays() -> None:
    broken = EVENT | {"transactionInfo": {"transactionId": "T1", "chargingState": "Dancing"}}
    assert spare("ocpp2.0.1", "TransactionEvent", broken) == EVENT
    assert spare("ocpp2.0.1", "TransactionEvent", EVENT | {"transactionInfo": []}) is None


def test_numbers_stay_as_they_were_sent() -> None:
    raw = json.dumps(EVENT | {"bad": 1})[:-1] + (
        ', "meterValue":[{"timestamp":"2026-01-01T00:00:00Z","sampledValue":[{"value":1234567890.123456789012345}]}]}'
    )
    spared = without_faulty_members("ocpp2.0.1", "TransactionEvent", raw.encode())
    assert spared is not None
    assert b"1234567890.123456789012345" in spared


def test_the_work_for_one_message_is_bounded() -> None:
    values = [{"value": "1", "measurand": "Nonsense"} for _ in range(100)]
    meter_value = [{"timestamp": "2026-01-01T00:00:00Z", "sampledValue": values}]
    assert spare("ocpp1.6", "MeterValues", {"connectorId": 1, "meterValue": meter_value}) is None
