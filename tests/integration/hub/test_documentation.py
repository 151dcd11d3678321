"""The service's own pages, and an OpenAPI document that says all there is."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import msgspec

from csms.domain.operations import QuarantineFrame
from csms.domain.tolerance import Relaxation
from hub.app import make_app
from hub.routes import all_routes, document
from hub.services import Hub
from tests.integration.hub.harness import Field, Person, RunningHub, reading
from tests.integration.hub.test_tariffs import make
from tests.security.billed import furnish_billed
from tests.security.reserved import furnish_reserved
from tests.security.roaming import furnish_roaming


def _rules(hub: RunningHub) -> set[tuple[str, str]]:
    app = make_app(Hub(hub.services), all_routes())
    return {
        (method, re.sub(r"<([a-z_]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "ocpi"  # the standard describes it
        for method in (rule.methods or set()) - {"HEAD"}
    }


async def test_every_route_is_in_the_document_and_nothing_else(hub: RunningHub) -> None:
    fetched = (await hub.client().get("/openapi.json")).json()
    described = {(method.upper(), path) for path, methods in fetched["paths"].items() for method in methods}
    assert described == _rules(hub)
    assert fetched["openapi"].startswith("3.1")


def test_every_operation_is_complete() -> None:
    rows = {(row.method, row.path): row for row in all_routes()}
    spec = document()
    names = set()
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            row = rows[method.upper(), path]
            where = f"{method} {path}"
            names.add(operation["operationId"])
            assert operation["summary"], where
            assert bool(operation["security"]) == (row.permission is not None), where
            in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert in_path == set(re.findall(r"\{(\w+)\}", path)), where
            in_query = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
            assert in_query == {f.encode_name for f in msgspec.structs.fields(row.query)}, where
            assert ("requestBody" in operation) == (row.body is not None), where
            statuses = set(operation["responses"])
            assert {str(status) for status in row.answers} <= statuses, where
            assert {"422", "500", "503"} <= statuses, where
            assert (row.permission is None) or {"401", "403"} <= statuses, where
    assert len(names) == len(rows)  # operation ids are unique


def test_every_reference_has_its_target_and_every_schema_is_valid() -> None:
    spec = document()
    text = msgspec.json.encode(spec).decode()
    targets = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert targets == set(spec["components"]["schemas"])
    assert "\\\\Z" not in text
    for schema in spec["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def _validator(path: str, method: str, status: int) -> jsonschema.Draft202012Validator:
    spec = document()
    response = spec["paths"][path][method.lower()]["responses"][str(status)]
    ((_, content),) = response["content"].items()
    return jsonschema.Draft202012Validator({**content["schema"], "components": spec["components"]})


async def test_real_answers_match_the_document(hub: RunningHub, field: Field, admin: Person, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    transaction = await field.start("north", station)
    await field.meter("north", station, transaction, reading(1, "1500", "7000"))
    await boss.patch("/api/v1/chargepoints/CP-1", {"connectors": [{"evse_id": 1, "connector_id": 1}]})
    await boss.post("/api/v1/locations", {"name": "Here", "latitude": 52.5})
    await boss.post("/api/v1/id-tokens", {"id_token": "TAG1", "restrictions": {"max_amount_per_month": "10.50"}})
    await boss.post("/api/v1/token-groups", {"name": "Fleet", "restrictions": {"hours": [{"start": "08:00"}]}})
    await boss.post("/api/v1/station-groups", {"name": "Region"})
    await boss.post("/api/v1/api-keys", {"name": "key", "role": "viewer"})
    await boss.post("/api/v1/tolerance-rules", {"vendor": "Acme", "effect": "spare"})
    await boss.put("/api/v1/external-authorization", {"url": "https://partner.example.org/"})
    await make(boss)
    await boss.post("/api/v1/tariff-assignments", {"tariff_id": "DAY"})
    await boss.post("/api/v1/price-series", {"series_id": "spot", "name": "Spot", "currency": "EUR"})
    await furnish_billed(hub, boss, await field.tenant_id("north"), station, "CP-1", "plain")
    relaxation = Relaxation("call", "ocpp1.6", "StartTransaction", "/x", "additionalProperties", "tolerant")
    await field.ledger.commit(
        QuarantineFrame(
            tenant_id=await field.tenant_id("north"),
            station_id=station,
            ocpp_version="ocpp1.6",
            action="MeterValues",
            reason="orphan",
            payload=b'{"connectorId":1,"transactionId":1,"meterValue":[]}',
            relaxations=(relaxation,),
        )
    )
    command = (await boss.post("/api/v1/chargepoints/CP-1/commands?wait=0", {"command": "clear_cache"})).json()
    (session,) = (await boss.get("/api/v1/sessions")).json()["items"]
    closed = await boss.post(f"/api/v1/sessions/{session['session_id']}/close", {"reason": "it is gone", "stop_meter_wh": 2000})
    _validator("/api/v1/sessions/{id}/close", "POST", 200).validate(closed.json())
    await boss.post(f"/api/v1/sessions/{session['session_id']}/settle", {"reason": "a guest"})
    billed = await boss.request("POST", f"/api/v1/sessions/{session['session_id']}/bill")
    _validator("/api/v1/sessions/{id}/bill", "POST", 200).validate(billed.json())
    settings = {"provider": "test", "currency": "EUR", "hold_amount": "20.00", "max_amount": "20.00"}
    assert (await boss.put("/api/v1/payment-settings", settings)).status_code == 200
    order = {"charge_point_id": "CP-1", "evse_id": 1, "payment_method": "test_declined"}
    paid = await boss.post("/api/v1/payments", order)
    _validator("/api/v1/payments", "POST", 201).validate(paid.json())
    tenant_id = await field.tenant_id("north")
    await admin.put("/api/v1/ocpi/hub", {"country_code": "NL", "party_id": "HUB", "business_details": {"name": "Hub"}})
    roaming = await furnish_roaming(hub, boss, tenant_id, "plain")
    ids = {
        "reservations": str(await furnish_reserved(hub, tenant_id, station, "plain")),
        "ocpi/partners": roaming.partner_id,
        "ocpi/agreements": roaming.agreement_id,
        "ocpi/messages": roaming.partner_id,
        "ocpi/commands": roaming.partner_id,
        "ocpi/invoices": roaming.partner_id,
        "chargepoints": "CP-1",
        "commands": command["command_id"],
        "sessions": session["session_id"],
        "tenants": "north",
        **{
            kind: next(iter((await boss.get(f"/api/v1/{kind}")).json()["items"]))[name]
            for kind, name in (
                ("id-tokens", "token_id"),
                ("token-groups", "group_id"),
                ("station-groups", "group_id"),
                ("locations", "location_id"),
                ("users", "user_id"),
                ("api-keys", "key_id"),
                ("quarantine", "quarantine_id"),
                ("tolerance-rules", "rule_id"),
                ("tariffs", "tariff_id"),
                ("tariff-assignments", "assignment_id"),
                ("price-series", "series_id"),
                ("cdrs", "cdr_id"),
                ("statements", "statement_id"),
                ("payments", "payment_id"),
            )
        },
    }
    needed = {"explain": {"charge_point_id": "CP-1"}, "published": {"module": "tariffs"}, "findings": {"module": "tariffs"}}
    seen = 0
    for row in all_routes():
        if row.method != "GET" or row.media_type != "application/json":
            continue
        person = admin if row.path == "/api/v1/tenants" else boss
        kind = "/".join(row.path.split("/")[3 : 5 if row.path.startswith("/api/v1/ocpi/") else 4])
        path = row.path.replace("{id}", ids.get(kind, "")).replace("{module}/{object_no}", roaming.object)
        path = path.replace("{object_no}", roaming.record)
        path = re.sub(r"\{(version|evse_id|connector_id)\}", "1", path)
        answer = await person.get(path, params=needed.get(row.path.rpartition("/")[2]))
        assert answer.status_code == 200, (row.path, answer.text)
        _validator(row.path, "GET", 200).validate(answer.json())
        seen += 1
    assert seen > 20
    missing = await boss.get("/api/v1/sessions/00000000-0000-0000-0000-000000000000")
    _validator("/api/v1/sessions/{id}", "GET", 404).validate(missing.json())


async def test_the_pages_work_without_anything_from_elsewhere(hub: RunningHub) -> None:
    client = hub.client()
    for path in ("/", "/docs"):
        page = await client.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert "<script" not in page.text
        links = re.findall(r'(?:href|src)="([^"#]+)"', page.text)
        assert links
        for link in set(links):
            assert link.startswith("/"), link
            assert (await client.get(link)).status_code == 200, link
    docs = (await client.get("/docs")).text
    for row in all_routes():
        assert row.path in docs
    anchors = set(re.findall(r'href="#([^"]+)"', docs))
    assert anchors <= set(re.findall(r'id="([^"]+)"', docs))


async def test_health_tells_what_is_amiss(hub: RunningHub) -> None:
    client = hub.client()
    healthy = (await client.get("/health")).json()
    assert healthy["status"] == "ok"
    assert healthy["components"]["database"] == {"state": "ok", "detail": ""}
    assert healthy["components"]["hub"]["state"] == "ok"
    hub.services.health.report("ledger", "degraded", "the database does not answer")
    ill: dict[str, Any] = (await client.get("/health")).json()
    assert ill["status"] == "degraded"
    assert ill["components"]["ledger"] == {"state": "degraded", "detail": "the database does not answer"}


async def test_metrics_hold_no_names(hub: RunningHub, boss: Person) -> None:
    await boss.post("/api/v1/chargepoints", {"charge_point_id": "CP-SECRET"})
    await boss.get("/api/v1/chargepoints/CP-SECRET")
    await boss.get("/no/such/CP-SECRET")
    text = (await hub.client().get("/metrics")).text
    assert 'csms_http_requests_total{method="GET",route="/api/v1/chargepoints/<id>",status="200"}' in text
    assert "CP-SECRET" not in text
    assert "north" not in text
