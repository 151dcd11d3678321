"""Signed meter values from the station's message to the file for the transparency software, and the keys of meters."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from csms.domain.metering import Reading
from gateway.ocpp2x import metering as metering2x
from gateway.ocpp16 import metering as metering16
from schemas.ocpp16.datatypes import MeterValue
from schemas.ocpp201.datatypes import MeterValueType
from tests.integration.hub.harness import Field, Person, RunningHub
from tests.unit.signed_metering.ocmf_data import SigningMeter

BEGIN, MIDDLE, END = "2026-03-01T10:00:00Z", "2026-03-01T10:30:00Z", "2026-03-01T11:00:00Z"


def _sent16(*values: tuple[str, str, str]) -> list[Reading]:
    """(time, context, value) as OCPP 1.6 sends them, each beside its plain register."""
    told = [
        {
            "timestamp": time,
            "sampledValue": [
                {"value": "1500", "context": context},
                {"value": value, "context": context, "format": "SignedData"},
            ],
        }
        for time, context, value in values
    ]
    payload = msgspec.json.encode(told)
    return metering16.read_meter_values(msgspec.json.decode(payload, type=list[MeterValue]), payload, [])[0]


def _sent201(*values: tuple[str, str, dict[str, Any]]) -> list[Reading]:
    told = [
        {"timestamp": time, "sampledValue": [{"value": 1500.25, "context": context, "signedMeterValue": signed}]}
        for time, context, signed in values
    ]
    payload = json.dumps({"meterValue": told}, indent=1).encode()
    decoded = msgspec.convert(told, list[MeterValueType], strict=False)
    return metering2x.read_meter_values(decoded, payload, [])[0]


async def _session(hub: RunningHub, field: Field, readings: list[Reading], identity: str = "CP1") -> str:
    station_id = await field.connect("north", identity)
    transaction = await field.start("north", station_id, tag="1F2D3A4F5506C7", at=BEGIN)
    await field.meter("north", station_id, transaction, *readings)
    await field.stop("north", station_id, transaction)
    return str((await hub.sql("SELECT session_id FROM sessions ORDER BY created_at DESC LIMIT 1"))[0]["session_id"])


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_from_the_wire_to_the_transparency_file(hub: RunningHub, boss: Person, field: Field, version: str) -> None:
    meter = SigningMeter()
    containers = [meter.container(reason, register) for reason, register in (("B", "10.00"), ("C", "11.50"), ("E", "13.0"))]
    contexts = ("Transaction.Begin", "Sample.Periodic", "Transaction.End")
    sent = list(zip((BEGIN, MIDDLE, END), contexts, containers, strict=True))
    if version == "1.6":
        readings = _sent16(*sent, sent[-1])
        data = containers
    else:
        data = [base64.b64encode(text.encode()).decode() for text in containers]
        readings = _sent201(
            *(
                (
                    time,
                    context,
                    {"signedMeterData": text, "signingMethod": "", "encodingMethod": "OCMF", "publicKey": "" if place else "x"},
                )
                for place, ((time, context, _), text) in enumerate(zip(sent, data, strict=True))
            )
        )
    session_id = await _session(hub, field, readings)
    path = f"/api/v1/sessions/{session_id}/signed-values"
    put = await boss.put("/api/v1/chargepoints/CP1/meter-public-keys", {"public_key": meter.public_key, "valid_from": BEGIN})
    assert (put.status_code, put.json()["curve"]) == (200, "secp256r1")
    shown = (await boss.get(path)).json()
    assert [item["signed_data"] for item in shown["items"]] == data
    assert [item["nature"] for item in shown["items"]] == ["Start", "Intermediate", "End"]
    assert [item["registered_key"] for item in shown["items"]] == [meter.public_key] * 3
    results = [(item["check"]["result"], item["check"]["problems"]) for item in shown["items"]]
    # the first of 2.x brings a key that is not the registered one
    assert results == [
        ("verified", []) if version == "1.6" else ("failed", ["other_public_key"]),
        ("verified", []),
        ("verified", []),
    ]
    file = await boss.get(f"/api/v1/sessions/{session_id}/transparency.xml")
    assert file.headers["content-type"] == "application/xml"
    root = ElementTree.fromstring(file.content)
    assert [one.text for one in root.iter("signedData")] == containers
    assert {one.text for one in root.iter("publicKey")} == {meter.public_key.upper()}
    assert {one.get("transactionId") for one in root} == {
        (await boss.get(f"/api/v1/sessions/{session_id}")).json()["transaction_id"]
    }


async def test_the_history_of_keys(hub: RunningHub, boss: Person, field: Field) -> None:
    """The meter was swapped: what the old one has signed is checked by the old key."""
    old, new = SigningMeter(), SigningMeter(serial="NEW")
    path = "/api/v1/chargepoints/CP1/meter-public-keys"
    session_id = await _session(hub, field, _sent16((BEGIN, "Transaction.Begin", old.container("B", "1.0"))))

    async def put(**body: Any) -> Any:
        return await boss.put(path, body)

    await put(public_key=old.public_key, evse_id=1, valid_from="2026-01-01T00:00:00Z")
    swapped = (await put(public_key=new.public_key, evse_id=1)).json()
    assert (await put(public_key=f" {new.public_key}\n", evse_id=1)).json() == swapped
    first, second = (await boss.get(path)).json()["items"]
    assert (first["key_id"], first["valid_until"]) == (swapped["key_id"], None)
    assert (second["public_key"], second["valid_until"]) == (old.public_key, first["valid_from"])
    assert (await boss.get(f"/api/v1/sessions/{session_id}/signed-values")).json()["items"][0]["check"]["result"] == "verified"
    for body, name in (
        ({"public_key": old.public_key, "evse_id": 1, "valid_from": "2026-02-01T00:00:00Z"}, "valid_from"),
        ({"public_key": "", "evse_id": 1}, "public_key"),
        ({"public_key": "  "}, "public_key"),
        ({"public_key": "x" * 2501}, "public_key"),
        ({"public_key": "a\u0000"}, "public_key"),
        ({"public_key": "ab", "connector_id": 1}, "connector_id"),
        ({"public_key": "ab", "evse_id": -1}, "evse_id"),
        ({"public_key": "ab", "valid_from": "1901-01-01T00:00:00Z"}, "valid_from"),
        ({"evse_id": 1}, "public_key"),
    ):
        refused = await boss.put(path, body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, name), body
    viewer = await hub.make_user(boss, "viewer")
    assert (await viewer.put(path, {"public_key": "ab"})).status_code == 403
    assert (await viewer.get(path)).status_code == 200
    assert (await boss.get("/api/v1/chargepoints/NOBODY/meter-public-keys")).status_code == 404
    assert len((await boss.get(path)).json()["items"]) == 2


async def test_hostile_values_and_sessions_without_any(hub: RunningHub, boss: Person, field: Field) -> None:
    hostile = [
        "OCMF|{}|{}",
        '{"signedMeterData": 5}',
        '{"signedMeterData": "\\u0000\\ud83d", "publicKey": "<x>&\\u0001"}',
        "OCMF|" + "[" * 3000,
        "</signedData><value>\r\n]]>",
        "[" * 2000,
    ]
    session_id = await _session(hub, field, _sent16(*((MIDDLE, "Sample.Periodic", text) for text in hostile)))
    shown = await boss.get(f"/api/v1/sessions/{session_id}/signed-values")
    assert shown.status_code == 200
    assert {item["check"]["result"] for item in shown.json()["items"]} <= {"failed", "unchecked"}
    root = ElementTree.fromstring((await boss.get(f"/api/v1/sessions/{session_id}/transparency.xml")).content)
    assert len(list(root)) == len(shown.json()["items"]) == len(hostile)
    bare = await _session(hub, field, [Reading(datetime(2026, 3, 1, 10, 5, tzinfo=UTC), None, 0, (), [])], "CP2")
    assert (await boss.get(f"/api/v1/sessions/{bare}/signed-values")).json() == {"items": [], "readings_gone": False}
    assert (await boss.get(f"/api/v1/sessions/{bare}/transparency.xml")).status_code == 404
