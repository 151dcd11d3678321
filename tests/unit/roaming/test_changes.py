"""What events say has to be looked at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from csms.roaming.publication.changes import Changes, by_tenant
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
            event("reservation.made", tenant="east", station="CP-1", ocpi_session_id=str(A)),
            event("reservation.used", tenant="east", session=B, ocpi_session_id=str(A)),
            event("reservation.used", tenant="far", session=B, ocpi_session_id=None),
            event("reservation.expired", tenant="far"),
            event("cdr.created", tenant="past", ocpi_session_id=str(B)),
            event("cdr.created", tenant="far", reservation_id=7),
        ]
    )
    assert found == {
        "north": Changes(stations={"CP-1", "CP-2"}, rebuilt={"CP-3"}, locations={A, B}, sessions={A, B}),
        "south": Changes(tariffs={"one", "two", "three"}, assigned=True, tokens={B}),
        "west": Changes(locations={A}),
        "east": Changes(sessions={A, B}),
        "far": Changes(),
        "past": Changes(sessions={B}),
    }
