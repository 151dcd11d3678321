"""Meter values as the codec reads them are what the rules of the version make of them."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import _native
from gateway.common.metered import Metered, MeteredPayloads
from gateway.ocpp2x import metering as metering2x
from gateway.ocpp16 import metering as metering16
from schemas.ocpp16.core import MeterValuesRequest as MeterValues16
from schemas.ocpp201.transactions import TransactionEventRequest

MEASURANDS: Final = st.sampled_from(["Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Frequency"])
CONTEXTS: Final = st.sampled_from(["Sample.Periodic", "Transaction.Begin", "Sample.Clock"])
TIMES: Final = st.sampled_from(
    ["2026-11-21T18:00:00Z", "2026-11-21T18:00:00.123+02:00", "2026-11-21T18:00:00", "1969-01-01T00:00:00Z", "2026-11-21T18:00:60Z"]
)
NUMBERS: Final = st.one_of(
    st.integers(-(10**22), 10**22).map(str),
    st.decimals(-(10**6), 10**6, places=3).map(lambda value: f"{value:f}"),
    st.sampled_from(["0", "1e3", "1E-2", "000.50"]),
)
STRANGE: Final = st.sampled_from(["", " 5", "5 ", "NaN", "Infinity", "+1.5", "1,5", "0x10", "DEADBEEF", "1e99", "9" * 60])


def _members(kind: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=kind)


SAMPLES16: Final = st.builds(
    lambda value, members, value_first: {"value": value} | members if value_first else members | {"value": value},
    st.one_of(NUMBERS, STRANGE),
    _members(
        {
            "context": CONTEXTS,
            "measurand": MEASURANDS,
            "phase": st.sampled_from(["L1", "N"]),
            "unit": st.sampled_from(["Wh", "kWh", "Celcius"]),
            "format": st.sampled_from(["Raw", "Raw", "SignedData"]),
            "location": st.sampled_from(["Outlet", "Inlet"]),
        }
    ),
    st.booleans(),
)
SIGNED: Final = {"signedMeterData": "QUJD", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": "é"}
SAMPLES2X: Final = st.builds(
    lambda value, members: {"value": value} | members,
    st.one_of(st.integers(-(10**15), 10**15), st.floats(-1e9, 1e9), st.sampled_from([1e-7, 1e30, 0.5])),
    _members(
        {
            "context": CONTEXTS,
            "measurand": MEASURANDS,
            "unitOfMeasure": _members({"unit": st.sampled_from(["Wh", "W", "°C"]), "multiplier": st.sampled_from([0, 3, -2, 20])}),
            "signedMeterValue": st.just(SIGNED),
            "customData": st.just({"vendorId": "v", "value": 7}),
        }
    ),
)


def _meter_values(samples: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    one = st.fixed_dictionaries({"timestamp": TIMES, "sampledValue": st.lists(samples, min_size=1, max_size=4)})
    return st.lists(one, min_size=1, max_size=3)


LAYOUTS: Final = st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}])


def _agree(payloads: MeteredPayloads[Any], read: Any, kind: type[Any], payload: bytes) -> Metered:
    decode = msgspec.json.Decoder(kind).decode
    whole = decode(payload)
    readings, suspect = read(whole.meter_value, payload, [])
    request, first = payloads.take(decode, payload)
    assert request == whole
    ordinary, again = payloads.take(decode, payload)
    assert ordinary in (whole, msgspec.structs.replace(whole, meter_value=[]))
    assert first == again == Metered(readings, suspect, again.text, again.rest)
    members = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    assert again.text == bytes(members.pop("meterValue"))
    assert again.rest == msgspec.json.encode(members)
    return again


@given(_meter_values(SAMPLES16), LAYOUTS)
def test_16(meter_value: list[dict[str, Any]], layout: dict[str, Any]) -> None:
    payload = json.dumps({"connectorId": 1, "meterValue": meter_value, "transactionId": 7}, **layout).encode()
    _agree(MeteredPayloads(metering16.read_meter_values), metering16.read_meter_values, MeterValues16, payload)


@given(_meter_values(SAMPLES2X), LAYOUTS)
def test_2x(meter_value: list[dict[str, Any]], layout: dict[str, Any]) -> None:
    event = {
        "eventType": "Updated",
        "timestamp": "2026-11-21T18:00:00Z",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 3,
        "transactionInfo": {"transactionId": "t"},
        "meterValue": meter_value,
        "customData": {"vendorId": "é"},
    }
    payload = json.dumps(event, **layout).encode()
    payloads: MeteredPayloads[Any] = MeteredPayloads(metering2x.read_meter_values)
    _agree(payloads, metering2x.read_meter_values, TransactionEventRequest, payload)


def _payload(value: str, unit: str, timestamp: str = "2026-11-21T18:00:00Z", **more: str) -> bytes:
    sample = {"value": value, "unit": unit} | more
    return json.dumps({"connectorId": 1, "meterValue": [{"timestamp": timestamp, "sampledValue": [sample]}]}).encode()


def test_a_layout_is_learnt_once_and_used_for_other_values() -> None:
    reader = _native.MeterReader()
    assert reader.read(_payload("1", "Wh")) is None
    reader.learn(_payload("1", "Wh"), ["the layout"])
    found = reader.read(_payload("2.50", "Wh", "2026-01-01T00:00:00Z"))
    assert found is not None
    assert found[0] == [("2026-01-01T00:00:00Z", "the layout", ["2.50"])]
    assert reader.read(_payload("2.50", "kWh")) is None
    assert reader.read(_payload("2e5", "Wh")) is None


def test_an_ordinary_request_comes_without_what_was_read_already() -> None:
    payloads: MeteredPayloads[Any] = MeteredPayloads(metering16.read_meter_values)
    decode = msgspec.json.Decoder(MeterValues16).decode
    (first, _), (again, metered) = (payloads.take(decode, _payload(value, "Wh")) for value in ("1", "2"))
    assert (len(first.meter_value), again.connector_id, again.meter_value) == (1, 1, [])
    assert [reading.values for reading in metered.readings] == [["2"]]


def test_a_request_may_measure_nothing() -> None:
    payload = (
        b'{"eventType":"Updated","timestamp":"2026-11-21T18:00:00Z","triggerReason":"ChargingStateChanged","seqNo":3,'
        b'"transactionInfo":{"transactionId":"t"}}'
    )
    payloads: MeteredPayloads[Any] = MeteredPayloads(metering2x.read_meter_values)
    request, metered = payloads.take(msgspec.json.Decoder(TransactionEventRequest).decode, payload)
    assert (request.seq_no, metered) == (3, Metered([], False, b"", payload))


def test_a_name_with_an_escape_is_the_same_name() -> None:
    payloads: MeteredPayloads[Any] = MeteredPayloads(metering16.read_meter_values)
    payload = _payload("1", "Wh").replace(b"meterValue", b"meter\\u0056alue")
    request, metered = payloads.take(msgspec.json.Decoder(MeterValues16).decode, payload)
    assert (len(request.meter_value), metered.readings[0].values, metered.rest) == (1, ["1"], b'{"connectorId":1}')


def test_what_is_missing_beside_the_values_is_named() -> None:
    payloads: MeteredPayloads[Any] = MeteredPayloads(metering16.read_meter_values)
    decode = msgspec.json.Decoder(MeterValues16).decode
    payloads.take(decode, _payload("1", "Wh"))
    with pytest.raises(msgspec.ValidationError, match="connectorId"):
        payloads.take(decode, _payload("1", "Wh").replace(b"connectorId", b"connector"))


def test_a_number_under_a_signed_layout_stays_text() -> None:
    payloads: MeteredPayloads[Any] = MeteredPayloads(metering16.read_meter_values)
    for value in ("1234", "5678", "5678"):
        payload = _payload(value, "Wh", format="SignedData")
        _, metered = payloads.take(msgspec.json.Decoder(MeterValues16).decode, payload)
        assert metered.readings[0].texts == [value]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"{}", b"null", b'{"meterValue":[{"timestamp":"t"}]}'])
def test_what_is_no_such_payload_is_left_alone(payload: bytes) -> None:
    reader = _native.MeterReader()
    assert reader.read(payload) is None
    reader.learn(payload, ["x"])
    assert reader.read(payload) is None


def test_layouts_that_are_invented_do_not_pile_up() -> None:
    reader = _native.MeterReader()
    made = [_payload("1", f"unit{number}") for number in range(3000)]
    for payload in made:
        reader.learn(payload, ["x"])
    known = sum(reader.read(payload) is not None for payload in made)
    assert 0 < known <= 1024
