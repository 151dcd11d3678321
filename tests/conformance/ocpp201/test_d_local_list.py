"""Certification cases of block D, local authorization list, OCPP 2.0.1."""

from __future__ import annotations

from typing import Any

from tests.conformance.ocpp201.playing import ACCEPTED, ChargingStation
from tests.conformance.scene import at


def _entry(card: str, **info: object) -> dict[str, Any]:
    entry: dict[str, Any] = {"idToken": {"idToken": card, "type": "ISO14443"}}
    return {**entry, "idTokenInfo": info} if info else entry


def _send(station: ChargingStation, version: int, kind: str, entries: list[dict[str, Any]] | None) -> None:
    payload: dict[str, Any] = {"versionNumber": version, "updateType": kind}
    if entries is not None:
        payload["localAuthorizationList"] = entries
    station.ordered("SendLocalList", payload, ACCEPTED)
    station.ordered("GetLocalListVersion", {}, {"versionNumber": version})


FULL = [_entry("CARD-1", status="Accepted", cacheExpiryDateTime=at(86400)), _entry("CARD-2", status="Blocked")]


def test_tc_d_01_full_list(station: ChargingStation) -> None:
    _send(station, 1, "Full", FULL)


def test_tc_d_02_differential_update(station: ChargingStation) -> None:
    _send(station, 1, "Full", FULL)
    _send(station, 2, "Differential", [_entry("CARD-2", status="Accepted"), _entry("CARD-3", status="Accepted")])


def test_tc_d_03_differential_remove(station: ChargingStation) -> None:
    _send(station, 1, "Full", FULL)
    _send(station, 2, "Differential", [_entry("CARD-1")])


def test_tc_d_04_full_with_empty_list(station: ChargingStation) -> None:
    _send(station, 1, "Full", None)


def test_tc_d_08_local_list_version(station: ChargingStation) -> None:
    station.ordered("GetLocalListVersion", {}, {"versionNumber": 7})


def test_tc_d_09_no_local_list(station: ChargingStation) -> None:
    station.ordered("GetLocalListVersion", {}, {"versionNumber": 0})
