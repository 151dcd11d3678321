"""The rows of the model, where they are more than what the ledger's port carries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

import msgspec

from csms.domain.metering import Channel
from csms.domain.session_state import SessionState
from tests.simulation.model.engine import Group, Parent


class Station(msgspec.Struct):
    tenant_id: int
    station_id: int
    identity: str
    registration: str = "unknown"
    admission: str = "accept"
    password_scheme: str | None = None
    password_hash: bytes | None = None
    password_salt: bytes | None = None
    certificate_name: str | None = None
    security_profile: int = 0
    connection_epoch: int = 0
    connected_process: UUID | None = None
    connected_at: datetime | None = None
    disconnected_at: datetime | None = None
    offline_epoch: int = 0
    last_seen_at: datetime | None = None
    booted_at: datetime | None = None
    boot_reason: str | None = None
    ocpp_version: str | None = None
    remote_address: str | None = None
    vendor: str | None = None
    model: str | None = None
    serial_number: str | None = None
    firmware_version: str | None = None
    seen_on_wire: bool = False
    call_timeout_s: int | None = None
    retired_at: datetime | None = None


class Session(msgspec.Struct):
    """A session and what the store itself notes of it."""

    state: SessionState
    created_at: datetime
    updated_at: datetime
    asked_at: datetime | None = None
    reconcile_at: datetime | None = None


class Sample(msgspec.Struct, frozen=True):
    ts: datetime | None
    ts_text: str | None
    context: int
    shape: tuple[Channel, ...]
    interned: bool
    """The row names its shape by an id, else it carries it."""
    values: tuple[Decimal | None, ...]
    texts: tuple[str | None, ...] | None


class Connector(msgspec.Struct, frozen=True):
    status: str
    error_code: str | None
    info: str | None
    vendor_id: str | None
    vendor_error_code: str | None
    status_time: datetime | None
    status_recorded_at: datetime


class Stream(msgspec.Struct, frozen=True):
    variable_monitoring_id: int
    opened_at: datetime


class StationEvent(msgspec.Struct, frozen=True):
    tenant_id: int
    event_id: UUID
    station_id: int
    type: str
    event_time: datetime | None
    data: bytes
    digest: bytes
    command_id: UUID | None
    recorded_at: datetime


class Outbox(msgspec.Struct, frozen=True):
    tenant_id: int
    type: str
    station_id: int
    session_id: UUID | None
    occurred_at: datetime | None
    data: bytes
    number: int
    """Of the transaction that wrote it."""


class Quarantined(msgspec.Struct):
    tenant_id: int
    quarantine_id: UUID
    station_id: int
    ocpp_version: str
    action: str
    reason: str
    error_code: str | None
    path: str | None
    rule: str | None
    payload: bytes
    digest: bytes
    taken: bool
    times: int
    last_at: datetime


class QuarantineUsage(msgspec.Struct, frozen=True):
    messages: int = 0
    bytes: int = 0
    refused: int = 0
    told_at: datetime | None = None


class RelaxationCount(msgspec.Struct, frozen=True):
    cause: Literal["always", "tolerant", "rule"]
    rule_id: UUID | None
    times: int
    first_at: datetime
    last_at: datetime


class Command(msgspec.Struct):
    tenant_id: int
    command_id: UUID
    station_id: int
    command: str | None
    action: str | None
    parameters: bytes
    requested_by: str
    created_at: datetime
    expires_at: datetime
    session_id: UUID | None = None
    status: str = "queued"
    epoch: int | None = None
    reference: str | None = None
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    result: bytes | None = None
    error: str | None = None


class Process(msgspec.Struct, frozen=True):
    seen_at: datetime


GROUPS: Final[Mapping[str, Group]] = {
    "sessions": lambda key, row: (row.state.tenant_id, row.state.station_id),
    "sample_shapes": lambda key, row: key[0],
    "samples": lambda key, row: key[:2],
    "station_samples": lambda key, row: row[:3],
    "station_events": lambda key, row: (row.tenant_id, row.station_id),
    "commands": lambda key, row: (row.tenant_id, row.station_id),
    "evses": lambda key, row: key[:2],
    "connectors": lambda key, row: key[:3],
    "streams": lambda key, row: key[:2],
    "relaxations": lambda key, row: key[:2],
}
"""What rows are looked up by: mostly their station."""


def _station(key: tuple[int, int], row: object) -> tuple[str, tuple[int, int]]:
    return "stations", key[:2]


def _station_of_row(key: object, row: Command) -> tuple[str, tuple[int, int]]:
    return "stations", (row.tenant_id, row.station_id)


PARENTS: Final[Mapping[str, Parent]] = {
    "sessions": lambda key, row: _station_of_row(key, row.state),
    "commands": _station_of_row,
    "evses": _station,
    "connectors": lambda key, row: ("evses", key[:3]),
    "streams": _station,
    "device_variables": _station,
    "quarantine_usage": _station,
    "relaxations": _station,
    "corrections": lambda key, row: ("sessions", key[:2]),
}
"""The foreign keys, but for those to tenants, which nobody locks."""
