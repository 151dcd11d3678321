"""A chunk of events that was given up half way: what was done of it is not done again, so that it comes to an end."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest

from csms.outbox import SinkUnavailable
from csms.store import StoreUnavailable
from csms.store.queries.events import Event
from tests.integration.billing.harness import Bills


async def test_a_chunk_goes_on_where_it_was_given_up(bills: Bills, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    events = [Event(uuid4(), "session.ended", 1, "default", None, uuid4(), now, now, msgspec.Raw(b"{}")) for _ in range(3)]
    tried: list[UUID] = []

    async def end(tenant_id: int, session_id: UUID) -> None:
        tried.append(session_id)
        if len(tried) == 2:
            raise StoreUnavailable("away")

    monkeypatch.setattr(bills.billing, "_end", end)
    with pytest.raises(SinkUnavailable):
        await bills.billing.publish(events)
    await bills.billing.publish(events)
    first, second, third = [event.session_id for event in events]
    assert tried == [first, second, second, third]
    # a position that was set back brings all of them again
    await bills.billing.publish(events)
    assert tried[4:] == [first, second, third]
