"""Sign-in, tokens, API keys, roles."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import trio

from csms.accounts import BadPassword, UnknownUser, UserPasswords, ensure_first_admin, set_password
from tests.integration.hub.harness import ADMIN, PASSWORD, Person, RunningHub

LOGIN = "/api/v1/auth/login"


async def test_every_failed_sign_in_looks_the_same(hub: RunningHub, boss: Person) -> None:
    client = hub.client()
    await boss.patch(f"/api/v1/users/{(await boss.get('/api/v1/me')).json()['id']}", {"name": "Boss"})
    attempts = [
        {"email": boss.email, "password": "wrong-password", "tenant": "north"},
        {"email": boss.email, "password": PASSWORD},
        {"email": boss.email, "password": PASSWORD, "tenant": "nowhere"},
        {"email": "nobody@example.org", "password": PASSWORD, "tenant": "north"},
    ]
    answers = [await client.post(LOGIN, json=attempt) for attempt in attempts]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    good = await client.post(LOGIN, json={"email": boss.email.upper(), "password": PASSWORD, "tenant": "north"})
    assert good.status_code == 200
    assert good.json()["expires_in"] == 900


async def test_guesses_are_limited_per_account_and_the_others_still_get_in(hub: RunningHub, admin: Person) -> None:
    client = hub.client()
    statuses = [
        (await client.post(LOGIN, json={"email": "victim@example.org", "password": "guess-guess"})).status_code for _ in range(12)
    ]
    assert statuses == [401] * 10 + [429] * 2
    blocked = await client.post(LOGIN, json={"email": "Victim@Example.org", "password": "guess-guess"})
    assert blocked.status_code == 429
    assert int(blocked.headers["retry-after"]) > 0
    good = await client.post(LOGIN, json={"email": ADMIN[0], "password": ADMIN[1]})
    assert good.status_code == 200


async def test_refresh_tokens_rotate_and_a_second_use_ends_the_family(hub: RunningHub, boss: Person) -> None:
    client = hub.client()

    async def refresh(token: str) -> tuple[int, str]:
        answer = await client.post("/api/v1/auth/refresh", json={"refresh_token": token})
        return answer.status_code, answer.json().get("refresh_token", "")

    status, second = await refresh(boss.refresh_token)
    assert status == 200
    status, third = await refresh(second)
    assert status == 200
    assert (await refresh(second))[0] == 401
    assert (await refresh(third))[0] == 401
    other = await hub.sign_in(boss.email, PASSWORD, "north")
    assert (await refresh(other.refresh_token))[0] == 200
    assert (await refresh("csmsr_" + "A" * 43))[0] == 401
    assert (await refresh("nonsense"))[0] == 401


async def test_signing_out_ends_the_refresh_tokens(hub: RunningHub, boss: Person) -> None:
    client = hub.client()
    assert (await client.post("/api/v1/auth/logout", json={"refresh_token": boss.refresh_token})).status_code == 204
    assert (await client.post("/api/v1/auth/logout", json={"refresh_token": boss.refresh_token})).status_code == 204
    assert (await client.post("/api/v1/auth/refresh", json={"refresh_token": boss.refresh_token})).status_code == 401


async def test_a_new_password_and_disabling_void_the_tokens(hub: RunningHub, boss: Person) -> None:
    viewer = await hub.make_user(boss, "viewer")
    user_id = (await viewer.get("/api/v1/me")).json()["id"]
    assert (await boss.patch(f"/api/v1/users/{user_id}", {"password": "another-password"})).status_code == 200
    assert (await viewer.get("/api/v1/me")).status_code == 401
    assert (await hub.client().post("/api/v1/auth/refresh", json={"refresh_token": viewer.refresh_token})).status_code == 401
    again = await hub.sign_in(viewer.email, "another-password", "north")
    assert (await boss.patch(f"/api/v1/users/{user_id}", {"disabled": True})).json()["disabled"] is True
    assert (await again.get("/api/v1/me")).status_code == 401
    refused = await hub.client().post(LOGIN, json={"email": viewer.email, "password": "another-password", "tenant": "north"})
    assert refused.status_code == 401
    assert (await boss.patch(f"/api/v1/users/{user_id}", {"disabled": False})).json()["disabled"] is False
    # what was issued before the disabling stays void
    assert (await again.get("/api/v1/me")).status_code == 401


async def test_a_changed_role_counts_at_once(hub: RunningHub, boss: Person) -> None:
    operator = await hub.make_user(boss, "operator")
    me = (await operator.get("/api/v1/me")).json()
    assert (await operator.post("/api/v1/locations", {"name": "Here"})).status_code == 201
    await boss.patch(f"/api/v1/users/{me['id']}", {"role": "viewer"})
    assert (await operator.post("/api/v1/locations", {"name": "There"})).status_code == 403


async def test_api_keys(hub: RunningHub, boss: Person) -> None:
    made = (await boss.post("/api/v1/api-keys", {"name": "billing", "role": "viewer"})).json()
    assert made["key"].startswith(made["prefix"])
    listed = (await boss.get("/api/v1/api-keys")).text
    assert made["key"] not in listed
    stored = await hub.sql("SELECT encode(key_hash, 'escape') AS hash FROM api_keys")
    assert made["key"] not in stored[0]["hash"]
    program = hub.client({"X-API-Key": made["key"]})
    me = (await program.get("/api/v1/me")).json()
    assert (me["kind"], me["role"], me["tenant"]) == ("api_key", "viewer", "north")
    assert (await program.post("/api/v1/locations", json={"name": "Here"})).status_code == 403
    assert (await hub.client({"X-API-Key": made["key"][:-1] + "!"}).get("/api/v1/me")).status_code == 401
    both = hub.client({"X-API-Key": made["key"], "Authorization": f"Bearer {boss.access_token}"})
    assert (await both.get("/api/v1/me")).status_code == 400
    assert (await boss.delete(f"/api/v1/api-keys/{made['key_id']}")).status_code == 204
    assert (await program.get("/api/v1/me")).status_code == 401


async def test_api_keys_expire(hub: RunningHub, boss: Person) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    made = (await boss.post("/api/v1/api-keys", {"name": "short", "role": "viewer", "expires_at": soon})).json()
    program = hub.client({"X-API-Key": made["key"]})
    assert (await program.get("/api/v1/me")).status_code == 200
    await hub.sql("UPDATE api_keys SET expires_at = now() - interval '1 s'")
    assert (await program.get("/api/v1/me")).status_code == 401
    past = await boss.post("/api/v1/api-keys", {"name": "past", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"})
    assert past.status_code == 422


async def test_nobody_reaches_above_himself(hub: RunningHub, admin: Person, boss: Person) -> None:
    # a tenant administrator of the tenant in which the platform's administrators live
    await admin.post("/api/v1/users", {"email": "local@example.org", "password": PASSWORD, "role": "tenant_admin"})
    local = await hub.sign_in("local@example.org", PASSWORD)
    admin_id = (await admin.get("/api/v1/me")).json()["id"]
    assert (await local.post("/api/v1/users", {"email": "x@example.org", "password": PASSWORD, "role": "admin"})).status_code == 403
    assert (await local.patch(f"/api/v1/users/{admin_id}", {"password": PASSWORD})).status_code == 403
    assert (await local.delete(f"/api/v1/users/{admin_id}")).status_code == 403
    assert (await local.post("/api/v1/api-keys", {"name": "k", "role": "admin"})).status_code == 403
    key = (await admin.post("/api/v1/api-keys", {"name": "k", "role": "admin"})).json()
    assert (await local.delete(f"/api/v1/api-keys/{key['key_id']}")).status_code == 403
    # platform administrators live in the default tenant only
    elsewhere = {"X-CSMS-Tenant": "north"}
    refused = await admin.post(
        "/api/v1/users", {"email": "x@example.org", "password": PASSWORD, "role": "admin"}, headers=elsewhere
    )
    assert refused.status_code == 422
    assert (await admin.post("/api/v1/api-keys", {"name": "k", "role": "admin"}, headers=elsewhere)).status_code == 422
    # and a row that says otherwise gives no power
    await hub.sql("UPDATE users SET role = 'admin' WHERE email = $1", boss.email)
    assert (await boss.get("/api/v1/me")).status_code == 401


async def test_the_last_administrator_stays(hub: RunningHub, admin: Person) -> None:
    admin_id = (await admin.get("/api/v1/me")).json()["id"]
    assert (await admin.delete(f"/api/v1/users/{admin_id}")).status_code == 409
    assert (await admin.patch(f"/api/v1/users/{admin_id}", {"disabled": True})).status_code == 409
    assert (await admin.patch(f"/api/v1/users/{admin_id}", {"role": "viewer"})).status_code == 409
    assert (await admin.get("/api/v1/me")).json()["role"] == "admin"


async def test_the_tenant_header(hub: RunningHub, admin: Person, boss: Person) -> None:
    me = (await admin.get("/api/v1/me", headers={"X-CSMS-Tenant": "north"})).json()
    assert (me["tenant"], me["home_tenant"]) == ("north", "default")
    assert (await admin.get("/api/v1/me", headers={"X-CSMS-Tenant": "nowhere"})).status_code == 404
    assert (await boss.get("/api/v1/me", headers={"X-CSMS-Tenant": "north"})).status_code == 200
    foreign = [await boss.get("/api/v1/me", headers={"X-CSMS-Tenant": slug}) for slug in ("default", "nowhere", "NO WHERE")]
    assert {answer.status_code for answer in foreign} == {403}
    assert len({answer.content for answer in foreign}) == 1


async def test_the_first_administrator_is_made_once(hub: RunningHub) -> None:
    settings, ids = hub.services.settings, hub.services.ids
    assert await ensure_first_admin(hub.store, settings, ids) is None
    assert len(await hub.sql("SELECT 1 FROM users")) == 1
    await hub.sql("DELETE FROM users")
    nameless = dataclasses.replace(settings, admin_email=None, admin_password=None)
    made_up = await ensure_first_admin(hub.store, nameless, ids)
    assert made_up is not None
    assert len(made_up) >= 20
    assert (await hub.sign_in("admin@localhost", made_up)).access_token
    assert await ensure_first_admin(hub.store, nameless, ids) is None


async def test_setting_a_password_from_the_command_line(hub: RunningHub, boss: Person) -> None:
    await set_password(hub.store, "north", boss.email.upper(), "the-new-password")
    assert (await boss.get("/api/v1/me")).status_code == 401
    assert (await hub.sign_in(boss.email, "the-new-password", "north")).access_token
    with pytest.raises(UnknownUser):
        await set_password(hub.store, "north", "nobody@example.org", "the-new-password")
    with pytest.raises(UnknownUser):
        await set_password(hub.store, "nowhere", boss.email, "the-new-password")
    with pytest.raises(BadPassword):
        await set_password(hub.store, "north", boss.email, "short")


@pytest.mark.parametrize("change", [{"password": "another-password"}, {"disabled": True}])
async def test_a_sign_in_that_a_change_overtook_gets_no_tokens(
    hub: RunningHub, boss: Person, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    """The old password was compared, and then changed before the tokens were made."""
    viewer = await hub.make_user(boss, "viewer")
    user_id = (await viewer.get("/api/v1/me")).json()["id"]
    real, compared, changed = UserPasswords.verify, trio.Event(), trio.Event()
    waiting: list[bool] = []

    async def overtaken(self: UserPasswords, stored: str | None, password: str) -> bool:
        matches = await real(self, stored, password)
        waiting.append(matches)
        if len(waiting) == 3:
            compared.set()
        await changed.wait()
        return matches

    statuses: list[int] = []

    async def sign_in() -> None:
        login = {"email": viewer.email, "password": PASSWORD, "tenant": "north"}
        statuses.append((await hub.client().post(LOGIN, json=login)).status_code)

    monkeypatch.setattr(UserPasswords, "verify", overtaken)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(sign_in)
        await compared.wait()
        assert (await boss.patch(f"/api/v1/users/{user_id}", change)).status_code == 200
        changed.set()
    assert waiting == [True] * 3
    assert statuses == [401] * 3
    assert await hub.sql("SELECT 1 FROM refresh_tokens WHERE user_id = $1", UUID(user_id)) == []
