"""Readings of both versions: exact numbers, defaults, contexts, shapes, and what is no number."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.domain.metering import CONTEXTS, Channel, Reading
from gateway import ocpp16, ocpp201
from gateway.common.readings import MAX_CACHED_SAMPLES, decimal_text
from gateway.effects import Commit
from tests.unit.gateway_versions.support import Station

AT = "2025-06-01T12:00:00Z"
SANE = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=3)


def operation16(*meter_values: tuple[str, list[dict[str, Any]]]) -> Any:
    message = {
        "connectorId": 1,
        "meterValue": [{"timestamp": at, "sampledValue": samples} for at, samples in meter_values],
    }
    effect = ocpp16.VERSION.handle(Station("ocpp1.6"), "MeterValues", json.dumps(message).encode())
    assert isinstance(effect, Commit)
    return effect.operation


def readings16(*samples: dict[str, Any]) -> list[Reading]:
    return list(operation16((AT, list(samples))).readings)


def readings201(samples_json: str) -> list[Reading]:
    """The samples are JSON text, because numbers have to arrive as they are written."""
    message = f'{{"evseId":1,"meterValue":[{{"timestamp":"{AT}","sampledValue":{samples_json}}}]}}'
    effect = ocpp201.VERSION.handle(Station("ocpp2.0.1"), "MeterValues", message.encode())
    assert isinstance(effect, Commit)
    operation: Any = effect.operation
    return list(operation.readings)


def test_defaults_16() -> None:
    (reading,) = readings16({"value": "12.5"})
    assert reading == Reading(ts=datetime(2025, 6, 1, 12, tzinfo=UTC), ts_text=None, context=0, shape=(Channel(),), values=["12.5"])
    assert reading.import_register_wh() == Decimal("12.5")


def test_defaults_201() -> None:
    (reading,) = readings201('[{"value":12.5}]')
    assert (reading.context, reading.shape, reading.values, reading.texts) == (0, (Channel(),), ["12.5"], None)


def test_the_default_unit_is_one_of_energy_only() -> None:
    (old,) = readings16({"value": "50", "measurand": "Frequency"}, {"value": "1", "measurand": "Energy.Reactive.Import.Register"})
    assert [channel.unit for channel in old.shape] == ["", "Wh"]
    (new,) = readings201('[{"value":50,"measurand":"Frequency"},{"value":1,"measurand":"Energy.Active.Net"}]')
    assert [channel.unit for channel in new.shape] == ["", "Wh"]


def test_every_part_of_a_channel() -> None:
    (old,) = readings16(
        {
            "value": "230.1",
            "context": "Trigger",
            "format": "Raw",
            "measurand": "Voltage",
            "phase": "L1-N",
            "location": "Inlet",
            "unit": "V",
        }
    )
    channel = Channel(measurand="Voltage", phase="L1-N", location="Inlet", unit="V")
    assert (CONTEXTS[old.context], old.shape) == ("Trigger", (channel,))
    (new,) = readings201(
        '[{"value":230.1,"context":"Trigger","measurand":"Voltage","phase":"L1-N","location":"Inlet",'
        '"unitOfMeasure":{"unit":"V","multiplier":3}}]'
    )
    assert (CONTEXTS[new.context], new.shape) == (
        "Trigger",
        (Channel(measurand="Voltage", phase="L1-N", location="Inlet", unit="V", multiplier=3),),
    )


def test_celcius_is_celsius() -> None:
    (reading,) = readings16(
        {"value": "21", "measurand": "Temperature", "unit": "Celcius"},
        {"value": "22", "measurand": "Temperature", "unit": "Celsius"},
    )
    assert [channel.unit for channel in reading.shape] == ["Celsius", "Celsius"]


def test_multiplier_counts() -> None:
    (reading,) = readings201('[{"value":1.234,"unitOfMeasure":{"unit":"kWh","multiplier":1}}]')
    assert reading.import_register_wh() == Decimal("12340")


@given(st.lists(SANE, min_size=1, max_size=8))
def test_numbers_are_exact(numbers: list[Decimal]) -> None:
    (old,) = readings16(*({"value": str(number)} for number in numbers))
    assert [Decimal(value) for value in old.values] == numbers
    assert old.values == [str(number) for number in numbers]
    (new,) = readings201("[" + ",".join(f'{{"value":{number}}}' for number in numbers) + "]")
    assert [Decimal(value) for value in new.values] == numbers
    assert old.texts is None
    assert new.texts is None


@pytest.mark.parametrize(
    "text", ["0", "-0.5", "+5", "5.", ".5", "1e15", "1E-15", "00012.340", "9" * 40, "0." + "1" * 38, "1.5e+03"]
)
def test_numbers_as_meters_write_them(text: str) -> None:
    assert decimal_text(text) == text
    assert Decimal(text).is_finite()


@pytest.mark.parametrize("text", [" 12.5", "12.5 ", "\t12.5\r\n"])
def test_blanks_around_a_number_are_dropped(text: str) -> None:
    assert decimal_text(text) == "12.5"


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "-", "1,5", "0x10", "NaN", "Infinity", "-inf", "1e16", "1e-16", "1e999999999", "1_000", "12 5"),
        *("9" * 41, "٣", "1e", "e5", "--1", "1.2.3", "12kWh"),
    ],
)
def test_what_is_no_sane_number_is_kept_as_text(text: str) -> None:
    (reading,) = readings16({"value": "7"}, {"value": text})
    assert reading.values == ["7", ""]
    assert reading.texts == [None, text]


@given(st.text(max_size=60))
def test_a_value_is_a_number_postgresql_can_read_or_text(text: str) -> None:
    number = decimal_text(text)
    if number is not None:
        assert Decimal(number).is_finite()
        assert number == text.strip(" \t\r\n")
        assert number.isascii()


@pytest.mark.parametrize("number", ["1e16", "1e-16", "1e400", "-2.2e-300"])
def test_insane_numbers_of_201_are_kept_as_text(number: str) -> None:
    (reading,) = readings201(f'[{{"value":{number}}}]')
    assert reading.values == [""]
    assert reading.texts is not None
    assert Decimal(str(reading.texts[0])) == Decimal(number)
    assert reading.import_register_wh() is None


@pytest.mark.parametrize(("multiplier", "kept"), [(15, "5"), (-15, "5"), (16, ""), (2**31 - 1, ""), (-(2**31), "")])
def test_insane_multipliers_are_no_numbers(multiplier: int, kept: str) -> None:
    (reading,) = readings201(f'[{{"value":5,"unitOfMeasure":{{"multiplier":{multiplier}}}}}]')
    assert reading.values == [kept]
    assert reading.texts == (None if kept else ["5"])
    assert reading.shape[0].multiplier == multiplier
    assert (reading.import_register_wh() is None) is (kept == "")


def test_signed_data_of_16_is_kept_byte_exact() -> None:
    (reading,) = readings16({"value": "42", "format": "SignedData"}, {"value": "42"})
    assert reading.values == ["", "42"]
    assert reading.texts == ["42", None]
    assert [channel.format for channel in reading.shape] == ["SignedData", "Raw"]
    assert reading.import_register_wh() == 42


def test_signed_value_of_201_is_kept_byte_exact_beside_the_number() -> None:
    signed = (
        '{ "signedMeterData":"T0NNRg==\\u003d", "signingMethod":"ECDSA-secp256r1-SHA256",'
        '"encodingMethod":"OCMF","publicKey":"" ,"customData":{"vendorId":"v","n":1.50}}'
    )
    samples = f'[{{"value":1}},{{"value":1234.50,"signedMeterValue":{signed}}},{{"value":2,"signedMeterValue":{signed}}}]'
    (reading,) = readings201(samples)
    assert reading.values == ["1", "1234.50", "2"]
    assert reading.texts == [None, signed, signed]
    assert [channel.format for channel in reading.shape] == ["Raw"] * 3


def test_signed_values_are_found_in_the_right_meter_value() -> None:
    def meter_value(data: str) -> str:
        signed = f'{{"signedMeterData":"{data}","signingMethod":"","encodingMethod":"OCMF","publicKey":""}}'
        return f'{{"timestamp":"{AT}","sampledValue":[{{"value":1,"signedMeterValue":{signed}}}]}}'

    payload = (
        f'{{"eventType":"Ended","timestamp":"{AT}","triggerReason":"RemoteStop","seqNo":9,'
        f'"transactionInfo":{{"transactionId":"t"}},"meterValue":[{meter_value("AA")},{meter_value("BB")}]}}'
    )
    effect = ocpp201.VERSION.handle(Station("ocpp2.0.1"), "TransactionEvent", payload.encode())
    assert isinstance(effect, Commit)
    operation: Any = effect.operation
    texts = [json.loads(reading.texts[0])["signedMeterData"] for reading in operation.readings]
    assert texts == ["AA", "BB"]


def test_one_reading_per_meter_value_and_context() -> None:
    operation = operation16(
        (
            AT,
            [
                {"value": "1", "context": "Transaction.End"},
                {"value": "2", "measurand": "Voltage", "unit": "V"},
                {"value": "x", "context": "Transaction.End", "measurand": "SoC", "unit": "Percent"},
                {"value": "4", "context": "Sample.Periodic", "measurand": "Power.Active.Import", "unit": "W"},
            ],
        ),
        ("2025-06-01T12:00:01Z", [{"value": "5"}]),
    )
    told = [(CONTEXTS[reading.context], reading.ts.second, reading.values, reading.texts) for reading in operation.readings]
    assert told == [
        ("Transaction.End", 0, ["1", ""], [None, "x"]),
        ("Sample.Periodic", 0, ["2", "4"], None),
        ("Sample.Periodic", 1, ["5"], None),
    ]
    assert [channel.measurand for channel in operation.readings[1].shape] == ["Voltage", "Power.Active.Import"]


@pytest.mark.parametrize("text", ["222222017-10-27T19:10:11Z", "2222-01-01T00:00:00Z", "1000000"])
def test_times_beyond_reason_are_kept_as_text(text: str) -> None:
    operation = operation16((text, [{"value": "1"}]))
    assert operation.suspect
    assert [(reading.ts, reading.ts_text) for reading in operation.readings] == [(None, text)]


def test_a_zoneless_time_counts_as_utc_and_is_suspect() -> None:
    operation = operation16((AT, [{"value": "1"}]), ("2025-06-01T12:00:00", [{"value": "1"}]))
    assert operation.suspect
    assert [reading.ts for reading in operation.readings] == [datetime(2025, 6, 1, 12, tzinfo=UTC)] * 2
    assert [reading.ts_text for reading in operation.readings] == [None, None]


def test_a_repeated_shape_is_the_same_object() -> None:
    samples = [{"value": "1"}, {"value": "2", "measurand": "Voltage", "unit": "V"}]
    (first,) = readings16(*samples)
    (second,) = readings16(*({**sample, "value": "9"} for sample in samples))
    assert second.shape is first.shape
    (elsewhen,) = readings16(*({**sample, "context": "Trigger"} for sample in samples))
    assert elsewhen.shape is first.shape
    (new,) = readings201('[{"value":1},{"value":2,"measurand":"Voltage","unitOfMeasure":{"unit":"V"}}]')
    assert new.shape is first.shape


def test_endless_lists_of_samples_are_read_but_not_remembered() -> None:
    samples = [{"value": str(number)} for number in range(MAX_CACHED_SAMPLES + 1)]
    (first,), (second,) = readings16(*samples), readings16(*samples)
    assert first == second
    assert first.shape is not second.shape
    assert len(first.values) == MAX_CACHED_SAMPLES + 1
