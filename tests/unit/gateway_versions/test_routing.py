"""The tables: which actions are served, which commands are known, and what is refused how."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from csms.domain.commands import AnyCommand
from csms.domain.decisions import Decision
from csms.domain.operations import Booted, EventRecorded, Started, Stopped
from gateway import ocpp16, ocpp201
from gateway.common.routing import CommandTable, Route, RoutedVersion
from gateway.effects import Refuse
from gateway.ocpp16.commands import COMMANDS as COMMANDS16
from gateway.ocpp16.routes import ROUTES as ROUTES16
from gateway.ocpp201.commands import COMMANDS as COMMANDS201
from gateway.ocpp201.routes import ROUTES as ROUTES201
from schemas.versions import VERSIONS
from tests.unit.gateway_versions.messages import OCPP16, OCPP201
from tests.unit.gateway_versions.support import Station, answered, assert_valid, payload_of

BOTH = [
    pytest.param(ocpp16.VERSION, OCPP16, id="1.6"),
    pytest.param(ocpp201.VERSION, OCPP201, id="2.0.1"),
]
OUTCOMES: dict[str, Any] = {
    "Authorize": Decision(status="Accepted"),
    "BootNotification": Booted(registration="accepted", interval=300),
    "StartTransaction": Started(transaction_id=5, decision=Decision(status="Blocked")),
    "StopTransaction": Stopped(decision=None),
    "TransactionEvent": EventRecorded(decision=Decision(status="Expired")),
}


@pytest.mark.parametrize(("version", "routes", "messages"), [("ocpp1.6", ROUTES16, OCPP16), ("ocpp2.0.1", ROUTES201, OCPP201)])
def test_every_route_has_an_example_and_is_an_action_of_stations(
    version: str, routes: tuple[Route[Any], ...], messages: dict[str, Any]
) -> None:
    assert [row.action for row in routes] == sorted(messages)
    actions = VERSIONS[version].actions
    assert all(actions[row.action].from_station and actions[row.action].request is row.request for row in routes)


@pytest.mark.parametrize(("version", "messages"), BOTH)
def test_every_message_is_answered_validly(version: RoutedVersion, messages: dict[str, Any]) -> None:
    for action, message in messages.items():
        payload = payload_of(message)
        assert_valid(version.name, action, "request", payload)
        effect = version.handle(Station(version.name), action, payload)
        answered(version.name, action, effect, OUTCOMES.get(action))


@pytest.mark.parametrize(("version", "messages"), BOTH)
def test_an_action_without_route_is_not_supported(version: RoutedVersion, messages: dict[str, Any]) -> None:
    effect = version.handle(Station(version.name), "SignCertificate", b'{"csr":"x"}')
    assert effect == Refuse(code="NotSupported", description="SignCertificate is not supported")


@pytest.mark.parametrize(("version", "code"), [(ocpp16.VERSION, "FormationViolation"), (ocpp201.VERSION, "FormatViolation")])
def test_a_payload_that_does_not_fit_is_refused_with_the_field(version: RoutedVersion, code: str) -> None:
    effect = version.handle(Station(version.name), "StatusNotification", b'{"connectorId":"1"}')
    assert isinstance(effect, Refuse)
    assert effect.code == code
    assert "connectorId" in effect.description


@pytest.mark.parametrize("commands", [COMMANDS16, COMMANDS201], ids=["1.6", "2.0.1"])
def test_every_command_of_the_domain_has_a_row(commands: CommandTable) -> None:
    assert set(commands) == set(get_args(AnyCommand))


@pytest.mark.parametrize("version", [ocpp16.VERSION, ocpp201.VERSION], ids=["1.6", "2.0.1"])
@pytest.mark.parametrize(
    ("action", "payload", "verdict"),
    [
        ("ChangeAvailability", b'{"status":"Accepted"}', "accepted"),
        ("ChangeAvailability", b'{"status":"Scheduled"}', "accepted"),
        ("ChangeAvailability", b'{"status":"Rejected"}', "rejected"),
        ("UnlockConnector", b'{"status":"Unlocked"}', "accepted"),
        ("UnlockConnector", b'{"status":"UnlockFailed"}', "rejected"),
        ("TriggerMessage", b'{"status":"NotImplemented"}', "rejected"),
        ("DataTransfer", b'{"status":"UnknownVendorId","data":"x"}', "rejected"),
        ("ClearCache", b'{"status":"Accepted"}', "accepted"),
    ],
)
def test_answers_to_commands(version: RoutedVersion, action: str, payload: bytes, verdict: str) -> None:
    assert_valid(version.name, action, "response", payload)
    assert version.read_result(action, payload) == (verdict, payload)


def test_answers_without_a_status_are_accepted() -> None:
    read = b'{"configurationKey":[{"key":"A","readonly":true}]}'
    assert ocpp16.VERSION.read_result("GetConfiguration", read) == ("accepted", read)
    assert ocpp16.VERSION.read_result("ChangeConfiguration", b'{"status":"RebootRequired"}')[0] == "accepted"
    assert ocpp16.VERSION.read_result("ChangeConfiguration", b'{"status":"NotSupported"}')[0] == "rejected"
    got = b'{"getVariableResult":[{"attributeStatus":"UnknownVariable","component":{"name":"A"},"variable":{"name":"B"}}]}'
    assert_valid("ocpp2.0.1", "GetVariables", "response", got)
    assert ocpp201.VERSION.read_result("GetVariables", got) == ("accepted", got)


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        (["Accepted"], "accepted"),
        (["Accepted", "RebootRequired"], "accepted"),
        (["Accepted", "Rejected"], "rejected"),
        (["UnknownComponent"], "rejected"),
    ],
)
def test_set_variables_is_accepted_only_as_a_whole(statuses: list[str], verdict: str) -> None:
    payload = payload_of(
        {
            "setVariableResult": [
                {"attributeStatus": status, "component": {"name": "A"}, "variable": {"name": "B"}} for status in statuses
            ]
        }
    )
    assert_valid("ocpp2.0.1", "SetVariables", "response", payload)
    assert ocpp201.VERSION.read_result("SetVariables", payload) == (verdict, payload)
