"""Two tenants, `north` and `south`: the same station identity, token and transaction id in both, and a canary in all of
south's texts."""

from __future__ import annotations

from dataclasses import dataclass

from csms.domain.operations import QuarantineFrame, RecordStationEvent
from csms.domain.tolerance import Relaxation
from tests.integration.hub.harness import Field, Person, RunningHub, reading
from tests.security.billed import furnish_billed
from tests.security.listed import furnish_listed
from tests.security.reserved import furnish_reserved
from tests.security.roaming import RoamingIds, furnish_roaming

CANARY = "canary"
TWIN = "TWIN-1"

_IDS = ("location_id", "token_id", "user_id", "key_id", "rule_id", "group_id")


@dataclass
class Side:
    """One tenant's administrator and the ids of what is there."""

    boss: Person
    tenant_id: int
    station_id: int
    session_id: str
    command_id: str
    location_id: str
    token_id: str
    user_id: str
    key_id: str
    quarantine_id: str
    rule_id: str
    tariff_id: str
    assignment_id: str
    cdr_id: str
    statement_id: str
    token_group_id: str
    station_group_id: str
    qr_token_id: str
    payment_id: str
    reservation_id: int
    roaming: RoamingIds


async def furnish(hub: RunningHub, field: Field, admin: Person, slug: str, mark: str) -> Side:
    """Make the tenant with one of everything; `mark` is in every text that may differ."""
    boss = await hub.make_tenant(admin, slug)

    async def made(path: str, body: object) -> str:
        answer = await boss.post(path, body)
        assert answer.status_code == 201, answer.text
        found = answer.json()
        return next(str(found[name]) for name in _IDS if name in found)

    location_id = await made("/api/v1/locations", {"name": f"{mark}-place"})
    token_group_id = await made("/api/v1/token-groups", {"name": f"{mark}-people", "blocked_reason": mark, "status": "blocked"})
    await boss.patch(f"/api/v1/token-groups/{token_group_id}", {"status": "accepted"})
    station_group_id = await made("/api/v1/station-groups", {"name": f"{mark}-region"})
    token_id = await made(
        "/api/v1/id-tokens", {"id_token": "TAG1", "label": f"{mark}-card", "group_id": token_group_id, "contract_id": mark}
    )
    user_id = await made("/api/v1/users", {"email": f"{mark}@example.org", "password": "a-good-password", "role": "viewer"})
    key_id = await made("/api/v1/api-keys", {"name": f"{mark}-key", "role": "viewer"})
    rule_id = await made("/api/v1/tolerance-rules", {"vendor": f"{mark}-vendor", "effect": "spare"})
    external = {"url": f"https://{mark}.example.org/", "authorization": f"Bearer {mark}", "signing_secret": f"{mark}-0123456789"}
    assert (await boss.put("/api/v1/external-authorization", external)).status_code == 200
    tariff_id, assignment_id = await _furnish_tariffs(boss, mark)
    station_id = await field.connect(slug, TWIN)
    connectors = [{"evse_id": 1, "connector_id": 1, "type": mark}]
    await boss.patch(
        f"/api/v1/chargepoints/{TWIN}", {"name": f"{mark}-station", "location_id": location_id, "connectors": connectors}
    )
    assert (await boss.post(f"/api/v1/station-groups/{station_group_id}/chargepoints", {"add": [TWIN]})).status_code == 200
    transaction = await field.start(slug, station_id)
    await field.meter(slug, station_id, transaction, reading(1, "1500", "7000"))
    tenant_id = await field.tenant_id(slug)
    await field.ledger.commit(
        QuarantineFrame(
            tenant_id=tenant_id,
            station_id=station_id,
            ocpp_version="ocpp1.6",
            action="StartTransaction",
            reason="schema",
            payload=mark.encode(),
            relaxations=(Relaxation("call", "ocpp1.6", "StartTransaction", f"/{mark}", "additionalProperties", "tolerant"),),
        )
    )
    await field.ledger.commit(
        RecordStationEvent(
            tenant_id=tenant_id, station_id=station_id, type="security_event", data=b'{"techInfo":"%s"}' % mark.encode()
        )
    )
    command = await boss.post(
        f"/api/v1/chargepoints/{TWIN}/commands?wait=0", {"command": "data_transfer", "parameters": {"vendor_id": mark}}
    )
    assert command.status_code == 202, command.text
    # the same transaction id in both tenants: station ids of 2.x stations are free to choose theirs
    await hub.sql("UPDATE sessions SET transaction_ref = '4711' WHERE tenant_id = $1", tenant_id)
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    await hub.sql(
        "INSERT INTO session_corrections (tenant_id, session_id, correction_id, cause, changes, reason, corrected_by) "
        "VALUES ($1, $2::text::uuid, gen_random_uuid(), 'operator', '{}', $3, 'user:somebody')",
        tenant_id,
        session["session_id"],
        f"{mark}-reason",
    )
    await hub.sql(
        "INSERT INTO session_costs (tenant_id, session_id, choice, limit_reached, held) "
        "VALUES ($1, $2::text::uuid, 'null', $3, 'no_tariff')",
        tenant_id,
        session["session_id"],
        f"{mark}-limit",
    )
    await hub.sql(
        "INSERT INTO session_states (tenant_id, session_id, time, status) VALUES ($1, $2::text::uuid, now(), $3)",
        tenant_id,
        session["session_id"],
        mark,
    )
    (message,) = (await boss.get("/api/v1/quarantine")).json()["items"]
    await furnish_listed(hub, boss, tenant_id)
    return Side(
        boss,
        tenant_id,
        station_id,
        session["session_id"],
        command.json()["command_id"],
        location_id,
        token_id,
        user_id,
        key_id,
        message["quarantine_id"],
        rule_id,
        tariff_id,
        assignment_id,
        *await furnish_billed(hub, boss, tenant_id, station_id, TWIN, mark),
        token_group_id,
        station_group_id,
        *await _furnish_payments(boss, token_id, mark),
        await furnish_reserved(hub, tenant_id, station_id, mark),
        await furnish_roaming(hub, boss, tenant_id, mark),
    )


