"""What the ledger asks of the store inside one transaction: set-based operations only (design 7).

Loads lock the rows they give, in key order, for the rest of the transaction. Keys are tuples that start with the tenant.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from csms.domain.operations import (
    BootStation,
    ClaimCommand,
    CloseEventStream,
    Connected,
    ConnectStation,
    DisconnectStation,
    FinishCommand,
    OpenEventStream,
    ReportConnectorStatus,
    StoreDeviceReport,
)
from csms.domain.session_state import SessionState
from csms.domain.tolerance import Relaxation
from csms.ledger.rows import (
    EventRow,
    Kept,
    MeterUpdate,
    OutboxRow,
    OwnCommandRow,
    QuarantineRow,
    RelaxationKey,
    SampleRow,
    StationEventRow,
    StationRow,
    StationSampleRow,
    StoredEvent,
    TokenRow,
)

StationKey = tuple[int, int]
"""(tenant_id, station_id)"""
RefKey = tuple[int, int, str]
"""(tenant_id, station_id, transaction_ref)"""
StreamKey = tuple[int, int, int]
"""(tenant_id, station_id, stream_id)"""


class LedgerTransaction(Protocol):
    """One transaction of the ledger; it commits when the unit of work returns."""

    def committed(self) -> None:
        """Told after the commit, on the Trio thread."""
        ...

    # stations
    async def connect_stations(self, ops: Sequence[ConnectStation]) -> list[Connected | None]: ...
    async def disconnect_stations(self, ops: Sequence[DisconnectStation]) -> list[bool]: ...
    async def see_stations(self, process_id: UUID, seen: Sequence[tuple[int, int, datetime]]) -> list[StationKey]:
        """Note signs of life and renew the process; gives the stations of dead processes, which are offline now."""
        ...

    async def lock_stations(self, keys: Collection[StationKey]) -> dict[StationKey, StationRow]: ...
    async def boot_stations(self, ops: Sequence[BootStation], registrations: Sequence[str]) -> None: ...
    async def set_connector_status(self, ops: Sequence[ReportConnectorStatus]) -> None: ...

    # tokens
    async def load_tokens(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[TokenRow]]:
        """By (tenant, lower-cased token)."""
        ...

    async def open_token_sessions(
        self, keys: Collection[tuple[int, str]]
    ) -> dict[tuple[int, str], list[tuple[int, int | None, str]]]:
        """(station, EVSE, transaction_ref) of the sessions that are open with a token and not stale (rule X4)."""
        ...

    async def add_unknown_tokens(self, tokens: Collection[tuple[int, str, str]]) -> None:
        """(tenant, token, type); at most 10,000 are kept per tenant."""
        ...

    # sessions
    async def sessions_by_ref(self, keys: Collection[RefKey]) -> dict[RefKey, SessionState]:
        """The latest incarnation of each."""
        ...

    async def sessions_by_start_key(
        self, keys: Collection[tuple[int, int, bytes]]
    ) -> dict[tuple[int, int, bytes], SessionState]: ...
    async def open_sessions(self, keys: Collection[StationKey]) -> dict[StationKey, list[SessionState]]: ...
    async def session_ids(self, keys: Collection[RefKey]) -> dict[RefKey, UUID]:
        """Without a lock: for rows that only add to a session."""
        ...

    async def refs_elsewhere(self, keys: Collection[RefKey]) -> set[RefKey]:
        """Those whose reference is a session of another station of the tenant (rule X6)."""
        ...

    async def flag_sessions(self, keys: Collection[tuple[int, UUID]], flag: str) -> None: ...
    async def insert_sessions(self, rows: Sequence[SessionState]) -> None: ...
    async def update_sessions(self, rows: Sequence[SessionState]) -> None: ...
    async def next_transaction_numbers(self, count: int) -> list[int]:
        """Starts of `count` blocks of the OCPP 1.6 sequence."""
        ...

    async def events_at(self, keys: Collection[tuple[int, UUID, int]]) -> dict[tuple[int, UUID, int], list[EventRow]]: ...
    async def insert_events(self, rows: Sequence[EventRow]) -> None: ...

    # readings
    async def insert_samples(self, rows: Sequence[SampleRow], updates: Sequence[MeterUpdate]) -> None:
        """Store readings that are not there yet; move the registers of `updates` on and publish those that brought something."""
        ...

    async def insert_station_samples(self, rows: Sequence[StationSampleRow]) -> None: ...

    # notices
    async def insert_station_events(self, rows: Sequence[StationEventRow]) -> list[StoredEvent | None]:
        """None for those that were there within the last hour already."""
        ...

    async def upsert_device_variables(self, reports: Sequence[StoreDeviceReport], now: datetime) -> None: ...
    async def insert_quarantine(self, rows: Sequence[QuarantineRow], now: datetime) -> list[Kept]:
        """What became of each; bounded per station."""
        ...

    async def count_relaxations(self, counts: Mapping[RelaxationKey, Relaxation], now: datetime) -> None: ...
    async def open_streams(self, ops: Sequence[OpenEventStream]) -> list[bool]:
        """False for those that would be too many of their station."""
        ...

    async def close_streams(self, ops: Sequence[CloseEventStream]) -> None: ...
    async def are_streams_open(self, keys: Collection[StreamKey]) -> set[StreamKey]:
        """Those that are."""
        ...

    async def insert_outbox(self, rows: Sequence[OutboxRow]) -> None: ...

    # commands
    async def claim_commands(self, ops: Sequence[ClaimCommand]) -> list[bool]: ...
    async def insert_commands(self, rows: Sequence[OwnCommandRow]) -> None:
        """Commands of the system's own; not for a station that has many open ones already."""
        ...

    async def finish_commands(self, ops: Sequence[FinishCommand]) -> list[bool]: ...
    async def link_remote_starts(self, sessions: Sequence[SessionState]) -> dict[UUID, UUID]:
        """Tie new sessions to the remote starts that caused them; gives session id -> command id."""
        ...
