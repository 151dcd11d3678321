"""The settings over the API: what is taken, what is shown, what is never shown again."""

from __future__ import annotations

from typing import Any

import jsonschema

from hub.routes import document
from tests.integration.external_authorization.network import PATH, Network
from tests.integration.external_authorization.third_party import ThirdPartyServer, answer
from tests.integration.hub.harness import Person, RunningHub

SECRETS = {"authorization": "Bearer very-secret", "signing_secret": "key-0123456789abcdef"}
URL = "https://partner.example.org/ask"


async def test_they_are_set_shown_changed_and_switched_off(hub: RunningHub, boss: Person) -> None:
    assert (await boss.get(PATH)).status_code == 404
    assert (await boss.delete(PATH)).status_code == 404
    assert (await boss.post(f"{PATH}/test", {"id_token": "CARD"})).status_code == 404
    made = await boss.put(PATH, {"url": URL, **SECRETS})
    assert made.status_code == 200, made.text
    shown = made.json()
    assert {name: shown[name] for name in shown if name not in ("created_at", "updated_at")} == {
        "via": "http",
        "url": URL,
        "asks": "unknown_tokens",
        "timeout_ms": 2000,
        "fallback": "own_data",
        "cache_s": 0,
        "has_authorization": True,
        "has_signing_secret": True,
        "circuit": {
            "state": "closed",
            "failures_in_a_row": 0,
            "next_probe_in_s": 0.0,
            "under_way": 0,
            "last_failure": None,
            "last_failure_at": None,
        },
    }
    changed = await boss.put(
        PATH, {"url": f"{URL}/2", "asks": "all_tokens", "fallback": "accept", "timeout_ms": 100, "cache_s": 60}
    )
    assert changed.json()["has_authorization"]
    assert (await boss.get(PATH)).json() == changed.json()
    assert changed.json()["updated_at"] > shown["updated_at"]
    gone = await boss.put(PATH, {"url": URL, "authorization": None})
    assert (gone.json()["has_authorization"], gone.json()["has_signing_secret"]) == (False, True)
    assert (await boss.delete(PATH)).status_code == 204
    assert (await boss.get(PATH)).status_code == 404


async def test_secrets_are_stored_encrypted_and_in_no_answer(hub: RunningHub, boss: Person) -> None:
    answers = [await boss.put(PATH, {"url": URL, **SECRETS}), await boss.get(PATH)]
    (row,) = await hub.sql("SELECT e::text AS row, e.* FROM external_authorization e")
    for secret in SECRETS.values():
        assert all(secret not in shown.text for shown in answers)
        assert secret.encode() not in bytes(row["authorization_sealed"]) + bytes(row["signing_secret_sealed"])
        assert secret not in row["row"]


async def test_stored_secrets_go_to_no_other_server(hub: RunningHub, boss: Person) -> None:
    await boss.put(PATH, {"url": URL, **SECRETS})
    for url in ("https://attacker.example.org/ask", "https://partner.example.org:8443/ask"):
        for given, field in (({}, "authorization"), ({"authorization": "Bearer other"}, "signing_secret")):
            refused = await boss.put(PATH, {"url": url, **given})
            assert refused.status_code == 422
            assert [error["field"] for error in refused.json()["errors"]] == [field]
        assert (await boss.get(PATH)).json()["url"] == URL
    moved = await boss.put(PATH, {"url": "https://attacker.example.org/ask", "authorization": None, "signing_secret": None})
    assert (moved.json()["has_authorization"], moved.json()["has_signing_secret"]) == (False, False)


