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
TYPES: Final = (
    _STATUSES
    | _SESSIONS
    | {
        "location.changed",
        "station.moved",
        "station.changed",
        "tariff.changed",
        "tariff.assigned",
        "token.changed",
    }
)
"""The condition of the index outbox_roaming (migration 0021). Readings and 2.x updates of sessions are not among them: there are
too many, and running sessions are looked at by the clock."""


@dataclass(slots=True)
class Changes:
    """Keys of our own things, of one tenant. `stations`: identities whose statuses may be others; `rebuilt`: identities of stations
    whose location is to be made anew."""

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
        elif event.type in _SESSIONS:
            if event.session_id is not None:
                self.sessions.add(event.session_id)
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
