"""What a station's message asks of the charging network: one operation per message, and its outcome.

A version module of the gateway turns a message into an operation; the ledger commits it and hands back the outcome, from
which the version module makes the answer. Operations know nothing of OCPP versions beyond what the domain needs.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from csms.domain.decisions import Decision
from csms.domain.external import ExternalVerdict
from csms.domain.metering import Reading
from csms.domain.tolerance import Relaxation

Registration = Literal["unknown", "pending", "rejected", "accepted"]


class StationTime(msgspec.Struct, frozen=True, gc=False):
    """A time as a station gave it. `ts` is None when it is outside 1970..2100; `text` is what was sent."""

    ts: datetime | None
    text: str
    suspect: bool = False


class Operation(msgspec.Struct, kw_only=True):
    """Belongs to one station; the ledger keeps the order of operations per station.

    `relaxations`: what the message was forgiven, counted in the same commit.
    """

    tenant_id: int
    station_id: int
    relaxations: tuple[Relaxation, ...] = ()


class ConnectStation(Operation, kw_only=True):
    """A station has authenticated: raise its connection epoch before the 101 is sent (design 3.4).

    `station_id` 0 means not known yet: the row is made when `create` is set (onboarding), with the given admission and
    credential. Else `password_hash` and `certificate_name` are the stored ones that the handshake was checked against (None: it
    had none). Outcome: `Connected`, or None when the station is unknown, was retired, was made by somebody else meanwhile, or
    has other credentials by now.
    """

    identity: str
    process_id: UUID
    ocpp_version: str
    remote_address: str
    security_profile: int
    create: bool = False
    admission: Literal["accept", "pending", "reject"] = "accept"
    password_scheme: str | None = None
    password_hash: bytes | None = None
    password_salt: bytes | None = None
    certificate_name: str | None = None


class Connected(msgspec.Struct):
    """`vendor` and `model`: what the station said in its last BootNotification. `call_timeout_s`: in which it answers our CALLs,
    if that is not as for all (rule T4). `was_offline`: nobody was told that it is connected."""

    station_id: int
    epoch: int
    registration: Registration
    created: bool
    vendor: str | None = None
    model: str | None = None
    call_timeout_s: int | None = None
    was_offline: bool = False


class DisconnectStation(Operation, kw_only=True):
    """The connection of this epoch is gone. Without effect when a newer epoch exists (rule C11). Outcome: None."""

    epoch: int
    reason: str


class SeenStation(NamedTuple):
    """A sign of life on the connection of this epoch."""

    tenant_id: int
    station_id: int
    epoch: int
    at: datetime


class SeeStations(Operation, kw_only=True):
    """Signs of life of many stations of one process, batched. tenant_id and station_id are 0. Outcome: those of `seen` that came
    on connections which newer ones have overtaken, in whatever process: they are void (design 3.4).

    A station that was taken for lost together with its process, which had only been slow, is connected again with it.
    """

    process_id: UUID
    seen: list[SeenStation]
    look_around: bool = True
    """Also find processes that are gone, with their stations, and stations that have stayed away. Once in a round is enough."""


class ReconcileSessions(Operation, kw_only=True):
    """Look after sessions whose end is in doubt (rule Y8): ask the stations of this process, and give up those that nobody
    expects to end any more. tenant_id and station_id are 0; times in seconds. Outcome: None.

    `silence`: without a message for so long; `settle`: since the station came back or booted; `give_up`: closed as incomplete.
    """

    process_id: UUID
    silence_s: float
    settle_s: float
    give_up_s: float


class BootStation(Operation, kw_only=True):
    """BootNotification. Outcome: `Booted`."""

    epoch: int
    ocpp_version: str
    vendor: str
    model: str
    serial_number: str | None = None
    firmware_version: str | None = None
    iccid: str | None = None
    imsi: str | None = None
    meter_type: str | None = None
    meter_serial: str | None = None
    reason: str | None = None


class Booted(msgspec.Struct):
    """`interval` in seconds: heartbeat interval when accepted, else the wait before the next boot (rule B2)."""

    registration: Registration
    interval: int


class ReportConnectorStatus(Operation, kw_only=True):
    """StatusNotification. Connector 0 of EVSE 0 is the station itself. Outcome: None."""

    evse_id: int
    connector_id: int
    status: str
    time: StationTime | None = None
    error_code: str | None = None
    info: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None


class Authorize(Operation, kw_only=True):
    """May this token charge here? `token_type` None: any type (OCPP 1.6 names none). Outcome: `Decision`.

    Here and in the operations below: `external`: what a third party says about the token, or the fallback in its place; None:
    nobody was asked.
    """

    id_token: str
    token_type: str | None = None
    external: ExternalVerdict | None = None


class StartTransaction(Operation, kw_only=True):
    """OCPP 1.6 StartTransaction (rules X1 to X4). Outcome: `Started`.

    Here and in the operations below: `replayed`: the message comes from quarantine; `clock_skew`: the station's clock is off by
    more than a minute (rule L6). Both mark the session.
    """

    evse_id: int
    connector_id: int
    id_token: str
    time: StationTime
    meter_start_wh: int
    reservation_id: int | None = None
    suspect: bool = False
    clock_skew: bool = False
    replayed: bool = False
    external: ExternalVerdict | None = None


class Started(msgspec.Struct):
    transaction_id: int
    decision: Decision


class StopTransaction(Operation, kw_only=True):
    """OCPP 1.6 StopTransaction (rules X5 to X8, X11). `payload` is the message as received. Outcome: `Stopped`; `Orphaned` for a
    replayed one of an unknown transaction."""

    transaction_ref: str
    time: StationTime
    meter_stop_wh: int
    payload: bytes
    id_token: str | None = None
    reason: str = "Local"
    readings: list[Reading] = []
    suspect: bool = False
    clock_skew: bool = False
    replayed: bool = False
    external: ExternalVerdict | None = None


class Stopped(msgspec.Struct):
    """`decision` only if the request had an id token (rule X8)."""

    decision: Decision | None


class Orphaned(msgspec.Struct):
    """A replayed message names a transaction that is still unknown: it stays in quarantine as it was (rules X5, X6)."""


class RecordMeterValues(Operation, kw_only=True):
    """MeterValues of any version (rules X10, J01). Without `transaction_ref` they belong to the station. Outcome: None;
    `Orphaned` for replayed ones of an unknown transaction.

    `payload` is the meterValue array as received, for the event of this message.
    """

    evse_id: int
    connector_id: int
    readings: list[Reading]
    payload: bytes
    transaction_ref: str | None = None
    suspect: bool = False
    replayed: bool = False


class RecordTransactionEvent(Operation, kw_only=True):
    """OCPP 2.x TransactionEvent (rules Y1 to Y13). Outcome: `EventRecorded`.

    `payload` is the whole message as received; `details` the same without its meterValue, kept with the event.
    """

    ocpp_version: str
    type: Literal["Started", "Updated", "Ended"]
    transaction_ref: str
    seq_no: int
    time: StationTime
    trigger_reason: str
    details: bytes
    payload: bytes
    offline: bool = False
    evse_id: int | None = None
    connector_id: int | None = None
    id_token: str | None = None
    token_type: str | None = None
    charging_state: str | None = None
    stopped_reason: str | None = None
    remote_start_id: int | None = None
    reservation_id: int | None = None
    readings: list[Reading] = []
    suspect: bool = False
    clock_skew: bool = False
    replayed: bool = False
    external: ExternalVerdict | None = None


class EventRecorded(msgspec.Struct):
    """`decision` only if the event had an id token (rule Y3). `total_cost`: what an ended session has cost, with VAT; None: not
    known, which does not mean free (rule Y11)."""

    decision: Decision | None
    total_cost: Decimal | None = None


class RecordStationEvent(Operation, kw_only=True):
    """A fact of the station that belongs to no session. Outcome: None.

    `type`: security_event, firmware_status, diagnostics_status, data_transfer, …; `data` a JSON object. A repeat with the same
    time and content within an hour is stored once. `reference`: the id by which the message names the command that caused it;
    `caused_by`: the actions that can have carried it. The event is tied to the newest such command of the station.
    """

    type: str
    data: bytes
    time: StationTime | None = None
    reference: str | None = None
    caused_by: tuple[str, ...] = ()


class RecordDeviceEvents(Operation, kw_only=True):
    """A fact of the station that also tells the states of connectors (OCPP 2.x NotifyEvent, G01). Outcome: None.

    `statuses`: at most one per connector, of the same station.
    """

    type: str
    data: bytes
    statuses: list[ReportConnectorStatus]
    time: StationTime | None = None


class OpenEventStream(Operation, kw_only=True):
    """The station will send the values of a monitor in a stream (OCPP 2.1, N11). A stream with this id that is open already is
    replaced. Outcome: False when the station has too many streams open."""

    stream_id: int
    variable_monitoring_id: int
    data: bytes


class CloseEventStream(Operation, kw_only=True):
    """The station ends a stream (OCPP 2.1, N13). Outcome: None."""

    stream_id: int
    data: bytes


class RecordStreamValues(Operation, kw_only=True):
    """Values that came in a stream (OCPP 2.1, N15), kept as an event of the station. Outcome: False when the stream is not open:
    they are dropped then (ocpp-j-rules section 10)."""

    stream_id: int
    data: bytes
    time: StationTime


class DeviceVariable(msgspec.Struct, gc=False):
    component: str
    variable: str
    component_instance: str = ""
    evse_id: int = 0
    connector_id: int = 0
    variable_instance: str = ""
    attribute: str = "Actual"
    value: str | None = None
    mutability: str | None = None
    persistent: bool | None = None
    constant: bool | None = None
    characteristics: bytes | None = None


class StoreDeviceReport(Operation, kw_only=True):
    """A part of a device-model report (NotifyReport). Outcome: None.

    An event of the station tells that it came, tied to the command that asked for it (see `RecordStationEvent`).
    """

    request_id: int
    seq_no: int
    to_be_continued: bool
    variables: list[DeviceVariable]
    time: StationTime | None = None
    reference: str | None = None
    caused_by: tuple[str, ...] = ()


class QuarantineFrame(Operation, kw_only=True):
    """Keep a message that cannot be taken as it is, before any refusal leaves (ocpp-j-rules section 3). Outcome: None.

    `taken`: the message is taken all the same, without what breaks its schema.
    """

    ocpp_version: str
    action: str
    reason: Literal["schema", "gate", "orphan", "failed"]
    payload: bytes
    error_code: str | None = None
    path: str | None = None
    rule: str | None = None
    taken: bool = False


class CountRelaxations(Operation, kw_only=True):
    """Count what a message was forgiven that is answered without any other operation. Outcome: None."""


class Hearsay(msgspec.Struct, frozen=True):
    """What an order is said to be by another process; it was not looked at. A raw order has no `command`, one in the domain's terms
    no `action`."""

    command: str | None
    action: str | None
    parameters: bytes


class ClaimCommand(Operation, kw_only=True):
    """queued -> sent, committed before the frame leaves; only by the newest epoch. Outcome: True when claimed.

    `action`: the wire action. `reference`: the id in the payload by which what follows names this command, if there is one.
    `hearsay`: claimed only if the order says so.
    """

    command_id: UUID
    epoch: int
    action: str
    reference: str | None = None
    hearsay: Hearsay | None = None


class FinishCommand(Operation, kw_only=True):
    """The end of a command. `result` a JSON value. `hearsay`: ended only if the order says so. Outcome: True when it was open."""

    command_id: UUID
    status: Literal["accepted", "rejected", "failed", "timed_out", "unknown", "expired"]
    result: bytes | None = None
    error: str | None = None
    hearsay: Hearsay | None = None


class OperationFailed(Exception):
    """The ledger could not commit this operation although the store works: a poisoned row. Answer: InternalError."""
