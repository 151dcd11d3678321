"""Station events, device variables, quarantine, relaxations and the outbox: as csms.store.ledger_notices, ledger_quarantine and
ledger_relaxations do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from csms.domain.operations import DeviceVariable, StoreDeviceReport
from csms.domain.tolerance import MOST_COUNTS, Relaxation
from csms.ledger.rows import Kept, OutboxRow, QuarantineRow, RelaxationKey, StationEventRow, StoredEvent
from csms.store.ledger_quarantine import BYTES_MAX, MESSAGES_MAX, READINGS_SHARE, TAKEN_SHARE, TOLD_AGAIN_AFTER_S
from tests.simulation.model.engine import UniqueViolation
from tests.simulation.model.rows import Outbox, Quarantined, QuarantineUsage, RelaxationCount, StationEvent
from tests.simulation.model.samples import SampleStatements
from tests.simulation.model.statements import statement


class NoticeStatements(SampleStatements):
    @statement
    async def insert_station_events(self, rows: Sequence[StationEventRow]) -> list[StoredEvent | None]:
        since = self.tx.now - timedelta(hours=1)
        stations = {(row.tenant_id, row.station_id) for row in rows}
        lately = {
            (*station, event.digest)
            for station in stations
            for _, event in self.tx.group("station_events", station)
            if event.recorded_at > since
        }
        outcomes: list[StoredEvent | None] = []
        for row in rows:
            if (row.tenant_id, row.station_id, row.digest) in lately:
                outcomes.append(None)
                continue
            causes = [
                command
                for _, command in self.tx.group("commands", (row.tenant_id, row.station_id))
                if row.reference is not None and command.reference == row.reference and command.action in row.caused_by
            ]
            causes.sort(key=lambda c: (c.status == "rejected", -c.sent_at.timestamp()))
            command_id = causes[0].command_id if causes else None
            event = StationEvent(
                row.tenant_id,
                row.event_id,
                row.station_id,
                row.type,
                row.event_time,
                row.data,
                row.digest,
                command_id,
                self.tx.now,
            )
            self.tx.put("station_events", (row.tenant_id, row.event_id), event)
            outcomes.append(StoredEvent(command_id))
        return outcomes

    @statement
    async def upsert_device_variables(self, reports: Sequence[StoreDeviceReport], now: datetime) -> None:
        latest: dict[tuple[Any, ...], DeviceVariable] = {}
        for report in reports:
            for v in report.variables:
                key = (
                    report.tenant_id,
                    report.station_id,
                    v.component,
                    v.component_instance,
                    v.evse_id,
                    v.connector_id,
                    v.variable,
                    v.variable_instance,
                    v.attribute,
                )
                latest[key] = v
        for key, variable in latest.items():
            if await self.tx.insert("device_variables", key, (variable, now)):
                continue
            known, _ = await self.tx.conflicting("device_variables", key)
            kept = known.characteristics if variable.characteristics is None else variable.characteristics
            self.tx.put("device_variables", key, (msgspec.structs.replace(variable, characteristics=kept), now))

    @statement
    async def insert_outbox(self, rows: Sequence[OutboxRow]) -> None:
        for r in rows:
            self.publish(Outbox(r.tenant_id, r.type, r.station_id, r.session_id, r.occurred_at, r.data, self.tx.number))

    # -- quarantine

    @statement
    async def insert_quarantine(self, rows: Sequence[QuarantineRow], now: datetime) -> list[Kept]:
        stations = sorted({(row.tenant_id, row.station_id) for row in rows})
        for station in stations:
            await self.tx.insert("quarantine_usage", station, QuarantineUsage())
        await self.tx.end_statement()
        for station in stations:
            await self.tx.locked("quarantine_usage", station)
        await self.tx.end_statement()
        known = [await self._count_known(row, now) for row in rows]
        await self.tx.end_statement()
        outcomes: list[Kept] = []
        for row, is_known in zip(rows, known, strict=True):
            digest = (row.tenant_id, row.station_id, row.digest)
            if is_known or self.tx.get("quarantine unique", digest) is not None:
                outcomes.append("known")
            else:
                outcomes.append(await self._keep(row, now))
        return outcomes

    async def _count_known(self, row: QuarantineRow, now: datetime) -> bool:
        key = self.tx.get("quarantine unique", (row.tenant_id, row.station_id, row.digest))
        known: Quarantined | None = None if key is None else await self.tx.to_update("quarantine", key)
        if known is None:
            return False
        known.times += 1
        known.last_at, known.taken = now, known.taken or row.taken
        self.tx.put("quarantine", key, known)
        return True

    async def _keep(self, row: QuarantineRow, now: datetime) -> Kept:
        station = (row.tenant_id, row.station_id)
        usage: QuarantineUsage = self.tx.get("quarantine_usage", station) or QuarantineUsage()
        share = TAKEN_SHARE if row.taken else READINGS_SHARE if row.action == "MeterValues" else 1.0
        messages, size = usage.messages + 1, usage.bytes + len(row.payload)
        if messages <= MESSAGES_MAX * share and size <= BYTES_MAX * share:
            kept = Quarantined(**msgspec.structs.asdict(row), times=1, last_at=self.tx.now)
            digest = (*station, row.digest)
            if not await self.tx.insert("quarantine", (row.tenant_id, row.quarantine_id), kept, unique=digest):
                raise UniqueViolation(str(digest))
            self.tx.put("quarantine_usage", station, msgspec.structs.replace(usage, messages=messages, bytes=size))
            return "kept"
        if row.taken:
            return "dispensable"
        told = usage.told_at is not None and usage.told_at > now - timedelta(seconds=TOLD_AGAIN_AFTER_S)
        changed = msgspec.structs.replace(usage, refused=usage.refused + 1, told_at=usage.told_at if told else now)
        self.tx.put("quarantine_usage", station, changed)
        return "refused" if told else "refused_untold"

    @statement
    async def count_relaxations(self, counts: Mapping[RelaxationKey, Relaxation], now: datetime) -> None:
        fresh = dict(counts)
        for key in sorted(counts):
            known: RelaxationCount | None = await self.tx.to_update("relaxations", key)
            if known is not None:
                self.tx.put("relaxations", key, _added(known, counts[key], now))
                del fresh[key]
        await self.tx.end_statement()
        room = {
            station: MOST_COUNTS - len([key for key, _ in self.tx.group("relaxations", station) if key[2] != "*"])
            for station in {key[:2] for key in fresh}
        }
        wanted: dict[RelaxationKey, Relaxation] = {}
        for key, relaxation in fresh.items():
            if room[key[:2]] > 0:
                room[key[:2]] -= 1
                wanted[key] = relaxation
            else:
                other: RelaxationKey = (*key[:2], "*", "*", "*", "*", "*")
                before = wanted[other].times if other in wanted else 0
                wanted[other] = msgspec.structs.replace(relaxation, rule_id=None, times=before + relaxation.times)
        for key in sorted(wanted):
            new = wanted[key]
            added = RelaxationCount(new.cause, new.rule_id, new.times, now, now)
            if not await self.tx.insert("relaxations", key, added):
                known = await self.tx.conflicting("relaxations", key)
                self.tx.put("relaxations", key, _added(known, new, now))


def _added(known: RelaxationCount, more: Relaxation, now: datetime) -> RelaxationCount:
    return RelaxationCount(more.cause, more.rule_id, known.times + more.times, known.first_at, now)
