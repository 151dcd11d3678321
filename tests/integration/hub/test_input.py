"""Bad requests: refused with problem details that name what is wrong."""

from __future__ import annotations

from typing import Any

import trio

from csms.secret import RootSecret
from tests.integration.hub.harness import Person, RunningHub, running_hub

JSON = {"Content-Type": "application/json"}


def _problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("urn:open-csms:problem:")
    assert body["title"]
    return body


async def test_bodies(boss: Person) -> None:
    path = "/api/v1/locations"
    _problem(await boss.request("POST", path, content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    _problem(await boss.request("POST", path, content=b"{}"), 415)
    for malformed in (b"", b"{", b'{"name":"a"', b'{"name":"\xff"}', b'{"name": NaN}', b"[" * 100_000, b'{"name":"\\ud800"}'):
        answer = await boss.request("POST", path, content=malformed, headers=JSON)
        assert answer.status_code in (400, 422), (malformed[:20], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    cases: list[tuple[Any, str]] = [
        ({}, "name"),
        ({"name": 5}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "a", "tenant_id": 1}, "tenant_id"),
        ({"name": "a", "latitude": 91}, "latitude"),
        ({"name": "a", "latitude": "1; DROP TABLE"}, "latitude"),
        ({"name": "a", "country": "germany"}, "country"),
        ({"name": "a", "time_zone": "Mars/Olympus"}, "time_zone"),
        ([], ""),
    ]
    for body, field in cases:
        errors = _problem(await boss.post(path, body), 422)["errors"]
        assert errors[0]["field"] == field, (body, errors)
        assert errors[0]["message"]
    assert (await boss.get(path)).json()["items"] == []


async def test_depth_of_free_form_input(hub: RunningHub, boss: Person) -> None:
    await boss.post("/api/v1/chargepoints", {"charge_point_id": "CP-1"})
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    body = {"action": "DataTransfer", "payload": {"data": deep}, "time_to_live": 60}
    errors = _problem(await boss.post("/api/v1/chargepoints/CP-1/commands", body), 422)["errors"]
    assert errors[0]["field"].startswith("payload.data[0][0]")
    hidden = {"action": "DataTransfer", "payload": {"a": [{"b": "x\0y"}]}, "time_to_live": 60}
    errors = _problem(await boss.post("/api/v1/chargepoints/CP-1/commands", hidden), 422)["errors"]
    assert errors[0]["field"] == "payload.a[0].b"


async def test_queries(boss: Person) -> None:
    cases = {
        "limit=0": "limit",
        "limit=501": "limit",
        "limit=x": "limit",
        "limit=1&limit=2": "limit",
        "cursor=abc": "cursor",
        "cursor=" + "A" * 600: "cursor",
        "status=sleeping": "status",
        "charge_point_id=a%00b": "charge_point_id",
        "from=yesterday": "from",
        "tenant_id=1": "tenant_id",
    }
    for query, field in cases.items():
        errors = _problem(await boss.get(f"/api/v1/sessions?{query}"), 422)["errors"]
        assert errors[0]["field"] == field, (query, errors)
    _problem(await boss.get("/api/v1/sessions?id_tag=" + "a" * 5000), 414)
    _problem(await boss.get("/api/v1/sessions?id_tag=%ff"), 400)


async def test_cursors_fit_their_list_only(hub: RunningHub, admin: Person, boss: Person) -> None:
    for name in ("a", "b", "c"):
        await boss.post("/api/v1/locations", {"name": name})
        await boss.post("/api/v1/id-tokens", {"id_token": name})
    first = (await boss.get("/api/v1/locations", params={"limit": 2})).json()
    cursor = first["next_cursor"]
    rest = (await boss.get("/api/v1/locations", params={"cursor": cursor})).json()
    assert [item["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c"]
    for path in ("/api/v1/id-tokens", "/api/v1/users"):
        _problem(await boss.get(path, params={"cursor": cursor}), 422)
    _problem(await admin.get("/api/v1/locations", params={"cursor": cursor}), 422)
    tokens = (await boss.get("/api/v1/id-tokens", params={"limit": 1, "status": "accepted"})).json()["next_cursor"]
    _problem(await boss.get("/api/v1/id-tokens", params={"cursor": tokens}), 422)


async def test_addresses_and_methods(hub: RunningHub, boss: Person) -> None:
    client = hub.client()
    for path in ("/nowhere", "/api/v1/", "/api/v1/sessions/", "//api/v1/sessions", "/api/v1/sessions/x/y/z"):
        _problem(await client.get(path), 404)
    refused = await client.delete("/api/v1/sessions")
    _problem(refused, 405)
    assert "GET" in refused.headers["allow"]
    _problem(await client.request("OPTIONS", "/api/v1/sessions"), 405)
    for path in ("/api/v1/sessions/not-a-uuid", "/api/v1/commands/%00", "/api/v1/chargepoints/a%00b", "/api/v1/users/..%2f"):
        _problem(await boss.get(path), 404)
    unsigned = await client.get("/api/v1/sessions")
    _problem(unsigned, 401)
    assert unsigned.headers["www-authenticate"].startswith("Bearer")


async def test_security_headers(hub: RunningHub) -> None:
    for path in ("/", "/docs", "/health", "/nowhere", "/api/v1/me"):
        headers = (await hub.client().get(path, headers={"Origin": "https://elsewhere.example"})).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


async def test_a_fault_on_our_side_shows_only_an_incident(hub: RunningHub, boss: Person) -> None:
    await hub.sql("DROP TABLE quarantine")
    body = _problem(await boss.get("/api/v1/quarantine"), 500)
    assert body["instance"].startswith("urn:uuid:")
    assert "quarantine" not in body["detail"]


async def test_try_out_mode_takes_nothing_from_proxies(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    async with running_hub(database, root_secret, nursery, CSMS_TRY="1") as hub:
        client = hub.client()
        assert (await client.get("/health")).status_code == 200
        for name in ("Origin", "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-anything"):
            _problem(await client.get("/health", headers={name: "somewhere"}), 403)


async def test_identities(boss: Person) -> None:
    for identity in ("", "a b", "a/b", "a:b", ".hidden", "a" * 49, "é", "a\n", "a#b"):
        errors = _problem(await boss.post("/api/v1/chargepoints", {"charge_point_id": identity}), 422)["errors"]
        assert errors[0]["field"] == "charge_point_id", identity


async def test_an_identity_is_percent_encoded_in_the_address(boss: Person) -> None:
    identity = "DE*ABC+E1|x=@y"
    assert (await boss.post("/api/v1/chargepoints", {"charge_point_id": identity})).status_code == 201
    answer = await boss.get("/api/v1/chargepoints/DE%2AABC%2BE1%7Cx%3D%40y")
    assert answer.json()["charge_point_id"] == identity


async def test_times_at_the_edge_of_the_calendar(boss: Person) -> None:
    early, late = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
    for time in (early, late, "1969-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "1970-01-01T00:00:00+01:00"):
        for name in ("from", "to"):
            errors = _problem(await boss.get("/api/v1/sessions", params={name: time}), 422)["errors"]
            assert errors[0]["field"] == name, time
        for name in ("valid_from", "valid_until"):
            errors = _problem(await boss.post("/api/v1/id-tokens", {"id_token": "T", name: time}), 422)["errors"]
            assert errors[0]["field"] == name, time
        key = {"name": "k", "role": "viewer", "expires_at": time}
        assert _problem(await boss.post("/api/v1/api-keys", key), 422)["errors"][0]["field"] == "expires_at", time
    token = (await boss.post("/api/v1/id-tokens", {"id_token": "T", "valid_until": "2099-12-31T23:59:59Z"})).json()
    errors = _problem(await boss.patch(f"/api/v1/id-tokens/{token['token_id']}", {"valid_from": early}), 422)["errors"]
    assert errors[0]["field"] == "valid_from"
    for number in ("1", "1.5", "1700000000"):
        errors = _problem(await boss.get("/api/v1/sessions", params={"from": number}), 422)["errors"]
        assert errors[0]["field"] == "from", number
    assert (await boss.get("/api/v1/sessions", params={"from": "1970-01-01T00:00:00Z"})).status_code == 200
