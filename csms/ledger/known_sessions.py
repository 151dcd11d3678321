"""Which session a station's transaction is: remembered between group commits, because every reading and event asks for it again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from csms.ledger.port import RefKey, StationKey

MOST_STATIONS: Final = 100_000
MOST_OF_A_STATION: Final = 32


class KnownSessions:
    """Session ids by station and transaction reference, of sessions that are committed.

    A session keeps its id, so an entry can only be wrong when the session is gone or its reference begins anew. Either needs a
    start, a stop or a new connection of the station first. `forget` is told of those once they have committed, when nothing else
    of the station is under way: an entry never outlives the connection that it was made on.

    The readings of OCPP 1.6 rely on the id. An event of 2.x reads the session's row all the same, and may find it gone: for it an
    entry only says that the station need not be locked.
    """

    def __init__(self) -> None:
        self._sessions: dict[StationKey, dict[str, UUID]] = {}

    def find(self, keys: Collection[RefKey]) -> dict[RefKey, UUID]:
        """Those of `keys` that are known."""
        found: dict[RefKey, UUID] = {}
        for key in keys:
            sessions = self._sessions.get((key[0], key[1]))
            if sessions is not None and key[2] in sessions:
                found[key] = sessions[key[2]]
        return found

    def learn(self, ids: Mapping[RefKey, UUID]) -> None:
        """What a group commit has looked up; to be told only once it has committed."""
        if len(self._sessions) + len(ids) > MOST_STATIONS:
            self._sessions.clear()
        for (tenant_id, station_id, ref), session_id in ids.items():
            sessions = self._sessions.setdefault((tenant_id, station_id), {})
            if len(sessions) >= MOST_OF_A_STATION:
                sessions.clear()
            sessions[ref] = session_id

    def forget(self, stations: Collection[StationKey]) -> None:
        for station in stations:
            self._sessions.pop(station, None)
