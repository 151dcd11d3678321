"""Dynamic QR codes from the API to stations of both families of OCPP versions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from csms.domain.operations import Authorize, RecordTransactionEvent, StartTransaction
from csms.domain.times import parse_station_time
from csms.qr_tokens import QrCodes
from csms.secret import QR_TOKENS, RootSecret
from csms.store.tenants import refresh_tenants
from tests.integration.hub.harness import Person
from tests.integration.payments.harness import Till


async def account(boss: Person, **fields: Any) -> str:
    answer = await boss.post("/api/v1/id-tokens", {"id_token": "CARD-1", "contract_id": "DE8AA123456789"} | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token_id"])


async def issue(boss: Person, token_id: str, **fields: Any) -> dict[str, Any]:
    answer = await boss.post("/api/v1/qr-tokens", {"id_token_id": token_id} | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def ask(till: Till, code: str, *, tenant: str = "north", token_type: str | None = None) -> str:
    station = till.station if tenant == "north" else await till.field.connect(tenant, "CP1")
    operation = Authorize(tenant_id=await till.field.tenant_id(tenant), station_id=station, id_token=code, token_type=token_type)
    return str((await till.field.ledger.commit(operation)).status)


async def start(till: Till, code: str, *, evse: int = 1, minute: int = 0) -> str:
    """What a 1.6 station is told about a start."""
    outcome = await till.field.ledger.commit(
        StartTransaction(
            tenant_id=await till.field.tenant_id("north"),
            station_id=till.station,
            evse_id=evse,
            connector_id=evse,
            id_token=code,
            time=parse_station_time(f"2026-03-01T12:{minute:02}:00Z"),
            meter_start_wh=1000,
        )
    )
    return str(outcome.decision.status)


async def end_all(till: Till) -> None:
    """An account may have one session at a time, and one that was refused counts."""
    await till.sql("UPDATE sessions SET status = 'completed'")


async def begin(till: Till, code: str, transaction: str, *, evse: int = 1) -> str:
    """What a 2.x station is told about the first event of a transaction."""
    outcome = await till.field.ledger.commit(
        RecordTransactionEvent(
            tenant_id=await till.field.tenant_id("north"),
            station_id=till.station,
            ocpp_version="ocpp2.0.1",
            type="Started",
            transaction_ref=transaction,
            time=parse_station_time("2026-03-01T12:00:00Z"),
            seq_no=0,
            trigger_reason="Authorized",
            details=b"{}",
            payload=b"{}",
            evse_id=evse,
            connector_id=1,
            id_token=code,
            token_type="Central",
        )
    )
    return str(outcome.decision.status)


async def test_a_code_is_good_for_one_session_of_either_version(till: Till, boss: Person) -> None:
    token_id = await account(boss)
    first, second = await issue(boss, token_id), await issue(boss, token_id, valid_for_s=10)
    assert len(first["code"]) == 20
    assert first["id_token"] | {"kind": "dynamic_qr", "single_use": True, "parent_token_id": token_id} == first["id_token"]
    assert await ask(till, first["code"]) == "Accepted"
    assert await start(till, first["code"].lower()) == "Accepted"
    assert await start(till, first["code"], minute=1, evse=2) == "Blocked"
    assert await begin(till, first["code"], "tx-0", evse=2) == "Blocked"
    await end_all(till)
    assert await ask(till, second["code"], token_type="Central") == "Accepted"
    assert await begin(till, second["code"], "tx-1") == "Accepted"
    assert await begin(till, second["code"], "tx-2", evse=2) in ("Blocked", "ConcurrentTx")
    rows = await till.sql("SELECT used_by_session_id IS NOT NULL AS used FROM id_tokens WHERE kind = 'dynamic_qr'")
    assert [row["used"] for row in rows] == [True, True]


async def test_codes_that_are_not_ours_are_refused_by_themselves(
    till: Till, boss: Person, admin: Person, root_secret: RootSecret
) -> None:
    """Also where unknown tokens are welcome; and nothing is kept of them."""
    south = await till.hub.make_tenant(admin, "south")
    for slug in ("north", "south"):
        answer = await admin.put(f"/api/v1/tenants/{slug}/config", {"unknown_tokens": "accept"})
        assert answer.status_code == 200, answer.text
    made = await issue(boss, await account(boss))
    code = made["code"]
    await refresh_tenants(till.hub.store.gateway, till.hub.services.tenants)
    assert await ask(till, "SOME-CARD") == "Accepted"
    assert await ask(till, code) == "Accepted"
    assert await ask(till, code, tenant="south") == "Invalid"
    for place in range(2, 20):
        altered = code[:place] + ("A" if code[place] != "A" else "B") + code[place + 1 :]
        assert await ask(till, altered) == "Invalid"
        assert await start(till, altered, minute=place) == "Invalid"
    expired = QrCodes(root_secret.derive(QR_TOKENS)).issue(
        await till.field.tenant_id("north"), till.hub.services.clock.now().replace(microsecond=0), till.hub.services.ids
    )
    assert await ask(till, expired) == "Expired"
    assert await start(till, expired, minute=30) == "Expired"
    assert (await boss.delete(f"/api/v1/id-tokens/{made['id_token']['token_id']}")).status_code == 204
    assert await ask(till, code) == "Blocked"
    tokens = await till.sql("SELECT id_token FROM id_tokens WHERE status = 'unknown'")
    assert {row["id_token"] for row in tokens} == {"SOME-CARD"}
    assert (await south.get("/api/v1/id-tokens")).json()["items"] == []


async def test_a_code_for_one_place_and_of_an_account_that_is_blocked(till: Till, boss: Person) -> None:
    token_id = await account(boss)
    here = await issue(boss, token_id, charge_point_id="CP1", evse_id=2)
    await till.field.connect("north", "CP2")
    elsewhere = await issue(boss, token_id, charge_point_id="CP2")
    assert await ask(till, elsewhere["code"]) == "NotAtThisLocation"
    assert await start(till, here["code"], evse=1) == "NotAtThisLocation"
    await end_all(till)
    assert await start(till, here["code"], evse=2, minute=1) == "Accepted"
    free = await issue(boss, token_id)
    assert (await boss.patch(f"/api/v1/id-tokens/{token_id}", {"status": "blocked"})).status_code == 200
    assert await ask(till, free["code"]) == "Blocked"


async def test_a_session_outlasts_its_code(till: Till, boss: Person) -> None:
    token_id = await account(boss)
    used, unused = await issue(boss, token_id), await issue(boss, token_id)
    assert await start(till, used["code"]) == "Accepted"
    await till.sql("UPDATE id_tokens SET valid_until = now() - interval '1 minute' WHERE kind = 'dynamic_qr'")
    assert await ask(till, used["code"]) == "Accepted"  # to end it
    assert await ask(till, unused["code"]) == "Expired"
    await end_all(till)
    assert await ask(till, used["code"]) == "Blocked"


async def test_what_no_code_is_made_for(till: Till, boss: Person) -> None:
    token_id = await account(boss)
    code = await issue(boss, token_id)
    other = await boss.post("/api/v1/id-tokens", {"id_token": "CARD-2", "status": "blocked"})
    for change, field in (
        ({"id_token_id": "01890000-0000-7000-8000-000000000000"}, "id_token_id"),
        ({"id_token_id": code["id_token"]["token_id"]}, "id_token_id"),
        ({"id_token_id": other.json()["token_id"]}, "id_token_id"),
        ({"valid_for_s": 9}, "valid_for_s"),
        ({"valid_for_s": 86_401}, "valid_for_s"),
        ({"charge_point_id": "NOWHERE"}, "charge_point_id"),
        ({"evse_id": 1}, "evse_id"),
    ):
        answer = await boss.post("/api/v1/qr-tokens", {"id_token_id": token_id} | change)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text


async def test_the_picture_and_the_limit(till: Till, boss: Person, monkeypatch: Any) -> None:
    token_id = await account(boss)
    answer = await boss.post("/api/v1/qr-tokens", {"id_token_id": token_id, "valid_for_s": 600})
    made = answer.json()
    ends = datetime.fromisoformat(made["expires_at"])
    assert timedelta(seconds=590) < ends - till.hub.services.clock.now() <= timedelta(seconds=600)
    picture = await boss.get(answer.headers["Location"])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/svg+xml")
    assert picture.text.startswith("<?xml")
    assert made["code"] not in picture.text
    assert (await boss.get(f"/api/v1/qr-tokens/{token_id}.svg")).status_code == 404
    assert await start(till, made["code"]) == "Accepted"
    assert (await boss.get(answer.headers["Location"])).status_code == 409
    answers = [await boss.post("/api/v1/qr-tokens", {"id_token_id": token_id}) for _ in range(301)]
    assert [answer.status_code for answer in answers].count(201) == 299
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
