"""What operators see of what partners have told: objects, tokens of partners, the books of an eMSP, and reading from partners."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest
import trio

from csms.billing.cdr import CdrToken
from csms.bus.local import LocalBus
from csms.clock import SystemClock, SystemIds
from csms.external_authorization.sealing import Sealer
from csms.roaming.partners import PartnerSettings
from csms.secret import OCPI_SECRETS, OCPI_TOKEN_HASH, RootSecret
from csms.store import Connection
from csms.store.queries import ocpi_partners
from hub.ocpi.directory import Directory
from hub.ocpi.platform import PARTNER_TOKEN
from schemas.ocpi221.headers import authorization_value
from tests.integration.hub.cdr_rows import charged, store_cdr, store_tariffs, tariff
from tests.integration.hub.harness import Field, Person, RunningHub, running_hub
from tests.ocpi import documents
from tests.ocpi.wire import Answer, Seen, start_serving

CPO = ("NL", "XCP")
TOKEN = "a-token-of-theirs"
PLAIN = tariff("PLAIN")
MARCH = datetime(2026, 3, 10, 10, tzinfo=UTC)
DRIVER = documents.token("Card-1", CPO)


class Partner:
    """A platform that is connected over HTTP: it asks, and is asked for its lists."""

    def __init__(self, client: httpx.AsyncClient, partner_id: UUID) -> None:
        self._client = client
        self.partner_id = partner_id

    async def tell(self, method: str, path: str, body: object = None) -> httpx.Response:
        headers = {
            "Authorization": authorization_value(TOKEN),
            "X-Request-ID": str(uuid4()),
            "X-Correlation-ID": str(uuid4()),
            "OCPI-from-country-code": "NL",
            "OCPI-from-party-id": "XCP",
            "OCPI-to-country-code": "DE",
            "OCPI-to-party-id": "NOR",
        }
        return await self._client.request(method, f"/ocpi/2.2.1/{path}", headers=headers, json=body)


async def connect(hub: RunningHub, secret: RootSecret, tenant_id: int, lists: str) -> Partner:
    """`lists`: where the platform's sender interfaces are."""
    clock = SystemClock()
    ids = SystemIds(clock)
    async with LocalBus() as bus:
        hashed = Directory(hub.store, bus, clock, secret.derive(OCPI_TOKEN_HASH)).hash(TOKEN)
    sealed = Sealer(secret.derive(OCPI_SECRETS), ids).seal(tenant_id, PARTNER_TOKEN, "a-token-of-ours")
    partner_id, now = ids.uuid7(), clock.now()
    endpoints = [
        ocpi_partners.PartnerEndpoint(module, f"{lists}/{module}", "SENDER")
        for module in ("locations", "tariffs", "sessions", "cdrs", "tokens")
    ]
    roles = [
        ocpi_partners.PartnerRole("NL", "XCP", role, partner_id, None, {"name": "X"}, "CONNECTED", now) for role in ("CPO", "EMSP")
    ]

    async def work(conn: Connection) -> None:
        await ocpi_partners.insert_partner(conn, tenant_id, partner_id, "X", PartnerSettings())
        await ocpi_partners.store_registration(
            conn,
            tenant_id,
            partner_id,
            version="2.2.1",
            versions_url=f"{lists}/versions",
            endpoints=endpoints,
            token_sealed=sealed,
        )
        await ocpi_partners.replace_roles(conn, tenant_id, partner_id, roles)
        await ocpi_partners.insert_token(conn, tenant_id, partner_id, hashed, "access")

    await hub.store.hub.tenant_unit(tenant_id, work)
    return Partner(hub.client(), partner_id)


