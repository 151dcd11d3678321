"""What the steps of one group commit share: the moment, the tenants, and the rows that are written together at its end."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from csms.clock import Ids
from csms.domain.folding import fold_late_register
from csms.domain.reservations import Answer, End, Use
from csms.domain.session_state import SessionState
from csms.domain.tolerance import Relaxation
from csms.ledger.corrections import Corrections
from csms.ledger.encoding import encode
from csms.ledger.known_sessions import KnownSessions
from csms.ledger.metrics import QUARANTINE_FULL
from csms.ledger.port import LedgerTransaction, RefKey, SessionKey, StationKey
from csms.ledger.refusals import Refusal, Refusals
from csms.ledger.rows import (
    EventRow,
    OutboxRow,
    OwnCommandRow,
    QuarantineRow,
    RelaxationKey,
    SampleRow,
    StationEventRow,
    StationSampleRow,
)
from csms.ledger.transaction_ids import TransactionIdPool
from csms.qr_tokens import QrCodes
from csms.tenants import TenantDirectory

log = structlog.get_logger()

QUESTION: Final = "system:reconciliation"
"""Who orders the commands that ask about sessions."""
RESUMPTION: Final = "system:resumption"
"""Who orders that a resumed transaction gets its charging profile again."""
ASK_AGAIN: Final = timedelta(minutes=10)
"""How long after a question the next one about the same session may follow."""
ASKED_FOR: Final = timedelta(minutes=5)
"""How long a question of the system's own waits for a station that has gone away."""