async def _furnish_payments(boss: Person, token_id: str, mark: str) -> tuple[str, str]:
    """A dynamic QR code, and a payment that was declined."""
    code = await boss.post("/api/v1/qr-tokens", {"id_token_id": token_id})
    settings = {"provider": "test", "currency": "EUR", "hold_amount": "20.00", "max_amount": "20.00"}
    assert (await boss.put("/api/v1/payment-settings", settings)).status_code == 200
    order = {"charge_point_id": TWIN, "evse_id": 1, "payment_method": "test_declined", "request_id": f"{mark}-order"}
    payment = await boss.post("/api/v1/payments", order)
    assert payment.json()["state"] == "declined", payment.text
    return code.json()["id_token"]["token_id"], payment.json()["payment_id"]


async def _furnish_tariffs(boss: Person, mark: str) -> tuple[str, str]:
    """A tariff with an assignment, and a price series of the same id with a step."""
    name = f"{mark}-tariff"
    elements = [{"price_components": [{"type": "ENERGY", "price": 0.3, "step_size": 1}]}]
    step = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z", "price": 0.1}
    for path, body in (
        ("price-series", {"series_id": name, "name": name, "currency": "EUR"}),
        (f"price-series/{name}/steps", {"steps": [step]}),
        ("tariffs", {"name": name, "tariff": {"id": name, "currency": "EUR", "elements": elements}}),
    ):
        answer = await boss.post(f"/api/v1/{path}", body)
        assert answer.is_success, answer.text
    assigned = await boss.post("/api/v1/tariff-assignments", {"tariff_id": name, "user_type": mark})
    return name, assigned.json()["assignment_id"]


async def snapshot(hub: RunningHub, tenant_id: int) -> dict[str, list[str]]:
    """Every row of a tenant in every table, as text."""
    tables = await hub.sql(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' "
        "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    rows = {}
    for table in tables:
        name = table["relname"]
        found = await hub.sql(f"SELECT t::text AS row FROM {name} t WHERE tenant_id = $1", tenant_id)
        rows[name] = sorted(row["row"] for row in found)
    return rows
