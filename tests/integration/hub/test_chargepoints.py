"""Charge points over the API."""

from __future__ import annotations

from tests.integration.hub.harness import Person, RunningHub


async def test_a_station_with_a_made_password_shows_it_once(hub: RunningHub, boss: Person) -> None:
    made = await boss.post(
        "/api/v1/chargepoints",
        {
            "charge_point_id": "CP-1",
            "name": "Front",
            "generate_password": True,
            "connectors": [{"evse_id": 1, "connector_id": 1, "type": "cType2", "max_power_w": 22000}],
        },
    )
    assert made.status_code == 201, made.text
    body = made.json()
    assert len(body["password"]) == 24
    assert body["status"] == "offline"
    assert body["connectors"][0]["max_power_w"] == 22000
    assert made.headers["location"] == "/api/v1/chargepoints/CP-1"
    shown = (await boss.get("/api/v1/chargepoints/CP-1")).json()
    assert "password" not in shown
    assert shown["has_password"] is True
    again = await boss.post("/api/v1/chargepoints", {"charge_point_id": "cp-1"})
    assert again.status_code == 409


async def test_online_needs_a_living_process(hub: RunningHub, boss: Person) -> None:
    await boss.post("/api/v1/chargepoints", {"charge_point_id": "CP-1"})
    await hub.connect_station("north", "CP-1")
    online = (await boss.get("/api/v1/chargepoints/CP-1")).json()
    assert online["status"] == "online"
    assert online["last_seen"].endswith("Z")
    await hub.sql("UPDATE gateway_processes SET seen_at = now() - interval '61 s'")
    assert (await boss.get("/api/v1/chargepoints/CP-1")).json()["status"] == "offline"
    listed = (await boss.get("/api/v1/chargepoints", params={"online": "true"})).json()
    assert listed == {"items": [], "next_cursor": None}
