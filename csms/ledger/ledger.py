"""The ledger: one writer per process that commits what stations report in groups (design 4).

Order is kept per station by *lanes*: an operation waits until the one before it in its lane has committed, so a group commit
holds at most one operation of each station, and its set-based statements need no order among themselves.

Nothing is lost silently: an operation leaves the ledger committed, or refused as a poisoned row, or (when the process ends with
the store away) never acknowledged, so that its station sends it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

import structlog
import trio

from csms.clock import Clock, Ids
from csms.domain.operations import (
    Authorize,
    ClaimCommand,
    ConnectStation,
    DisconnectStation,
    Operation,
    OperationFailed,
    ReconcileSessions,
    RecordTransactionEvent,
    SeeStations,
    StartTransaction,
    StopTransaction,
)
from csms.health import HealthRegistry
from csms.ledger.apply_tokens import answer
from csms.ledger.batch import apply_batch
from csms.ledger.context import BatchContext
from csms.ledger.known_sessions import KnownSessions
from csms.ledger.metrics import BATCH_SIZE, COMMIT_SECONDS, POISONED, QUEUED, RETRIES
from csms.ledger.port import LedgerStore, LedgerTransaction, RefKey, StationKey
from csms.ledger.refusals import Refusal, Refusals
from csms.ledger.transaction_ids import TransactionIdPool
from csms.qr_tokens import QrCodes
from csms.store import StoreUnavailable
from csms.tenants import TenantDirectory

log = structlog.get_logger()

Done = Callable[[Any], None]
Lane = tuple[int, int | str]

IN_FLIGHT: Final = 2
"""Group commits under way at once."""

BUSY_RATE: Final = 50.0
"""Operations a second above which the writer lingers for company."""

URGENT: Final = frozenset({ClaimCommand})
"""Kinds that it does not linger with: somebody waits for his command to leave. Its end comes along with the next group."""

ALONE: Final = frozenset({ClaimCommand})
"""Kinds that one statement does, whatever else is under way: a group of nothing else needs no transaction around it."""

QUESTIONS: Final = frozenset({Authorize})
"""Kinds that mostly write nothing, and that somebody waits for with a card in his hand: they have transactions of their own, which
wait neither for company nor for those that write."""

COMMIT_TIMEOUTS_S: Final = (15.0, 30.0, 60.0)
"""Seconds that a commit may take, by attempt; the last value also holds for later ones. The first is short because a database
whose host is gone without a word never answers; the last is long because one that is merely slow must get on."""
DEGRADED_AFTER_S: Final = 2.0
_NEW_SESSIONS: Final = frozenset({DisconnectStation, StartTransaction, StopTransaction})
_OF_MANY_STATIONS: Final = frozenset({SeeStations, ReconcileSessions})
_RATE_WINDOW_S: Final = 0.25
_BACK_OFF_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0)


class LedgerFull(Exception):
    """The queue bound is reached: stop reading from the station and try again."""


class LedgerClosed(Exception):
    """The process is shutting down."""


class _Pending:
    __slots__ = ("done", "lane", "operation", "since")

    def __init__(self, operation: Operation, lane: Lane, done: Done, since: float) -> None:
        self.operation = operation
        self.lane = lane
        self.done = done
        self.since = since


class Ledger:
    """See the module. All methods are for the Trio thread."""

    def __init__(
        self,
        store: LedgerStore,
        tenants: TenantDirectory,
        clock: Clock,
        ids: Ids,
        *,
        transaction_id_key: bytes,
        qr_codes: QrCodes | None = None,
        linger_s: float = 0.02,
        batch_size: int = 400,
        queue_bound: int = 20_000,
        health: HealthRegistry | None = None,
        committed: Callable[[], None] | None = None,
        shared: bool = False,
    ) -> None:
        """`shared`: other processes have ledgers on the same store. `committed` is told after every group commit; it must neither
        block nor raise."""
        self._store = store
        self._tenants = tenants
        self._clock = clock
        self._ids = ids
        self._transaction_ids = TransactionIdPool(transaction_id_key)
        self._known_sessions = KnownSessions()
        self._refusals = Refusals()
        self._qr_codes = qr_codes
        self._linger_s = linger_s
        self._batch_size = batch_size
        self._queue_bound = queue_bound
        self._health = health or HealthRegistry()
        self._committed = committed
        self._shared = shared
        self._ready: deque[_Pending] = deque()
        self._questions: deque[_Pending] = deque()
        # a lane is here while an operation of it is ready or in flight; the deque holds those behind it
        self._lanes: dict[Lane, deque[_Pending]] = {}
        self._queued = 0
        self._in_flight = 0
        self._questions_in_flight = 0
        self._oldest_in_flight: dict[int, float] = {}
        self._batch_number = 0
        self._wake = trio.Event()
        self._hurry = trio.Event()
        self._closing = False
        self._drained = trio.Event()
        self._shields: set[trio.CancelScope] = set()
        self._scope = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._failing = False
        self._submitted = 0
        self._rate = 0.0
        self._rate_since = clock.monotonic()

    # -- callers

    def submit(self, operation: Operation, done: Done) -> None:
        """Queue `operation`. `done(outcome)` is called after the commit, or `done(OperationFailed)` for a poisoned row.

        `done` runs on the Trio thread, must not block, and is never called from within `submit`. Raises LedgerFull, LedgerClosed.
        """
        if self._closing:
            raise LedgerClosed
        if self._queued >= self._queue_bound:
            raise LedgerFull
        pending = _Pending(operation, _lane(operation), done, self._clock.monotonic())
        self._queued += 1
        self._submitted += 1
        behind = self._lanes.get(pending.lane)
        if behind is None:
            self._lanes[pending.lane] = deque()
            self._make_ready(pending)
        else:
            behind.append(pending)

    def hurry(self) -> None:
        """Commit what is queued without waiting for company: it came together."""
        if self._ready:
            self._hurry.set()

    async def commit(self, operation: Operation) -> Any:
        """Queue `operation` and wait for its outcome. Cancelling the wait does not take the operation back.

        Raises OperationFailed, LedgerFull, LedgerClosed.
        """
        finished = trio.Event()
        outcome: Any = None

        def done(result: Any) -> None:
            nonlocal outcome
            outcome = result
            finished.set()

        self.submit(operation, done)
        await finished.wait()
        if isinstance(outcome, OperationFailed):
            raise outcome
        return outcome

    @property
    def available(self) -> bool:
        """False while the store is away: no new stations are taken then (rule D2)."""
        return not self._failing

    @property
    def queued(self) -> int:
        """Operations that have not committed yet."""
        return self._queued

    async def close(self, timeout: float = 10.0) -> None:
        """Refuse what comes from now on, commit what is queued, and let `run` return. Gives up after `timeout` seconds."""
        self._closing = True
        self._wake.set()
        if self._queued:
            with trio.move_on_after(timeout):
                await self._drained.wait()
        if self._queued:
            log.warning("ledger.closed_with_unacknowledged_operations", count=self._queued)
            # a store that hangs must not hold the process: what is in doubt was not acknowledged
            for shield in self._shields:
                shield.shield = False
        self._scope.cancel(reason="ledger closed")

    # -- the writer

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until `close`. Runs in the infrastructure nursery: it ends after everybody who submits."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch)
                self._nursery = nursery
                self._ask()
                task_status.started()
                while True:
                    await self._wait_for_company()
                    batch = self._take()
                    if batch:
                        self._in_flight += 1
                        nursery.start_soon(self._commit_writes, batch)

    def _ask(self) -> None:
        """Begin with the questions that wait, as long as there is room; at once, as a task would first wait for its turn."""
        while self._questions and self._questions_in_flight < IN_FLIGHT:
            if self._nursery is None or self._scope.cancel_called:
                return  # not begun yet, or given up: whoever ends must not make room for the next
            batch = [self._questions.popleft() for _ in range(min(self._batch_size, len(self._questions)))]
            self._questions_in_flight += 1
            self._nursery.start_soon(self._commit_questions, batch)

    async def _commit_writes(self, batch: list[_Pending]) -> None:
        try:
            await self._commit_batch(batch)
        finally:
            self._in_flight -= 1
            self._wake.set()

    async def _commit_questions(self, batch: list[_Pending]) -> None:
        try:
            outcomes = await self._look([pending.operation for pending in batch])
            if outcomes is None:
                await self._commit_batch(batch)
            else:
                for pending, outcome in zip(batch, outcomes, strict=True):
                    self._finish(pending, outcome)
        finally:
            self._questions_in_flight -= 1
            self._ask()

    async def _wait_for_company(self) -> None:
        while not self._ready or self._in_flight >= IN_FLIGHT:
            self._wake = trio.Event()
            await self._wake.wait()
        self._measure_rate()
        if self._rate > BUSY_RATE and len(self._ready) < self._batch_size and not self._closing:
            linger = self._ready[0].since + self._linger_s - self._clock.monotonic()
            if linger > 0:
                with trio.move_on_after(linger):
                    await self._hurry.wait()

    def _make_ready(self, pending: _Pending) -> None:
        if type(pending.operation) in QUESTIONS:
            self._questions.append(pending)
            self._ask()
            return
        self._ready.append(pending)
        self._wake.set()
        if type(pending.operation) in URGENT:
            self._hurry.set()

    def _measure_rate(self) -> None:
        now = self._clock.monotonic()
        elapsed = now - self._rate_since
        if elapsed >= _RATE_WINDOW_S:
            self._rate = self._submitted / elapsed
            self._submitted = 0
            self._rate_since = now

    def _take(self) -> list[_Pending]:
        if self._hurry.is_set() and len(self._ready) <= self._batch_size:
            self._hurry = trio.Event()
        return [self._ready.popleft() for _ in range(min(self._batch_size, len(self._ready)))]

    async def _commit_batch(self, batch: list[_Pending]) -> None:
        self._batch_number += 1
        number = self._batch_number
        self._oldest_in_flight[number] = batch[0].since
        started = self._clock.monotonic()
        try:
            outcomes = await self._write([p.operation for p in batch])
        finally:
            del self._oldest_in_flight[number]
        COMMIT_SECONDS.observe(self._clock.monotonic() - started)
        BATCH_SIZE.observe(len(batch))
        for pending, outcome in zip(batch, outcomes, strict=True):
            self._finish(pending, outcome)
        if self._committed is not None:
            self._committed()

    def _finish(self, pending: _Pending, outcome: Any) -> None:
        self._queued -= 1
        if self._closing and not self._queued:
            self._drained.set()
        behind = self._lanes[pending.lane]
        if behind:
            self._make_ready(behind.popleft())
        else:
            del self._lanes[pending.lane]
        try:
            pending.done(outcome)
        except Exception:
            # a fault in one caller's callback must not keep the others from their answers
            log.exception("ledger.callback_failed", operation=type(pending.operation).__name__)

    async def _write(self, operations: Sequence[Operation]) -> list[Any]:
        """Commit the operations, or find out which of them poison the group."""
        attempt = 0
        while True:
            try:
                with trio.CancelScope(shield=True) as shield:
                    self._shields.add(shield)
                    try:
                        timeout = COMMIT_TIMEOUTS_S[min(attempt, len(COMMIT_TIMEOUTS_S) - 1)]
                        outcomes = await self._transaction(operations, timeout)
                    finally:
                        self._shields.discard(shield)
                self._failing = False
                return outcomes
            except StoreUnavailable as error:
                RETRIES.inc()
                pause = _BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)]
                if attempt == 0:
                    log.warning("ledger.store_unavailable", error=str(error), operations=len(operations))
                attempt += 1
                if attempt > 2:
                    self._failing = True
                await trio.sleep(pause)
            except Exception as error:
                if len(operations) > 1:
                    middle = len(operations) // 2
                    return await self._write(operations[:middle]) + await self._write(operations[middle:])
                POISONED.labels(operation=type(operations[0]).__name__).inc()
                log.exception("ledger.poisoned_operation", operation=type(operations[0]).__name__)
                failure = OperationFailed(type(error).__name__)
                failure.__cause__ = error
                return [failure]

    async def _look(self, operations: Sequence[Operation]) -> list[Any] | None:
        """Answer questions by reading alone; None: it takes a transaction, or the store does not answer."""

        async def work(transaction: LedgerTransaction) -> list[Any] | None:
            return await answer(transaction, self._context(), [op for op in operations if isinstance(op, Authorize)])

        outcomes = None
        try:
            with trio.CancelScope(shield=True) as shield:
                self._shields.add(shield)
                try:
                    outcomes = await self._store.look(work, timeout=COMMIT_TIMEOUTS_S[0])
                finally:
                    self._shields.discard(shield)
        except StoreUnavailable as error:
            log.debug("ledger.cannot_look", error=str(error))
        except Exception:
            log.exception("ledger.look_failed", operations=len(operations))  # the commit finds out which of them it is
        return outcomes

    def _context(self) -> BatchContext:
        return BatchContext(
            self._clock.now(),
            self._ids,
            self._tenants,
            self._transaction_ids,
            self._known_sessions,
            refusals=self._refusals,
            qr_codes=self._qr_codes,
        )

    async def _transaction(self, operations: Sequence[Operation], timeout: float) -> list[Any]:
        looked_up: dict[RefKey, UUID] = {}
        refused: set[Refusal] = set()

        async def work(transaction: LedgerTransaction) -> list[Any]:
            nonlocal looked_up, refused
            context = self._context()
            looked_up, refused = context.looked_up_sessions, context.refused
            return await apply_batch(transaction, context, operations)

        if all(type(op) in ALONE for op in operations):
            outcomes = await self._store.look(work, timeout=timeout)
        else:
            outcomes = await self._store.transact(work, timeout=timeout, lanes=self._lanes_of(operations))
        self._known_sessions.forget(_began_anew(operations, outcomes))
        self._known_sessions.learn(looked_up)
        self._refusals.learn(refused, self._clock.now())
        return outcomes

    def _lanes_of(self, operations: Sequence[Operation]) -> set[StationKey]:
        """The stations whose messages no other process may commit meanwhile.

        A station that goes to another process repeats there what this one may still be committing: look-ups that find no earlier
        copy of a message must be true for the others, too.
        """
        return {(op.tenant_id, op.station_id) for op in operations if op.station_id} if self._shared else set()

    async def _watch(self) -> None:
        """Tell the truth about the store: a commit that hangs counts as failing, and an idle ledger asks by itself."""
        while True:
            waiting = [queue[0].since for queue in (self._ready, self._questions) if queue]
            oldest = min([*self._oldest_in_flight.values(), *waiting], default=None)
            QUEUED.set(self._queued)
            if oldest is None:
                await self._probe()
            else:
                age = self._clock.monotonic() - oldest
                if age > DEGRADED_AFTER_S:
                    self._failing = True
            if self._failing:
                self._health.report(
                    "database", "degraded", "the database does not answer; stations are held, nothing is acknowledged"
                )
                self._health.report("ledger", "degraded", f"{self._queued} operations wait")
            else:
                self._health.report("database", "ok")
                self._health.report("ledger", "ok")
            await trio.sleep(0.5)

    async def _probe(self) -> None:
        with trio.move_on_after(DEGRADED_AFTER_S) as scope:
            try:
                await self._store.probe(DEGRADED_AFTER_S)
                self._failing = False
            except StoreUnavailable:
                self._failing = True
        if scope.cancelled_caught:
            self._failing = True


def _began_anew(operations: Sequence[Operation], outcomes: Sequence[Any]) -> list[StationKey]:
    """Stations that came, went, or began or ended a transaction."""
    changed = [
        (op.tenant_id, op.station_id)
        for op in operations
        if type(op) in _NEW_SESSIONS or (type(op) is RecordTransactionEvent and op.type == "Started")
    ]
    changed += [
        (op.tenant_id, outcome.station_id)
        for op, outcome in zip(operations, outcomes, strict=True)
        if type(op) is ConnectStation and outcome is not None
    ]
    return changed


def _lane(operation: Operation) -> Lane:
    if type(operation) in _OF_MANY_STATIONS:
        return (0, 0)
    if isinstance(operation, ConnectStation):
        return (operation.tenant_id, operation.identity.lower())
    return (operation.tenant_id, operation.station_id)