_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"url": "http://partner.example.org/"}, "url"),
    ({"url": "https://127.0.0.1/"}, "url"),
    ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
    ({"url": "https://user:password@partner.example.org/"}, "url"),
    ({"url": "https://partner.example.org/\r\nHost: x"}, "url"),
    ({"url": "https://" + "x" * 2000}, "url"),
    ({"asks": "some_tokens"}, "asks"),
    ({"fallback": "whatever"}, "fallback"),
    ({"timeout_ms": 99}, "timeout_ms"),
    ({"timeout_ms": 4001}, "timeout_ms"),
    ({"cache_s": -1}, "cache_s"),
    ({"cache_s": 3601}, "cache_s"),
    ({"authorization": ""}, "authorization"),
    ({"authorization": "Bearer a\r\nX-Evil: b"}, "authorization"),
    ({"authorization": "Bearer \u00e9"}, "authorization"),
    ({"authorization": "x" * 2001}, "authorization"),
    ({"signing_secret": "too short"}, "signing_secret"),
    ({"signing_secret": "x" * 201}, "signing_secret"),
    ({"tenant_id": 1}, "tenant_id"),
]


async def test_what_is_refused(boss: Person) -> None:
    for change, field in _REFUSED:
        refused = await boss.put(PATH, {"url": URL} | change)
        assert refused.status_code == 422, refused.text
        assert [error["field"] for error in refused.json()["errors"]] == [field]
        assert (await boss.get(PATH)).status_code == 404


async def test_who_may_see_and_change_them(hub: RunningHub, boss: Person) -> None:
    await boss.put(PATH, {"url": URL, **SECRETS})
    for role in ("viewer", "operator"):
        person = await hub.make_user(boss, role)
        assert (await person.get(PATH)).status_code == (403 if role == "viewer" else 200)
        assert (await person.put(PATH, {"url": URL})).status_code == 403
        assert (await person.post(f"{PATH}/test", {"id_token": "CARD"})).status_code == 403
        assert (await person.delete(PATH)).status_code == 403


async def test_a_trial_says_how_the_third_party_answers(net: Network, server: ThirdPartyServer) -> None:
    await net.switch_on(timeout_ms=300, **SECRETS)
    server.says("Blocked", reason="unpaid", group_id_token="FLEET")
    tried = await net.admin.post(f"{PATH}/test", {"id_token": "CARD", "type": "ISO14443", "charge_point_id": "CP-9", "evse_id": 3})
    shown = tried.json()
    assert shown.pop("duration_ms") < 300
    assert shown == {"status": "Blocked", "expires_at": None, "group_id_token": "FLEET", "reason": "unpaid", "failure": None}
    (asked,) = server.asked
    assert asked.headers["authorization"] == SECRETS["authorization"]
    assert {name: asked.question[name] for name in ("tenant", "charge_point_id", "evse_id", "id_token", "purpose")} == {
        "tenant": "default",
        "charge_point_id": "CP-9",
        "evse_id": 3,
        "id_token": "CARD",
        "purpose": "authorize",
    }

    async def refuse(stream: Any, asked: Any) -> None:
        await answer({}, stream, asked, status="503 Busy")

    server.behave = refuse
    for _ in range(9):
        tried = await net.admin.post(f"{PATH}/test", {"id_token": "CARD"})
        assert (tried.json()["status"], tried.json()["failure"]) == (None, "it answered with status 503")
    too_often = await net.admin.post(f"{PATH}/test", {"id_token": "CARD"})
    assert too_often.status_code == 429
    assert (await net.shown())["circuit"]["state"] == "closed"  # trials do not count


async def test_what_is_shown_is_what_the_document_says(net: Network, server: ThirdPartyServer) -> None:
    schemas = document()["paths"]
    shown = {
        ("put", PATH): await net.admin.put(PATH, {"url": server.url, **SECRETS}),
        ("get", PATH): await net.admin.get(PATH),
        ("post", f"{PATH}/test"): await net.admin.post(f"{PATH}/test", {"id_token": "CARD"}),
    }
    for (method, path), answered in shown.items():
        assert answered.status_code == 200
        schema = schemas[path][method]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**schema, "components": document()["components"]}).validate(answered.json())
