"""The database goes away and comes back: the hub says so, and recovers by itself."""

from __future__ import annotations

import asyncpg
import httpx
import trio

from csms.postgres import EmbeddedPostgres
from csms.store.loop_thread import LoopThread
from tests.integration.hub.harness import Person, RunningHub


async def _as_superuser(postgres: EmbeddedPostgres, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(postgres.url("postgres", "postgres"))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    thread = LoopThread("superuser")
    thread.start()
    try:
        await thread.run(run)
    finally:
        thread.stop()


async def test_an_outage_is_told_and_ends(hub: RunningHub, boss: Person, postgres: EmbeddedPostgres) -> None:
    name = (await hub.sql("SELECT current_database() AS name"))[0]["name"]
    health = hub.client()
    await _as_superuser(
        postgres,
        f"ALTER DATABASE {name} CONNECTION LIMIT 0",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    for _ in range(3):
        answer = await boss.get("/api/v1/sessions")
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["type"] == "urn:open-csms:problem:unavailable"
        refused = await boss.post("/api/v1/locations", {"name": "Here"})
        assert refused.status_code == 503
    ill = await health.get("/health")
    assert ill.status_code == 200
    assert ill.json()["status"] == "degraded"
    assert ill.json()["components"]["database"]["state"] == "down"
    assert (await health.get("/docs")).status_code == 200
    await _as_superuser(postgres, f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    with trio.fail_after(10):
        while (await boss.get("/api/v1/sessions")).status_code != 200:
            await trio.sleep(0.1)
    assert (await boss.get("/api/v1/locations")).json()["items"] == []
    assert (await health.get("/health")).json()["status"] == "ok"


async def test_a_command_whose_database_goes_away_keeps_its_id(hub: RunningHub, boss: Person, postgres: EmbeddedPostgres) -> None:
    await boss.post("/api/v1/chargepoints", {"charge_point_id": "CP-1"})
    await hub.connect_station("north", "CP-1")
    name = (await hub.sql("SELECT current_database() AS name"))[0]["name"]
    answers: list[httpx.Response] = []

    async def send() -> None:
        answers.append(await boss.post("/api/v1/chargepoints/CP-1/commands?wait=3", {"command": "reset"}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        with trio.fail_after(5):
            while not await hub.sql("SELECT 1 FROM commands"):
                await trio.sleep(0.05)
        await _as_superuser(
            postgres,
            f"ALTER DATABASE {name} CONNECTION LIMIT 0",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
    await _as_superuser(postgres, f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    (answer,) = answers
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["status"], body["command"], body["charge_point_id"]) == ("queued", "reset", "CP-1")
    assert answer.headers["location"] == f"/api/v1/commands/{body['command_id']}"
    with trio.fail_after(10):
        while (stored := await boss.get(answer.headers["location"])).status_code != 200:
            await trio.sleep(0.1)
    assert stored.json() == body
