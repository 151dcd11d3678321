"""Who may charge, on a real database: single use, restrictions, what is counted, and what operators are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import msgspec
import trio

from csms.clock import SystemClock, SystemIds
from csms.domain.operations import Authorize
from csms.domain.restrictions import Restrictions, SessionLimits, Window
from csms.domain.times import parse_station_time
from csms.store import Connection
from csms.store.pool import run_with_owner
from csms.store.queries.id_tokens import IdTokenFields, insert_token
from csms.store.queries.token_limits import session_limits, token_facts
from tests.integration.ledger.conftest import Bench, open_bench

IDS = SystemIds(SystemClock())


async def add(bench: Bench, id_token: str, token_type: str = "ISO14443", **fields: Any) -> UUID:
    """Register a token of the default tenant."""
    token_id = IDS.uuid7()
    restrictions = fields.pop("restrictions", None)
    held = IdTokenFields(restrictions=None if restrictions is None else Restrictions(**restrictions), **fields)

    async def work(conn: Connection) -> None:
        assert await insert_token(conn, 1, token_id, id_token, token_type, held) is not None

    await bench.store.hub.tenant_unit(1, work)
    return token_id


async def add_group(bench: Bench, name: str, parent: UUID | None = None, **fields: Any) -> UUID:
    group_id = uuid4()
    restrictions = fields.pop("restrictions", None)

    async def work(conn: Connection) -> None:
        await conn.execute(
            "INSERT INTO token_groups (tenant_id, group_id, name, parent_id, group_id_token, user_type, restrictions) "
            "VALUES (1, $1, $2, $3, $4, $5, $6::text::jsonb)",
            group_id,
            name,
            parent,
            fields.get("group_id_token"),
            fields.get("user_type"),
            None if restrictions is None else msgspec.json.encode(Restrictions(**restrictions)).decode(),
        )

    await run_with_owner(bench.dsn, work)
    return group_id


async def authorize(bench: Bench, station_id: int, id_token: str, token_type: str | None = None) -> Any:
    return await bench.ledger.commit(Authorize(tenant_id=1, station_id=station_id, id_token=id_token, token_type=token_type))


async def refusals(bench: Bench) -> list[dict[str, Any]]:
    rows = await bench.rows("SELECT data FROM outbox WHERE type = 'token.refused' ORDER BY id")
    return [msgspec.json.decode(row["data"]) for row in rows]


def minute(n: int) -> Any:
    return parse_station_time(f"2026-03-01T10:{n:02}:00Z")


# -- single use


async def test_the_first_session_uses_a_token_up(bench: Bench) -> None:
    one, two = [(await bench.connect(name)).station_id for name in ("CP-1", "CP-2")]
    token_id = await add(bench, "ONCE", "Central", single_use=True)
    assert (await authorize(bench, one, "ONCE")).accepted
    started = await bench.start(one, id_token="once")
    assert started.decision.accepted
    (session,) = await bench.rows("SELECT session_id FROM sessions")
    (token,) = await bench.rows("SELECT * FROM id_tokens WHERE token_id = $1", token_id)
    assert (token["used_by_session_id"], token["used_at"] is None) == (session["session_id"], False)
    # the same start again is answered alike; another one is refused
    assert await bench.start(one, id_token="once") == started
    refused = (await bench.start(two, id_token="ONCE", time=minute(5))).decision
    assert (refused.status, refused.reason) == ("Blocked", f"used already by session {session['session_id']}")
    assert (await authorize(bench, two, "ONCE")).status == "Blocked"
    # whoever charges with it can end it, in any way
    assert (await authorize(bench, one, "ONCE")).accepted
    stopped = await bench.stop(one, started.transaction_id, id_token="ONCE")
    assert stopped.decision.accepted
    assert (await authorize(bench, one, "ONCE")).status == "Blocked"
    assert await bench.stop(one, started.transaction_id, id_token="ONCE") == stopped
    rows = await bench.rows("SELECT authorization_status, authorization_reason FROM sessions ORDER BY session_id")
    assert [row["authorization_status"] for row in rows] == ["Accepted", "Blocked"]
    assert rows[1]["authorization_reason"] == refused.reason


async def test_a_refused_start_does_not_use_a_token_up(bench: Bench) -> None:
    station_id = (await bench.connect("CP-1")).station_id
    await add(bench, "ONCE", "Central", single_use=True, restrictions={"charge_points": ("CP-9",)})
    assert (await bench.start(station_id, id_token="ONCE")).decision.status == "NotAtThisLocation"
    (token,) = await bench.rows("SELECT used_by_session_id FROM id_tokens WHERE id_token = 'ONCE'")
    assert token["used_by_session_id"] is None


async def test_of_two_starts_in_one_commit_one_wins(bench: Bench) -> None:
    stations = [(await bench.connect(f"CP-{n}")).station_id for n in range(6)]
    await add(bench, "ONCE", "Central", single_use=True, restrictions={"max_concurrent_sessions": 100})
    outcomes: list[Any] = []

    async def start(station_id: int) -> None:
        outcomes.append((await bench.start(station_id, id_token="ONCE")).decision)

    async with trio.open_nursery() as nursery:
        for station_id in stations:
            nursery.start_soon(start, station_id)
    assert sorted(decision.status for decision in outcomes) == ["Accepted"] + ["Blocked"] * 5
    (session,) = await bench.rows("SELECT session_id FROM sessions WHERE authorization_status = 'Accepted'")
    assert {d.reason for d in outcomes} == {None, f"used already by session {session['session_id']}"}


async def test_of_two_processes_one_wins(database: str) -> None:
    """Both look before either has written."""
    async with open_bench(database, shared=True) as one, open_bench(database, shared=True) as other:
        pairs = [((await one.connect(f"A-{n}")).station_id, (await other.connect(f"B-{n}")).station_id) for n in range(10)]
        for number, pair in enumerate(pairs):
            await add(one, f"ONCE-{number}", "Central", single_use=True, restrictions={"max_concurrent_sessions": 100})
            statuses: list[str] = []

            async def start(bench: Bench, station_id: int, token: str, statuses: list[str] = statuses) -> None:
                statuses.append((await bench.start(station_id, id_token=token)).decision.status)

            async with trio.open_nursery() as nursery:
                for bench, station_id in zip((one, other), pair, strict=True):
                    nursery.start_soon(start, bench, station_id, f"ONCE-{number}")
            assert sorted(statuses) == ["Accepted", "Blocked"]


async def test_a_session_of_2x_uses_the_token_that_it_begins_with(bench: Bench) -> None:
    """The cable comes before the card: the token is in an Updated event, and again in the last one."""
    one, two = [(await bench.connect(name)).station_id for name in ("CP-1", "CP-2")]
    await add(bench, "ONCE", "Central", single_use=True)
    token = {"id_token": "ONCE", "token_type": "Central"}
    await bench.event(one, "Started", 0, "2026-03-01T10:00:00Z", evse_id=1)
    begun = await bench.event(one, "Updated", 1, "2026-03-01T10:01:00Z", trigger_reason="Authorized", **token)
    assert begun.decision.accepted
    assert await bench.event(one, "Updated", 1, "2026-03-01T10:01:00Z", trigger_reason="Authorized", **token) == begun
    (session,) = await bench.rows("SELECT session_id FROM sessions")
    (row,) = await bench.rows("SELECT used_by_session_id FROM id_tokens WHERE id_token = 'ONCE'")
    assert row["used_by_session_id"] == session["session_id"]
    other = await bench.event(two, "Started", 0, "2026-03-01T10:02:00Z", transaction_ref="tx-2", evse_id=1, **token)
    assert other.decision.status == "Blocked"
    ended = await bench.event(one, "Ended", 2, "2026-03-01T10:09:00Z", **token)
    assert ended.decision.accepted


async def test_a_token_stands_for_another_within_its_limits(bench: Bench) -> None:
    one, two = [(await bench.connect(name)).station_id for name in ("CP-1", "CP-2")]
    limits = {"sessions_per_day": 2, "max_amount_per_session": Decimal("9.50")}
    parent = await add(bench, "CARD", restrictions=limits, contract_id="C1")
    for number in range(3):
        await add(bench, f"QR-{number}", "Central", single_use=True, parent_token_id=parent)
    first = await bench.start(one, id_token="QR-0")
    assert first.decision.accepted
    # it is the card that is in use
    assert (await bench.start(two, id_token="CARD", time=minute(1))).decision.status == "ConcurrentTx"
    assert (await bench.start(two, id_token="QR-1", time=minute(1))).decision.status == "ConcurrentTx"
    await bench.stop(one, first.transaction_id)
    second = await bench.start(one, id_token="CARD", time=minute(2))
    assert second.decision.accepted
    await bench.stop(one, second.transaction_id)
    assert (await bench.start(one, id_token="QR-1", time=minute(3))).decision.status == "NoCredit"
    assert (await bench.start(one, id_token="CARD", time=minute(4))).decision.status == "NoCredit"
    facts = await bench.store.hub.tenant_unit(1, lambda conn: token_facts(conn, 1, "qr-1", None))
    assert facts is not None
    assert facts.parent is not None
    assert (facts.id_token, facts.contract_id, facts.parent.contract_id) == ("QR-1", None, "C1")
    tightest = await bench.store.hub.tenant_unit(1, lambda conn: session_limits(conn, 1, "qr-1", "Central"))
    assert tightest == SessionLimits(Decimal("9.50"))


# -- what is counted


async def test_a_session_left_open_by_a_dead_station_does_not_lock_its_token(bench: Bench) -> None:
    dead, alive = [(await bench.connect(name)).station_id for name in ("DEAD", "ALIVE")]
    await add(bench, "CARD")
    assert (await bench.start(dead, id_token="CARD")).decision.accepted
    assert (await bench.start(alive, id_token="CARD", time=minute(1))).decision.status == "ConcurrentTx"
    await bench.owner("UPDATE sessions SET updated_at = now() - interval '25 h' WHERE authorization_status = 'Accepted'")
    freed = await bench.start(alive, id_token="CARD", time=minute(2))
    assert freed.decision.accepted
    # and one whose station has booted since is over, whatever became of its stop
    await bench.owner("UPDATE stations SET booted_at = now() + interval '1 s' WHERE identity = 'ALIVE'")
    assert (await bench.start(dead, id_token="CARD", connector_id=2, evse_id=2, time=minute(3))).decision.accepted


async def test_as_many_sessions_at_once_as_the_tightest_limit_allows(bench: Bench) -> None:
    stations = [(await bench.connect(f"CP-{n}")).station_id for n in range(4)]
    group = await add_group(bench, "Fleet", restrictions={"max_concurrent_sessions": 2})
    await add(bench, "FLEET", group_id=group, restrictions={"max_concurrent_sessions": 3})
    statuses = [(await bench.start(station, id_token="FLEET")).decision.status for station in stations]
    assert statuses == ["Accepted", "Accepted", "ConcurrentTx", "ConcurrentTx"]


async def test_the_amount_of_a_month(bench: Bench) -> None:
    station_id = (await bench.connect("CP-1")).station_id
    top = await add_group(bench, "Company", restrictions={"max_amount_per_month": Decimal("20.00"), "time_zone": "Europe/Berlin"})
    await add(bench, "CARD", group_id=await add_group(bench, "Team", top))
    amounts = (("12.40", "10.42"), (None, "7.59"))
    for number, (incl, excl) in enumerate(amounts):
        started = await bench.start(station_id, id_token="card", time=minute(number))
        assert started.decision.accepted
        await bench.stop(station_id, started.transaction_id)
        (session,) = await bench.rows("SELECT session_id FROM sessions ORDER BY session_id DESC LIMIT 1")
        await bench.owner(
            "INSERT INTO session_costs (tenant_id, session_id, choice, currency, total_excl_vat, total_incl_vat) VALUES "
            f"(1, '{session['session_id']}', '{{}}', 'EUR', {excl}, {incl or 'NULL'})"
        )
    assert (await authorize(bench, station_id, "CARD")).accepted  # 19.99
    await bench.owner("UPDATE session_costs SET total_excl_vat = 7.60 WHERE total_incl_vat IS NULL")
    refused = await authorize(bench, station_id, "CARD")
    assert (refused.status, refused.reason) == ("NoCredit", "group Company: 20.00 of 20.00 spent this month")
    # what began before this month does not count any more
    long_ago = UUID(int=int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000) << 80)
    first = (await bench.rows("SELECT min(session_id::text) AS id FROM sessions"))[0]["id"]
    for table in ("session_costs", "sessions"):
        await bench.owner(f"UPDATE {table} SET session_id = '{long_ago}' WHERE session_id = '{first}'")
    assert (await authorize(bench, station_id, "CARD")).accepted


async def test_the_amount_is_found_by_its_index(bench: Bench) -> None:
    """A month of one token must not read the sessions of all."""
    station_id = (await bench.connect("CP-1")).station_id
    await bench.owner(
        "INSERT INTO sessions (tenant_id, session_id, station_id, ocpp_version, transaction_ref, id_token, status) SELECT 1, "
        f"gen_random_uuid(), {station_id}, 'ocpp1.6', n::text, 'CARD' || n, 'completed' FROM generate_series(1, 2000) n; "
        "ANALYZE sessions"
    )
    rows = await bench.rows(
        "EXPLAIN SELECT FROM sessions o WHERE o.tenant_id = 1 AND lower(o.id_token) = 'card' "
        "AND o.session_id >= '019d0000-0000-0000-0000-000000000000'"
    )
    assert any("sessions_id_token" in row["QUERY PLAN"] for row in rows)


# -- places


async def test_places_and_kinds_of_evses(bench: Bench) -> None:
    inside, outside = [(await bench.connect(name)).station_id for name in ("IN", "OUT")]
    region, site = uuid4(), uuid4()
    await bench.owner(
        f"INSERT INTO station_groups (tenant_id, group_id, name, parent_id) VALUES (1, '{region}', 'Region', NULL), "
        f"(1, '{site}', 'Site', '{region}'); "
        f"INSERT INTO station_group_members VALUES (1, '{site}', {inside}); "
        f"INSERT INTO evses (tenant_id, station_id, evse_id) VALUES (1, {inside}, 1), (1, {inside}, 2); "
        "INSERT INTO connectors (tenant_id, station_id, evse_id, connector_id, connector_type) VALUES "
        f"(1, {inside}, 1, 1, 'IEC_62196_T2'), (1, {inside}, 2, 2, 'CHADEMO')"
    )
    await add(bench, "CARD", restrictions={"station_groups": (region,), "connector_types": ("CHADEMO",)})
    assert (await authorize(bench, inside, "CARD")).accepted
    assert (await authorize(bench, outside, "CARD")).status == "NotAtThisLocation"
    refused = await bench.start(inside, id_token="CARD")
    assert refused.decision.status == "NotAllowedTypeEVSE"
    await bench.stop(inside, refused.transaction_id, reason="DeAuthorized")
    assert (await bench.start(inside, id_token="CARD", evse_id=2, connector_id=2, time=minute(1))).decision.accepted


async def test_hours_of_the_location(bench: Bench) -> None:
    station_id = (await bench.connect("CP-1")).station_id
    now = datetime.now(UTC)
    hour = f"{now.hour:02}:00"
    window = Window(start=hour, end=f"{(now + timedelta(hours=1)).hour:02}:00" if now.hour < 23 else "24:00")
    await add(bench, "CARD", restrictions={"hours": (window,)})
    await add(bench, "BERLIN", restrictions={"hours": (window,), "time_zone": "UTC"})
    assert (await authorize(bench, station_id, "CARD")).accepted
    location = uuid4()
    await bench.owner(
        f"INSERT INTO locations (tenant_id, location_id, name, time_zone) VALUES (1, '{location}', 'Far', 'Asia/Tokyo'); "
        f"UPDATE stations SET location_id = '{location}'"
    )
    assert (await authorize(bench, station_id, "CARD")).status == "NotAtThisTime"
    assert (await authorize(bench, station_id, "BERLIN")).accepted


# -- spellings


async def test_a_contract_and_a_vehicle_are_known_in_any_spelling(bench: Bench) -> None:
    one, two = [(await bench.connect(name)).station_id for name in ("CP-1", "CP-2")]
    await add(bench, "DE-8AA-1A2B3C4D5-1", "eMAID", restrictions={"sessions_per_day": 1})
    await add(bench, "00:11:22:33:AA:BB", "MacAddress", group_id_token="CARS")
    await add(bench, "DE8AA1A2B3C4D50", "Local")
    for text in ("DE8AA1A2B3C4D5", "de*8aa*1a2b3c4d5", "DE8AA1A2B3C4D5X", "DE-8AA-1A2B3C4D5-1"):
        assert (await authorize(bench, one, text)).reason is None, text
    assert (await authorize(bench, one, "DE8AA1A2B3C4D51", "eMAID")).accepted
    for text, token_type in (("VID:00112233aabb", None), ("00112233AABB", "MacAddress")):
        assert (await authorize(bench, one, text, token_type)).group_id_token == "CARS"
    started = await bench.start(one, id_token="DE*8AA*1A2B3C4D5*9")
    (session,) = await bench.rows("SELECT id_token FROM sessions")
    assert (started.decision.status, session["id_token"]) == ("Accepted", "DE8AA1A2B3C4D5")
    again = await bench.event(two, "Started", 0, "2026-03-01T10:00:00Z", id_token="DE8AA1A2B3C4D5", token_type="eMAID", evse_id=1)
    assert again.decision.status == "NoCredit"


async def test_groups_tell_what_is_inherited(bench: Bench) -> None:
    station_id = (await bench.connect("CP-1")).station_id
    top = await add_group(bench, "Company", group_id_token="COMPANY", user_type="staff")
    near = await add_group(bench, "Team", top)
    await add(bench, "CARD", group_id=near, kind="nfc_phone", issuer="North")
    assert (await authorize(bench, station_id, "CARD")).group_id_token == "COMPANY"
    facts = await bench.store.gateway.unit(lambda conn: token_facts(conn, 1, "card", None))
    assert facts is not None
    assert (facts.user_type, facts.group_ids, facts.kind, facts.issuer) == ("staff", (near, top), "nfc_phone", "North")
    assert await bench.store.gateway.unit(lambda conn: token_facts(conn, 2, "card", None)) is None
    await bench.owner(f"UPDATE token_groups SET status = 'blocked', blocked_reason = 'unpaid' WHERE group_id = '{top}'")
    refused = await authorize(bench, station_id, "CARD")
    assert (refused.status, refused.reason) == ("Blocked", "group Company is blocked: unpaid")


# -- what operators are told


async def test_operators_are_told_of_refusals_once_a_minute(bench: Bench) -> None:
    station_id = (await bench.connect("CP-1")).station_id
    await add(bench, "CARD", status="blocked", blocked_reason="lost")
    await add(bench, "4711", "KeyCode", status="blocked")
    for _ in range(3):
        await authorize(bench, station_id, "card")
    now = SystemClock().now().isoformat()
    started = await bench.start(station_id, id_token="CARD", time=parse_station_time(now))
    # told of a start as well, at the time; nobody reacts to what was long ago
    await bench.start(station_id, id_token="NOBODY", evse_id=2, connector_id=2)
    await add(bench, "EXPIRED", valid_until=datetime(2026, 1, 1, tzinfo=UTC))
    await bench.start(station_id, id_token="EXPIRED", evse_id=3, connector_id=3, time=parse_station_time(now))
    await authorize(bench, station_id, "4711", "KeyCode")
    await authorize(bench, station_id, "4711")
    await bench.stop(station_id, started.transaction_id, id_token="CARD")
    assert await refusals(bench) == [
        {"id_tag": "card", "status": "Blocked", "reason": "the token is blocked: lost", "evse_id": None},
        {
            "id_tag": "EXPIRED",
            "status": "Expired",
            "reason": "the token was valid until 2026-01-01 00:00 UTC",
            "evse_id": 3,
        },
        {"id_tag": None, "status": "Blocked", "reason": "the token is blocked", "evse_id": None},
    ]
    (answer, *_) = await bench.rows(
        "SELECT answer FROM transaction_events WHERE type = 'StartTransaction' AND session_id = "
        "(SELECT session_id FROM sessions WHERE transaction_ref = $1)",
        str(started.transaction_id),
    )
    assert msgspec.json.decode(answer["answer"])["decision"]["reason"] == "the token is blocked: lost"
