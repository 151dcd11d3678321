"""Domain commands as messages: valid for the version, or refused with a sentence that helps."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.clock import SystemClock, SystemIds
from csms.domain import commands as domain
from csms.domain.commands import AnyCommand
from gateway import ocpp16, ocpp21, ocpp201
from gateway.common.routing import RoutedVersion
from gateway.ocpp2x.commands import number_of
from gateway.versions import UnsupportedCommand
from schemas.ocpp201.enums import MessageTriggerEnumType
from tests.unit.gateway_versions.support import COMMAND_ID, Station, assert_valid

NUMBER = COMMAND_ID.int & 0x7FFF_FFFF
POWER = domain.VariableName(
    component="EVSE", variable="Power", component_instance="left", variable_instance="x", evse_id=1, connector_id=2
)


def call(version: RoutedVersion, command: AnyCommand) -> tuple[str, dict[str, Any]]:
    """The message of a command; it must be a valid request of an action the CSMS may call."""
    action, payload = version.to_call(command, COMMAND_ID, Station(version.name))
    assert_valid(version.name, action, "request", payload)
    return action, json.loads(payload)


@pytest.mark.parametrize(
    ("command", "action", "payload"),
    [
        (domain.RemoteStart(id_token="T"), "RemoteStartTransaction", {"idTag": "T"}),
        (domain.RemoteStart(id_token="T", connector_id=2), "RemoteStartTransaction", {"idTag": "T", "connectorId": 2}),
        (domain.RemoteStart(id_token="T", evse_id=2), "RemoteStartTransaction", {"idTag": "T", "connectorId": 2}),
        (
            domain.RemoteStart(id_token="T" * 20, evse_id=2, connector_id=2),
            "RemoteStartTransaction",
            {"idTag": "T" * 20, "connectorId": 2},
        ),
        (domain.RemoteStop(transaction_id="2147483647"), "RemoteStopTransaction", {"transactionId": 2**31 - 1}),
        (domain.Reset(), "Reset", {"type": "Soft"}),
        (domain.Reset(type="hard"), "Reset", {"type": "Hard"}),
        (domain.UnlockConnector(), "UnlockConnector", {"connectorId": 1}),
        (domain.UnlockConnector(connector_id=3), "UnlockConnector", {"connectorId": 3}),
        (domain.UnlockConnector(evse_id=2), "UnlockConnector", {"connectorId": 2}),
        (domain.UnlockConnector(evse_id=2, connector_id=2), "UnlockConnector", {"connectorId": 2}),
        (
            domain.ChangeAvailability(type="inoperative"),
            "ChangeAvailability",
            {"connectorId": 0, "type": "Inoperative"},
        ),
        (
            domain.ChangeAvailability(type="operative", evse_id=2),
            "ChangeAvailability",
            {"connectorId": 2, "type": "Operative"},
        ),
        (
            domain.ChangeAvailability(type="operative", connector_id=0),
            "ChangeAvailability",
            {"connectorId": 0, "type": "Operative"},
        ),
        (domain.GetConfiguration(), "GetConfiguration", {}),
        (domain.GetConfiguration(keys=["A", "B"]), "GetConfiguration", {"key": ["A", "B"]}),
        (domain.ChangeConfiguration(key="A", value=""), "ChangeConfiguration", {"key": "A", "value": ""}),
        (domain.TriggerMessage(message="Heartbeat"), "TriggerMessage", {"requestedMessage": "Heartbeat"}),
        (
            domain.TriggerMessage(message="MeterValues", evse_id=1),
            "TriggerMessage",
            {"requestedMessage": "MeterValues", "connectorId": 1},
        ),
        (
            domain.TriggerMessage(message="LogStatusNotification"),
            "ExtendedTriggerMessage",
            {"requestedMessage": "LogStatusNotification"},
        ),
        (domain.ClearCache(), "ClearCache", {}),
        (domain.DataTransfer(vendor_id="v"), "DataTransfer", {"vendorId": "v"}),
        (
            domain.DataTransfer(vendor_id="v", message_id="m", data="{}"),
            "DataTransfer",
            {"vendorId": "v", "messageId": "m", "data": "{}"},
        ),
    ],
)
def test_ocpp16(command: AnyCommand, action: str, payload: dict[str, Any]) -> None:
    assert call(ocpp16.VERSION, command) == (action, payload)


@pytest.mark.parametrize(
    ("command", "action", "payload"),
    [
        (
            domain.RemoteStart(id_token="T", token_type="eMAID", evse_id=2),
            "RequestStartTransaction",
            {"idToken": {"idToken": "T", "type": "eMAID"}, "remoteStartId": NUMBER, "evseId": 2},
        ),
        (
            domain.RemoteStart(id_token="T" * 36),
            "RequestStartTransaction",
            {"idToken": {"idToken": "T" * 36, "type": "ISO14443"}, "remoteStartId": NUMBER},
        ),
        (domain.RemoteStop(transaction_id="tx-1"), "RequestStopTransaction", {"transactionId": "tx-1"}),
        (domain.Reset(), "Reset", {"type": "OnIdle"}),
        (domain.Reset(type="hard", evse_id=1), "Reset", {"type": "Immediate", "evseId": 1}),
        (domain.UnlockConnector(evse_id=2), "UnlockConnector", {"evseId": 2, "connectorId": 1}),
        (
            domain.ChangeAvailability(type="inoperative"),
            "ChangeAvailability",
            {"operationalStatus": "Inoperative"},
        ),
        (
            domain.ChangeAvailability(type="operative", evse_id=0, connector_id=0),
            "ChangeAvailability",
            {"operationalStatus": "Operative"},
        ),
        (
            domain.ChangeAvailability(type="operative", evse_id=2, connector_id=0),
            "ChangeAvailability",
            {"operationalStatus": "Operative", "evse": {"id": 2}},
        ),
        (
            domain.ChangeAvailability(type="operative", evse_id=2, connector_id=1),
            "ChangeAvailability",
            {"operationalStatus": "Operative", "evse": {"id": 2, "connectorId": 1}},
        ),
        (
            domain.GetVariables(variables=[POWER, domain.VariableName(component="C", variable="V", attribute="Target")]),
            "GetVariables",
            {
                "getVariableData": [
                    {
                        "component": {"name": "EVSE", "instance": "left", "evse": {"id": 1, "connectorId": 2}},
                        "variable": {"name": "Power", "instance": "x"},
                    },
                    {"component": {"name": "C"}, "variable": {"name": "V"}, "attributeType": "Target"},
                ]
            },
        ),
        (
            domain.SetVariables(variables=[domain.VariableValue(component="C", variable="V", value="1")]),
            "SetVariables",
            {"setVariableData": [{"component": {"name": "C"}, "variable": {"name": "V"}, "attributeValue": "1"}]},
        ),
        (domain.GetBaseReport(), "GetBaseReport", {"requestId": NUMBER, "reportBase": "FullInventory"}),
        (
            domain.GetBaseReport(report_base="SummaryInventory", request_id=0),
            "GetBaseReport",
            {"requestId": 0, "reportBase": "SummaryInventory"},
        ),
        (
            domain.TriggerMessage(message="StatusNotification", evse_id=1, connector_id=1),
            "TriggerMessage",
            {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}},
        ),
        (domain.TriggerMessage(message="Heartbeat"), "TriggerMessage", {"requestedMessage": "Heartbeat"}),
        (domain.ClearCache(), "ClearCache", {}),
        (
            domain.DataTransfer(vendor_id="v", data={"a": [1, 2.5, None, "x"]}),
            "DataTransfer",
            {"vendorId": "v", "data": {"a": [1, 2.5, None, "x"]}},
        ),
    ],
)
@pytest.mark.parametrize("version", [ocpp201.VERSION, ocpp21.VERSION], ids=["2.0.1", "2.1"])
def test_ocpp2x(version: RoutedVersion, command: AnyCommand, action: str, payload: dict[str, Any]) -> None:
    assert call(version, command) == (action, payload)


@pytest.mark.parametrize(
    ("command", "action", "payload"),
    [
        (
            domain.RemoteStart(id_token="T" * 255, token_type="VIN", evse_id=2),
            "RequestStartTransaction",
            {"idToken": {"idToken": "T" * 255, "type": "VIN"}, "remoteStartId": NUMBER, "evseId": 2},
        ),
        (
            domain.TriggerMessage(message="SignV2G20Certificate"),
            "TriggerMessage",
            {"requestedMessage": "SignV2G20Certificate"},
        ),
        (
            domain.SetVariables(variables=[domain.VariableValue(component="C", variable="V", value="1" * 2500)]),
            "SetVariables",
            {"setVariableData": [{"component": {"name": "C"}, "variable": {"name": "V"}, "attributeValue": "1" * 2500}]},
        ),
    ],
)
def test_what_only_21_can_say(command: AnyCommand, action: str, payload: dict[str, Any]) -> None:
    assert call(ocpp21.VERSION, command) == (action, payload)


@pytest.mark.parametrize("message", ["CustomTrigger", "DiagnosticsStatusNotification"])
def test_what_21_cannot_trigger(message: str) -> None:
    with pytest.raises(UnsupportedCommand, match="message is one of BootNotification"):
        ocpp21.VERSION.to_call(domain.TriggerMessage(message=message), COMMAND_ID, Station("ocpp2.1"))


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (domain.RemoteStart(id_token="T" * 21), "20 characters"),
        (domain.RemoteStart(id_token="T", evse_id=1, connector_id=2), "connector_id alone"),
        (domain.RemoteStop(transaction_id="tx-1"), "whole number"),
        (domain.RemoteStop(transaction_id="2147483648"), "whole number"),
        (domain.RemoteStop(transaction_id="٣"), "whole number"),
        (domain.RemoteStop(transaction_id="-1"), "whole number"),
        (domain.Reset(evse_id=1), "leave evse_id out"),
        (domain.UnlockConnector(evse_id=1, connector_id=2), "connector_id alone"),
        (domain.GetVariables(variables=[POWER]), "use get_configuration"),
        (
            domain.SetVariables(variables=[domain.VariableValue(component="C", variable="V", value="1")]),
            "use change_configuration",
        ),
        (domain.GetBaseReport(), "use get_configuration"),
        (domain.TriggerMessage(message="TransactionEvent"), "message is one of BootNotification"),
        (domain.DataTransfer(vendor_id="v", data={"a": 1}), "data as a string"),
    ],
)
def test_what_16_cannot_say(command: AnyCommand, hint: str) -> None:
    with pytest.raises(UnsupportedCommand, match=hint):
        ocpp16.VERSION.to_call(command, COMMAND_ID, Station("ocpp1.6"))


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (domain.RemoteStart(id_token="T", connector_id=1), "give evse_id"),
        (domain.RemoteStart(id_token="T" * 37), "36 characters"),
        (domain.RemoteStart(id_token="T", token_type="iso14443"), "one of Central, eMAID"),
        (domain.UnlockConnector(), "give evse_id"),
        (domain.ChangeAvailability(type="operative", connector_id=1), "give evse_id"),
        (domain.GetConfiguration(), "use get_variables"),
        (domain.ChangeConfiguration(key="A", value="1"), "use set_variables"),
        (
            domain.GetVariables(variables=[domain.VariableName(component="C", variable="V", connector_id=1)]),
            "give evse_id",
        ),
        (domain.TriggerMessage(message="DiagnosticsStatusNotification"), "message is one of BootNotification"),
        (domain.TriggerMessage(message="StatusNotification", evse_id=1), "connector_id"),
        (domain.TriggerMessage(message="MeterValues", connector_id=1), "give evse_id"),
    ],
)
def test_what_201_cannot_say(command: AnyCommand, hint: str) -> None:
    with pytest.raises(UnsupportedCommand, match=hint):
        ocpp201.VERSION.to_call(command, COMMAND_ID, Station("ocpp2.0.1"))


@pytest.mark.parametrize("message", get_args(MessageTriggerEnumType))
def test_everything_201_can_trigger(message: str) -> None:
    command = domain.TriggerMessage(message=message, evse_id=1, connector_id=1)
    assert call(ocpp201.VERSION, command)[1]["requestedMessage"] == message


def test_a_remote_start_id_is_31_bits_of_the_command_id() -> None:
    ids = SystemIds(SystemClock())
    numbers = [number_of(ids.uuid7()) for _ in range(100)]
    assert all(0 <= number <= 2**31 - 1 for number in numbers)
    assert len(set(numbers)) == len(numbers)


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_MOMENTS = st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
_RATES = st.integers(0, 10_000_000_000).map(lambda tenths: tenths / 10) | st.floats() | _TEXT
_PARAMETERS: dict[str, st.SearchStrategy[Any]] = {
    "id_token": _TEXT,
    "token_type": st.sampled_from(["ISO14443", "Central", "Gold"]),
    "evse_id": st.none() | st.integers(0, 3),
    "connector_id": st.none() | st.integers(0, 3),
    "transaction_id": st.integers(0, 2**32).map(str) | _TEXT,
    "type": st.sampled_from(["soft", "hard", "operative", "inoperative"]),
    "keys": st.lists(_TEXT, max_size=3),
    "key": _TEXT,
    "value": _TEXT,
    "variables": st.lists(
        st.fixed_dictionaries(
            {"component": _TEXT, "variable": _TEXT},
            optional={"value": _TEXT, "evse_id": st.integers(0, 3), "connector_id": st.integers(0, 3)},
        ),
        max_size=3,
    ),
    "report_base": st.sampled_from(["ConfigurationInventory", "FullInventory"]),
    "request_id": st.none() | st.integers(0, 2**31 - 1),
    "message": st.sampled_from([*get_args(MessageTriggerEnumType), "DiagnosticsStatusNotification"]) | _TEXT,
    "vendor_id": _TEXT,
    "message_id": st.none() | _TEXT,
    "data": _ANYTHING,
    "reservation_id": st.integers(-1, 2**31),
    "group_id_token": st.none() | _TEXT,
    "expires_at": _MOMENTS,
    "connector_type": st.none() | st.sampled_from(["cCCS2", "cMCS"]) | _TEXT,
    "purpose": st.sampled_from(get_args(domain.Purpose)),
    "unit": st.sampled_from(["W", "A"]),
    "periods": st.lists(
        st.fixed_dictionaries({"limit": _RATES}, optional={"phases": st.integers(0, 4)}), min_size=1, max_size=3
    ).map(lambda periods: [{"start": 60 * number, **period} for number, period in enumerate(periods)]),
    "start": _MOMENTS,
    "duration_s": st.integers(0, 2**31),
    "min_rate": st.none() | _RATES,
    "stack_level": st.integers(-1, 1_000_001),
    "profile_id": st.none() | st.integers(0, 2**31),
}


@st.composite
def _commands(draw: st.DrawFn) -> AnyCommand | None:
    """A command as the API would take it; None where the API would refuse the parameters drawn."""
    kind = draw(st.sampled_from(get_args(AnyCommand)))
    drawn = {
        field.name: draw(_PARAMETERS[field.name]) for field in msgspec.structs.fields(kind) if field.required or draw(st.booleans())
    }
    try:
        command: AnyCommand = msgspec.convert({"command": kind.__struct_config__.tag, **drawn}, AnyCommand)
    except msgspec.ValidationError:
        return None
    return command


@pytest.mark.parametrize("version", [ocpp16.VERSION, ocpp201.VERSION, ocpp21.VERSION], ids=["1.6", "2.0.1", "2.1"])
@given(_commands())
def test_every_command_the_api_takes_is_valid_or_refused(version: RoutedVersion, command: AnyCommand | None) -> None:
    if command is None:
        return
    with suppress(UnsupportedCommand):
        call(version, command)
