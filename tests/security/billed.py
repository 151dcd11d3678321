"""What billing leaves behind, for the tests of tenant isolation: a CDR, its statement, and a meter's public key."""

from __future__ import annotations

from datetime import UTC, datetime

from csms.billing.cdr import CdrToken
from tests.integration.hub.cdr_rows import charged, store_cdr, store_tariffs, tariff
from tests.integration.hub.harness import Person, RunningHub


async def furnish_billed(
    hub: RunningHub, boss: Person, tenant_id: int, station_id: int, identity: str, mark: str
) -> tuple[str, str]:
    """The ids of the CDR and of the statement; `mark` is in every text that may differ."""
    plain = tariff(f"{mark}-plain")
    await store_tariffs(hub, tenant_id, [plain])
    (cdr,) = await store_cdr(
        hub,
        tenant_id,
        station_id,
        plain,
        charged("10", datetime(2026, 2, 10, 12, tzinfo=UTC)),
        token=CdrToken("TAG1", contract_id=f"{mark}-contract", issuer=mark),
        location=f"{mark}-charger",
    )
    made = await boss.post("/api/v1/statements", {"period": "2026-02", "kind": "contract"})
    assert made.status_code == 201, made.text
    key = await boss.put(f"/api/v1/chargepoints/{identity}/meter-public-keys", {"public_key": mark, "meter_serial": mark})
    assert key.status_code == 200, key.text
    return cdr.id, made.json()["items"][0]["statement"]["statement_id"]