class BatchContext:
    """Made anew for every try of a group commit, so that a try that failed leaves nothing behind."""

    def __init__(
        self,
        now: datetime,
        ids: Ids,
        tenants: TenantDirectory,
        transaction_ids: TransactionIdPool,
        known_sessions: KnownSessions,
        *,
        refusals: Refusals | None = None,
        qr_codes: QrCodes | None = None,
    ) -> None:
        """`refusals`: those that operators were told of lately.
        `qr_codes`: tells codes of dynamic QR tokens that are not ours."""
        self.refusals = refusals or Refusals()
        self.qr_codes = qr_codes
        self.refused: set[Refusal] = set()
        """What they are told of by this commit."""
        self.now = now
        self.ids = ids
        self.tenants = tenants
        self.transaction_ids = transaction_ids
        self.known_sessions = known_sessions
        self.looked_up_sessions: dict[RefKey, UUID] = {}
        """What others may know once this commit has succeeded."""
        self.events: list[EventRow] = []
        self.samples: list[SampleRow] = []
        self.station_samples: list[StationSampleRow] = []
        self.station_events: list[StationEventRow] = []
        self.quarantine: list[QuarantineRow] = []
        self.relaxations: dict[RelaxationKey, Relaxation] = {}
        self.commands: list[OwnCommandRow] = []
        self.reservation_uses: list[Use] = []
        self.reservation_ends: list[End] = []
        self.reservation_answers: list[Answer] = []
        self.outbox: list[OutboxRow] = []
        self.corrections = Corrections(ids)
        self.ask_again: dict[SessionKey, datetime | None] = {}
        """When to ask again about sessions; None: never."""
        self._locked_stations: set[StationKey] = set()

    async def lock_stations(self, tx: LedgerTransaction, keys: Collection[StationKey]) -> None:
        """Lock the rows of these stations for the rest of the transaction, unless they are."""
        wanted = {key for key in keys if key not in self._locked_stations}
        if wanted:
            await tx.lock_stations(wanted)
            self._locked_stations |= wanted

    def publish(
        self,
        event_type: str,
        tenant_id: int,
        station_id: int,
        data: dict[str, Any],
        *,
        session_id: UUID | None = None,
        occurred_at: datetime | None = None,
    ) -> None:
        """Write an event to the outbox in this commit (rule D3)."""
        self.outbox.append(OutboxRow(tenant_id, event_type, station_id, session_id, occurred_at, encode(data)))

    def ask_for_queue(self, session: SessionState) -> None:
        """Ask a 2.x station whether it still has events of a session, or goes on with it (rule Y8)."""
        self.ask(session, "GetTransactionStatus", {"transactionId": session.transaction_ref})

    def ask(self, session: SessionState, action: str, payload: dict[str, Any]) -> None:
        """Ask the station about the session."""
        self.order(session, action, encode(payload), QUESTION)
        self.ask_again[session.tenant_id, session.session_id] = self.now + ASK_AGAIN

    def order(self, session: SessionState, action: str | None, payload: bytes, by: str, *, command: str | None = None) -> None:
        """Send the station a CALL because of the session: a raw one, or a `command` in the domain's terms. An ordinary command: it
        goes out once the station's own messages are answered, and its answer is in its record."""
        self.commands.append(
            OwnCommandRow(
                session.tenant_id,
                self.ids.uuid7(),
                session.station_id,
                command,
                action,
                payload,
                by,
                session.session_id,
                self.now + ASKED_FOR,
            )
        )

    async def write_out(self, tx: LedgerTransaction) -> None:
        """Write the collected rows; the last step of the transaction. Those that most groups have come last, without others in
        between: the store writes them together."""
        if self.station_samples:
            await tx.insert_station_samples(self.station_samples)
        if self.station_events:
            stored = await tx.insert_station_events(self.station_events)
            for row, event in zip(self.station_events, stored, strict=True):
                if event is not None:
                    data = row.data if event.command_id is None else _with_command(row.data, event.command_id)
                    self.outbox.append(OutboxRow(row.tenant_id, f"station.{row.type}", row.station_id, None, row.event_time, data))
        if self.reservation_uses:
            await tx.note_uses(self.reservation_uses)
        if self.reservation_ends:
            await tx.note_ends(self.reservation_ends)
        if self.reservation_answers:
            await tx.note_answers(self.reservation_answers)
        if self.commands:
            await tx.insert_commands(self.commands)
        if self.ask_again:
            await tx.note_asked(self.ask_again)
        if self.quarantine:
            await self._write_quarantine(tx)
        if self.relaxations:
            await tx.count_relaxations(self.relaxations, self.now)
        await self._write_corrections(tx)
        if self.events:
            await tx.insert_events(self.events)
        await self._tell(tx)
        if self.samples:
            unmoved = await tx.insert_samples(self.samples)
            if unmoved:
                await self._move_closed(tx, unmoved)
                await self._write_corrections(tx)
                await self._tell(tx)

    async def _tell(self, tx: LedgerTransaction) -> None:
        events, self.outbox = self.outbox, []
        if events:
            await tx.insert_outbox(events)

    async def _move_closed(self, tx: LedgerTransaction, rows: list[SampleRow]) -> None:
        """Readings of OCPP 1.6 sessions that were closed without a stop: they tell more of the energy than was known then."""
        registers = {(row.tenant_id, row.session_id): (row.update.wh, row.reading.ts) for row in rows if row.update is not None}
        changed = []
        for key, session in (await tx.sessions_by_id(registers)).items():
            wh, ts = registers[key]
            if session.status == "incomplete" and wh is not None and ts is not None:
                self.corrections.watch(session, "MeterValues")
                fold_late_register(session, wh, ts)
                changed.append(session)
        if changed:
            await tx.update_sessions(changed)

    async def _write_corrections(self, tx: LedgerTransaction) -> None:
        corrections = self.corrections.take()
        if not corrections:
            return
        await tx.insert_corrections([row for _, row in corrections])
        for session, row in corrections:
            self.publish(
                "session.corrected",
                row.tenant_id,
                session.station_id,
                {
                    "session_id": row.session_id,
                    "transaction_id": session.transaction_ref,
                    "correction_id": row.correction_id,
                    "cause": row.cause,
                    "changes": msgspec.Raw(row.changes),
                },
                session_id=row.session_id,
                occurred_at=self.now,
            )

    async def _write_quarantine(self, tx: LedgerTransaction) -> None:
        outcomes = await tx.insert_quarantine(self.quarantine, self.now)
        for row, outcome in zip(self.quarantine, outcomes, strict=True):
            if outcome in ("refused", "refused_untold"):
                QUARANTINE_FULL.inc()
            if outcome == "refused_untold":
                log.error("ledger.quarantine_full", tenant_id=row.tenant_id, station_id=row.station_id, action=row.action)
                self.publish(
                    "station.quarantine_full",
                    row.tenant_id,
                    row.station_id,
                    {"action": row.action, "reason": row.reason},
                    occurred_at=self.now,
                )


_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _with_command(data: bytes, command_id: UUID) -> bytes:
    """The data of an event, which is an object of the station's, with the command that caused it."""
    return encode({**_members(data), "command_id": command_id})
