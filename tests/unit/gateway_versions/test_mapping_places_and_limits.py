"""Reservations and charging profiles as messages of each version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from csms.domain import commands as domain
from csms.domain.commands import AnyCommand, profile_of
from gateway import ocpp16, ocpp21, ocpp201
from gateway.common.routing import RoutedVersion
from gateway.versions import UnsupportedCommand
from tests.unit.gateway_versions.support import COMMAND_ID, Station
from tests.unit.gateway_versions.test_mapping_commands import call

AT = datetime(2026, 5, 4, 10, tzinfo=timezone(timedelta(hours=2)))
WIRE = "2026-05-04T08:00:00.000Z"
TX = profile_of("TxProfile", "17", 0)
STEPS = [domain.LimitPeriod(start=0, limit=Decimal("16.5"), phases=3), domain.LimitPeriod(start=600, limit=Decimal(0))]
PERIODS = [{"startPeriod": 0, "limit": 16.5, "numberPhases": 3}, {"startPeriod": 600, "limit": 0}]


def reservation(**more: Any) -> domain.ReserveNow:
    return domain.ReserveNow(**{"reservation_id": 7, "id_token": "T", "expires_at": AT, **more})


def transaction_limit(**more: Any) -> domain.SetChargingProfile:
    return domain.SetChargingProfile(**{"transaction_id": "17", "evse_id": 2, "unit": "A", "periods": STEPS, **more})


WHOLE_STATION = domain.SetChargingProfile(
    purpose="ChargePointMaxProfile",
    unit="W",
    periods=STEPS,
    start=AT,
    duration_s=900,
    min_rate=Decimal("6.5"),
    stack_level=2,
    profile_id=5,
)


@pytest.mark.parametrize(
    ("command", "action", "payload"),
    [
        (reservation(), "ReserveNow", {"connectorId": 0, "expiryDate": WIRE, "idTag": "T", "reservationId": 7}),
        (
            reservation(evse_id=2, group_id_token="G"),
            "ReserveNow",
            {"connectorId": 2, "expiryDate": WIRE, "idTag": "T", "reservationId": 7, "parentIdTag": "G"},
        ),
        (domain.CancelReservation(reservation_id=7), "CancelReservation", {"reservationId": 7}),
        (
            transaction_limit(),
            "SetChargingProfile",
            {
                "connectorId": 2,
                "csChargingProfiles": {
                    "chargingProfileId": TX,
                    "stackLevel": 0,
                    "chargingProfilePurpose": "TxProfile",
                    "chargingProfileKind": "Relative",
                    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": PERIODS},
                    "transactionId": 17,
                },
            },
        ),
        (
            WHOLE_STATION,
            "SetChargingProfile",
            {
                "connectorId": 0,
                "csChargingProfiles": {
                    "chargingProfileId": 5,
                    "stackLevel": 2,
                    "chargingProfilePurpose": "ChargePointMaxProfile",
                    "chargingProfileKind": "Absolute",
                    "chargingSchedule": {
                        "chargingRateUnit": "W",
                        "chargingSchedulePeriod": PERIODS,
                        "duration": 900,
                        "startSchedule": WIRE,
                        "minChargingRate": 6.5,
                    },
                },
            },
        ),
        (domain.ClearChargingProfile(transaction_id="17"), "ClearChargingProfile", {"id": TX}),
        (
            domain.ClearChargingProfile(evse_id=0, purpose="ChargePointMaxProfile", stack_level=2),
            "ClearChargingProfile",
            {"connectorId": 0, "chargingProfilePurpose": "ChargePointMaxProfile", "stackLevel": 2},
        ),
        (domain.GetCompositeSchedule(evse_id=0, duration_s=60), "GetCompositeSchedule", {"connectorId": 0, "duration": 60}),
    ],
)
def test_ocpp16(command: AnyCommand, action: str, payload: dict[str, Any]) -> None:
    assert call(ocpp16.VERSION, command) == (action, payload)


@pytest.mark.parametrize(
    ("command", "action", "payload"),
    [
        (
            reservation(evse_id=2, group_id_token="G", token_type="eMAID"),
            "ReserveNow",
            {
                "id": 7,
                "expiryDateTime": WIRE,
                "idToken": {"idToken": "T", "type": "eMAID"},
                "evseId": 2,
                "groupIdToken": {"idToken": "G", "type": "Central"},
            },
        ),
        (
            reservation(connector_type="cCCS2"),
            "ReserveNow",
            {"id": 7, "expiryDateTime": WIRE, "idToken": {"idToken": "T", "type": "ISO14443"}, "connectorType": "cCCS2"},
        ),
        (domain.CancelReservation(reservation_id=7), "CancelReservation", {"reservationId": 7}),
        (
            transaction_limit(),
            "SetChargingProfile",
            {
                "evseId": 2,
                "chargingProfile": {
                    "id": TX,
                    "stackLevel": 0,
                    "chargingProfilePurpose": "TxProfile",
                    "chargingProfileKind": "Relative",
                    "chargingSchedule": [{"id": TX, "chargingRateUnit": "A", "chargingSchedulePeriod": PERIODS}],
                    "transactionId": "17",
                },
            },
        ),
        (
            WHOLE_STATION,
            "SetChargingProfile",
            {
                "evseId": 0,
                "chargingProfile": {
                    "id": 5,
                    "stackLevel": 2,
                    "chargingProfilePurpose": "ChargingStationMaxProfile",
                    "chargingProfileKind": "Absolute",
                    "chargingSchedule": [
                        {
                            "id": 5,
                            "chargingRateUnit": "W",
                            "chargingSchedulePeriod": PERIODS,
                            "duration": 900,
                            "startSchedule": WIRE,
                            "minChargingRate": 6.5,
                        }
                    ],
                },
            },
        ),
        (domain.ClearChargingProfile(profile_id=5), "ClearChargingProfile", {"chargingProfileId": 5}),
        (
            domain.ClearChargingProfile(purpose="ChargePointMaxProfile", stack_level=2),
            "ClearChargingProfile",
            {"chargingProfileCriteria": {"chargingProfilePurpose": "ChargingStationMaxProfile", "stackLevel": 2}},
        ),
        (
            domain.GetCompositeSchedule(evse_id=1, duration_s=60, unit="W"),
            "GetCompositeSchedule",
            {"evseId": 1, "duration": 60, "chargingRateUnit": "W"},
        ),
    ],
)
@pytest.mark.parametrize("version", [ocpp201.VERSION, ocpp21.VERSION], ids=["2.0.1", "2.1"])
def test_ocpp2x(version: RoutedVersion, command: AnyCommand, action: str, payload: dict[str, Any]) -> None:
    assert call(version, command) == (action, payload)


def test_types_of_tokens_and_connectors_are_open_in_21() -> None:
    made = call(ocpp21.VERSION, reservation(token_type="VIN", connector_type="cMCS"))
    assert (made[1]["idToken"]["type"], made[1]["connectorType"]) == ("VIN", "cMCS")


@pytest.mark.parametrize(
    ("version", "command", "hint"),
    [
        (ocpp16.VERSION, reservation(connector_type="cCCS2"), "leave connector_type out"),
        (ocpp16.VERSION, reservation(id_token="T" * 21), "20 characters"),
        (ocpp16.VERSION, reservation(group_id_token="G" * 21), "20 characters"),
        (ocpp16.VERSION, reservation(evse_id=1, connector_id=2), "connector_id alone"),
        (ocpp16.VERSION, transaction_limit(transaction_id="tx"), "whole number"),
        (ocpp201.VERSION, reservation(connector_id=1), "give evse_id"),
        (ocpp201.VERSION, reservation(evse_id=1, connector_type="cCCS2"), "evse_id or connector_type"),
        (ocpp201.VERSION, reservation(connector_type="cMCS"), "one of cCCS1"),
        (ocpp201.VERSION, reservation(group_id_token="G" * 37), "36 characters"),
        (ocpp21.VERSION, reservation(connector_id=1), "give evse_id"),
    ],
)
def test_what_a_version_cannot_say(version: RoutedVersion, command: AnyCommand, hint: str) -> None:
    with pytest.raises(UnsupportedCommand, match=hint):
        version.to_call(command, COMMAND_ID, Station(version.name))


def test_a_limit_replaces_the_one_before_it() -> None:
    ids = {
        transaction_limit(unit="W").profile,
        transaction_limit(evse_id=3).profile,
        domain.ClearChargingProfile(transaction_id="17", stack_level=0).profile,
    }
    assert ids == {TX}
    assert transaction_limit(stack_level=1).profile != TX != transaction_limit(transaction_id="18").profile
    assert 1 <= TX <= 2**31 - 1


_SET: dict[str, Any] = {"command": "set_charging_profile", "unit": "W", "periods": [{"start": 0, "limit": 1}]}
_MAX = {**_SET, "purpose": "ChargePointMaxProfile"}
_CLEAR = {"command": "clear_charging_profile"}


@pytest.mark.parametrize(
    ("parameters", "hint"),
    [
        (_SET, "transaction_id: "),
        ({**_SET, "transaction_id": "1"}, "evse_id: "),
        ({**_SET, "purpose": "TxDefaultProfile", "transaction_id": "1"}, "transaction_id: "),
        (_MAX, "start: "),
        ({**_MAX, "start": AT.isoformat(), "evse_id": 1}, "start: "),
        ({**_SET, "purpose": "TxDefaultProfile", "periods": [{"start": 1, "limit": 1}]}, "periods: "),
        ({**_SET, "purpose": "TxDefaultProfile", "periods": [{"start": 0, "limit": 1}] * 2}, "periods: "),
        ({**_SET, "purpose": "TxDefaultProfile", "periods": []}, "length >= 1"),
        ({**_SET, "purpose": "TxDefaultProfile", "min_rate": -1}, "min_rate: "),
        ({**_SET, "periods": [{"start": 0, "limit": "1e9999"}]}, r"limit: .*\$.periods\[0\]"),
        ({**_SET, "periods": [{"start": 0, "limit": "NaN"}]}, "limit: "),
        ({**_SET, "periods": [{"start": 0, "limit": 1.25}]}, "limit: "),
        (_CLEAR, "profile_id: "),
        ({**_CLEAR, "profile_id": 1, "stack_level": 0}, "profile_id: "),
        ({**_CLEAR, "transaction_id": "1", "purpose": "TxProfile"}, "transaction_id: "),
        ({"command": "reserve_now", "reservation_id": 1, "id_token": "T", "expires_at": "2026-05-04T08:00:00"}, "expires_at"),
    ],
)
def test_what_is_refused_before_any_version(parameters: dict[str, Any], hint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=hint):
        msgspec.convert(parameters, AnyCommand)


def test_a_command_is_the_same_after_it_was_stored() -> None:
    for command in (reservation(), WHOLE_STATION, transaction_limit()):
        fields = msgspec.to_builtins(command)
        del fields["command"]
        again = msgspec.json.decode(msgspec.json.encode(fields), type=type(command))
        assert again == command
        assert not isinstance(again, domain.ReserveNow) or again.expires_at.astimezone(UTC).hour == 8
