"""Keeps a process's tenant directory fresh."""

from __future__ import annotations

import msgspec
import structlog
import trio

from csms.bus import Bus, BusUnavailable
from csms.domain.tolerance import RuleSet
from csms.store.pool import Connection, Database, StoreUnavailable
from csms.store.queries.external_authorization import load_asking_rules
from csms.store.queries.tolerance import load_rules
from csms.tenants import TenantConfig, TenantDirectory

log = structlog.get_logger()

CHANGED_TOPIC = "tenants.changed"
REFRESH_S = 5.0


async def load_tenants(conn: Connection) -> list[TenantConfig]:
    """All operators; the gateway role only. The tenant that is the OCPI hub has no stations."""
    rows = await conn.fetch(
        "SELECT tenant_id, slug, onboarding, unknown_tokens, allow_unauthenticated, time_zone, currency, heartbeat_interval_s, "
        "validation, tolerance_version FROM tenants WHERE kind = 'operator'"
    )
    asking = await load_asking_rules(conn)
    return [msgspec.structs.replace(TenantConfig(*row), external=asking.get(row[0])) for row in rows]


async def refresh_tenants(db: Database, directory: TenantDirectory) -> None:
    """Read all tenants, and the tolerance rules of those whose rules have changed, into the directory.

    Raises StoreUnavailable; the directory then stays as it was.
    """
    known = directory.rule_versions

    async def work(conn: Connection) -> tuple[list[TenantConfig], dict[int, tuple[int, RuleSet]]]:
        # the rules after the versions: at worst they are newer than the version says, and read once more
        tenants = await load_tenants(conn)
        changed = {t.tenant_id: t.tolerance_version for t in tenants if known.get(t.tenant_id, 0) != t.tolerance_version}
        rules = await load_rules(conn, list(changed)) if changed else {}
        return tenants, {tenant: (version, RuleSet(rules.get(tenant, ()))) for tenant, version in changed.items()}

    tenants, rules = await db.unit(work)
    directory.replace_rules(rules)
    directory.replace_all(tenants)


async def keep_fresh(db: Database, directory: TenantDirectory, bus: Bus) -> None:
    """Refresh every few seconds, and at once when the hub says that a tenant changed. Runs until cancelled."""
    while True:
        try:
            async with bus.subscribe(CHANGED_TOPIC) as changes:
                while True:
                    with trio.move_on_after(REFRESH_S):
                        await changes.receive()
                    try:
                        await refresh_tenants(db, directory)
                    except StoreUnavailable:
                        log.debug("tenants.refresh_failed")
        except (BusUnavailable, trio.EndOfChannel):
            await trio.sleep(REFRESH_S)
