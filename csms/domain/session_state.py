"""The state of a session: one record for all OCPP versions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec


class SessionState(msgspec.Struct):
    """A session as stored; csms.domain.folding changes it in place."""

    tenant_id: int
    session_id: UUID
    station_id: int
    ocpp_version: str
    transaction_ref: str
    incarnation: int = 0
    evse_id: int | None = None
    connector_id: int | None = None
    status: str = "active"
    id_token: str | None = None
    id_token_type: str | None = None
    id_token_seq: int | None = None
    group_id_token: str | None = None
    authorization_status: str | None = None
    authorization_reason: str | None = None
    start_key: bytes | None = None
    start_time: datetime | None = None
    start_time_text: str | None = None
    stop_time: datetime | None = None
    stop_time_text: str | None = None
    start_meter_wh: Decimal | None = None
    stop_meter_wh: Decimal | None = None
    last_meter_wh: Decimal | None = None
    last_meter_time: datetime | None = None
    energy_wh: Decimal | None = None
    start_meter_seq: int | None = None
    start_meter_time: datetime | None = None
    last_meter_seq: int | None = None
    stop_reason: str | None = None
    charging_state: str | None = None
    remote_start_id: int | None = None
    reservation_id: int | None = None
    command_id: UUID | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    started_seq: int | None = None
    ended_seq: int | None = None
    event_count: int = 0
    flags: list[str] = []

    def flag(self, name: str) -> None:
        if name not in self.flags:
            self.flags = [*self.flags, name]
