"""Tenants, locations, id tokens, events: what they hold and how they change."""

from __future__ import annotations

import asyncio
from uuid import UUID

import trio

from csms.domain.operations import QuarantineFrame
from csms.store import Connection
from csms.store.pool import run_with_owner
from tests.integration.hub.harness import PASSWORD, Field, Person, RunningHub


async def test_tenant_settings_change_one_by_one(hub: RunningHub, admin: Person, boss: Person) -> None:
    path = "/api/v1/tenants/north"
    fresh = (await boss.get(path)).json()
    assert (fresh["onboarding"], fresh["unknown_tokens"], fresh["allow_unauthenticated"]) == ("refuse", "refuse", False)
    assert (fresh["time_zone"], fresh["currency"]) == ("UTC", "EUR")
    async with hub.bus.subscribe("tenants.changed") as changes:
        changed = await boss.put(f"{path}/config", {"onboarding": "pending", "time_zone": "Europe/Paris"})
        assert changed.status_code == 200
        changes.receive_nowait()
    second = (await admin.put(f"{path}/config", {"unknown_tokens": "accept", "currency": "CHF"})).json()
    assert (second["onboarding"], second["unknown_tokens"]) == ("pending", "accept")
    assert (second["time_zone"], second["currency"]) == ("Europe/Paris", "CHF")
    for body, field in (
        ({"time_zone": "Nowhere"}, "time_zone"),
        ({"currency": "euro"}, "currency"),
        ({"onboarding": "maybe"}, "onboarding"),
        ({"heartbeat_interval_s": 5}, "heartbeat_interval_s"),
        ({"slug": "x"}, "slug"),
    ):
        refused = await boss.put(f"{path}/config", body)
        assert refused.json()["errors"][0]["field"] == field
    operator = await hub.make_user(boss, "operator")
    assert (await operator.put(f"{path}/config", {})).status_code == 403
    assert (await operator.get(path)).status_code == 200


async def test_a_tenant_is_made_with_its_administrator_or_not_at_all(hub: RunningHub, admin: Person) -> None:
    new = {"id": "west", "name": "West", "currency": "GBP", "admin": {"email": "w@example.org", "password": PASSWORD}}
    made = await admin.post("/api/v1/tenants", new)
    assert made.status_code == 201
    assert made.json()["currency"] == "GBP"
    assert made.headers["location"] == "/api/v1/tenants/west"
    boss = await hub.sign_in("w@example.org", PASSWORD, "west")
    assert (await boss.get("/api/v1/me")).json()["role"] == "tenant_admin"
    assert (await admin.post("/api/v1/tenants", new)).status_code == 409
    for slug in ("West", "we st", "", "a" * 41, "we_st", "west\n"):
        refused = await admin.post("/api/v1/tenants", {**new, "id": slug})
        assert refused.status_code == 422, slug
    # interrupted between the tenant and its administrator: the same order completes it
    await hub.sql("DELETE FROM users WHERE email = 'w@example.org'")
    assert (await admin.post("/api/v1/tenants", {**new, "name": "Other"})).status_code == 409
    assert (await admin.post("/api/v1/tenants", new)).status_code == 201


async def test_locations(hub: RunningHub, boss: Person) -> None:
    made = (
        await boss.post(
            "/api/v1/locations",
            {
                "name": "Depot",
                "city": "Lyon",
                "country": "FR",
                "latitude": 45.764043,
                "longitude": -4.1,
                "time_zone": "Europe/Paris",
            },
        )
    ).json()
    assert (made["latitude"], made["longitude"]) == (45.764043, -4.1)
    path = f"/api/v1/locations/{made['location_id']}"
    changed = (await boss.patch(path, {"city": None, "name": "Yard"})).json()
    assert (changed["name"], changed["city"], changed["country"]) == ("Yard", None, "FR")
    await boss.post("/api/v1/chargepoints", {"charge_point_id": "CP-1", "location_id": made["location_id"]})
    found = (await boss.get("/api/v1/chargepoints", params={"location_id": made["location_id"]})).json()["items"]
    assert [item["charge_point_id"] for item in found] == ["CP-1"]
    assert (await boss.delete(path)).status_code == 409
    await boss.delete("/api/v1/chargepoints/CP-1")
    assert (await boss.delete(path)).status_code == 204
    assert (await boss.get(path)).status_code == 404
    assert (await boss.delete(path)).status_code == 404