@pytest.fixture
async def hub(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> AsyncIterator[RunningHub]:
    async with running_hub(database, root_secret, nursery, CSMS_OUTGOING_PRIVATE="1") as running:
        yield running


async def test_what_operators_see(
    hub: RunningHub, admin: Person, boss: Person, field: Field, root_secret: RootSecret, nursery: trio.Nursery
) -> None:
    tenant_id = await field.tenant_id("north")
    stranger = await hub.make_tenant(admin, "south")
    asked: list[str] = []

    async def lists(seen: Seen) -> Answer:
        asked.append(seen.target)
        found = [documents.tariff("PULLED", CPO)] if "/tariffs" in seen.target else []
        body = {"data": found, "status_code": 1000, "timestamp": documents.instant()}
        return Answer(200, [("Content-Type", "application/json"), ("X-Total-Count", str(len(found)))], json.dumps(body).encode())

    for role in ("CPO", "EMSP"):
        made = await boss.put(f"/api/v1/ocpi/parties/DE/NOR/{role}", {"business_details": {"name": "North"}, "on_hub": False})
        assert made.status_code == 200, made.text
    partner = await connect(hub, root_secret, tenant_id, f"http://127.0.0.1:{await start_serving(nursery, lists)}")

    # objects: told over HTTP, seen with their documents by nobody but the tenant
    told = await partner.tell("PUT", "receiver/locations/NL/XCP/Loc-1", documents.location("Loc-1", CPO, colour="red"))
    assert (told.status_code, told.json()["status_code"]) == (201, 1000), told.text
    assert (await partner.tell("GET", "receiver/locations/NL/XCP/loc-1/evse-1/1")).json()["data"]["standard"] == "IEC_62196_T2"
    assert (await partner.tell("PUT", "receiver/tokens/NL/XCP/Card-1", DRIVER)).status_code == 201
    listed = (
        await boss.get("/api/v1/ocpi/objects", params={"module": "locations", "owner": "nl-xcp", "object_id": "LOC-1"})
    ).json()
    (item,) = listed["items"]
    assert (item["owner"], item["object_id"], item["partner_id"]) == ("NL-XCP", "loc-1", str(partner.partner_id))
    path = f"/api/v1/ocpi/objects/locations/{item['object_no']}"
    detail = (await boss.get(path)).json()
    assert (detail["object"], detail["booked"]) == (item, None)
    assert (detail["document"]["id"], detail["document"]["colour"]) == ("Loc-1", "red")
    assert (await stranger.get(path)).status_code == 404
    assert (await boss.get("/api/v1/ocpi/objects/tariffs/" + path.rpartition("/")[2])).status_code == 404
    assert (await boss.get("/api/v1/ocpi/objects/locations/x")).status_code == 404
    for module in ("locations", "tokens", "cdrs"):
        assert (await stranger.get("/api/v1/ocpi/objects", params={"module": module})).json()["items"] == []

    # a token of the partner's: seen with its owner, blocked by us, changed by nobody else, not exported
    (token,) = (await boss.get("/api/v1/id-tokens", params={"id_token": "CARD-1"})).json()["items"]
    assert (token["owner_country_code"], token["owner_party_id"], token["ocpi_type"]) == ("NL", "XCP", "RFID")
    token_path = f"/api/v1/id-tokens/{token['token_id']}"
    for change in ({"label": "mine"}, {"status": "blocked", "whitelist": "ALWAYS"}, {"contract_id": None}):
        assert (await boss.patch(token_path, change)).status_code == 409, change
    assert (await boss.delete(token_path)).status_code == 409
    assert (await boss.post("/api/v1/id-tokens", {"id_token": "card-1"})).status_code == 409
    imported = await boss.post("/api/v1/id-tokens/import?on_existing=update", [{"id_token": "CARD-1", "label": "mine"}])
    assert (imported.json()["failed"], imported.json()["updated"]) == (1, 0)
    assert "Card-1" not in (await boss.get("/api/v1/id-tokens/export")).text
    assert (await boss.patch(token_path, {"status": "blocked", "blocked_reason": "lost"})).status_code == 200
    change = {"valid": False, "last_updated": documents.instant(minutes=1)}
    assert (await partner.tell("PATCH", "receiver/tokens/NL/XCP/Card-1", change)).json()["status_code"] == 1000
    assert (await boss.patch(token_path, {"status": "accepted"})).status_code == 409  # its party has withdrawn it
    change = {"valid": True, "last_updated": documents.instant(minutes=2)}
    assert (await partner.tell("PATCH", "receiver/tokens/NL/XCP/Card-1", change)).json()["status_code"] == 1000
    assert (await boss.get(token_path)).json()["blocked_reason"] == "lost"
    assert (await boss.patch(token_path, {"status": "accepted"})).json()["status"] == "accepted"

    # the books of the eMSP: CDRs, a credit, one with a wrong price
    end = "2026-03-15T12:00:00Z"
    cdr = documents.cdr("C1", CPO, driver=documents.token("OURS", ("DE", "NOR")), end_date_time=end) | {
        "start_date_time": "2026-03-15T11:00:00Z",
        "charging_periods": [{"start_date_time": "2026-03-15T11:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 10}]}],
    }
    wrong = {"total_cost": {"excl_vat": 9, "incl_vat": 10.89}, "total_energy_cost": {"excl_vat": 9, "incl_vat": 10.89}}
    credit = {"credit": True, "credit_reference_id": "C1", "total_cost": {"excl_vat": -4, "incl_vat": -4.84}}
    for number, members in enumerate(
        ({}, {"session_id": "S2"} | wrong, credit, {"session_id": "S3", "total_cost": {"excl_vat": 4}}), 1
    ):
        posted = await partner.tell("POST", "receiver/cdrs", cdr | {"id": f"C{number}"} | members)
        assert (posted.status_code, posted.json()["status_code"]) == (201, 1000), posted.text
    books = (await boss.get("/api/v1/ocpi/received-statements", params={"period": "2026-03"})).json()["items"]
    assert [(one["party"], one["cdr_count"], one["credit_count"], float(one["energy_kwh"])) for one in books] == [
        ("NL-XCP", 1, 0, 10.0),
        ("NL-XCP", 2, 1, 10.0),
    ]
    assert (float(books[1]["total_excl_vat"]["amount"]), float(books[1]["total_incl_vat"]["amount"])) == (9.0, 10.89)
    assert (books[1]["computed_count"], float(books[1]["computed_excl_vat"]["amount"])) == (3, 4.0)
    assert books[0]["total_incl_vat"] is None
    first = (await boss.get("/api/v1/ocpi/received-statements", params={"period": "2026-03", "limit": 1})).json()
    following = {"period": "2026-03", "limit": 1, "cursor": first["next_cursor"]}
    assert (await boss.get("/api/v1/ocpi/received-statements", params=following)).json()["items"] == books[1:]
    assert (await boss.get("/api/v1/ocpi/received-statements", params={"period": "2026-04"})).json()["items"] == []
    assert (await stranger.get("/api/v1/ocpi/received-statements", params={"period": "2026-03"})).json()["items"] == []
    (item,) = (await boss.get("/api/v1/ocpi/objects", params={"module": "cdrs", "object_id": "C2"})).json()["items"]
    booked = (await boss.get(f"/api/v1/ocpi/objects/cdrs/{item['object_no']}")).json()["booked"]
    assert booked["computed_excl_vat"]["amount"] == "4.0000"
    assert {finding["rule"] for finding in booked["findings"]} == {"P1", "D5"}

    # statements of our own CDRs put those of a partner's tokens together by its party
    await store_tariffs(hub, tenant_id, [PLAIN])
    station = (tenant_id, await field.connect("north", "CP-1"))
    foreign = CdrToken("T", issuer="Somebody", country_code="NL", party_id="XCP")
    for number, driver in enumerate((foreign, foreign, CdrToken("T", issuer="Us"))):
        await store_cdr(hub, *station, PLAIN, charged(str(number + 1), MARCH), token=driver)
    run = await boss.post("/api/v1/statements", {"period": "2026-03", "kind": "partner", "preview": True})
    found = {one["statement"]["subject"]: one["statement"]["cdr_count"] for one in run.json()["items"]}
    assert found == {"NL-XCP": 2, "Us": 1}

    # reading from the partner, with progress
    pull = f"/api/v1/ocpi/partners/{partner.partner_id}/pull"
    ordered = await boss.post(pull, {"modules": ["tariffs"]})
    assert ordered.status_code == 202, ordered.text
    with trio.fail_after(15):
        while True:
            states = {one["module"]: one for one in (await boss.get(pull)).json()["items"]}
            if states["tariffs"]["status"] == "done":
                break
            await trio.sleep(0.1)
    assert (states["tariffs"]["pages"], states["tariffs"]["stored"], states["tariffs"]["requested_by"][:4]) == (1, 1, "user")
    assert any("/tariffs" in target for target in asked)
    assert (await boss.post(pull, {"modules": ["hubclientinfo"]})).status_code == 409
    assert (await stranger.get(pull)).status_code == 404
