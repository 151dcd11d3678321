"""The tables: which actions are served, which commands are known, and what is refused how."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from csms.domain.commands import AnyCommand
from csms.domain.decisions import Decision
from csms.domain.operations import Booted, EventRecorded, Started, Stopped
from gateway import ocpp16, ocpp21, ocpp201
from gateway.common.routing import CommandTable, Route, RoutedVersion
from gateway.effects import Refuse
from gateway.ocpp16.commands import COMMANDS as COMMANDS16
from gateway.ocpp16.routes import ROUTES as ROUTES16
from gateway.ocpp21.commands import COMMANDS as COMMANDS21
from gateway.ocpp21.routes import ROUTES as ROUTES21
from gateway.ocpp21.routes import SENDS
from gateway.ocpp201.commands import COMMANDS as COMMANDS201
from gateway.ocpp201.routes import ROUTES as ROUTES201
from schemas.tables import version_table
from schemas.versions import VERSIONS
from tests.unit.gateway_versions.messages import OCPP16, OCPP21, OCPP201
from tests.unit.gateway_versions.support import Station, answered, assert_valid, payload_of

ALL = [
    pytest.param(ocpp16.VERSION, OCPP16, id="1.6"),
    pytest.param(ocpp201.VERSION, OCPP201, id="2.0.1"),
    pytest.param(ocpp21.VERSION, OCPP21, id="2.1"),
]
OUTCOMES: dict[str, Any] = {
    "Authorize": Decision(status="Accepted"),
    "BootNotification": Booted(registration="accepted", interval=300),
    "OpenPeriodicEventStream": True,
    "StartTransaction": Started(transaction_id=5, decision=Decision(status="Blocked")),
    "StopTransaction": Stopped(decision=None),
    "TransactionEvent": EventRecorded(decision=Decision(status="Expired")),
}


@pytest.mark.parametrize(
    ("version", "routes", "messages"),
    [("ocpp1.6", ROUTES16, OCPP16), ("ocpp2.0.1", ROUTES201, OCPP201), ("ocpp2.1", ROUTES21, OCPP21)],
)
def test_every_route_has_an_example_and_is_an_action_of_stations(
    version: str, routes: tuple[Route[Any], ...], messages: dict[str, Any]
) -> None:
    assert [row.action for row in routes] == sorted(messages)
    actions = VERSIONS[version].actions
    assert all(actions[row.action].request is row.request for row in routes)
    served = {row.action for row in routes} | ({row.action for row in SENDS} if version == "ocpp2.1" else set())
    assert served == {action.name for action in actions.values() if action.from_station}
    assert all(actions[row.action].send and actions[row.action].request is row.request for row in SENDS if version == "ocpp2.1")


@pytest.mark.parametrize(("version", "messages"), ALL)
def test_every_message_is_answered_validly(version: RoutedVersion, messages: dict[str, Any]) -> None:
    for action, message in messages.items():
        payload = payload_of(message)
        assert_valid(version.name, action, "request", payload)
        effect = version.handle(Station(version.name), action, payload)
        answered(version.name, action, effect, OUTCOMES.get(action))


@pytest.mark.parametrize(("version", "messages"), ALL)
def test_an_action_without_route_is_not_supported(version: RoutedVersion, messages: dict[str, Any]) -> None:
    effect = version.handle(Station(version.name), "ClearCache", b"{}")
    assert effect == Refuse(code="NotSupported", description="ClearCache is not supported")
    assert version.handle_send(Station(version.name), "Heartbeat", b"{}") is None


@pytest.mark.parametrize(
    ("version", "code"),
    [(ocpp16.VERSION, "FormationViolation"), (ocpp201.VERSION, "FormatViolation"), (ocpp21.VERSION, "FormatViolation")],
)
def test_a_payload_that_does_not_fit_is_refused_with_the_field(version: RoutedVersion, code: str) -> None:
    effect = version.handle(Station(version.name), "StatusNotification", b'{"connectorId":"1"}')
    assert isinstance(effect, Refuse)
    assert effect.code == code
    assert "connectorId" in effect.description


@pytest.mark.parametrize("commands", [COMMANDS16, COMMANDS201, COMMANDS21], ids=["1.6", "2.0.1", "2.1"])
def test_every_command_of_the_domain_has_a_row(commands: CommandTable) -> None:
    assert set(commands) == set(get_args(AnyCommand))


@pytest.mark.parametrize("version", [ocpp16.VERSION, ocpp201.VERSION, ocpp21.VERSION], ids=["1.6", "2.0.1", "2.1"])
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


TAKEN = {"Accepted", "AcceptedCanceled", "RebootRequired", "Scheduled", "Unlocked", "Unpublished"}
REFUSED = {
    "ConditionNotSupported",
    "DownloadOngoing",
    "DuplicateTariffId",
    "EmptyResultSet",
    "Failed",
    "Faulted",
    "Invalid",
    "InvalidCertificate",
    "LanguageNotSupported",
    "NoCurrencyChange",
    "NoFirmware",
    "NoProfile",
    "NoProfiles",
    "NoTariff",
    "NotFound",
    "NotImplemented",
    "NotSupported",
    "NotSupportedMessageFormat",
    "NotSupportedPriority",
    "NotSupportedState",
    "Occupied",
    "OngoingAuthorizedTransaction",
    "Rejected",
    "RevokedCertificate",
    "TooManyElements",
    "TxNotFound",
    "Unavailable",
    "Unknown",
    "UnknownConnector",
    "UnknownMessageId",
    "UnknownTransaction",
    "UnknownVendorId",
    "UnlockFailed",
    "VersionMismatch",
}


def test_every_status_of_every_answer_to_a_command_is_judged() -> None:
    """A status that a later version adds must be put into one of the two sets by somebody who knows it."""
    found = set()
    for version in (ocpp16.VERSION, ocpp201.VERSION, ocpp21.VERSION):
        table = version_table(version.name)
        for action, row in table["actions"].items():
            if not row["from_csms"] or row["response"] is None:
                continue
            for field in row["response"]["fields"]:
                if field["name"] == "status":
                    for status in field["type"]["enum"]:
                        found.add(status)
                        verdict = version.read_result(action, payload_of({"status": status}))[0]
                        assert verdict == ("accepted" if status in TAKEN else "rejected"), (version.name, action, status)
    assert found <= TAKEN | REFUSED, found - TAKEN - REFUSED
    assert found >= TAKEN | REFUSED, (TAKEN | REFUSED) - found


def test_answers_without_a_status_are_accepted() -> None:
    read = b'{"configurationKey":[{"key":"A","readonly":true}]}'
    assert ocpp16.VERSION.read_result("GetConfiguration", read) == ("accepted", read)
    assert ocpp16.VERSION.read_result("ChangeConfiguration", b'{"status":"RebootRequired"}')[0] == "accepted"
    assert ocpp16.VERSION.read_result("ChangeConfiguration", b'{"status":"NotSupported"}')[0] == "rejected"
    got = b'{"getVariableResult":[{"attributeStatus":"UnknownVariable","component":{"name":"A"},"variable":{"name":"B"}}]}'
    assert_valid("ocpp2.0.1", "GetVariables", "response", got)
    assert ocpp201.VERSION.read_result("GetVariables", got) == ("accepted", got)


NAMED = {"component": {"name": "A"}, "variable": {"name": "B"}}
MONITOR = {"type": "Delta", "severity": 1, **NAMED}


@pytest.mark.parametrize(
    ("action", "member", "status", "entry"),
    [
        ("SetVariables", "setVariableResult", "attributeStatus", NAMED),
        ("SetVariableMonitoring", "setMonitoringResult", "status", MONITOR),
        ("ClearVariableMonitoring", "clearMonitoringResult", "status", {"id": 1}),
        ("ClearTariffs", "clearTariffsResult", "status", {"tariffId": "t"}),
    ],
)
@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [(["Accepted"], "accepted"), (["Accepted", "Accepted"], "accepted"), (["Accepted", "Rejected"], "rejected")],
)
def test_changes_of_several_things_are_accepted_only_as_a_whole(
    action: str, member: str, status: str, entry: dict[str, Any], statuses: list[str], verdict: str
) -> None:
    payload = payload_of({member: [{status: value, **entry} for value in statuses]})
    for version in (ocpp201.VERSION, ocpp21.VERSION):
        if action in VERSIONS[version.name].actions:
            assert_valid(version.name, action, "response", payload)
            assert version.read_result(action, payload) == (verdict, payload)


def test_a_variable_that_takes_effect_after_a_reboot_is_taken() -> None:
    payload = payload_of({"setVariableResult": [{"attributeStatus": "RebootRequired", **NAMED}]})
    assert ocpp201.VERSION.read_result("SetVariables", payload) == ("accepted", payload)
