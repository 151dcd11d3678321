"""What events say has to be looked at. An event is only a hint: what is told comes from the tables as they are now. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.store.queries.events import Event

_STATUSES: Final = frozenset({"station.status", "station.online", "station.offline"})
_SESSIONS: Final = frozenset(
    {"session.started", "session.ended", "session.corrected", "session.settled", "session.cost_updated", "cdr.created"}
)
_RESERVATIONS: Final = frozenset({"reservation.made", "reservation.used", "reservation.cancelled", "reservation.expired"})
TYPES: Final = (
    _STATUSES
    | _SESSIONS
    | _RESERVATIONS
    | {
        "location.changed",
        "station.moved",
        "station.changed",
        "tariff.changed",
        "tariff.assigned",
        "token.changed",
    }
)
"""The condition of the index outbox_roaming (migration 0022). Readings and 2.x updates of sessions are not among them: there are
too many, so that the running sessions that were told are looked at instead."""


@dataclass(slots=True)
class Changes:
    """Keys of our own things, of one tenant. `stations`: identities whose statuses may be others; `rebuilt`: identities of stations
    whose location is to be made anew; `sessions`: ids of ours, and those by which reservations are told (E5)."""

    stations: set[str] = field(default_factory=set)
    rebuilt: set[str] = field(default_factory=set)
    locations: set[UUID] = field(default_factory=set)
    tariffs: set[str] = field(default_factory=set)
    assigned: bool = False
    tokens: set[UUID] = field(default_factory=set)
    sessions: set[UUID] = field(default_factory=set)

    def note(self, event: Event) -> None:
        if event.type in _STATUSES:
            if event.charge_point_id is not None:
                self.stations.add(event.charge_point_id)
        elif event.type in _SESSIONS and event.session_id is not None:
            self.sessions.add(event.session_id)
        elif event.type in _SESSIONS or event.type in _RESERVATIONS:
            told_as = msgspec.json.decode(event.data).get("ocpi_session_id")
            if told_as is not None:
                self.sessions |= {UUID(told_as)} if event.session_id is None else {UUID(told_as), event.session_id}
        elif event.type == "station.changed":
            if event.charge_point_id is not None:
                self.rebuilt.add(event.charge_point_id)
        else:
            self._note_entered(event)

    def _note_entered(self, event: Event) -> None:
        """What people have changed: csms triggers name it, and what it was named before."""
        data = msgspec.json.decode(event.data)
        ids = [value for name in ("id", "before") if isinstance(value := data.get(name), str)]
        match event.type:
            case "location.changed" | "station.moved":
                self.locations |= _uuids(ids)
            case "tariff.changed":
                self.tariffs |= set(ids)
            case "tariff.assigned":
                self.tariffs |= set(ids)
                self.assigned = True
            case "token.changed":
                self.tokens |= _uuids(ids)


def by_tenant(events: Iterable[Event]) -> dict[str, Changes]:
    """By the tenant's slug."""
    found: dict[str, Changes] = {}
    for event in events:
        found.setdefault(event.tenant, Changes()).note(event)
    return found


def _uuids(values: Iterable[Any]) -> set[UUID]:
    return {UUID(value) for value in values}
