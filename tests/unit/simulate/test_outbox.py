"""The retry rules of ocpp-j-rules section 8, on a clock that jumps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from csms.simulate.link import CallRefused, CallTimedOut, LinkLost
from csms.simulate.message import Message
from csms.simulate.outbox import Entry, Outbox
from csms.simulate.report import Ledger, SessionRecord
from schemas.ocpp16.core import HeartbeatRequest


def _record() -> SessionRecord:
    return SessionRecord(charge_point_id="S", ocpp_version="ocpp1.6", connector_id=1, id_token="T", start_time="", start_meter_wh=0)


def _entry(message_id: str, record: SessionRecord, *, droppable: bool = False) -> Entry:
    return Entry(
        message_id=message_id,
        build=lambda: Message("Heartbeat", HeartbeatRequest()),
        delivered=lambda answer: None,
        record=record,
        samples=1,
        droppable=droppable,
    )


class Line:
    """Notes when what is sent, and fails as it is told."""

    def __init__(self, *failures: Exception | None) -> None:
        self._failures = list(failures)
        self.sent: list[tuple[float, str]] = []
        self._began = trio.current_time()

    async def send(self, message_id: str, message: Message) -> bytes:
        await trio.lowlevel.checkpoint()
        self.sent.append((trio.current_time() - self._began, message_id))
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        return b"{}"


async def _deliver(outbox: Outbox, line: Line) -> None:
    async def ready() -> None:
        await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.deliver, ready, line.send)
        with trio.fail_after(3600):
            await outbox.drained()
        nursery.cancel_scope.cancel()


def _outbox(ledger: Ledger, fresh_id: Callable[[], str] | None = None) -> Outbox:
    return Outbox(ledger, attempts=3, retry_interval=60, fresh_id=fresh_id)


@pytest.mark.parametrize("failure", [CallRefused("A", "InternalError", ""), CallTimedOut("A")])
async def test_waits_grow_and_then_the_message_is_thrown_away(failure: Exception, autojump_clock: trio.testing.MockClock) -> None:
    ledger, record = Ledger(), _record()
    outbox, line = _outbox(ledger), Line(failure, failure, failure)
    outbox.put(_entry("first", record))
    outbox.put(_entry("second", record))
    await _deliver(outbox, line)
    assert line.sent == [(0, "first"), (60, "first"), (180, "first"), (180, "second")]
    assert (record.messages, record.acknowledged, record.discarded) == (2, 1, 1)
    assert ledger.queued == 0


async def test_a_lost_line_costs_no_attempt(autojump_clock: trio.testing.MockClock) -> None:
    record = _record()
    outbox, line = _outbox(Ledger()), Line(*[LinkLost() for _ in range(10)])
    outbox.put(_entry("only", record))
    await _deliver(outbox, line)
    assert len(line.sent) == 11
    assert (record.acknowledged, record.discarded, record.samples) == (1, 0, 1)


async def test_some_stations_make_a_new_id_for_each_repeat(autojump_clock: trio.testing.MockClock) -> None:
    outbox, line = _outbox(Ledger(), fresh_id=lambda: "fresh"), Line(CallTimedOut("A"))
    outbox.put(_entry("first", _record()))
    await _deliver(outbox, line)
    assert [message_id for _, message_id in line.sent] == ["first", "fresh"]


async def test_a_full_memory_drops_only_what_may_be_dropped() -> None:
    ledger, record = Ledger(), _record()
    outbox = _outbox(ledger)
    for number in range(5_000):
        outbox.put(_entry(str(number), record))
    outbox.put(_entry("reading", record, droppable=True))
    outbox.put(_entry("end", record))
    assert len(outbox) == 5_001
    assert ledger.queued == 5_001
