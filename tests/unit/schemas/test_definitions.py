"""The typed definitions themselves: complete, of one shape, and the same object after a journey through JSON."""

import json
import random
from decimal import Decimal
from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from schemas import ocpp16, ocpp21, ocpp201
from schemas.action import Action
from schemas.ocpp16.core import BootNotificationResponse, MeterValuesRequest, StatusNotificationRequest
from schemas.ocpp16.datatypes import MeterValue, SampledValue
from schemas.ocpp201.datatypes import DCChargingParametersType, OCSPRequestDataType, SampledValueType
from schemas.ocpp201.remote_control import UnlockConnectorRequest
from schemas.structs import ClosedObject, ExtensibleObject
from schemas.tables import version_table
from schemas.versions import VERSIONS
from schemas.wire import decode, encode
from tests.unit.schemas.generation import Generator


def _subclasses(base: type[ClosedObject]) -> set[type[ClosedObject]]:
    return {kind for child in base.__subclasses__() for kind in {child, *_subclasses(child)}} - {ExtensibleObject}


DEFINITIONS = sorted(
    (kind for kind in _subclasses(ClosedObject) if kind.__module__.startswith("schemas.")),
    key=lambda kind: (kind.__module__, kind.__name__),
)
SUBPROTOCOLS = {"ocpp16": "ocpp1.6", "ocpp201": "ocpp2.0.1", "ocpp21": "ocpp2.1"}
BILLING = {"StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"}


def _directions(actions: dict[str, Action]) -> tuple[int, int, int]:
    up = sum(action.from_station and not action.from_csms for action in actions.values())
    down = sum(action.from_csms and not action.from_station for action in actions.values())
    return up, down, sum(action.from_csms and action.from_station for action in actions.values())


def test_ocpp16_is_complete() -> None:
    assert len(ocpp16.ACTIONS) == 39
    assert _directions(ocpp16.ACTIONS) == (13, 25, 1)
    assert {name for name, action in ocpp16.ACTIONS.items() if action.billing} == BILLING - {"TransactionEvent"}


def test_ocpp201_is_complete() -> None:
    assert len(ocpp201.ACTIONS) == 64
    assert _directions(ocpp201.ACTIONS) == (24, 39, 1)
    assert {name for name, action in ocpp201.ACTIONS.items() if action.billing} == {"MeterValues", "TransactionEvent"}


def test_ocpp21_is_complete() -> None:
    assert len(ocpp21.ACTIONS) == 91
    assert _directions(ocpp21.ACTIONS) == (36, 54, 1)
    assert {name for name, action in ocpp21.ACTIONS.items() if action.billing} == {"MeterValues", "TransactionEvent"}
    assert [name for name, action in ocpp21.ACTIONS.items() if action.send] == ["NotifyPeriodicEventStream"]


@pytest.mark.parametrize("version", VERSIONS)
def test_names_follow_the_action(version: str) -> None:
    for name, action in VERSIONS[version].actions.items():
        assert (action.name, action.request.__name__) == (name, f"{name}Request")
        assert (action.response is None) == action.send
        assert action.response is None or action.response.__name__ == f"{name}Response"


@pytest.mark.parametrize("kind", DEFINITIONS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_definition_has_one_shape(kind: type[ClosedObject]) -> None:
    config = kind.__struct_config__
    assert (config.frozen, config.omit_defaults, config.gc) == (True, True, False)
    assert issubclass(kind, ExtensibleObject) == ("ocpp16" not in kind.__module__)
    assert kind.__doc__
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        assert field.name == field.name.lower()
        assert field.default in (msgspec.NODEFAULT, None)
        optional = hints[field.name] is Any or NoneType in get_args(hints[field.name])
        assert optional == (field.default is None)


@pytest.mark.parametrize("kind", DEFINITIONS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_definition_comes_back_from_json_unchanged(kind: type[ClosedObject]) -> None:
    table = version_table(SUBPROTOCOLS[kind.__module__.split(".")[1]])
    nodes = dict(table["types"])
    for name, action in table["actions"].items():
        nodes[f"{name}Request"] = action["request"]
        if action["response"] is not None:
            nodes[f"{name}Response"] = action["response"]
    chance = random.Random(kind.__name__)
    for share in (0.0, 0.5, 1.0):
        value = Generator(table, chance, share).value(nodes[kind.__name__])
        message = decode(json.dumps(value).encode(), kind)
        assert json.loads(encode(message), parse_float=Decimal) == json.loads(json.dumps(value), parse_float=Decimal)
        assert decode(encode(message), kind) == message


def test_absent_is_never_null() -> None:
    message = StatusNotificationRequest(connector_id=1, error_code="NoError", status="Available")
    assert json.loads(encode(message)) == {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


def test_decimals_keep_every_digit_and_stay_numbers() -> None:
    text = b'{"value":1234567890123.1234567890123456789}'
    sample = decode(text, SampledValueType)
    assert sample.value == Decimal("1234567890123.1234567890123456789")
    assert encode(sample) == text


def test_names_that_camel_case_would_spell_otherwise() -> None:
    power = DCChargingParametersType(ev_max_current=400, ev_max_voltage=900, full_soc=100, bulk_soc=80)
    assert json.loads(encode(power)).keys() == {"evMaxCurrent", "evMaxVoltage", "fullSoC", "bulkSoC"}
    names = {field.encode_name for field in msgspec.structs.fields(OCSPRequestDataType)}
    assert "responderURL" in names


def test_both_spellings_of_celsius() -> None:
    for unit in ("Celcius", "Celsius"):
        payload = {
            "connectorId": 1,
            "meterValue": [{"timestamp": "2026-01-01T00:00:00Z", "sampledValue": [{"value": "21", "unit": unit}]}],
        }
        request = decode(json.dumps(payload).encode(), MeterValuesRequest)
        assert request.meter_value == [
            MeterValue(timestamp="2026-01-01T00:00:00Z", sampled_value=[SampledValue(value="21", unit=unit)])
        ]


def test_limits_do_not_stop_a_tolerant_decode() -> None:
    message = decode(b'{"status":"Accepted","currentTime":"never","interval":99999999999}', BootNotificationResponse)
    assert (message.current_time, message.interval) == ("never", 99999999999)


def test_a_wrong_type_names_the_field() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.connectorId"):
        decode(b'{"evseId":1,"connectorId":"1"}', UnlockConnectorRequest)


def test_definitions_cannot_be_changed() -> None:
    message = UnlockConnectorRequest(evse_id=1, connector_id=1)
    with pytest.raises(AttributeError):
        message.evse_id = 2  # type: ignore[misc]  # the assignment that must fail
