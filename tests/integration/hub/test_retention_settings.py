"""How long a tenant keeps readings and events: set by its administrator, null for ever."""

from __future__ import annotations

from tests.integration.hub.harness import PASSWORD, Person, RunningHub


async def test_retention_is_set_and_taken_back(hub: RunningHub, admin: Person, boss: Person) -> None:
    path = "/api/v1/tenants/north"
    fresh = (await boss.get(path)).json()
    assert (fresh["samples_kept_days"], fresh["events_kept_days"]) == (None, None)
    changed = (await boss.put(f"{path}/config", {"samples_kept_days": 90, "events_kept_days": 400})).json()
    assert (changed["samples_kept_days"], changed["events_kept_days"]) == (90, 400)
    # what is not named stays, null takes it back
    other = (await boss.put(f"{path}/config", {"currency": "CHF"})).json()
    assert (other["samples_kept_days"], other["events_kept_days"]) == (90, 400)
    back = (await boss.put(f"{path}/config", {"samples_kept_days": None})).json()
    assert (back["samples_kept_days"], back["events_kept_days"]) == (None, 400)
    listed = (await admin.get("/api/v1/tenants")).json()["items"]
    assert {t["id"]: (t["samples_kept_days"], t["events_kept_days"]) for t in listed} == {
        "default": (None, None),
        "north": (None, 400),
    }
    for body, field in (
        ({"samples_kept_days": 6}, "samples_kept_days"),
        ({"events_kept_days": 29}, "events_kept_days"),
        ({"events_kept_days": 36_501}, "events_kept_days"),
        ({"samples_kept_days": "30"}, "samples_kept_days"),
    ):
        refused = await boss.put(f"{path}/config", body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == field


async def test_a_tenant_is_made_with_its_retention(hub: RunningHub, admin: Person) -> None:
    new = {
        "id": "west",
        "name": "West",
        "samples_kept_days": 30,
        "admin": {"email": "w@example.org", "password": PASSWORD},
    }
    made = await admin.post("/api/v1/tenants", new)
    assert (made.json()["samples_kept_days"], made.json()["events_kept_days"]) == (30, None)
