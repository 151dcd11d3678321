"""What the ledger asks of the store inside one transaction: set-based operations only (design 7).

Loads lock the rows they give, in key order, for the rest of the transaction. Keys are tuples that start with the tenant.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
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
    SeenStation,
    StoreDeviceReport,
)
from csms.domain.reservations import Answer, End, Use
from csms.domain.restrictions import Place
from csms.domain.session_state import SessionState
from csms.domain.tolerance import Relaxation
from csms.ledger.rows import (
    ConnectorKey,
    CorrectionRow,
    EventRow,
    FinishedCommand,
    GoneStation,
    Kept,
    OpenSession,
    OutboxRow,
    OwnCommandRow,
    Presence,
    PricedSession,
    QuarantineRow,
    RelaxationKey,
    SampleRow,
    SentProfile,
    StateRow,
    StationEventRow,
    StationRow,
    StationSampleRow,
    StoredEvent,
    TokenRow,
    TokenUse,
    Usage,
    UsageQuestion,
)

T = TypeVar("T")

StationKey = tuple[int, int]
"""(tenant_id, station_id)"""
RefKey = tuple[int, int, str]
"""(tenant_id, station_id, transaction_ref)"""
SessionKey = tuple[int, UUID]
"""(tenant_id, session_id)"""
StreamKey = tuple[int, int, int]
"""(tenant_id, station_id, stream_id)"""


class LedgerTransaction(Protocol):
    """One transaction of the ledger; it commits when the unit of work returns."""

    # stations
    async def connect_stations(self, ops: Sequence[ConnectStation]) -> list[Connected | None]: ...
    async def disconnect_stations(self, ops: Sequence[DisconnectStation]) -> list[bool]: ...
    async def see_stations(self, process_id: UUID, seen: Sequence[SeenStation], *, look_around: bool) -> Presence:
        """Note signs of life and renew the process; with `look_around` also find stations whose process is gone."""
        ...

    async def tell_offline(self, after: timedelta, limit: int) -> list[GoneStation]:
        """Stations that have had no connection for so long and whose users were not told yet; not those that others hold."""
        ...

    async def tell_online(self, keys: Collection[StationKey]) -> list[StationKey]:
        """Those of these connected stations that were told to be offline all the same, which they are no more."""
        ...

    async def lock_stations(self, keys: Collection[StationKey]) -> dict[StationKey, StationRow]: ...
    async def boot_stations(self, ops: Sequence[BootStation], registrations: Sequence[str]) -> None: ...
    async def set_connector_status(self, ops: Sequence[ReportConnectorStatus]) -> None: ...

    # tokens
    async def load_tokens(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[TokenRow]]:
        """By (tenant, look-up key)."""
        ...

    async def open_token_sessions(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[OpenSession]]:
        """Those that are open with a token, or with one that stands for it, and not stale (rule X4)."""
        ...

    async def token_usage(self, questions: Collection[UsageQuestion]) -> dict[UsageQuestion, Usage]: ...
    async def places(self, keys: Collection[StationKey]) -> dict[StationKey, Place]: ...
    async def use_tokens(self, uses: Sequence[TokenUse], now: datetime) -> set[TokenUse]:
        """Those whose token was unused until now: of two sessions that use one token up exactly one is told."""
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
        """The newest incarnation of each, without a lock: for rows that only add to a session."""
        ...

    async def sessions_by_id(self, keys: Collection[SessionKey]) -> dict[SessionKey, SessionState]: ...

    async def refs_elsewhere(self, keys: Collection[RefKey]) -> set[RefKey]:
        """Those whose reference is a session of another station of the tenant (rule X6)."""
        ...

    async def flag_sessions(self, keys: Collection[SessionKey], flag: str) -> None: ...
    async def insert_sessions(self, rows: Sequence[SessionState]) -> None: ...
    async def update_sessions(self, rows: Sequence[SessionState]) -> None: ...
    async def insert_corrections(self, rows: Sequence[CorrectionRow]) -> None: ...
    async def silent_sessions(self, process_id: UUID, *, silence: timedelta, settle: timedelta, limit: int) -> list[SessionState]:
        """Sessions to ask their stations about, which this process holds: active ones without a message for `silence`, or for
        `settle` since their station came back or booted; and ended ones whose missing events shall be asked for again.

        Not those whose next question is due later (`note_asked`), nor those that another transaction holds.
        """
        ...

    async def forlorn_sessions(self, after: timedelta, limit: int) -> list[SessionState]:
        """Active sessions without a message for so long that nobody expects their end; not those that others hold."""
        ...

    async def note_asked(self, sessions: Mapping[SessionKey, datetime | None]) -> None:
        """When to ask again about each; None: never. It is no sign of life of the session."""
        ...

    async def asked_on_connectors(self, keys: Collection[ConnectorKey]) -> list[SessionState]:
        """Active sessions on these connectors whose stations were asked and have sent nothing of them since."""
        ...

    async def next_transaction_numbers(self, count: int) -> list[int]:
        """Starts of `count` blocks of the OCPP 1.6 sequence."""
        ...

    async def events_at(self, keys: Collection[tuple[int, UUID, int]]) -> dict[tuple[int, UUID, int], list[EventRow]]: ...
    async def insert_events(self, rows: Sequence[EventRow]) -> None: ...

    # readings
    async def insert_samples(self, rows: Sequence[SampleRow]) -> list[SampleRow]:
        """Store readings that are not there yet; with those that brought something move the registers of active sessions on, and
        publish them. There is at most one update for a session.

        Gives those with a register that brought something and moved nothing: their session has ended, or knows a later one.
        """
        ...

    async def note_states(self, rows: Sequence[StateRow]) -> None:
        """Keep the states of OCPP 1.6 connectors with the sessions that run on them: their prices need them."""
        ...

    async def priced_sessions(self, keys: Collection[SessionKey], most_readings: int) -> dict[SessionKey, PricedSession]:
        """Those that have a tariff, and no more than so many readings."""
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

    # reservations: what changes is told by the store, as hub and upkeep change them as well
    async def note_uses(self, uses: Sequence[Use]) -> None: ...
    async def note_ends(self, ends: Sequence[End]) -> None: ...
    async def note_answers(self, answers: Sequence[Answer]) -> None: ...

    # commands
    async def claim_commands(self, ops: Sequence[ClaimCommand]) -> list[bool]: ...
    async def insert_commands(self, rows: Sequence[OwnCommandRow]) -> None:
        """Commands of the system's own; not for a station that has many open ones already."""
        ...

    async def finish_commands(self, ops: Sequence[FinishCommand]) -> list[FinishedCommand | None]:
        """None for those that were not open."""
        ...

    async def tx_profiles(self, sessions: Sequence[SessionState]) -> dict[SessionKey, list[SentProfile]]:
        """The charging profiles that these transactions of 2.1 were given: the newest of each id that was not cleared since. None
        where the station says that it keeps them over a reboot."""
        ...

    async def link_remote_starts(self, sessions: Sequence[SessionState]) -> dict[UUID, UUID]:
        """Tie new sessions to the remote starts that caused them; gives session id -> command id."""
        ...


class LedgerStore(Protocol):
    """Makes the ledger's transactions."""

    async def transact(
        self, work: Callable[[LedgerTransaction], Awaitable[T]], *, timeout: float, lanes: Collection[StationKey] = ()
    ) -> T:
        """Do `work` in one transaction and commit it, all within `timeout` seconds.

        It begins once no other transaction holds the lanes of these stations, and holds them to its end: cheaper than locking rows,
        and only this waits for it.

        Raises StoreUnavailable when the store is away, full or asks for another try (the transaction may have committed all the
        same), or what `work` raised, after a rollback. `work` may run outside of Trio.
        """
        ...

    async def look(self, work: Callable[[LedgerTransaction], Awaitable[T]], *, timeout: float) -> T:
        """Do `work`, which only reads, or writes with one statement alone, outside of any transaction: each statement sees what is
        committed when it begins, and is committed by itself.

        Raises as `transact`.
        """
        ...

    async def probe(self, timeout: float) -> None:
        """Raises StoreUnavailable when the store does not answer."""
        ...
