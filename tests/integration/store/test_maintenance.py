"""The upkeep as it runs in every process: rounds, what is told when they fail, events dropped in the order of reading."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from csms.health import HealthRegistry
from csms.store import Connection, maintenance, open_store
from csms.store.maintenance import maintain, prune_commands, prune_outbox, prune_refresh_tokens
from tests.integration.store.past import Past, month_of


@pytest.fixture
def past(database: str) -> Past:
    return Past(database)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds at once and often."""
    monkeypatch.setattr(maintenance, "FIRST_OWNER_WORK_S", 0.0)
    monkeypatch.setattr(maintenance, "OWNER_WORK_EVERY_S", 0.05)


async def _told(health: HealthRegistry, component: str, state: str) -> str:
    with trio.fail_after(15):
        while True:
            found = health.snapshot().get(component)
            if found is not None and found.state == state:
                return found.detail
            await trio.sleep(0.02)


@pytest.mark.usefixtures("hurried")
async def test_rounds_go_on_after_one_that_failed(past: Past) -> None:
    health = HealthRegistry()
    async with open_store(past.dsn) as store, trio.open_nursery() as nursery:
        nursery.start_soon(partial(maintain, past.dsn, store.gateway, call_timeout_s=30, health=health))
        await _told(health, "retention", "ok")
        await _told(health, "partitions", "ok")
        await past.execute("ALTER TABLE outbox_readers RENAME TO hidden")
        assert "outbox_readers" in await _told(health, "retention", "degraded")
        await past.execute("ALTER TABLE hidden RENAME TO outbox_readers")
        await _told(health, "retention", "ok")
        nursery.cancel_scope.cancel()


@pytest.mark.usefixtures("hurried")
async def test_an_owner_that_cannot_get_in_is_told(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "UNDONE_S", 0.2)
    health = HealthRegistry()
    nowhere = "postgresql://csms@127.0.0.1:1/csms"
    async with open_store(past.dsn) as store, trio.open_nursery() as nursery:
        nursery.start_soon(partial(maintain, nowhere, store.gateway, call_timeout_s=30, health=health))
        assert "not possible for long" in await _told(health, "retention", "degraded")
        nursery.cancel_scope.cancel()


@pytest.mark.usefixtures("hurried")
async def test_a_month_that_cannot_go_is_told_after_some_days(past: Past) -> None:
    await past.make_months([200, 5])
    north = await past.tenant("north", samples=60, events=60)
    await past.session(north, 200, status="active")
    health = HealthRegistry()
    async with open_store(past.dsn) as store, trio.open_nursery() as nursery:
        nursery.start_soon(partial(maintain, past.dsn, store.gateway, call_timeout_s=30, health=health))
        told = await _told(health, "retention", "degraded")
        assert "1 of its sessions still run" in told
        await past.execute("UPDATE sessions SET status = 'completed'")
        await _told(health, "retention", "ok")
        nursery.cancel_scope.cancel()
    assert month_of(200) not in await past.partitions("samples")


async def test_events_go_in_the_order_of_reading(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first, and a look at what is due ends where the first one stays."""
    monkeypatch.setattr(maintenance, "_CHUNK", 4)
    for age in (30, 20, 10):
        await past.execute(
            "INSERT INTO outbox (tenant_id, type, recorded_at, data) "
            f"SELECT 1, 'age-{age}', now() - interval '{age} days', '{{}}' FROM generate_series(1, 3)"
        )

    async def rounds(conn: Connection) -> list[int]:
        return [await prune_outbox(conn, 14) for _ in range(3)]

    assert await past.run(rounds) == [4, 2, 0]
    assert await past.value("SELECT min(type) || max(type) || count(*) FROM outbox") == "age-10age-103"


async def test_old_commands_are_deleted_once_they_have_ended(past: Past) -> None:
    await past.execute("INSERT INTO stations (tenant_id, identity) VALUES (1, 'CP1')")
    for status, days in (("accepted", 401), ("unknown", 401), ("queued", 401), ("accepted", 399)):
        await past.execute(
            "INSERT INTO commands (tenant_id, command_id, station_id, parameters, status, requested_by, expires_at, created_at) "
            f"SELECT 1, gen_random_uuid(), station_id, '{{}}', '{status}', 'somebody', now(), now() - interval '{days} days' "
            "FROM stations"
        )
    assert await past.run(partial(prune_commands, days=400)) == 2
    assert await past.value("SELECT string_agg(status, ' ' ORDER BY created_at) FROM commands") == "queued accepted"


async def test_expired_refresh_tokens_are_deleted(past: Past) -> None:
    await past.execute("INSERT INTO users (tenant_id, email, role, password_hash) VALUES (1, 'a@example.org', 'viewer', '')")
    for hours in (-48, -2, 2):
        await past.execute(
            "INSERT INTO refresh_tokens (tenant_id, token_hash, user_id, family, expires_at) "
            f"SELECT 1, '{hours}', user_id, user_id, now() + interval '{hours} hours' FROM users"
        )
    assert await past.run(partial(prune_refresh_tokens, days=1)) == 1
    assert await past.value("SELECT count(*) FROM refresh_tokens") == 2
