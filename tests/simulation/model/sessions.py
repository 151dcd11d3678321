"""Sessions, their events, corrections, and tokens: as csms.store.ledger_sessions, ledger_reconciliation and ledger_tokens do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from csms.domain.restrictions import Place, first_id_of
from csms.domain.session_state import SessionState
from csms.ledger.port import RefKey, SessionKey, StationKey
from csms.ledger.rows import ConnectorKey, CorrectionRow, EventRow, OpenSession, TokenRow, TokenUse, Usage, UsageQuestion
from csms.ledger.transaction_ids import BLOCK
from csms.store.ledger_tokens import UNKNOWN_TOKENS_MAX
from tests.simulation.model.engine import UniqueViolation
from tests.simulation.model.rows import Session, Station
from tests.simulation.model.statements import Statements, statement


class SessionStatements(Statements):
    def _of_station(self, station: StationKey) -> list[Session]:
        """All sessions of a station that this transaction sees."""
        return [session for _, session in self.tx.group("sessions", station)]

    async def _lock_all(self, found: Iterable[Session], still: Callable[[Session], bool]) -> list[SessionState]:
        """FOR UPDATE, in the order of the keys: rows that no longer fit after the wait are left out."""
        states = []
        for key in sorted({_key(session.state) for session in found}):
            session = await self.tx.locked("sessions", key)
            if session is not None and still(session):
                states.append(copy(session.state))
        return states

    @statement
    async def sessions_by_ref(self, keys: Collection[RefKey]) -> dict[RefKey, SessionState]:
        sought = [s for key in sorted(keys) for s in self._of_station(key[:2]) if s.state.transaction_ref == key[2]]
        found: dict[RefKey, SessionState] = {}
        for state in await self._lock_all(sought, lambda _: True):
            key = (state.tenant_id, state.station_id, state.transaction_ref)
            if key not in found or state.incarnation > found[key].incarnation:
                found[key] = state
        return found

    @statement
    async def sessions_by_start_key(self, keys: Collection[tuple[int, int, bytes]]) -> dict[tuple[int, int, bytes], SessionState]:
        sought = [s for key in sorted(keys) for s in self._of_station(key[:2]) if s.state.start_key == key[2]]
        states = await self._lock_all(sought, lambda _: True)
        return {(s.tenant_id, s.station_id, s.start_key or b""): s for s in states}

    @statement
    async def open_sessions(self, keys: Collection[StationKey]) -> dict[StationKey, list[SessionState]]:
        sought = [s for key in sorted(keys) for s in self._of_station(key) if s.state.status == "active"]
        found: dict[StationKey, list[SessionState]] = {}
        for state in await self._lock_all(sought, _is_active):
            found.setdefault((state.tenant_id, state.station_id), []).append(state)
        return found

    @statement
    async def session_ids(self, keys: Collection[RefKey]) -> dict[RefKey, UUID]:
        found: dict[RefKey, tuple[int, UUID]] = {}
        for key in keys:
            for session in self._of_station(key[:2]):
                state = session.state
                if state.transaction_ref == key[2] and (key not in found or state.incarnation >= found[key][0]):
                    found[key] = (state.incarnation, state.session_id)
        return {key: session_id for key, (_, session_id) in found.items()}

    @statement
    async def sessions_by_id(self, keys: Collection[SessionKey]) -> dict[SessionKey, SessionState]:
        sought = [found for key in keys if (found := self.tx.get("sessions", key)) is not None]
        return {_key(state): state for state in await self._lock_all(sought, lambda _: True)}

    @statement
    async def refs_elsewhere(self, keys: Collection[RefKey]) -> set[RefKey]:
        found: set[RefKey] = set()
        for tenant_id, station_id, ref in keys:
            for session in self.tx.rows("sessions"):
                state = session.state
                if state.tenant_id == tenant_id and state.station_id != station_id and state.transaction_ref == ref:
                    found.add((tenant_id, station_id, ref))
        return found

    @statement
    async def flag_sessions(self, keys: Collection[SessionKey], flag: str) -> None:
        for key in sorted(keys):
            session = await self.tx.to_update("sessions", key, lambda s: flag not in s.state.flags)
            if session is not None:
                session.state = copy(session.state)
                session.state.flags = [*session.state.flags, flag]
                session.updated_at = self.tx.now
                self.tx.put("sessions", key, session)

    @statement
    async def insert_sessions(self, rows: Sequence[SessionState]) -> None:
        for state in rows:
            unique = (state.tenant_id, state.station_id, state.transaction_ref, state.incarnation)
            session = Session(copy(state), self.tx.now, self.tx.now)
            if not await self.tx.insert("sessions", _key(state), session, unique=unique):
                raise UniqueViolation(str(unique))

    @statement
    async def update_sessions(self, rows: Sequence[SessionState]) -> None:
        for state in rows:
            session = await self.tx.to_update("sessions", _key(state))
            if session is not None:
                session.state = copy(state)
                session.updated_at = self.tx.now
                self.tx.put("sessions", _key(state), session)

    @statement
    async def next_transaction_numbers(self, count: int) -> list[int]:
        return [self.tx.tables.next_value("ocpp16_transaction_numbers", first=0, step=BLOCK) for _ in range(count)]

    @statement
    async def events_at(self, keys: Collection[tuple[int, UUID, int]]) -> dict[tuple[int, UUID, int], list[EventRow]]:
        found: dict[tuple[int, UUID, int], list[EventRow]] = {}
        for key in keys:
            events = self.tx.get("events", key)
            if events:
                found[key] = [copy(event) for event in events]
        return found

    @statement
    async def insert_events(self, rows: Sequence[EventRow]) -> None:
        for row in rows:
            key = (row.tenant_id, row.session_id, row.seq_no)
            await self.tx.lock("events", key)
            stored = self.tx.get("events", key) or []
            if all(event.digest != row.digest for event in stored):
                self.tx.put("events", key, [*stored, copy(row)])

    # -- reconciliation

    @statement
    async def insert_corrections(self, rows: Sequence[CorrectionRow]) -> None:
        for row in rows:
            self.tx.put("corrections", (row.tenant_id, row.session_id, row.correction_id), row)

    @statement
    async def silent_sessions(self, process_id: UUID, *, silence: timedelta, settle: timedelta, limit: int) -> list[SessionState]:
        now = self.tx.now
        active: list[Session] = []
        ended: list[Session] = []
        for session in self.tx.rows("sessions"):
            station: Station = self.tx.get("stations", (session.state.tenant_id, session.state.station_id))
            if station.connected_process != process_id:
                continue
            back = max((at for at in (station.connected_at, station.booted_at) if at is not None), default=now)
            due = session.reconcile_at is None or session.reconcile_at <= now
            if session.state.status != "active":
                if session.reconcile_at is not None and due:
                    ended.append(session)
            elif not due and not (session.asked_at is not None and session.asked_at < back):
                continue
            elif session.updated_at < now - silence or (session.updated_at < back and back < now - settle):
                active.append(session)
        active.sort(key=lambda s: (s.updated_at, s.state.session_id))
        ended.sort(key=lambda s: (s.reconcile_at, s.state.session_id))
        return [*await self._skip_locked(active, limit), *await self._skip_locked(ended, limit)]

    @statement
    async def forlorn_sessions(self, after: timedelta, limit: int) -> list[SessionState]:
        old = [s for s in self.tx.rows("sessions") if s.state.status == "active" and s.updated_at < self.tx.now - after]
        old.sort(key=lambda s: (s.updated_at, s.state.session_id))
        return await self._skip_locked(old, limit)

    async def _skip_locked(self, sessions: list[Session], limit: int) -> list[SessionState]:
        taken: list[SessionState] = []
        for session in sessions:
            key = _key(session.state)
            if len(taken) < limit and not self.tx.is_locked_by_another("sessions", key):
                taken.append(copy((await self.tx.locked("sessions", key)).state))
        return taken

    @statement
    async def note_asked(self, sessions: Mapping[SessionKey, datetime | None]) -> None:
        for key, at in sorted(sessions.items(), key=lambda item: item[0]):
            session = await self.tx.to_update("sessions", key)
            if session is not None:
                session.asked_at, session.reconcile_at = self.tx.now, at
                self.tx.put("sessions", key, session)

    @statement
    async def asked_on_connectors(self, keys: Collection[ConnectorKey]) -> list[SessionState]:

        def fits(session: Session) -> bool:
            asked = session.asked_at is not None and session.asked_at > session.updated_at
            return asked and session.state.status == "active" and session.state.ocpp_version == "ocpp1.6"

        sought = [s for key in sorted(keys) for s in self._of_station(key[:2]) if s.state.connector_id == key[2] and fits(s)]
        return await self._lock_all(sought, fits)

    # -- tokens

    @statement
    async def load_tokens(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[TokenRow]]:
        found: dict[tuple[int, str], list[TokenRow]] = {}
        for (*key, _), token in sorted(self.tx.items("tokens"), key=lambda item: item[0]):
            if tuple(key) in keys:
                found.setdefault((token.tenant_id, token.id_token.lower()), []).append(token)
        return found

    def _sessions_of_token(self, tenant_id: int, token_key: str) -> list[Session]:
        """Those that it was shown for, and those of the tokens that stand for it."""
        standing = {
            child.used_by_session_id
            for token in self.tx.rows("tokens")
            if token.tenant_id == tenant_id and token.id_token.lower() == token_key
            for child in self.tx.rows("tokens")
            if child.parent is not None and child.parent.token_id == token.token_id and child.tenant_id == tenant_id
        }
        return [
            session
            for session in self.tx.rows("sessions")
            if session.state.tenant_id == tenant_id
            and ((session.state.id_token or "").lower() == token_key or session.state.session_id in standing)
        ]

    @statement
    async def open_token_sessions(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[OpenSession]]:
        found: dict[tuple[int, str], list[OpenSession]] = {}
        for key in keys:
            for session in self._sessions_of_token(*key):
                state = session.state
                station: Station = self.tx.get("stations", (state.tenant_id, state.station_id))
                fresh = state.status == "active" and session.updated_at > self.tx.now - timedelta(hours=24)
                if fresh and (station.booted_at is None or station.booted_at <= session.updated_at):
                    opened = OpenSession(state.station_id, state.evse_id, state.transaction_ref, state.session_id)
                    found.setdefault(key, []).append(opened)
        return found

    @statement
    async def token_usage(self, questions: Collection[UsageQuestion]) -> dict[UsageQuestion, Usage]:
        return {
            question: Usage(
                sum(
                    session.state.authorization_status == "Accepted" and session.state.session_id >= first_id_of(question.since)
                    for session in self._sessions_of_token(question.tenant_id, question.token_key)
                ),
                Decimal(0),
            )
            for question in questions
        }

    @statement
    async def places(self, keys: Collection[StationKey]) -> dict[StationKey, Place]:
        return {key: Place(self.tx.get("stations", key).identity) for key in keys}

    @statement
    async def use_tokens(self, uses: Sequence[TokenUse], now: datetime) -> set[TokenUse]:
        won = set()
        for use in uses:
            (key,) = [key for key, token in self.tx.items("tokens") if token.token_id == use.token_id]
            token = await self.tx.to_update("tokens", key, lambda t: t.used_by_session_id is None)
            if token is not None:
                self.tx.put("tokens", key, msgspec.structs.replace(token, used_by_session_id=use.session_id))
                won.add(use)
        return won

    @statement
    async def add_unknown_tokens(self, tokens: Collection[tuple[int, str, str]]) -> None:
        unknown: dict[int, int] = {}
        for token in self.tx.rows("tokens"):
            if token.status == "unknown":
                unknown[token.tenant_id] = unknown.get(token.tenant_id, 0) + 1
        for tenant_id, id_token, kind in sorted(tokens):
            if unknown.get(tenant_id, 0) < UNKNOWN_TOKENS_MAX:
                token = TokenRow(tenant_id, id_token, kind, "unknown", None, None, None, False)
                await self.tx.insert("tokens", (tenant_id, id_token.lower(), kind), token)


def _key(state: SessionState) -> SessionKey:
    return (state.tenant_id, state.session_id)


def _is_active(session: Any) -> bool:
    return bool(session.state.status == "active")
