"""Commands: as csms.store.ledger_commands does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from csms.domain.operations import ClaimCommand, FinishCommand, Hearsay
from csms.domain.session_state import SessionState
from csms.ledger.port import SessionKey, StationKey
from csms.ledger.rows import FinishedCommand, OwnCommandRow, SentProfile
from csms.store.ledger_commands import OWN_OPEN_MAX
from tests.simulation.model.rows import Command, Station
from tests.simulation.model.statements import Statements, statement

_STARTS = ("RemoteStartTransaction", "RequestStartTransaction")


class CommandStatements(Statements):
    @statement
    async def claim_commands(self, ops: Sequence[ClaimCommand]) -> list[bool]:
        outcomes: list[bool] = []
        for op in ops:
            station: Station | None = self.tx.get("stations", (op.tenant_id, op.station_id))
            newest = station is not None and station.connection_epoch == op.epoch
            key = (op.tenant_id, op.command_id)
            command = await self.tx.to_update("commands", key, self._claimable(op)) if newest else None
            if command is not None:
                command.status, command.sent_at, command.epoch = "sent", self.tx.now, op.epoch
                command.action, command.reference = op.action, op.reference
                self.tx.put("commands", key, command)
            outcomes.append(command is not None)
        return outcomes

    def _claimable(self, op: ClaimCommand) -> Callable[[Command], bool]:
        return lambda command: (
            command.station_id == op.station_id
            and _is_ordered(command, op.hearsay)
            and (
                (command.status == "queued" and command.expires_at > self.tx.now)
                or (command.status == "sent" and command.epoch == op.epoch)
            )
        )

    @statement
    async def insert_commands(self, rows: Sequence[OwnCommandRow]) -> None:
        stations = {(row.tenant_id, row.station_id) for row in rows}
        # the rows of one statement do not see each other
        full = {station for station in stations if self._open_commands(station) >= OWN_OPEN_MAX}
        for r in rows:
            if (r.tenant_id, r.station_id) not in full:
                command = Command(
                    r.tenant_id,
                    r.command_id,
                    r.station_id,
                    r.command,
                    r.action,
                    r.payload,
                    r.requested_by,
                    self.tx.now,
                    r.expires_at,
                    r.session_id,
                )
                self.tx.put("commands", (r.tenant_id, r.command_id), command)

    def _open_commands(self, station: StationKey) -> int:
        return len([command for _, command in self.tx.group("commands", station) if command.status in ("queued", "sent")])

    @statement
    async def finish_commands(self, ops: Sequence[FinishCommand]) -> list[FinishedCommand | None]:
        outcomes: list[FinishedCommand | None] = []
        for op in ops:
            command: Command | None = await self.tx.to_update("commands", (op.tenant_id, op.command_id), _endable(op))
            if command is None:
                outcomes.append(None)
                continue
            command.status, command.result, command.error = op.status, op.result, op.error
            command.finished_at = self.tx.now
            self.tx.put("commands", (op.tenant_id, op.command_id), command)
            outcomes.append(FinishedCommand(command.action, command.requested_by, command.session_id, command.command))
        return outcomes

    @statement
    async def link_remote_starts(self, sessions: Sequence[SessionState]) -> dict[UUID, UUID]:
        linked: dict[UUID, UUID] = {}
        for session in sessions:
            of_station = self.tx.group("commands", (session.tenant_id, session.station_id))
            fitting = [command for _, command in of_station if self._caused(command, session)]
            if not fitting:
                continue
            if session.remote_start_id is None:
                cause = min(fitting, key=lambda c: c.sent_at)
            else:
                cause = max(fitting, key=lambda c: c.sent_at)
            command = await self.tx.to_update("commands", (cause.tenant_id, cause.command_id))
            command.session_id = session.session_id
            self.tx.put("commands", (cause.tenant_id, cause.command_id), command)
            linked[session.session_id] = cause.command_id
        return linked

    @statement
    async def tx_profiles(self, sessions: Sequence[SessionState]) -> dict[SessionKey, list[SentProfile]]:
        found: dict[SessionKey, list[SentProfile]] = {}
        for session in sessions:
            station = (session.tenant_id, session.station_id)
            if self._keeps_profiles(station):
                continue
            taken = [c for c in self.tx.rows("commands") if (c.tenant_id, c.station_id) == station and c.status == "accepted"]
            newest: dict[str, SentProfile] = {}
            for command in sorted(taken, key=lambda c: c.command_id):
                parameters: dict[str, Any] = msgspec.json.decode(command.parameters)
                if command.created_at <= self.tx.now - timedelta(days=30):
                    continue
                if command.action == "ClearChargingProfile":
                    cleared = _first(command.reference, parameters.get("chargingProfileId"))
                    newest = {} if cleared is None else {name: kept for name, kept in newest.items() if name != str(cleared)}
                if command.command == "set_charging_profile" and parameters.get("transaction_id") == session.transaction_ref:
                    newest[str(command.reference)] = SentProfile(command.command, command.parameters)
                profile = parameters.get("chargingProfile") or {}
                ours = (command.action, profile.get("transactionId")) == ("SetChargingProfile", session.transaction_ref) or (
                    (command.action, command.session_id) == ("RequestStartTransaction", session.session_id)
                )
                evse_id = _first(parameters.get("evseId"), session.evse_id)
                if ours and evse_id is not None and profile.get("chargingProfilePurpose") == "TxProfile":
                    whole = {
                        "evseId": evse_id,
                        "chargingProfile": profile | {"transactionId": session.transaction_ref},
                    }
                    newest[str(profile["id"])] = SentProfile(None, msgspec.json.encode(whole))
            if newest:
                found[session.tenant_id, session.session_id] = [newest[name] for name in sorted(newest)]
        return found

    def _keeps_profiles(self, station: StationKey) -> bool:
        key = (*station, "SmartChargingCtrlr", "", 0, 0, "ChargingProfilePersistence", "TxProfile", "Actual")
        known = self.tx.get("device_variables", key)
        return known is not None and (known[0].value or "").lower() == "true"

    def _caused(self, command: Command, session: SessionState) -> bool:
        if (
            command.action not in _STARTS
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
        token = _first(parameters.get("id_token"), parameters.get("idTag"), inner)
        named_places = (parameters.get(name) for name in ("connector_id", "evse_id", "connectorId", "evseId"))
        evse = _first(*named_places, session.evse_id)
        if token is None or session.evse_id is None:
            return False
        return _plain(str(token)) == _plain(session.id_token or "") and str(evse) == str(session.evse_id)


def _plain(token: str) -> str:
    return token.lower().translate({ord(separator): None for separator in "-*:"})


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _endable(op: FinishCommand) -> Callable[[Command], bool]:
    return lambda command: command.status in ("queued", "sent", "unknown") and _is_ordered(command, op.hearsay)


def _is_ordered(command: Command, hearsay: Hearsay | None) -> bool:
    return hearsay is None or (
        json.loads(command.parameters) == json.loads(hearsay.parameters)
        and command.command == hearsay.command
        and (hearsay.command is not None or command.action == hearsay.action)
    )
