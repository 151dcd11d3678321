"""Id tokens, their groups and those of stations, the explanation of a verdict, and whole files of tokens."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.hub.harness import Field, Person, RunningHub

TOKENS = "/api/v1/id-tokens"
GROUPS = "/api/v1/token-groups"
STATION_GROUPS = "/api/v1/station-groups"


async def make(boss: Person, path: str, **body: Any) -> dict[str, Any]:
    answer = await boss.post(path, body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def refusal(boss: Person, method: str, path: str, body: Any) -> tuple[int, list[str]]:
    answer = await boss.request(method, path, json=body)
    return answer.status_code, [error["field"] for error in answer.json().get("errors", [])]


async def test_a_token_with_all_that_is_known_of_it(boss: Person) -> None:
    company = await make(boss, GROUPS, name="Company", kind="company")
    restrictions = {
        "countries": ["DE", "DEU"],
        "areas": [{"latitude": 52.5, "longitude": 13.4, "radius_km": 30.0}],
        "hours": [{"days": ["MONDAY"], "start": "22:00", "end": "06:00"}],
        "time_zone": "Europe/Berlin",
        "max_concurrent_sessions": 2,
        "sessions_per_day": 3,
        "max_amount_per_month": 120.5,
        "max_duration_s_per_session": 7200,
    }
    fields = {
        "kind": "mifare",
        "label": "Pool car 3",
        "visual_id": "DE-000-123",
        "issuer": "North Energy",
        "contract_id": "DE8AAC12345678",
        "language": "de",
        "whitelist": "NEVER",
        "user_type": "staff",
        "group_id": company["group_id"],
        "restrictions": restrictions,
    }
    token = await make(boss, TOKENS, id_token="04A1B2C3", **fields)
    assert {name: token[name] for name in fields} == fields
    assert (token["type"], token["single_use"], token["used_at"]) == ("ISO14443", False, None)
    path = f"{TOKENS}/{token['token_id']}"
    blocked = (await boss.patch(path, {"status": "blocked", "blocked_reason": "lost"})).json()
    assert (blocked["status"], blocked["blocked_reason"], blocked["restrictions"]) == ("blocked", "lost", restrictions)
    free = (await boss.patch(path, {"status": "accepted", "restrictions": None})).json()
    assert (free["blocked_reason"], free["restrictions"]) == (None, None)
    assert (await boss.get(path)).json() == free
    once = await make(boss, TOKENS, id_token="QR-1", kind="dynamic_qr", single_use=True, parent_token_id=token["token_id"])
    assert (once["type"], once["parent_token_id"]) == ("Central", token["token_id"])


_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"restrictions": {"time_zone": "Mars/Olympus"}}, "restrictions.time_zone"),
    ({"restrictions": {"locations": [str(uuid4())]}}, "restrictions.locations"),
    ({"restrictions": {"charge_points": ["NOWHERE"]}}, "restrictions.charge_points"),
    ({"restrictions": {"hours": [{"start": "25:00"}]}}, "restrictions.hours[0].start"),
    ({"restrictions": {"max_amount_per_month": -1}}, "restrictions"),
    ({"restrictions": {"sessions_per_day": 0}}, "restrictions.sessions_per_day"),
    ({"restrictions": {"unheard_of": 1}}, "restrictions.unheard_of"),
    ({"restrictions": {"max_concurrent_sessions": 101}}, "restrictions.max_concurrent_sessions"),
    ({"group_id": str(uuid4())}, "group_id"),
    ({"parent_token_id": str(uuid4())}, "parent_token_id"),
    ({"blocked_reason": "why"}, "blocked_reason"),
    ({"language": "deu"}, "language"),
    ({"kind": "emaid", "type": "ISO14443"}, "type"),
    ({"visual_id": "x" * 65}, "visual_id"),
]


async def test_what_is_wrong_with_a_token_is_named(boss: Person) -> None:
    made = await make(boss, TOKENS, id_token="T2")
    for body, field in _WRONG:
        assert await refusal(boss, "POST", TOKENS, {"id_token": "T", **body}) == (422, [field])
        if field != "type":
            assert await refusal(boss, "PATCH", f"{TOKENS}/{made['token_id']}", body) == (422, [field])


async def test_a_contract_and_a_vehicle_have_one_spelling(boss: Person) -> None:
    contract = await make(boss, TOKENS, id_token="de-8aa-1a2b3c4d5-1", kind="emaid")
    assert (contract["id_token"], contract["type"], contract["visual_id"]) == ("DE8AA1A2B3C4D5", "eMAID", "de-8aa-1a2b3c4d5-1")
    vehicle = await make(boss, TOKENS, id_token="00:11:22:33:aa:bb", kind="autocharge")
    assert (vehicle["id_token"], vehicle["type"]) == ("VID:00112233AABB", "MacAddress")
    for body in ({"id_token": "DE*8AA*1A2B3C4D5", "type": "eMAID"}, {"id_token": "VID:00112233aabb", "kind": "autocharge"}):
        assert (await boss.post(TOKENS, body)).status_code == 409
    for text, token in (("DE*8AA*1A2B3C4D5*1", contract), ("vid:00112233AABB", vehicle)):
        (found,) = (await boss.get(TOKENS, params={"id_token": text})).json()["items"]
        assert found == token


async def test_filters(boss: Person) -> None:
    fleet = await make(boss, GROUPS, name="Fleet")
    first = await make(boss, TOKENS, id_token="AB_1", kind="mifare", contract_id="C1", group_id=fleet["group_id"])
    second = await make(boss, TOKENS, id_token="XY-2", visual_id="abX", kind="test")
    await make(boss, TOKENS, id_token="ABC%")
    for query, expected in (
        ({"group_id": fleet["group_id"]}, [first]),
        ({"kind": "test"}, [second]),
        ({"contract_id": "C1"}, [first]),
        ({"starts_with": "ab_"}, [first]),
        ({"starts_with": "ABx"}, [second]),
        ({"starts_with": "%"}, []),
        ({"starts_with": "ab", "kind": "mifare"}, [first]),
    ):
        found = (await boss.get(TOKENS, params=query)).json()["items"]
        assert sorted(token["token_id"] for token in found) == sorted(token["token_id"] for token in expected), query


@pytest.mark.parametrize("path", [GROUPS, STATION_GROUPS])
async def test_groups_belong_to_groups(boss: Person, path: str) -> None:
    chain = [await make(boss, path, name="level 1")]
    for level in range(2, 9):
        chain.append(await make(boss, path, name=f"level {level}", parent_id=chain[-1]["group_id"]))
    top, middle, bottom = (chain[n]["group_id"] for n in (0, 3, 7))
    assert await refusal(boss, "POST", path, {"name": "level 9", "parent_id": bottom}) == (422, ["parent_id"])
    assert await refusal(boss, "PATCH", f"{path}/{top}", {"parent_id": middle}) == (422, ["parent_id"])
    assert await refusal(boss, "PATCH", f"{path}/{top}", {"parent_id": top}) == (422, ["parent_id"])
    assert await refusal(boss, "PATCH", f"{path}/{top}", {"parent_id": str(uuid4())}) == (422, ["parent_id"])
    above = await make(boss, path, name="above")
    assert await refusal(boss, "PATCH", f"{path}/{top}", {"parent_id": above["group_id"]}) == (422, ["parent_id"])
    assert (await boss.post(path, {"name": "LEVEL 1"})).status_code == 409
    assert (await boss.delete(f"{path}/{middle}")).status_code == 409
    listed = (await boss.get(path, params={"parent_id": middle})).json()["items"]
    assert [group["name"] for group in listed] == ["level 5"]
    moved = (await boss.patch(f"{path}/{bottom}", {"parent_id": None, "name": "alone"})).json()
    assert (moved["parent_id"], moved["name"]) == (None, "alone")
    assert (await boss.delete(f"{path}/{bottom}")).status_code == 204
    assert (await boss.get(f"{path}/{bottom}")).status_code == 404


async def test_a_token_group_goes_only_when_nothing_belongs_to_it(boss: Person) -> None:
    group = await make(boss, GROUPS, name="Family", kind="family", status="blocked", blocked_reason="unpaid", user_type="guest")
    path = f"{GROUPS}/{group['group_id']}"
    token = await make(boss, TOKENS, id_token="T", group_id=group["group_id"])
    assert (await boss.get(path)).json()["tokens"] == 1
    assert (await boss.delete(path)).status_code == 409
    freed = (await boss.patch(path, {"status": "accepted", "restrictions": {"sessions_per_day": 2}})).json()
    assert (freed["blocked_reason"], freed["restrictions"]) == (None, {"sessions_per_day": 2})
    await boss.delete(f"{TOKENS}/{token['token_id']}")
    assert (await boss.delete(path)).status_code == 204


async def test_the_members_of_a_station_group(boss: Person) -> None:
    for identity in ("CP-1", "CP-2", "cp-3"):
        await make(boss, "/api/v1/chargepoints", charge_point_id=identity)
    region = await make(boss, STATION_GROUPS, name="Region")
    path = f"{STATION_GROUPS}/{region['group_id']}"
    changed = await boss.post(f"{path}/chargepoints", {"add": ["CP-1", "cp-3", "CP-1"]})
    assert (changed.status_code, changed.json()["charge_points"]) == (200, 2)
    assert await refusal(boss, "POST", f"{path}/chargepoints", {"add": ["CP-2", "CP-9"]}) == (422, ["add[1]"])
    assert (await boss.post(f"{path}/chargepoints", {"add": ["CP-2"], "remove": ["CP-1"]})).json()["charge_points"] == 2
    pages = []
    cursor = None
    while True:
        query = {"limit": 1} | ({} if cursor is None else {"cursor": cursor})
        listed = (await boss.get(f"{path}/chargepoints", params=query)).json()
        pages += [item["charge_point_id"] for item in listed["items"]]
        cursor = listed["next_cursor"]
        if cursor is None:
            break
    assert pages == ["CP-2", "cp-3"]
    token = await make(boss, TOKENS, id_token="T", restrictions={"station_groups": [region["group_id"]]})
    assert (await boss.delete(path)).status_code == 409
    await boss.patch(f"{TOKENS}/{token['token_id']}", {"restrictions": None})
    assert (await boss.delete(path)).status_code == 204
    assert (await boss.get("/api/v1/chargepoints/CP-2")).status_code == 200


async def test_a_verdict_is_explained(hub: RunningHub, boss: Person, field: Field) -> None:
    station_id = await field.connect("north", "CP-1")
    await field.connect("north", "CP-2")
    region = await make(boss, STATION_GROUPS, name="Region")
    inner = await make(boss, STATION_GROUPS, name="Inner", parent_id=region["group_id"])
    await boss.post(f"{STATION_GROUPS}/{inner['group_id']}/chargepoints", {"add": ["CP-1"]})
    fleet = await make(boss, GROUPS, name="Fleet", restrictions={"station_groups": [region["group_id"]]}, group_id_token="FLEET")
    await make(boss, TOKENS, id_token="CARD", group_id=fleet["group_id"], restrictions={"sessions_per_day": 1})

    async def check(**body: Any) -> dict[str, Any]:
        answer = await boss.post(f"{TOKENS}/check", body)
        assert answer.status_code == 200, answer.text
        explained: dict[str, Any] = answer.json()
        return explained

    fine = await check(id_token="card", charge_point_id="CP-1", evse_id=1)
    assert (fine["accepted"], fine["ocpp16_status"], fine["group_id_token"]) == (True, "Accepted", "FLEET")
    assert [c["check"] for c in fine["checks"] if not c["passed"]] == []
    assert {c["check"] for c in fine["checks"]} >= {"status", "groups", "validity", "sessions", "place", "concurrency"}
    elsewhere = await check(id_token="CARD", charge_point_id="CP-2")
    assert (elsewhere["ocpp16_status"], elsewhere["ocpp2x_status"]) == ("Invalid", "NotAtThisLocation")
    assert elsewhere["reason"] == "group Fleet: not allowed at this charge point"
    await field.start("north", station_id, tag="CARD")
    used = await check(id_token="CARD", charge_point_id="CP-2")
    failed = {c["check"]: c["status"] for c in used["checks"] if not c["passed"]}
    assert failed == {"sessions": "NoCredit", "place": "NotAtThisLocation", "concurrency": "ConcurrentTx"}
    assert (used["ocpp16_status"], used["ocpp2x_status"]) == ("Blocked", "NoCredit")
    nobody = await check(id_token="NOBODY")
    assert (nobody["ocpp16_status"], nobody["ocpp2x_status"], nobody["token_id"]) == ("Invalid", "Unknown", None)
    assert await refusal(boss, "POST", f"{TOKENS}/check", {"id_token": "X", "charge_point_id": "NOWHERE"}) == (
        422,
        ["charge_point_id"],
    )
    assert await hub.sql("SELECT 1 FROM id_tokens WHERE id_token = 'NOBODY'") == []


# -- files

CSV = {"Content-Type": "text/csv"}


async def send(boss: Person, content: str, **query: Any) -> dict[str, Any]:
    answer = await boss.request("POST", f"{TOKENS}/import", content=content.encode(), headers=CSV, params=query)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


def outcomes(report: dict[str, Any]) -> list[tuple[int, str, list[str]]]:
    return [(line["line"], line["outcome"], [error["field"] for error in line["errors"]]) for line in report["lines"]]


async def tokens_of(boss: Person) -> dict[str, dict[str, Any]]:
    return {token["id_token"]: token for token in (await boss.get(TOKENS, params={"limit": 500})).json()["items"]}


async def test_a_dry_run_says_what_the_import_then_does(boss: Person) -> None:
    group = await make(boss, GROUPS, name="Fleet")
    await make(boss, TOKENS, id_token="OLD", label="old", language="de")
    await make(boss, TOKENS, id_token="SAME", label="same")
    retired = await make(boss, TOKENS, id_token="RETIRED")
    await boss.delete(f"{TOKENS}/{retired['token_id']}")
    content = (
        "id_token,label,status,group_id,restrictions,valid_from,valid_until,kind\r\n"
        f'NEW,new,,{group["group_id"]},"{{""sessions_per_day"": 2}}",,,\r\n'
        "old,changed,blocked,,,,,\r\n"
        "SAME,same,,,,,,\r\n"
        'RETIRED,"back\r\nagain",,,,,,\r\n'
        "new,again,,,,,,\r\n"
        ",empty,,,,,,\r\n"
        f"BAD1,,,{uuid4()},,,,\r\n"
        "BAD2,,,,not json,,,\r\n"
        "BAD3,,,,,2030-01-01T00:00:00Z,2029-01-01T00:00:00Z,\r\n"
        "BAD4,,,\r\n"
        'BAD5,,,,"{""charge_points"": [""NOWHERE""]}",,,\r\n'
        "DE-8AA-1A2B3C4D5,,,,,,,emaid\r\n"
        "DE*8AA*1A2B3C4D5,,,,,,,emaid\r\n"
    )
    expected = [
        (2, "created", []),
        (3, "updated", []),
        (4, "skipped", []),
        (5, "created", []),
        (7, "failed", ["id_token"]),
        (8, "failed", ["id_token"]),
        (9, "failed", ["group_id"]),
        (10, "failed", ["restrictions"]),
        (11, "failed", ["valid_until"]),
        (12, "failed", ["$"]),
        (13, "failed", ["restrictions.charge_points"]),
        (14, "created", []),
        (15, "failed", ["id_token"]),
    ]
    before = await tokens_of(boss)
    rehearsed = await send(boss, content, dry_run="true", on_existing="update")
    assert await tokens_of(boss) == before
    assert outcomes(rehearsed) == expected
    done = await send(boss, content, on_existing="update")
    assert done == rehearsed | {"dry_run": False}
    assert [done[name] for name in ("created", "updated", "skipped", "failed")] == [3, 1, 1, 8]
    after = await tokens_of(boss)
    assert set(after) == {"OLD", "SAME", "NEW", "RETIRED", "DE8AA1A2B3C4D5"}
    assert (after["OLD"]["label"], after["OLD"]["status"], after["OLD"]["language"]) == ("changed", "blocked", "de")
    assert after["OLD"]["token_id"] == before["OLD"]["token_id"]
    assert (after["NEW"]["restrictions"], after["NEW"]["group_id"]) == ({"sessions_per_day": 2}, group["group_id"])
    assert after["RETIRED"]["label"] == "back\r\nagain"
    assert after["SAME"] == before["SAME"]
    assert {outcome for _, outcome, _ in outcomes(await send(boss, content))} == {"skipped", "failed"}
    failed = await send(boss, "id_token\nOLD\nNEWER\n", on_existing="fail")
    assert outcomes(failed) == [(2, "failed", ["id_token"]), (3, "created", [])]


@pytest.mark.parametrize("kind", ["csv", "json"])
async def test_what_is_exported_is_imported_unchanged(boss: Person, admin: Person, hub: RunningHub, kind: str) -> None:
    there = await hub.make_tenant(admin, "west")
    texts = ("=1+1", "+49 30", "-x", "@home", "'=quoted", "'plain", 'a "b", c', "semi;colon", "  spaces ")
    for number, text in enumerate(texts):
        await make(boss, TOKENS, id_token=text, label=text, visual_id=f"{number}")
    await make(
        boss,
        TOKENS,
        id_token="FULL",
        kind="roaming",
        status="blocked",
        blocked_reason="line\nbreak",
        valid_from="2026-01-01T00:00:00.123456+02:00",
        valid_until="2030-01-01T00:00:00Z",
        whitelist="ALWAYS",
        single_use=True,
        restrictions={"max_amount_per_session": 12.5, "hours": [{"start": "08:00", "end": "18:00"}], "countries": ["DE"]},
    )
    exported = await boss.get(f"{TOKENS}/export", params={"format": kind})
    assert exported.status_code == 200
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(exported.text, newline="")))
        assert all(not cell or cell[0] not in "=+-@\t\r" for row in rows for cell in row.values())
    headers = {"Content-Type": exported.headers["Content-Type"]}
    answer = await there.request("POST", f"{TOKENS}/import", content=exported.content, headers=headers)
    assert answer.json()["created"] == len(texts) + 1, answer.text
    unlike = {"token_id", "created_at", "updated_at"}
    ours, theirs = [
        {
            key: {name: value for name, value in token.items() if name not in unlike}
            for key, token in (await tokens_of(person)).items()
        }
        for person in (boss, there)
    ]
    assert ours == theirs
    again = await there.get(f"{TOKENS}/export", params={"format": kind})
    assert sorted(again.text.splitlines()) == sorted(exported.text.splitlines()) or kind == "json"
    once_more = await boss.request(
        "POST", f"{TOKENS}/import", content=exported.content, headers=headers, params={"on_existing": "update"}
    )
    assert once_more.json()["skipped"] == len(texts) + 1


async def test_an_export_comes_in_pages(boss: Person) -> None:
    await send(boss, "id_token\n" + "".join(f"T{n}\n" for n in range(25)))
    seen = []
    cursor = ""
    while True:
        query = {"format": "csv", "limit": 10} | ({"cursor": cursor} if cursor else {})
        part = await boss.get(f"{TOKENS}/export", params=query)
        seen += [row["id_token"] for row in csv.DictReader(io.StringIO(part.text))]
        cursor = part.headers.get("X-Next-Cursor", "")
        if not cursor:
            break
    assert sorted(seen) == sorted(f"T{n}" for n in range(25))


_NO_FILES: list[tuple[bytes, dict[str, str], int]] = [
    (b"id_token\nA\n", {"Content-Type": "text/plain"}, 415),
    (b"\xff\xfe", CSV, 422),
    (b"label\nx\n", CSV, 422),
    (b"id_token,id_token\nx,y\n", CSV, 422),
    (b"id_token,secret\nx,y\n", CSV, 422),
    (b'id_token\n"open\n', CSV, 422),
    (b"id_token\n" + b"x\n" * 100_001, CSV, 422),
    (b"[1, 2", {"Content-Type": "application/json"}, 400),
    (b'{"tokens": []}', {"Content-Type": "application/json"}, 422),
    (b"[" * 100_000, {"Content-Type": "application/json"}, 400),
]


async def test_files_that_are_none(boss: Person) -> None:
    for content, headers, status in _NO_FILES:
        answer = await boss.request("POST", f"{TOKENS}/import", content=content, headers=headers)
        assert answer.status_code == status, answer.text


async def test_bad_lines_of_json_are_named(boss: Person) -> None:
    items = [1, {"id_token": "A", "label": "x\0y"}, {"id_token": "B"}, {"id_token": "C", "unheard_of": 1}, {"id_token": "b"}]
    report = (await boss.post(f"{TOKENS}/import", items)).json()
    assert outcomes(report) == [
        (1, "failed", ["$"]),
        (2, "failed", ["label"]),
        (3, "created", []),
        (4, "failed", ["unheard_of"]),
        (5, "failed", ["id_token"]),
    ]


async def test_a_large_file_is_taken(boss: Person) -> None:
    lines = 20_000
    content = "id_token,visual_id,contract_id\n" + "".join(f"CARD{n:06},V{n},C{n % 100}\n" for n in range(lines))
    report = await send(boss, content)
    assert (report["created"], report["failed"]) == (lines, 0)
    again = await send(boss, content, on_existing="update")
    assert again["skipped"] == lines
