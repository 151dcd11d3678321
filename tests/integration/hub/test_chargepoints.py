"""Charge points over the API."""

from __future__ import annotations

import threading

import pytest
import trio

from csms.credentials import StationPasswords
from tests.integration.hub.harness import PASSWORD, Person, RunningHub


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


async def test_the_name_in_a_stations_certificate(hub: RunningHub, boss: Person) -> None:
    made = await boss.post("/api/v1/chargepoints", {"charge_point_id": "CP-1", "certificate_name": "SN-1"})
    assert (made.status_code, made.json()["certificate_name"], made.json()["has_password"]) == (201, "SN-1", False)
    assert (await boss.patch("/api/v1/chargepoints/CP-1", {"name": "Front"})).json()["certificate_name"] == "SN-1"
    assert (await boss.patch("/api/v1/chargepoints/CP-1", {"certificate_name": "SN-2"})).json()["certificate_name"] == "SN-2"
    assert (await boss.patch("/api/v1/chargepoints/CP-1", {"certificate_name": None})).json()["certificate_name"] is None
    for wrong in ("", "x" * 65, "a\nb", 5):
        refused = await boss.patch("/api/v1/chargepoints/CP-1", {"certificate_name": wrong})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "certificate_name"), refused.text


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


async def test_a_flood_of_passwords_is_hashed_two_at_a_time_and_has_an_end(
    hub: RunningHub, boss: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hash takes 64 MiB in a process that may hold the stations."""
    lock, go = threading.Lock(), threading.Event()
    running, most = 0, 0

    def slow(self: StationPasswords, password: bytes) -> tuple[str, bytes, bytes]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go.wait(10)
        with lock:
            running -= 1
        return self.store_machine_made(password)

    monkeypatch.setattr(StationPasswords, "store_chosen", slow)
    statuses: list[int] = []

    async def create(number: int) -> None:
        body = {"charge_point_id": f"CP-{number}", "password": "a-long-password-0"}
        statuses.append((await boss.post("/api/v1/chargepoints", body)).status_code)

    async with trio.open_nursery() as nursery:
        for number in range(55):
            nursery.start_soon(create, number)
        with trio.fail_after(10):
            while len(statuses) < 3:  # 2 at work, 50 waiting
                await trio.sleep(0.05)
        assert set(statuses) == {503}
        # people who sign in wait in the same row
        login = {"email": boss.email, "password": PASSWORD, "tenant": "north"}
        refused = await hub.client().post("/api/v1/auth/login", json=login)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        go.set()
    assert most == 2
    assert sorted(statuses) == [201] * 52 + [503] * 3
