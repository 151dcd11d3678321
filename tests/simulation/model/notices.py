"""Station events, device variables, quarantine, relaxations and the outbox: as csms.store.ledger_notices, ledger_quarantine and
ledger_relaxations do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta

import msgspec

from csms.domain.operations import StoreDeviceReport
from csms.domain.tolerance import MOST_COUNTS, Relaxation
from csms.ledger.rows import Kept, OutboxRow, QuarantineRow, RelaxationKey, StationEventRow, StoredEvent
from csms.store.ledger_quarantine import BYTES_MAX, MESSAGES_MAX, READINGS_SHARE, TAKEN_SHARE, TOLD_AGAIN_AFTER_S
from tests.simulation.model.rows import Outbox, Quarantined, QuarantineUsage, StationEvent
from tests.simulation.model.samples import SampleStatements


class NoticeStatements(SampleStatements):
    async def insert_station_events(self, rows: Sequence[StationEventRow]) -> list[StoredEvent | None]:
        await self.step("insert_station_events")
        since = self.tx.now - timedelta(hours=1)
        lately = {(e.tenant_id, e.station_id, e.digest) for e in self.tx.rows("station_events") if e.recorded_at > since}
        outcomes: list[StoredEvent | None] = []
        for row in rows:
            if (row.tenant_id, row.station_id, row.digest) in lately:
                outcomes.append(None)
                continue
            causes = [
                command
                for command in self.tx.rows("commands")
                if (command.tenant_id, command.station_id) == (row.tenant_id, row.station_id)
                and row.reference is not None
                and command.reference == row.reference
                and command.action in row.caused_by
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

    async def upsert_device_variables(self, reports: Sequence[StoreDeviceReport], now: datetime) -> None:
        await self.step("upsert_device_variables")
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
                await self.tx.lock("device_variables", key)
                known = self.tx.get("device_variables", key)
                kept = v.characteristics if v.characteristics is not None or known is None else known[0].characteristics
                stored = msgspec.structs.replace(v, characteristics=kept)
                self.tx.put("device_variables", key, (stored, now))

    async def insert_outbox(self, rows: Sequence[OutboxRow]) -> None:
        await self.step("insert_outbox")
        for r in rows:
            self.publish(Outbox(r.tenant_id, r.type, r.station_id, r.session_id, r.occurred_at, r.data, self.tx.number))

    # -- quarantine

    async def insert_quarantine(self, rows: Sequence[QuarantineRow], now: datetime) -> list[Kept]:
        await self.step("insert_quarantine")
        for station in sorted({(row.tenant_id, row.station_id) for row in rows}):
            await self.tx.lock("quarantine_usage", station)
        known = {(row.tenant_id, row.station_id, row.digest) for row in rows if await self._count_known(row, now)}
        outcomes: list[Kept] = []
        for row in rows:
            digest = (row.tenant_id, row.station_id, row.digest)
            if digest in known or self.tx.get("quarantine unique", digest) is not None:
                outcomes.append("known")
            else:
                outcomes.append(await self._keep(row, now))
        return outcomes

    async def _count_known(self, row: QuarantineRow, now: datetime) -> bool:
        key = self.tx.get("quarantine unique", (row.tenant_id, row.station_id, row.digest))
        known: Quarantined | None = None if key is None else await self.tx.locked("quarantine", key)
        if known is None:
            return False
        if known.last_at != now:
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
            kept = Quarantined(*(getattr(row, name) for name in row.__struct_fields__), times=1, last_at=self.tx.now)
            digest = (*station, row.digest)
            await self.tx.insert("quarantine", (row.tenant_id, row.quarantine_id), kept, unique=digest)
            self.tx.put("quarantine_usage", station, msgspec.structs.replace(usage, messages=messages, bytes=size))
            return "kept"
        if row.taken:
            return "dispensable"
        told = usage.told_at is not None and usage.told_at > now - timedelta(seconds=TOLD_AGAIN_AFTER_S)
        changed = msgspec.structs.replace(usage, refused=usage.refused + 1, told_at=usage.told_at if told else now)
        self.tx.put("quarantine_usage", station, changed)
        return "refused" if told else "refused_untold"

    async def count_relaxations(self, counts: Mapping[RelaxationKey, Relaxation], now: datetime) -> None:
        await self.step("count_relaxations")
        for key in sorted(counts):
            await self.tx.lock("relaxations", key)
            target: RelaxationKey = key
            if self.tx.get("relaxations", key) is None:
                of_station = [k for k, _ in self.tx.rows("relaxations") if k[:2] == key[:2] and k[2] != "*"]
                if len(of_station) >= MOST_COUNTS:
                    target = (*key[:2], "*", "*", "*", "*", "*")
            known = self.tx.get("relaxations", target)
            before = 0 if known is None else known[1].times
            self.tx.put("relaxations", target, (target, _counted(counts[key], before)))


def _counted(relaxation: Relaxation, before: int) -> Relaxation:
    return msgspec.structs.replace(copy(relaxation), times=before + relaxation.times)
