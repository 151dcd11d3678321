"""The ledger's store port on PostgreSQL (csms.ledger.port): one class, composed of one part per aggregate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar, cast

from csms.ledger.port import LedgerTransaction, StationKey
from csms.store.in_order import InOrder
from csms.store.ledger_commands import CommandStatements
from csms.store.ledger_costs import CostStatements
from csms.store.ledger_notices import NoticeStatements
from csms.store.ledger_quarantine import QuarantineStatements
from csms.store.ledger_reconciliation import ReconciliationStatements
from csms.store.ledger_relaxations import RelaxationStatements
from csms.store.ledger_reservations import ReservationStatements
from csms.store.ledger_samples import SampleStatements, ShapeCache
from csms.store.ledger_sessions import SessionStatements
from csms.store.ledger_stations import StationStatements, hold_lanes
from csms.store.ledger_streams import StreamStatements
from csms.store.ledger_tokens import TokenStatements
from csms.store.pool import Connection, Database

T = TypeVar("T")


class PostgresLedgerTransaction(
    StationStatements,
    TokenStatements,
    SessionStatements,
    ReconciliationStatements,
    SampleStatements,
    NoticeStatements,
    StreamStatements,
    QuarantineStatements,
    RelaxationStatements,
    ReservationStatements,
    CommandStatements,
    CostStatements,
):
    """One transaction of the ledger; lives as long as its unit of work."""

    def __init__(self, connection: Connection, shapes: ShapeCache) -> None:
        self.later = InOrder(connection)
        self.connection = cast("Connection", self.later)  # all of one that the statements use
        self.shapes = shapes
        self.shape_ids = {}
        self.learnt = {}
        self.read_sessions = {}


class PostgresLedgerStore:
    """Transactions of the ledger on the gateway role's connections (`csms.ledger.port.LedgerStore`)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shapes = ShapeCache()

    async def transact(
        self, work: Callable[[LedgerTransaction], Awaitable[T]], *, timeout: float, lanes: Collection[StationKey] = ()
    ) -> T:
        transaction: PostgresLedgerTransaction | None = None

        async def in_transaction(connection: Connection) -> T:
            nonlocal transaction
            transaction = PostgresLedgerTransaction(connection, self._shapes)
            result = await work(transaction)
            await transaction.later.write()
            return result

        result = await self._database.unit(in_transaction, timeout=timeout, first=hold_lanes(lanes))
        if transaction is not None:
            transaction.committed()
        return result

    async def look(self, work: Callable[[LedgerTransaction], Awaitable[T]], *, timeout: float) -> T:
        async def read(connection: Connection) -> T:
            transaction = PostgresLedgerTransaction(connection, self._shapes)
            result = await work(transaction)
            await transaction.later.write()
            return result

        return await self._database.look(read, timeout=timeout)

    async def probe(self, timeout: float) -> None:
        await self._database.unit(_nothing, timeout=timeout)


async def _nothing(connection: Connection) -> None:
    await connection.fetchval("SELECT 1")
