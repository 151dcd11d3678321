"""Connections, boots and connector status of stations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from csms.domain.operations import (
    Booted,
    BootStation,
    Connected,
    ConnectStation,
    DisconnectStation,
    Registration,
    ReportConnectorStatus,
    SeenStation,
    SeeStations,
)
from csms.ledger import apply_reconciliation
from csms.ledger.context import BatchContext
from csms.ledger.port import LedgerTransaction
from csms.ledger.rows import StateRow

_REGISTRATION: Final[dict[str, Registration]] = {"accept": "accepted", "pending": "pending", "reject": "rejected"}

OFFLINE_AFTER: Final = timedelta(seconds=30)
"""How long a station may be without a connection before it is told to be offline: quick reconnects tell nothing (rule L4)."""
OFFLINE_AT_ONCE: Final = 1_000

RETRY_INTERVAL_S: Final = 60
_CHARGING_STATES: Final = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})
"""States of an OCPP 1.6 connector that tell whether its vehicle asks for power."""
"""How long a station that is not accepted waits before its next BootNotification."""


async def connect(tx: LedgerTransaction, context: BatchContext, ops: Sequence[ConnectStation]) -> list[Connected | None]:
    outcomes = await tx.connect_stations(ops)
    for op, outcome in zip(ops, outcomes, strict=True):
        if outcome is not None:
            context.publish(
                "station.connected",
                op.tenant_id,
                outcome.station_id,
                {"ocpp_version": op.ocpp_version, "epoch": outcome.epoch, "created": outcome.created},
                occurred_at=context.now,
            )
            if outcome.was_offline:
                context.publish(
                    "station.online", op.tenant_id, outcome.station_id, {"epoch": outcome.epoch}, occurred_at=context.now
                )
    return outcomes


async def disconnect(tx: LedgerTransaction, context: BatchContext, ops: Sequence[DisconnectStation]) -> list[None]:
    done = await tx.disconnect_stations(ops)
    for op, was_connected in zip(ops, done, strict=True):
        if was_connected:
            context.publish(
                "station.disconnected",
                op.tenant_id,
                op.station_id,
                {"epoch": op.epoch, "reason": op.reason},
                occurred_at=context.now,
            )
    return [None] * len(ops)


async def see(tx: LedgerTransaction, context: BatchContext, ops: Sequence[SeeStations]) -> list[list[SeenStation]]:
    """Connections come and go; that a station is offline is told only of those that stay away (rule L4)."""
    overtaken = []
    for op in ops:
        presence = await tx.see_stations(op.process_id, op.seen, look_around=op.look_around)
        for tenant_id, station_id in presence.lost:
            context.publish("station.disconnected", tenant_id, station_id, {"reason": "process_lost"}, occurred_at=context.now)
        for seen in presence.back:
            data = {"epoch": seen.epoch, "created": False}
            context.publish("station.connected", seen.tenant_id, seen.station_id, data, occurred_at=context.now)
        if presence.back:
            epochs = {(seen.tenant_id, seen.station_id): seen.epoch for seen in presence.back}
            for key in await tx.tell_online(epochs):
                context.publish("station.online", *key, {"epoch": epochs[key]}, occurred_at=context.now)
        overtaken.append(presence.overtaken)
    look_around = any(op.look_around for op in ops)
    for gone in await tx.tell_offline(OFFLINE_AFTER, OFFLINE_AT_ONCE) if look_around else ():
        context.publish("station.offline", gone.tenant_id, gone.station_id, {"epoch": gone.epoch}, occurred_at=gone.since)
    return overtaken


async def boot(tx: LedgerTransaction, context: BatchContext, ops: Sequence[BootStation]) -> list[Booted]:
    stations = await tx.lock_stations({(op.tenant_id, op.station_id) for op in ops})
    registrations: list[Registration] = []
    outcomes = []
    for op in ops:
        station = stations.get((op.tenant_id, op.station_id))
        if station is not None and station.connection_epoch > op.epoch:
            # void for an older connection (design 3.4): the station boots again on its newest one
            registrations.append("pending")
            outcomes.append(Booted("pending", RETRY_INTERVAL_S))
            continue
        admission = "reject" if station is None or station.retired else station.admission
        registration = _REGISTRATION[admission]
        registrations.append(registration)
        tenant = context.tenants.by_id(op.tenant_id)
        heartbeat = 300 if tenant is None else tenant.heartbeat_interval_s
        outcomes.append(Booted(registration, heartbeat if registration == "accepted" else RETRY_INTERVAL_S))
        context.publish(
            "station.booted",
            op.tenant_id,
            op.station_id,
            {
                "registration": registration,
                "vendor": op.vendor,
                "model": op.model,
                "firmware_version": op.firmware_version,
                "reason": op.reason,
            },
            occurred_at=context.now,
        )
    await tx.boot_stations(ops, registrations)
    return outcomes


async def report_status(tx: LedgerTransaction, context: BatchContext, ops: Sequence[ReportConnectorStatus]) -> list[None]:
    await tx.set_connector_status(ops)
    await apply_reconciliation.connectors_told(tx, context, ops)
    states = [
        StateRow(op.tenant_id, op.station_id, op.connector_id, context.now if op.time is None else op.time.ts, op.status)
        for op in ops
        if op.connector_id and op.status in _CHARGING_STATES and (op.time is None or op.time.ts is not None)
    ]
    if states:
        await tx.note_states(states)
    for op in ops:
        context.publish(
            "station.status",
            op.tenant_id,
            op.station_id,
            {
                "evse_id": op.evse_id,
                "connector_id": op.connector_id,
                "status": op.status,
                "error_code": op.error_code,
                "info": op.info,
                "vendor_id": op.vendor_id,
                "vendor_error_code": op.vendor_error_code,
            },
            occurred_at=context.now if op.time is None else op.time.ts,
        )
    return [None] * len(ops)
