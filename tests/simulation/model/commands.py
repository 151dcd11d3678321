"""Commands: as csms.store.ledger_commands does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from csms.domain.operations import ClaimCommand, FinishCommand
from csms.domain.session_state import SessionState
from csms.ledger.rows import FinishedCommand, OwnCommandRow
from csms.store.ledger_commands import OWN_OPEN_MAX
from tests.simulation.model.rows import Command, Station
from tests.simulation.model.statements import Statements

_STARTS = ("RemoteStartTransaction", "RequestStartTransaction")


class CommandStatements(Statements):
    async def claim_commands(self, ops: Sequence[ClaimCommand]) -> list[bool]:
        await self.step("claim_commands")
        outcomes: list[bool] = []
        for op in ops:
            command: Command | None = await self.tx.locked("commands", (op.tenant_id, op.command_id))
            station: Station | None = self.tx.get("stations", (op.tenant_id, op.station_id))
            claimed = (
                command is not None
                and station is not None
                and station.connection_epoch == op.epoch
                and (
                    (command.status == "queued" and command.expires_at > self.tx.now)
                    or (command.status == "sent" and command.epoch == op.epoch)
                )
            )
            if claimed and command is not None:
                command.status, command.sent_at, command.epoch = "sent", self.tx.now, op.epoch
                command.action, command.reference = op.action, op.reference
                self.tx.put("commands", (op.tenant_id, op.command_id), command)
            outcomes.append(claimed)
        return outcomes

    async def insert_commands(self, rows: Sequence[OwnCommandRow]) -> None:
        await self.step("insert_commands")
        open_before: dict[tuple[int, int], int] = {}
        for command in self.tx.rows("commands"):
            if command.status in ("queued", "sent"):
                station = (command.tenant_id, command.station_id)
                open_before[station] = open_before.get(station, 0) + 1
        for r in rows:
            if open_before.get((r.tenant_id, r.station_id), 0) < OWN_OPEN_MAX:
                command = Command(
                    r.tenant_id,
                    r.command_id,
                    r.station_id,
                    None,
                    r.action,
                    r.payload,
                    r.requested_by,
                    self.tx.now,
                    r.expires_at,
                    r.session_id,
                )
                self.tx.put("commands", (r.tenant_id, r.command_id), command)

    async def finish_commands(self, ops: Sequence[FinishCommand]) -> list[FinishedCommand | None]:
        await self.step("finish_commands")
        outcomes: list[FinishedCommand | None] = []
        for op in ops:
            command: Command | None = await self.tx.locked("commands", (op.tenant_id, op.command_id))
            if command is None or command.status not in ("queued", "sent", "unknown"):
                outcomes.append(None)
                continue
            command.status, command.result, command.error = op.status, op.result, op.error
            command.finished_at = self.tx.now
            self.tx.put("commands", (op.tenant_id, op.command_id), command)
            outcomes.append(FinishedCommand(command.action, command.requested_by, command.session_id))
        return outcomes

    async def link_remote_starts(self, sessions: Sequence[SessionState]) -> dict[UUID, UUID]:
        await self.step("link_remote_starts")
        linked: dict[UUID, UUID] = {}
        for session in sessions:
            fitting = [command for command in self.tx.rows("commands") if self._caused(command, session)]
            if not fitting:
                continue
            if session.remote_start_id is None:
                cause = min(fitting, key=lambda c: c.sent_at)
            else:
                cause = max(fitting, key=lambda c: c.sent_at)
            command = await self.tx.locked("commands", (cause.tenant_id, cause.command_id))
            command.session_id = session.session_id
            self.tx.put("commands", (cause.tenant_id, cause.command_id), command)
            linked[session.session_id] = cause.command_id
        return linked

    def _caused(self, command: Command, session: SessionState) -> bool:
        if (
            (command.tenant_id, command.station_id) != (session.tenant_id, session.station_id)
            or command.action not in _STARTS
            or command.session_id is not None
            or command.status not in ("sent", "accepted")
            or command.sent_at is None
            or command.sent_at <= self.tx.now - timedelta(minutes=15)
        ):
            return False
        if session.remote_start_id is not None:
            return command.reference == str(session.remote_start_id)
        parameters: dict[str, Any] = msgspec.json.decode(command.parameters)
        named = parameters.get("idToken")
        inner = named.get("idToken") if isinstance(named, dict) else None
        token = parameters.get("id_token") or parameters.get("idTag") or inner
        evse = next(
            (parameters[name] for name in ("connector_id", "evse_id", "connectorId", "evseId") if name in parameters),
            session.evse_id,
        )
        return str(token).lower() == (session.id_token or "").lower() and str(evse) == str(session.evse_id)
