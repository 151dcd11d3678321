"""A charge point's events: what it told beside its sessions, and what followed a command."""

from __future__ import annotations

from uuid import UUID, uuid4

from csms.domain.operations import ClaimCommand, RecordStationEvent
from csms.domain.times import parse_station_time
from tests.integration.hub.harness import Field, Person, RunningHub

EVENTS = "/api/v1/chargepoints/CP-1/events"


async def _tell(field: Field, station_id: int, kind: str, data: bytes, **more: object) -> None:
    tenant_id = await field.tenant_id("north")
    await field.ledger.commit(
        RecordStationEvent(tenant_id=tenant_id, station_id=station_id, type=kind, data=data, **more)  # type: ignore[arg-type]  # the fields of the operation
    )


async def test_the_newest_comes_first_with_all_its_fields(field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    await _tell(field, station, "security_event", b'{"type":"A"}', time=parse_station_time("2026-03-01T10:00:00Z"))
    await _tell(field, station, "security_event", b'{"type":"B"}', time=parse_station_time("1969-03-01T10:00:00Z"))
    newest, oldest = (await boss.get(EVENTS)).json()["items"]
    assert set(newest) == {"event_id", "type", "event_time", "recorded_at", "command_id", "data"}
    assert (newest["data"], newest["event_time"]) == ({"type": "B"}, None)
    assert (oldest["data"], oldest["event_time"]) == ({"type": "A"}, "2026-03-01T10:00:00Z")


async def test_filters(hub: RunningHub, field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    answer = await boss.post(
        "/api/v1/chargepoints/CP-1/commands?wait=0", {"action": "GetLog", "payload": {"requestId": 5}, "time_to_live": 60}
    )
    command_id = answer.json()["command_id"]
    (row,) = await hub.sql("SELECT connection_epoch FROM stations WHERE station_id = $1", station)
    claim = ClaimCommand(
        tenant_id=await field.tenant_id("north"),
        station_id=station,
        command_id=UUID(command_id),
        epoch=row["connection_epoch"],
        action="GetLog",
        reference="5",
    )
    assert await field.ledger.commit(claim)
    await _tell(field, station, "log_status", b'{"status":"Uploading"}', reference="5", caused_by=("GetLog",))
    await _tell(field, station, "log_status", b'{"status":"Idle"}')
    await _tell(field, station, "data_transfer", b"{}")
    (followed,) = (await boss.get(f"{EVENTS}?command_id={command_id}")).json()["items"]
    assert (followed["command_id"], followed["data"]) == (command_id, {"status": "Uploading"})
    assert [item["data"]["status"] for item in (await boss.get(f"{EVENTS}?type=log_status")).json()["items"]] == [
        "Idle",
        "Uploading",
    ]
    assert (await boss.get(f"{EVENTS}?type=log_status&command_id={uuid4()}")).json()["items"] == []
    assert (await boss.get(f"{EVENTS}?command_id=x")).status_code == 422
    assert (await boss.get(EVENTS.replace("CP-1", "CP-2"))).status_code == 404


async def test_large_events_end_a_page_early(field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    text = b"x" * 250_000
    for number in range(20):
        await _tell(field, station, "data_transfer", b'{"number":%d,"data":"%s"}' % (number, text))
    seen: list[int] = []
    path = f"{EVENTS}?limit=100"
    cursor = ""
    pages = 0
    while pages < 5:
        page = (await boss.get(path + cursor)).json()
        seen += [item["data"]["number"] for item in page["items"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == list(reversed(range(20)))
    assert pages == 2


async def test_a_password_that_a_station_tells_is_shown_to_nobody(field: Field, boss: Person) -> None:
    station = await field.connect("north", "CP-1")
    told = b'{"eventData":[{"variable":{"name":"BasicAuthPassword"},"actualValue":"the-secret"}]}'
    await _tell(field, station, "device_event", told)
    answer = await boss.get(EVENTS)
    assert "the-secret" not in answer.text
    assert answer.json()["items"][0]["data"]["eventData"][0]["actualValue"] == "***"
