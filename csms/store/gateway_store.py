"""What the gateway reads and writes outside of the ledger: stations at their handshake, commands to send, orders to replay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from csms.domain.external import AskingRules
from csms.store.command_records import CommandRecord, load_commands, queued_for_process
from csms.store.pool import Database
from csms.store.queries.external_authorization import knows_token
from csms.store.replay_records import ReplayError, ReplayRecord, claim_replays, finish_replay
from csms.store.stations import StationRecord, find_station


class GatewayStore(Protocol):
    """Every method is one unit of work and raises StoreUnavailable."""

    async def find_station(self, tenant_id: int, identity: str) -> StationRecord | None:
        """The station with this identity, spelled in any case; retired ones too."""
        ...

    async def load_commands(self, keys: Sequence[tuple[int, UUID]]) -> list[CommandRecord]:
        """Those of (tenant_id, command_id) that exist."""
        ...

    async def queued_commands(self, process_id: UUID) -> list[CommandRecord]:
        """The oldest commands that wait for each station which this process holds."""
        ...

    async def claim_replays(self, process_id: UUID, limit: int) -> list[ReplayRecord]:
        """Take the oldest orders to replay a quarantined message that nobody works on."""
        ...

    async def finish_replay(self, record: ReplayRecord, outcome: bytes | ReplayError) -> None:
        """Store the answer and resolve the message, or store why it cannot be taken."""
        ...

    async def knows_token(self, tenant_id: int, id_token: str, token_type: str | None, rules: AskingRules, now: datetime) -> bool:
        """Whether nobody needs to be asked about this token; `token_type` None: of any type."""
        ...


class PostgresGatewayStore:
    """`GatewayStore` on the gateway role's connections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_station(self, tenant_id: int, identity: str) -> StationRecord | None:
        return await self._database.unit(lambda conn: find_station(conn, tenant_id, identity))

    async def load_commands(self, keys: Sequence[tuple[int, UUID]]) -> list[CommandRecord]:
        return await self._database.look(lambda conn: load_commands(conn, keys))

    async def queued_commands(self, process_id: UUID) -> list[CommandRecord]:
        return await self._database.unit(lambda conn: queued_for_process(conn, process_id))

    async def claim_replays(self, process_id: UUID, limit: int) -> list[ReplayRecord]:
        return await self._database.unit(lambda conn: claim_replays(conn, process_id, limit))

    async def finish_replay(self, record: ReplayRecord, outcome: bytes | ReplayError) -> None:
        await self._database.unit(lambda conn: finish_replay(conn, record, outcome))

    async def knows_token(self, tenant_id: int, id_token: str, token_type: str | None, rules: AskingRules, now: datetime) -> bool:
        return await self._database.unit(lambda conn: knows_token(conn, tenant_id, id_token, token_type, rules, now))
