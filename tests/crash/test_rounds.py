"""Every kind of fault once, on installations under charging stations (design 3.1; security.md R1 to R3, R6; vectors 32, 64).

`make crash` does the same a hundred times under 500 stations (docs/operations/crash-tests.md).
"""

from __future__ import annotations

import faulthandler
import os

import asyncpg
import pytest

from tests.crash.faults import FAULTS, Fault
from tests.crash.rounds import LONG, Plan, Rounds, open_rounds
from tests.crash.surroundings import in_asyncio

STATIONS = 48
PAUSE = 1.0
BRIEF = 0.6  # seconds
HELD_TOO_LONG = {"postgres-frozen", "postgres-down"}
"""Faults that outlast the time that answers are held, so that stations are closed with 1013 and handshakes get 503."""
ELSEWHERE = {"database-lost"}
"""It takes the ledger a time-out of 15 s to find out: test_lost_host.py."""

PLANTED = (
    "DELETE FROM transaction_events WHERE session_id = (SELECT max(session_id::text)::uuid FROM transaction_events)",
    "DELETE FROM samples WHERE session_id = (SELECT max(session_id::text)::uuid FROM samples)",
    """UPDATE sessions SET energy_wh = energy_wh + 1
       WHERE session_id = (SELECT session_id FROM sessions WHERE status = 'completed' ORDER BY created_at DESC LIMIT 1)""",
    "DELETE FROM outbox WHERE type = 'session.started' AND id = (SELECT max(id) FROM outbox WHERE type = 'session.started')",
    """INSERT INTO sessions (tenant_id, session_id, station_id, ocpp_version, transaction_ref)
       SELECT tenant_id, gen_random_uuid(), station_id, ocpp_version, transaction_ref || '9' FROM sessions LIMIT 1""",
    """INSERT INTO sessions (tenant_id, session_id, station_id, ocpp_version, transaction_ref, incarnation)
       SELECT tenant_id, gen_random_uuid(), station_id, ocpp_version, transaction_ref, 1
       FROM sessions WHERE ocpp_version = 'ocpp1.6' AND status = 'completed' ORDER BY created_at DESC LIMIT 1""",
    "UPDATE connectors SET status = 'Faulted' WHERE evse_id = 1",
    "DELETE FROM station_events WHERE type = 'security_event'",
)
"""What an account must find, if it were so. A transaction with two sessions comes late: of it nothing else is told."""

_HERE = [fault for fault in FAULTS if fault.name not in ELSEWHERE]


@pytest.mark.slow
@pytest.mark.parametrize("faults", [_HERE[::2], _HERE[1::2]], ids=["first", "second"])
async def test_every_fault(faults: list[Fault]) -> None:
    faulthandler.cancel_dump_traceback_later()  # many rounds take longer than a test usually may
    seed = int(os.environ.get("CSMS_CRASH_SEED", "1"))
    async with open_rounds(STATIONS, seed, pause=PAUSE) as rounds:
        for number, fault in enumerate(faults):
            length = LONG[0] if fault.name in HELD_TOO_LONG else BRIEF
            outcome = await rounds.run(Plan(seed + number, fault, moment=0.3, length=length))
            print(outcome.line())
            assert outcome.differences == [], fault.name
            assert outcome.acknowledged > STATIONS // 2, "there was no load to speak of"
            if fault.name in HELD_TOO_LONG:
                assert outcome.closed[1013] > 0
                assert outcome.refused[503] > 0
        assert len(rounds.account.settled) > STATIONS
        await _planted_differences_are_found(rounds)


async def _planted_differences_are_found(rounds: Rounds) -> None:
    """The test of the account: each lie in the database adds to what it finds."""
    assert await rounds.charge(5 * PAUSE) == []
    found: list[str] = await in_asyncio(rounds.account.differences)
    assert found == []
    for statement in PLANTED:
        await in_asyncio(_execute, rounds.installation.database_url, statement)
        more: list[str] = await in_asyncio(rounds.account.differences)
        assert len(more) > len(found), statement
        found = more


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        assert await connection.execute(statement) not in ("DELETE 0", "UPDATE 0", "INSERT 0 0"), statement
    finally:
        await connection.close()
