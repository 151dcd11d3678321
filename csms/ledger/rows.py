"""The rows that the ledger reads and writes, as the store port carries them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from csms.domain.known_tokens import KnownToken
from csms.domain.metering import Reading
from csms.domain.operations import SeenStation
from csms.pricing.tariff import PriceSeries, Tariff


class StationRow(msgspec.Struct):
    """A station, locked for the rest of the transaction."""

    tenant_id: int
    station_id: int
    identity: str
    registration: str
    admission: str
    connection_epoch: int
    retired: bool


class Presence(msgspec.Struct, frozen=True):
    """What came of signs of life.

    `lost`: stations (tenant_id, station_id) of dead processes, which are offline now; `back`: stations that were taken for lost
    and are connected; `overtaken`: signs on connections that are not the newest ones of their stations.
    """

    lost: list[tuple[int, int]]
    back: list[SeenStation]
    overtaken: list[SeenStation]


class GoneStation(NamedTuple):
    """A station that has stayed away since the connection of this epoch ended."""

    tenant_id: int
    station_id: int
    epoch: int
    since: datetime


class OpenSession(NamedTuple):
    """A session that is open with a token, or with one that stands for it."""

    station_id: int
    evse_id: int | None
    transaction_ref: str
    session_id: UUID


class UsageQuestion(NamedTuple):
    """What a token has used in the sessions that were first heard of at `since` or later."""

    tenant_id: int
    token_key: str
    since: datetime


class Usage(NamedTuple):
    """`sessions`: those that the token was accepted for. `amount`: what all of them cost so far, with VAT as far as it is known, in
    the tenant's currency."""

    sessions: int
    amount: Decimal


class TokenUse(NamedTuple):
    """The session that uses a single-use token up."""

    tenant_id: int
    token_id: UUID
    session_id: UUID


class EventRow(msgspec.Struct):
    """One stored transaction event. `data` and `answer` are JSON."""

    tenant_id: int
    session_id: UUID
    seq_no: int
    digest: bytes
    type: str
    event_time: datetime | None
    event_time_text: str | None
    trigger_reason: str | None
    offline: bool
    conflict: bool
    data: bytes
    answer: bytes


class CorrectionRow(msgspec.Struct):
    """What a finished session's facts were and became. `changes`: JSON, member -> [before, after]."""

    tenant_id: int
    session_id: UUID
    correction_id: UUID
    cause: str
    changes: bytes


class MeterUpdate(msgspec.Struct, gc=False):
    """What a MeterValues message of OCPP 1.6 is beside its readings: its register, and the data of the outbox event (JSON)."""

    station_id: int
    wh: Decimal | None
    event: bytes


class SampleRow(msgspec.Struct, gc=False):
    """A reading of a session. One of the readings of a MeterValues message of OCPP 1.6 has its `update`: that of the register,
    whose time is that of the event."""

    tenant_id: int
    session_id: UUID
    reading: Reading
    update: MeterUpdate | None = None


class StationSampleRow(msgspec.Struct, gc=False):
    """A reading that belongs to no session."""

    tenant_id: int
    station_id: int
    evse_id: int
    reading: Reading


class OutboxRow(msgspec.Struct, gc=False):
    """An event to publish; the store adds the identity of the station and the time of recording. `data` is JSON."""

    tenant_id: int
    type: str
    station_id: int
    session_id: UUID | None
    occurred_at: datetime | None
    data: bytes


class StationEventRow(msgspec.Struct, gc=False):
    tenant_id: int
    event_id: UUID
    station_id: int
    type: str
    event_time: datetime | None
    data: bytes
    digest: bytes
    reference: str | None = None
    caused_by: tuple[str, ...] = ()


class OwnCommandRow(msgspec.Struct, gc=False):
    """A command that the system orders by itself. `payload`, a JSON object: of a raw one with its `action`, or the parameters of a
    `command` in the domain's terms."""

    tenant_id: int
    command_id: UUID
    station_id: int
    command: str | None
    action: str | None
    payload: bytes
    requested_by: str
    session_id: UUID | None
    expires_at: datetime


class FinishedCommand(msgspec.Struct, frozen=True):
    """A command that has just ended: who ordered it, and the session that it was about or has caused. `command`: its name, of one
    in the domain's terms."""

    action: str | None
    requested_by: str
    session_id: UUID | None
    command: str | None


class SentProfile(NamedTuple):
    """A charging profile as it was ordered: the parameters of this command, or without one the payload of SetChargingProfile."""

    command: str | None
    payload: bytes


class StoredEvent(msgspec.Struct, gc=False):
    """A station event that was not there yet; `command_id`: the command that caused it."""

    command_id: UUID | None


class QuarantineRow(msgspec.Struct, gc=False):
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
    taken: bool = False


Kept = Literal["kept", "known", "dispensable", "refused", "refused_untold"]
"""What became of a message for the quarantine: there already (and counted there); not kept, because it was taken all the same and
its share is full; or refused for lack of room; refused_untold: nobody was told of that for an hour."""

TokenRow = KnownToken
"""A token, with the groups above it and the token that it stands for."""


class StateRow(NamedTuple):
    """The state of a connector at a time."""

    tenant_id: int
    station_id: int
    connector_id: int
    time: datetime | None
    status: str


class PricedSession(msgspec.Struct, frozen=True):
    """A session that has a tariff, with what is stored of how it used its station (csms.billing.session_usage)."""

    tariff: Tariff
    series: PriceSeries
    time_zone: str
    reserved_at: datetime | None
    readings: list[Reading]
    states: list[tuple[datetime, str]]


ConnectorKey = tuple[int, int, int]
"""(tenant_id, station_id, connector_id)"""

RelaxationKey = tuple[int, int, str, str, str, str, str]
"""(tenant_id, station_id, kind, ocpp_version, action, path, rule)"""
