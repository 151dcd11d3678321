"""By which id what follows a command names it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from csms.domain.operations import RecordStationEvent, StoreDeviceReport
from gateway import ocpp16, ocpp21, ocpp201
from gateway.common.references import reference_of
from gateway.common.routing import RoutedVersion
from gateway.effects import Commit
from schemas.tables import version_table
from schemas.versions import VERSIONS
from tests.unit.gateway_versions.messages import OCPP16, OCPP21, OCPP201
from tests.unit.gateway_versions.support import Station, payload_of
from tests.unit.schemas.generation import Generator


@pytest.mark.parametrize(
    ("action", "payload", "reference"),
    [
        ("GetLog", {"requestId": 5}, "5"),
        ("GetBaseReport", {"requestId": 0, "reportBase": "FullInventory"}, "0"),
        ("RequestStartTransaction", {"remoteStartId": 7}, "7"),
        ("ReserveNow", {"id": 8}, "8"),
        ("ReserveNow", {"reservationId": 9, "connectorId": 1}, "9"),
        ("SetChargingProfile", {"evseId": 1, "chargingProfile": {"id": 4}}, "4"),
        ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 3}}, "3"),
        ("ClearChargingProfile", {"id": 3}, "3"),
        ("ClearChargingProfile", {"chargingProfileId": 4}, "4"),
        ("ClearChargingProfile", {"chargingProfileCriteria": {"stackLevel": 0}}, None),
        ("SetDERControl", {"controlId": "der-1"}, "der-1"),
        ("UsePriorityCharging", {"transactionId": "tx", "activate": True}, "tx"),
        ("CustomerInformation", {"report": True}, None),
        ("Reset", {"type": "Hard"}, None),
        ("DataTransfer", {"requestId": 5}, None),
    ],
)
def test_the_reference_of_a_call(action: str, payload: dict[str, Any], reference: str | None) -> None:
    assert reference_of(action, payload_of(payload)) == reference


@pytest.mark.parametrize("version", [ocpp16.VERSION, ocpp201.VERSION, ocpp21.VERSION], ids=["1.6", "2.0.1", "2.1"])
def test_every_call_that_names_a_request_has_a_reference(version: RoutedVersion) -> None:
    table = version_table(version.name)
    for action in VERSIONS[version.name].actions.values():
        if action.from_csms:
            payload = Generator(table, random.Random(1), 1.0).value(table["actions"][action.name]["request"])
            # CertificateSigned answers a request of the station's
            if "requestId" in payload and action.name != "CertificateSigned":
                assert reference_of(action.name, payload_of(payload)) == str(payload["requestId"]), action.name


@pytest.mark.parametrize(
    ("version", "messages"),
    [(ocpp16.VERSION, OCPP16), (ocpp201.VERSION, OCPP201), (ocpp21.VERSION, OCPP21)],
    ids=["1.6", "2.0.1", "2.1"],
)
def test_what_is_named_as_a_cause_has_a_reference(version: RoutedVersion, messages: dict[str, Any]) -> None:
    table = version_table(version.name)
    for action, message in messages.items():
        effect = version.handle(Station(version.name), action, payload_of(message))
        operation = effect.operation if isinstance(effect, Commit) else None
        if not isinstance(operation, RecordStationEvent | StoreDeviceReport):
            continue
        if "requestId" in message:
            assert operation.reference == str(message["requestId"]), action
        for cause in operation.caused_by:
            payload = Generator(table, random.Random(1), 1.0).value(table["actions"][cause]["request"])
            assert reference_of(cause, payload_of(payload)) is not None, (action, cause)
