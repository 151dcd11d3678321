"""Charge detail records: lists, the records as they were made, computing them again, exports."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import msgspec
import pyarrow.parquet
import pytest
import trio

from csms.billing.cdr import CdrToken
from csms.export import streams
from hub.api.export_slots import AT_ONCE
from tests.integration.hub.cdr_rows import billed_session, charged, store_cdr, store_tariffs, tariff
from tests.integration.hub.harness import Field, Person, RunningHub

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


async def test_a_record_is_handed_out_as_it_was_made_and_comes_to_the_same_again(
    hub: RunningHub, boss: Person, field: Field
) -> None:
    session_id, cdr = await billed_session(hub, field, "north", "CP1")
    tenant_id = await field.tenant_id("north")
    (stored,) = await hub.sql("SELECT document::text AS d FROM cdrs WHERE tenant_id = $1", tenant_id)
    shown = await boss.get(f"/api/v1/cdrs/{cdr.id}")
    assert shown.content.decode() == stored["d"]
    assert shown.json()["amount_due"] == {"excl_vat": "1.83", "incl_vat": "2.17"}
    (listed,) = (await boss.get("/api/v1/cdrs", params={"charge_point_id": "CP1", "id_tag": "tag1", "credit": "false"})).json()[
        "items"
    ]
    assert listed["total_incl_vat"] == {"amount": "2.17", "currency": "EUR"}
    assert (listed["number"], listed["session_id"], listed["energy_wh"]) == (1, str(session_id), 4000)
    of_session = (await boss.get(f"/api/v1/sessions/{session_id}/cdrs")).json()["items"]
    assert of_session == [listed]
    path = f"/api/v1/cdrs/{cdr.id}/check"
    assert (await boss.get(path)).json() == {"cdr_id": cdr.id, "number": 1, "verdict": "agrees", "differences": []}
    # somebody has meddled with a register: the record stays, and the check says what it would come to
    await hub.sql("UPDATE sessions SET stop_meter_wh = 6000 WHERE session_id = $1", session_id)
    checked = (await boss.get(path)).json()
    assert checked["verdict"] == "differs"
    differences = {one["field"]: (one["recorded"], one["computed"]) for one in checked["differences"]}
    assert differences["total_energy"] == ("4.0000", "5.0000")
    assert differences["amount_due.incl_vat"] == ("2.17", "2.72")
    assert "currency" not in differences
    await hub.sql("UPDATE tenants SET samples_kept_days = 7 WHERE tenant_id = $1", tenant_id)
    await hub.sql("UPDATE sessions SET created_at = now() - interval '8 days' WHERE session_id = $1", session_id)
    assert (await boss.get(path)).json()["verdict"] == "readings_gone"


async def test_lists_and_filters(hub: RunningHub, boss: Person, field: Field) -> None:
    tenant_id, station_id = await field.tenant_id("north"), await field.connect("north", "CP1")
    plain = tariff("PLAIN")
    await store_tariffs(hub, tenant_id, [plain])
    made = []
    for hour in range(5):
        token = CdrToken("TAG1", contract_id="DE-ABC-C00000001-X") if hour % 2 else None
        made += await store_cdr(
            hub,
            tenant_id,
            station_id,
            plain,
            charged("10", NOON + timedelta(hours=hour)),
            token=token,
            credited=hour == 4,
            location="CP1",
        )

    async def numbers(**wanted: str) -> list[int]:
        """Of all pages of two."""
        found: list[int] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await boss.get("/api/v1/cdrs", params={"limit": "2", **wanted, **cursor})).json()
            found += [item["number"] for item in page["items"]]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    assert await numbers() == [1, 2, 3, 4, 5, 6]
    assert await numbers(contract_id="DE-ABC-C00000001-X") == [2, 4]
    assert await numbers(credit="true") == [6]
    assert await numbers(credit="false") == [1, 2, 3, 4, 5]
    assert await numbers(tariff_id="OTHER") == []
    assert await numbers(charge_point_id="CP2") == []
    assert await numbers(session_id=str(made[2].session_id)) == [3]
    assert await numbers(**{"from": "2026-03-05T13:00:00Z", "to": "2026-03-05T15:00:00Z"}) == [2, 3]
    for query, name in ((("session_id", "x"), "session_id"), (("credit", "perhaps"), "credit"), (("from", "1"), "from")):
        refused = await boss.get("/api/v1/cdrs", params=[query])
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, name)
    assert (await boss.get("/api/v1/cdrs/nothing")).status_code == 404


async def test_exports_hold_every_record_once_and_exactly(
    hub: RunningHub, boss: Person, field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_ROWS_AT_ONCE", 7)
    tenant_id, station_id = await field.tenant_id("north"), await field.connect("north", "CP1")
    plain, without = tariff("PLAIN"), tariff("WITHOUT", vat=None)
    await store_tariffs(hub, tenant_id, [plain, without])
    for place in range(20):
        await store_cdr(
            hub,
            tenant_id,
            station_id,
            without if place == 3 else plain,
            charged(f"{place}.037", NOON + timedelta(minutes=place)),
            token=CdrToken('@SUM(A1)"', issuer="Ümit"),
            credited=place == 5,
            location="CP1",
        )
    wanted = {"from": "2026-03-05T12:00:00Z", "to": "2026-03-05T12:19:00Z"}

    async def exported(form: str) -> httpx.Response:
        answer = await boss.get("/api/v1/cdrs/export", params={**wanted, "format": form})
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Disposition"] == f'attachment; filename="cdrs.{form}"'
        return answer

    lines = [msgspec.json.decode(line) for line in (await exported("jsonl")).content.splitlines()]
    assert [line["number"] for line in lines] == list(range(1, 21))
    array = await exported("json")
    assert array.json() == [msgspec.json.decode(msgspec.json.encode(line)) for line in lines]
    rows = list(csv.DictReader(io.StringIO((await exported("csv")).text)))
    table = pyarrow.parquet.read_table(io.BytesIO((await exported("parquet")).content))
    stored = await hub.sql("SELECT number, total_excl_vat, total_incl_vat, energy_wh FROM cdrs ORDER BY number LIMIT 20")
    assert table.num_rows == len(rows) == len(stored) == 20
    for line, row, typed, told in zip(lines, rows, table.to_pylist(), stored, strict=True):
        assert Decimal(row["total_excl_vat"]) == typed["total_excl_vat"] == told["total_excl_vat"]
        assert typed["total_incl_vat"] == told["total_incl_vat"]
        assert Decimal(row["energy_kwh"]) * 1000 == typed["energy_kwh"] * 1000 == told["energy_wh"]
        assert str(line["total_excl_vat"]) in row["total_excl_vat"]
        # a spreadsheet must not compute what a driver has on his card
        assert (row["id_token"], typed["id_token"]) == ("'@SUM(A1)\"", '@SUM(A1)"')
        assert (row["location_name"], row["issuer"]) == ("'=1+1 Street", "Ümit")
    assert Decimal(rows[6]["total_excl_vat"]) == -Decimal(rows[5]["total_excl_vat"]) != 0
    assert (rows[6]["credit"], rows[6]["credit_reference_id"]) == ("true", rows[5]["cdr_id"])
    assert (rows[3]["total_incl_vat"], table.to_pylist()[3]["vat"]) == ("", None)
    for form, nothing in (("json", b"[]\n"), ("jsonl", b"")):
        empty = await boss.get("/api/v1/cdrs/export", params={"format": form, "tariff_id": "NONE"})
        assert empty.content == nothing
    refused = await boss.get("/api/v1/cdrs/export", params={"format": "xls"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "format")


async def test_two_exports_at_once_and_one_that_is_broken_off(
    hub: RunningHub, boss: Person, field: Field, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places are given back when an export ends or its client goes; what fails in the midst does not look complete."""
    monkeypatch.setattr(streams, "_ROWS_AT_ONCE", 1)
    tenant_id, station_id = await field.tenant_id("north"), await field.connect("north", "CP1")
    plain = tariff("PLAIN")
    await store_tariffs(hub, tenant_id, [plain])
    for place in range(3):
        await store_cdr(hub, tenant_id, station_id, plain, charged("1", NOON + timedelta(minutes=place)), location="CP1")
    gate = trio.Event()
    whole = streams.cdr_lists.export_rows
    asked = 0
    fail = False

    async def slow(*arguments: object) -> object:
        nonlocal asked
        asked += 1
        if asked > 1:
            if fail:
                raise ValueError("the database has gone mad")
            await streams_gate()
        return await whole(*arguments)  # type: ignore[arg-type]

    async def streams_gate() -> None:
        import asyncio

        while not gate.is_set():
            await asyncio.sleep(0.01)

    monkeypatch.setattr(streams.cdr_lists, "export_rows", slow)
    other = await hub.make_tenant(admin, "south")
    async with trio.open_nursery() as nursery:
        answers: list[int] = []

        async def run() -> None:
            answers.append((await boss.get("/api/v1/cdrs/export")).status_code)

        for _ in range(AT_ONCE):
            nursery.start_soon(run)
        with trio.fail_after(10):
            while asked < AT_ONCE + 1:
                await trio.sleep(0.01)
        refused = await boss.get("/api/v1/cdrs/export")
        assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
        assert (await other.get("/api/v1/cdrs/export")).status_code == 200
        gate.set()
    assert answers == [200] * AT_ONCE
    for _ in range(AT_ONCE + 1):
        # a client that goes away in the midst
        gate = trio.Event()
        asked = 0
        async with await trio.open_tcp_stream("127.0.0.1", hub.port) as stream:
            request = f"GET /api/v1/cdrs/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {boss.access_token}\r\n\r\n"
            await stream.send_all(request.encode())
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 ")
        await trio.sleep(0.1)
    gate.set()
    fail, asked = True, 0
    with pytest.raises(httpx.RemoteProtocolError):
        await boss.get("/api/v1/cdrs/export")
    fail, asked = False, 0
    assert (await boss.get("/api/v1/cdrs/export")).text.count("\r\n") == 4