async def test_a_retired_station_comes_back_with_its_sessions(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    await field.stop("north", station, transaction)
    assert (await boss.delete("/api/v1/chargepoints/CP-1")).status_code == 204
    assert (await boss.get("/api/v1/chargepoints")).json()["items"] == []
    assert len((await boss.get("/api/v1/sessions")).json()["items"]) == 1
    again = await boss.post("/api/v1/chargepoints", {"charge_point_id": "CP-1", "password": "a-long-password-0"})
    assert again.status_code == 201
    assert again.json()["registration"] == "unknown"
    assert len((await boss.get("/api/v1/sessions", params={"charge_point_id": "CP-1"})).json()["items"]) == 1


async def test_id_tokens(hub: RunningHub, boss: Person) -> None:
    made = await boss.post(
        "/api/v1/id-tokens",
        {"id_token": "Card-1", "type": "ISO14443", "kind": "staff", "valid_until": "2030-01-01T00:00:00+02:00"},
    )
    assert made.status_code == 201, made.text
    body = made.json()
    assert body["valid_until"] == "2029-12-31T22:00:00Z"
    assert (await boss.post("/api/v1/id-tokens", {"id_token": "CARD-1"})).status_code == 409
    assert (await boss.post("/api/v1/id-tokens", {"id_token": "CARD-1", "type": "Central"})).status_code == 201
    path = f"/api/v1/id-tokens/{body['token_id']}"
    blocked = (await boss.patch(path, {"status": "blocked", "valid_until": None})).json()
    assert (blocked["status"], blocked["valid_until"], blocked["kind"]) == ("blocked", None, "staff")
    backwards = {"valid_from": "2030-01-02T00:00:00Z", "valid_until": "2030-01-01T00:00:00Z"}
    assert (await boss.patch(path, backwards)).json()["errors"][0]["field"] == "valid_until"
    assert len((await boss.get("/api/v1/id-tokens", params={"id_token": "card-1"})).json()["items"]) == 2
    assert (await boss.delete(path)).status_code == 204
    assert (await boss.get(path)).status_code == 404
    again = await boss.post("/api/v1/id-tokens", {"id_token": "card-1"})
    assert again.status_code == 201
    # a token that was only seen on the wire is taken over
    await hub.sql(
        "INSERT INTO id_tokens (tenant_id, id_token, type, status) SELECT tenant_id, 'SEEN', 'ISO14443', 'unknown' "
        "FROM tenants WHERE slug = 'north'"
    )
    assert (await boss.post("/api/v1/id-tokens", {"id_token": "seen", "label": "Ann"})).status_code == 201


async def test_events_are_followed_with_the_cursor(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    first = (await boss.get("/api/v1/events", params={"limit": 1})).json()
    assert [event["type"] for event in first["items"]] == ["station.connected"]
    assert first["items"][0]["tenant"] == "north"
    assert first["items"][0]["charge_point_id"] == "CP-1"
    rest = (await boss.get("/api/v1/events", params={"cursor": first["next_cursor"]})).json()
    assert [event["type"] for event in rest["items"]] == ["station.online"]
    # a cursor belongs to its list: this one to that without a filter
    refused = await boss.get("/api/v1/events", params={"cursor": rest["next_cursor"], "type": "session.started"})
    assert refused.json()["errors"][0]["field"] == "cursor"
    filtered = (await boss.get("/api/v1/events", params={"type": "session.started"})).json()
    got: list[str] = []

    async def follow() -> None:
        parameters = {"cursor": filtered["next_cursor"], "wait": 10, "type": "session.started"}
        answer = await boss.get("/api/v1/events", params=parameters)
        got.extend(event["type"] for event in answer.json()["items"])

    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow)
        await trio.sleep(0.2)
        await field.start("north", station)
    assert got == ["session.started"]
    assert trio.current_time() - begun < 5


async def test_nobody_reads_past_an_open_transaction(hub: RunningHub, field: Field, boss: Person) -> None:
    """A transaction that began earlier and has not ended may still write an earlier event."""

    async def hold(conn: Connection) -> None:
        async with conn.transaction():
            await conn.fetchval("SELECT pg_current_xact_id()")
            await asyncio.sleep(1.5)

    seen: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_with_owner, hub.dsn, hold)
        await trio.sleep(0.5)
        await field.connect("north", "CP-1")
        seen.append(len((await boss.get("/api/v1/events")).json()["items"]))
    seen.append(len((await boss.get("/api/v1/events")).json()["items"]))
    assert seen == [0, 2], "that it is connected, and online"


async def test_quarantine_is_shown(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await field.ledger.commit(
        QuarantineFrame(
            tenant_id=await field.tenant_id("north"),
            station_id=station,
            ocpp_version="ocpp1.6",
            action="StartTransaction",
            reason="schema",
            payload=b'{"x":\xff}',
            error_code="FormationViolation",
            path="/connectorId",
        )
    )
    (message,) = (await boss.get("/api/v1/quarantine")).json()["items"]
    assert (message["charge_point_id"], message["reason"], message["path"]) == ("CP-1", "schema", "/connectorId")
    assert message["payload"] == '{"x":\ufffd}'
    assert (await boss.get("/api/v1/quarantine", params={"reason": "orphan"})).json()["items"] == []
    viewer = await hub.make_user(boss, "viewer")
    assert (await viewer.get("/api/v1/quarantine")).status_code == 403


async def test_a_station_that_comes_while_its_location_goes_keeps_it(hub: RunningHub, boss: Person) -> None:
    made = (await boss.post("/api/v1/locations", {"name": "Depot"})).json()
    inserted = trio.Event()
    token = trio.lowlevel.current_trio_token()

    async def insert(conn: Connection) -> None:
        async with conn.transaction():
            await conn.execute(
                "INSERT INTO stations (tenant_id, identity, location_id) SELECT tenant_id, 'CP-1', $1 FROM tenants "
                "WHERE slug = 'north'",
                UUID(made["location_id"]),
            )
            token.run_sync_soon(inserted.set)
            await asyncio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_with_owner, hub.dsn, insert)
        await inserted.wait()
        refused = await boss.delete(f"/api/v1/locations/{made['location_id']}")
    assert refused.status_code == 409, refused.text
    assert "stand at this location" in refused.json()["detail"]
