"""What events say has to be looked at."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

import schemas
from csms.roaming.publication.changes import TYPES, Changes, by_tenant
from csms.store.queries.events import Event

A, B = UUID(int=1), UUID(int=2)


def event(kind: str, *, tenant: str = "north", station: str | None = None, session: UUID | None = None, **data: Any) -> Event:
    encoded = msgspec.Raw(msgspec.json.encode(data))
    return Event(UUID(int=9), kind, 1, tenant, station, session, None, datetime(2026, 1, 1, tzinfo=UTC), encoded)


def test_each_event_names_what_it_is_about() -> None:
    found = by_tenant(
        [
            event("station.status", station="CP-1", status="Available"),
            event("station.status", station="CP-1"),
            event("station.offline", station="CP-2"),
            event("station.status"),
            event("station.changed", station="CP-3", id="1"),
            event("station.moved", station="CP-4", id=str(A), before=str(B)),
            event("session.started", station="CP-1", session=A),
            event("cdr.created", session=B),
            event("token.changed", tenant="south", id=str(B)),
            event("tariff.changed", tenant="south", id="one"),
            event("tariff.assigned", tenant="south", id="two", before="three"),
            event("location.changed", tenant="west", id=str(A)),
        ]
    )
    assert found == {
        "north": Changes(stations={"CP-1", "CP-2"}, rebuilt={"CP-3"}, locations={A, B}, sessions={A, B}),
        "south": Changes(tariffs={"one", "two", "three"}, assigned=True, tokens={B}),
        "west": Changes(locations={A}),
    }


def test_the_index_has_all_types_of_events_and_no_others() -> None:
    """Else the reader would not be served by it, or it would be larger than need be."""
    text = (Path(schemas.__file__ or "").parent / "migrations" / "0021_roaming.sql").read_text()
    index = re.search(r"CREATE INDEX outbox_roaming .*?WHERE type IN \(([^)]*)\)", text, re.DOTALL)
    assert index is not None
    assert set(re.findall(r"'([a-z_.]+)'", index[1])) == TYPES
