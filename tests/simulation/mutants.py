"""Five bugs that the product must never have, planted on purpose: the simulation has to find each (a test of the test)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import trio

from csms.domain.operations import RecordTransactionEvent, StopTransaction
from csms.domain.session_state import SessionState
from csms.ledger import Ledger, apply_ocpp16_transactions, apply_transaction_events
from csms.ledger import batch as ledger_batch
from csms.ledger.batch import apply_batch
from csms.ledger.context import BatchContext
from csms.store import StoreUnavailable
from gateway.closing import CloseReason
from gateway.connection import Connection
from gateway.registry import Registry
from gateway.replay import ReplayCache


@contextmanager
def acknowledge_before_commit() -> Iterator[None]:
    """Answers leave when the statements have run, not when the transaction has committed."""

    async def transaction(self: Ledger, operations: Sequence[Any], timeout: float) -> list[Any]:
        done = trio.Event()
        outcomes: list[Any] = []

        async def work(tx: Any) -> list[Any]:
            context = BatchContext(self._clock.now(), self._ids, self._tenants, self._transaction_ids, self._known_sessions)
            outcomes.extend(await apply_batch(tx, context, operations))
            done.set()
            return outcomes

        async def commit() -> None:
            try:
                await self._store.transact(work, timeout=timeout, lanes=self._lanes_of(operations))
            except StoreUnavailable:
                done.set()

        trio.lowlevel.spawn_system_task(commit)
        await done.wait()
        if not outcomes:
            raise StoreUnavailable("nothing has run")
        return outcomes

    with patch.object(Ledger, "_transaction", transaction):
        yield


@contextmanager
def know_repeats_by_message_id_alone() -> Iterator[None]:
    """A message with an id that was answered lately gets that answer, whatever it says."""

    def find(self: ReplayCache, message_id: str, digest: int, now: float) -> bytes | None:
        known = self._answers.get(message_id)
        return None if known is None else known[1]

    with patch.object(ReplayCache, "find", find):
        yield


@contextmanager
def forget_the_station_when_an_old_socket_closes() -> Iterator[None]:
    """The close of any connection of a station removes the routing to it, also when a newer one has taken over."""
    forget = Registry.forget

    def forget_all(self: Registry, connection: Connection, reason: CloseReason, calls: Any) -> None:
        known = connection in self.connections
        forget(self, connection, reason, calls)
        if known:
            connection.station.connection = None

    with patch.object(Registry, "forget", forget_all):
        yield


@contextmanager
def reopen_with_late_updates() -> Iterator[None]:
    """An Updated event that comes after the end of its session makes it active again."""
    fold = apply_transaction_events.fold_event

    def reopening(session: SessionState, op: RecordTransactionEvent, decision: Any, *, conflict: bool) -> None:
        fold(session, op, decision, conflict=conflict)
        if op.type == "Updated" and not conflict:
            session.status = "active"

    with patch.object(apply_transaction_events, "fold_event", reopening):
        yield


class _AnyStation:
    """A transaction of the ledger that finds sessions by their reference, of whatever station."""

    def __init__(self, tx: Any) -> None:
        self._tx = tx

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def sessions_by_ref(self, keys: Collection[tuple[int, int, str]]) -> dict[tuple[int, int, str], SessionState]:
        found: dict[tuple[int, int, str], SessionState] = await self._tx.sessions_by_ref(keys)
        sought = [key for key in keys if key not in found]
        everywhere = {(tenant, station, key[2]) for key in sought for tenant, station in self._tx.all_station_keys()}
        by_ref = {key[2]: session for key, session in (await self._tx.sessions_by_ref(everywhere)).items()}
        return found | {key: by_ref[key[2]] for key in sought if key[2] in by_ref}


@contextmanager
def match_stops_without_their_station() -> Iterator[None]:
    """StopTransaction ends the transaction that it names, whoever sends it."""
    stop = apply_ocpp16_transactions.stop

    async def any_stop(tx: Any, context: BatchContext, ops: Sequence[StopTransaction]) -> list[Any]:
        return list(await stop(_AnyStation(tx), context, ops))  # type: ignore[arg-type]  # it stands in front of the true one

    with patch.dict(ledger_batch._APPLY, {StopTransaction: any_stop}):
        yield


MUTANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "acknowledge_before_commit": acknowledge_before_commit,
    "know_repeats_by_message_id_alone": know_repeats_by_message_id_alone,
    "forget_the_station_when_an_old_socket_closes": forget_the_station_when_an_old_socket_closes,
    "reopen_with_late_updates": reopen_with_late_updates,
    "match_stops_without_their_station": match_stops_without_their_station,
}
