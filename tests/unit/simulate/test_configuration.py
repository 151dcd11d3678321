"""The settings of a station, in the words of either version."""

from __future__ import annotations

import pytest

from csms.simulate.configuration import Configuration


@pytest.fixture
def configuration() -> Configuration:
    return Configuration(connectors=2, meter_interval=60, attempts=3, retry_interval=60)


def test_both_names_mean_the_same_setting(configuration: Configuration) -> None:
    by_key = configuration.by_key("metervaluesampleinterval")
    by_name = configuration.by_name("sampleddatactrlr", "txupdatedinterval", None)
    assert by_key is not None
    assert by_key is by_name
    assert configuration.write(by_key, "17")
    assert configuration.seconds("MeterValueSampleInterval") == 17


def test_an_instance_is_part_of_the_name(configuration: Configuration) -> None:
    assert configuration.by_name("OCPPCommCtrlr", "MessageAttempts", None) is None
    assert configuration.by_name("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent") is not None


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("HeartbeatInterval", "60", True),
        ("HeartbeatInterval", "-1", False),
        ("HeartbeatInterval", "1.5", False),
        ("HeartbeatInterval", "9" * 10, False),
        ("StopTransactionOnInvalidId", "False", True),
        ("StopTransactionOnInvalidId", "maybe", False),
        ("NumberOfConnectors", "3", False),
    ],
)
def test_what_may_be_written(configuration: Configuration, key: str, value: str, written: bool) -> None:
    variable = configuration.by_key(key)
    assert variable is not None
    before = variable.value
    assert configuration.write(variable, value) is written
    assert variable.value == (value if written else before)
