"""`python -m bench.storage`: what a charge leaves in the database, in bytes, and what getting rid of it costs.

The ledger itself writes the rows, minute by minute over all sessions, as they come from a network: that is what the fill of
the indexes depends on. The figures of docs/operations/retention.md come from here.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import trio

from csms.clock import SystemClock, SystemIds
from csms.domain.metering import CONTEXT_NUMBER, Channel, Reading
from csms.domain.operations import Operation, RecordMeterValues, RecordTransactionEvent, Started, StartTransaction, StopTransaction
from csms.domain.times import parse_station_time
from csms.health import HealthRegistry
from csms.ledger import Ledger
from csms.postgres import EmbeddedPostgres
from csms.store import Connection, migrate, open_store
from csms.store.ledger_transaction import PostgresLedgerStore
from csms.store.partitions import month_start, uuid7_lower_bound
from csms.store.pool import run_with_owner
from csms.store.retention import apply_retention
from csms.store.tenants import refresh_tenants
from csms.tenants import TenantDirectory

_CHANNELS: Final = (
    Channel("Energy.Active.Import.Register", "", "Outlet", "Wh"),
    Channel("Power.Active.Import", "", "Outlet", "W"),
    Channel("Current.Import", "L1", "Outlet", "A"),
    Channel("Voltage", "L1", "Outlet", "V"),
    Channel("SoC", "", "EV", "Percent"),
)
_BEGAN: Final = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
_AT_ONCE: Final = 400
_TABLES: Final = ("samples", "transaction_events", "sessions", "outbox")
_COPIES: Final = 5
_PAST_DAYS: Final = 200


@dataclass(slots=True)
class Charge:
    """One transaction and the station it runs at."""

    station_id: int
    number: int
    transaction: str

    @property
    def register(self) -> int:
        return 1_000_000 + self.number * 7919


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.storage", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=1100, help="of each OCPP version (default: %(default)s)")
    parser.add_argument("--minutes", type=int, default=90, help="each charges, with a reading a minute (default: %(default)s)")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="csms-bench-", dir="/tmp"))
    folder.chmod(0o711)  # started by root, PostgreSQL runs as another user, who must get through
    bin_dir = os.environ.get("CSMS_POSTGRES_BIN")
    postgres = EmbeddedPostgres(folder / "data", Path(bin_dir) if bin_dir else None)
    try:
        trio.run(_measure, postgres.start(timeout=120), arguments.sessions, arguments.minutes)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


async def _measure(url: str, sessions: int, minutes: int) -> None:
    await migrate(url, fingerprint="bench")
    station_ids = await run_with_owner(url, partial(_stations, sessions))
    before = await run_with_owner(url, _counts)
    for name, charge in (("OCPP 1.6", _charge_16), ("OCPP 2.0.1", _charge_2x)):
        async with _ledger(url) as ledger:
            began = time.monotonic()
            await charge(ledger, station_ids, minutes)
            seconds = time.monotonic() - began
        after = await run_with_owner(url, _counts)
        _say(f"{name}: {sessions} sessions of {minutes} readings with 5 values, written in {seconds:.0f} s")
        for table in _TABLES:
            rows, heap, total = (b - a for a, b in zip(before[table], after[table], strict=True))
            each, with_indexes = heap / rows, total / rows
            _say(f"  {table:<20}{rows:>9} rows{each:>8.0f} + {with_indexes - each:.0f} B of indexes = {with_indexes:.0f} B")
        per_session = sum(after[table][2] - before[table][2] for table in _TABLES) / sessions
        _say(f"  {'a session in all':<20}{per_session / 1000:>9.0f} KB")
        before = after
    await _measure_the_end(url)


async def _measure_the_end(url: str) -> None:
    """The same month in the past, deleted for one tenant because another one keeps it; then dropped."""
    for way in ("deleted", "dropped"):
        rows, size = await run_with_owner(url, partial(_fill_past, keep=way == "deleted"), timeout=600)
        wal = await run_with_owner(url, _wal)
        began = time.monotonic()
        outcome = await run_with_owner(url, partial(apply_retention, budget_s=600), timeout=660)
        seconds = time.monotonic() - began
        written = await run_with_owner(url, _wal) - wal
        gone = bool(outcome.dropped) if way == "dropped" else outcome.deleted.get("samples") == rows
        _say(
            f"{rows} rows of samples ({size / 1e6:.0f} MB) {way}: {seconds:.2f} s, {written / 1e6:.1f} MB of WAL"
            + ("" if gone else f" (NOT ALL GONE: {outcome})")
        )


@asynccontextmanager
async def _ledger(url: str) -> Any:
    clock = SystemClock()
    async with open_store(url) as store:
        tenants = TenantDirectory(try_out=True)
        await refresh_tenants(store.gateway, tenants)
        ledger = Ledger(
            PostgresLedgerStore(store.gateway),
            tenants,
            clock,
            SystemIds(clock),
            transaction_id_key=bytes(32),
            health=HealthRegistry(),
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(ledger.run)
            yield ledger
            await ledger.close()


async def _charge_16(ledger: Ledger, station_ids: Sequence[int], minutes: int) -> None:
    charges = [Charge(station_id, number, "") for number, station_id in enumerate(station_ids)]

    async def start(charge: Charge) -> None:
        outcome = await ledger.commit(
            StartTransaction(
                tenant_id=1,
                station_id=charge.station_id,
                evse_id=1,
                connector_id=1,
                id_token=f"04A1B2C3D4{charge.number:04d}",
                time=parse_station_time(_at(0)),
                meter_start_wh=charge.register,
            )
        )
        if not isinstance(outcome, Started):
            raise TypeError(f"a start ended with {outcome!r}")
        charge.transaction = str(outcome.transaction_id)

    async def read(charge: Charge, minute: int) -> None:
        await ledger.commit(
            RecordMeterValues(
                tenant_id=1,
                station_id=charge.station_id,
                evse_id=1,
                connector_id=1,
                readings=[_reading(charge, minute)],
                payload=_payload(charge, minute),
                transaction_ref=charge.transaction,
            )
        )

    async def stop(charge: Charge) -> None:
        await ledger.commit(
            StopTransaction(
                tenant_id=1,
                station_id=charge.station_id,
                transaction_ref=charge.transaction,
                time=parse_station_time(_at(minutes)),
                meter_stop_wh=charge.register + 183 * minutes,
                payload=b'{"transactionId":%s,"meterStop":%d,"timestamp":"%s","reason":"EVDisconnected","idTag":"04A1B2C3D4"}'
                % (charge.transaction.encode(), charge.register + 183 * minutes, _at(minutes).encode()),
            )
        )

    await _all(charges, start)
    for minute in range(1, minutes + 1):
        await _all(charges, partial(read, minute=minute))
    await _all(charges, stop)


async def _charge_2x(ledger: Ledger, station_ids: Sequence[int], minutes: int) -> None:
    charges = [Charge(station_id, number, str(uuid4())) for number, station_id in enumerate(station_ids)]

    async def event(charge: Charge, minute: int) -> None:
        kind = "Started" if minute == 0 else "Ended" if minute > minutes else "Updated"
        trigger = {"Started": "Authorized", "Ended": "EVDeparted"}.get(kind, "MeterValuePeriodic")
        details = (
            f'{{"eventType":"{kind}","timestamp":"{_at(minute)}","triggerReason":"{trigger}","seqNo":{minute},"transactionInfo":'
            f'{{"transactionId":"{charge.transaction}","chargingState":"Charging"}},"evse":{{"id":1,"connectorId":1}}}}'
        ).encode()
        operation: Operation = RecordTransactionEvent(
            tenant_id=1,
            station_id=charge.station_id,
            ocpp_version="ocpp2.0.1",
            type=kind,  # type: ignore[arg-type]  # one of the three words above
            transaction_ref=charge.transaction,
            seq_no=minute,
            time=parse_station_time(_at(minute)),
            trigger_reason=trigger,
            details=details,
            payload=details,
            evse_id=1,
            connector_id=1,
            id_token=f"04A1B2C3D4{charge.number:04d}" if minute == 0 else None,
            token_type="ISO14443" if minute == 0 else None,
            charging_state="Charging",
            stopped_reason="EVDisconnected" if kind == "Ended" else None,
            readings=[_reading(charge, minute)],
        )
        await ledger.commit(operation)

    for minute in range(minutes + 2):
        await _all(charges, partial(event, minute=minute))


async def _all(charges: Sequence[Charge], work: Callable[[Charge], Awaitable[None]]) -> None:
    limit = trio.CapacityLimiter(_AT_ONCE)

    async def one(charge: Charge) -> None:
        async with limit:
            await work(charge)

    async with trio.open_nursery() as nursery:
        for charge in charges:
            nursery.start_soon(one, charge)


def _at(minute: int) -> str:
    return f"{_BEGAN + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"


def _values(charge: Charge, minute: int) -> list[str]:
    wobble = (charge.number * 31 + minute * 17) % 100
    return [
        str(charge.register + 183 * minute),
        f"{10_950 + wobble}.{wobble % 10}",
        f"{15 + wobble / 100:.2f}",
        f"{229 + wobble / 50:.1f}",
        str(min(100, 20 + minute * 2 // 3)),
    ]


def _reading(charge: Charge, minute: int) -> Reading:
    return Reading(_BEGAN + timedelta(minutes=minute), None, CONTEXT_NUMBER["Sample.Periodic"], _CHANNELS, _values(charge, minute))


def _payload(charge: Charge, minute: int) -> bytes:
    values = ",".join(
        f'{{"value":"{value}","context":"Sample.Periodic","measurand":"{channel.measurand}",'
        + (f'"phase":"{channel.phase}",' if channel.phase else "")
        + f'"location":"{channel.location}","unit":"{channel.unit}"}}'
        for channel, value in zip(_CHANNELS, _values(charge, minute), strict=True)
    )
    return f'[{{"timestamp":"{_at(minute)}","sampledValue":[{values}]}}]'.encode()


async def _stations(count: int, conn: Connection) -> list[int]:
    rows = await conn.fetch(
        "INSERT INTO stations (tenant_id, identity) SELECT 1, 'BENCH-' || n FROM generate_series(1, $1::int) n "
        "RETURNING station_id",
        count,
    )
    return [row[0] for row in rows]


async def _counts(conn: Connection) -> dict[str, tuple[int, int, int]]:
    """Rows, bytes of the table and bytes with indexes, of each table with its partitions."""
    found = {}
    for table in _TABLES:
        # open sessions are updated with every reading: what these leave behind is used again by the next ones
        await conn.execute(f"VACUUM {'(FULL) ' if table == 'sessions' else ''}{table}")
        row = await conn.fetchrow(
            f"SELECT (SELECT count(*) FROM {table}), sum(pg_table_size(t)), sum(pg_total_relation_size(t)) "
            "FROM (SELECT $1::text::regclass UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::text::regclass) q(t)",
            table,
        )
        found[table] = (row[0], int(row[1]), int(row[2])) if row is not None else (0, 0, 0)
    return found


async def _fill_past(conn: Connection, *, keep: bool) -> tuple[int, int]:
    """A month long past with `_COPIES` times what was written; with `keep` a tenant has a row there that it keeps for ever."""
    past = datetime.now(UTC) - timedelta(days=_PAST_DAYS)
    lower, upper = month_start(past.year, past.month), month_start(past.year, past.month + 1)
    name = f"samples_{lower:%Y_%m}"
    await conn.execute(f"DROP TABLE IF EXISTS {name}")
    await conn.execute(
        f"CREATE TABLE {name} PARTITION OF samples FOR VALUES FROM ('{uuid7_lower_bound(lower)}') TO ('{uuid7_lower_bound(upper)}')"
    )
    first: UUID = await conn.fetchval("SELECT min(session_id::text)::uuid FROM samples WHERE tenant_id = 1")
    for copy in range(_COPIES):
        back = (first.int >> 80) - int(lower.timestamp() * 1000) - copy * 86_400_000
        await conn.execute(
            f'INSERT INTO {name} (tenant_id, session_id, ts, context, shape_id, "values", recorded_at) '
            "SELECT tenant_id, (lpad(to_hex(('x' || left(h, 12))::bit(48)::bigint - $1), 12, '0') || substr(h, 13))::uuid, "
            f"ts, context, shape_id, \"values\", $2 FROM samples, replace(session_id::text, '-', '') h "
            "WHERE tenant_id = 1 AND session_id >= $3",
            back,
            lower,
            first,
        )
    rows = await conn.fetchval(f"SELECT count(*) FROM {name}")
    if keep:
        other = await conn.fetchval("INSERT INTO tenants (slug, name) VALUES ('ever', 'ever') RETURNING tenant_id")
        await conn.execute(
            f'INSERT INTO {name} (tenant_id, session_id, context, shape_id, "values") VALUES ($1, $2, 0, 1, ARRAY[1])',
            other,
            uuid7_lower_bound(lower),
        )
    await conn.execute("UPDATE tenants SET samples_kept_days = 30 WHERE tenant_id = 1")
    return rows, await conn.fetchval("SELECT pg_total_relation_size($1::text::regclass)", name)


async def _wal(conn: Connection) -> int:
    return int(await conn.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
