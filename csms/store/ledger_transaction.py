"""The ledger's store port on PostgreSQL (csms.ledger.port): one class, composed of one part per aggregate."""

from __future__ import annotations

from csms.ledger.port import LedgerTransaction
from csms.store.ledger_commands import CommandStatements
from csms.store.ledger_notices import NoticeStatements
from csms.store.ledger_quarantine import QuarantineStatements
from csms.store.ledger_relaxations import RelaxationStatements
from csms.store.ledger_samples import SampleStatements, ShapeCache
from csms.store.ledger_sessions import SessionStatements
from csms.store.ledger_stations import StationStatements
from csms.store.ledger_streams import StreamStatements
from csms.store.ledger_tokens import TokenStatements
from csms.store.pool import Connection


class PostgresLedgerTransaction(
    StationStatements,
    TokenStatements,
    SessionStatements,
    SampleStatements,
    NoticeStatements,
    StreamStatements,
    QuarantineStatements,
    RelaxationStatements,
    CommandStatements,
):
    """One transaction of the ledger; lives as long as its unit of work."""

    def __init__(self, connection: Connection, shapes: ShapeCache) -> None:
        self.connection = connection
        self.shapes = shapes
        self.shape_ids = {}
        self.learnt = {}


def open_transaction(connection: Connection, shapes: ShapeCache) -> LedgerTransaction:
    return PostgresLedgerTransaction(connection, shapes)
