"""An installation with roaming partners: what is in its database before it starts, and what came of it at the partners."""

from __future__ import annotations

import asyncio
import bisect
import json
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import msgspec

from bench.installation import Installation
from bench.partners import Plan, Received, Report, by_evse
from bench.processes import BenchError
from csms.clock import SystemClock, SystemIds
from csms.external_authorization.sealing import Sealer
from csms.secret import OCPI_SECRETS, OCPI_TOKEN_HASH, RootSecret
from hub.ocpi.directory import token_hash
from hub.ocpi.platform import PARTNER_TOKEN
from schemas.ocpi221.headers import authorization_value

EVSES_PER_LOCATION: Final = 5
PARTY: Final = ("NL", "BEN")
_TOKEN: Final = "bench-token-of-partner-{:03d}"
_CHARGING: Final = frozenset({"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Occupied"})
_OTHERS: Final = {"Available": "AVAILABLE", "Reserved": "RESERVED", "Unavailable": "INOPERATIVE", "Faulted": "OUTOFORDER"}
_UNSETTLED_S: Final = 5.0
"""What changes so shortly before the end need not have arrived."""


class Partners:
    """A process of partners, entitled to `share` of the locations each; the last of them stalls."""

    def __init__(self, place: Installation, count: int, hub_port: int) -> None:
        self._place = place
        plan = Plan(
            partners=count,
            stalled=1,
            pages_url=f"http://127.0.0.1:{hub_port}/ocpi/2.2.1/sender/locations",
            pages_per_second=10.0,
            tokens=[authorization_value(_TOKEN.format(number)) for number in range(count)],
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.partners", msgspec.json.encode(plan).decode()],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline().split()
        if len(ready) != 2:
            raise BenchError("the partners' process did not start")
        self._count = count
        self._stalled = plan.stalled
        secret = RootSecret(Path(place.environment["CSMS_SECRET_FILE"]).read_bytes())
        asyncio.run(self._enter(int(ready[1]), secret))
        self._began: datetime | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self) -> None:
        """What comes from now on counts."""
        self._began = SystemClock().now()
        self._process.send_signal(signal.SIGUSR1)

    def end(self) -> dict[str, float]:
        """The figures since `begin`."""
        self._process.terminate()
        output, _ = self._process.communicate(timeout=30)
        report = msgspec.json.decode(output.splitlines()[-1], type=Report)
        return asyncio.run(self._figures(report))

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    async def _enter(self, port: int, secret: RootSecret) -> None:
        connection = await asyncpg.connect(self._place.url)
        try:
            await self._enter_locations(connection)
            await self._enter_partners(connection, port, secret)
        finally:
            await connection.close()

    async def _enter_locations(self, connection: Any) -> None:
        """Every five stations stand at one location; each has one EVSE with one connector."""
        await connection.execute(
            "INSERT INTO locations "
            "(tenant_id, location_id, name, address, city, postal_code, country, latitude, longitude, time_zone) "
            "SELECT s.tenant_id, gen_random_uuid(), 'Location ' || n, 'Straat ' || n, 'Utrecht', '3511AA', 'NL', 52.09, 5.12, "
            "'Europe/Amsterdam' FROM (SELECT tenant_id, count(*) AS count FROM stations GROUP BY 1) s, "
            "generate_series(0, (s.count - 1) / $1) n",
            EVSES_PER_LOCATION,
        )
        await connection.execute(
            "UPDATE stations s SET location_id = l.location_id FROM "
            "(SELECT station_id, (row_number() OVER (ORDER BY station_id) - 1) / $1 AS place FROM stations) p, "
            "(SELECT location_id, row_number() OVER (ORDER BY location_id) - 1 AS place FROM locations) l "
            "WHERE s.station_id = p.station_id AND l.place = p.place",
            EVSES_PER_LOCATION,
        )
        await connection.execute("INSERT INTO evses (tenant_id, station_id, evse_id) SELECT tenant_id, station_id, 1 FROM stations")
        await connection.execute(
            "INSERT INTO connectors (tenant_id, station_id, evse_id, connector_id, connector_type, max_power_w) "
            "SELECT tenant_id, station_id, 1, 1, 'sType2', 22000 FROM stations"
        )
        await connection.execute("ANALYZE")

    async def _enter_partners(self, connection: Any, port: int, secret: RootSecret) -> None:
        sealer = Sealer(secret.derive(OCPI_SECRETS), SystemIds(SystemClock()))
        key = secret.derive(OCPI_TOKEN_HASH)
        tenant_id = await connection.fetchval("SELECT tenant_id FROM tenants WHERE slug = 'default'")
        await connection.execute("UPDATE tenants SET ocpi_visibility = 'listed' WHERE tenant_id = $1", tenant_id)
        places = [row[0] for row in await connection.fetch("SELECT location_id::text FROM locations ORDER BY location_id")]
        for number in range(self._count):
            partner_id, party_id = uuid4(), f"P{number:02d}"[-3:]
            endpoints = [
                {"identifier": module, "role": "RECEIVER", "url": f"http://127.0.0.1:{port}/p/{number}/receiver/{module}"}
                for module in ("locations", "tariffs", "sessions", "cdrs")
            ]
            await connection.execute(
                "INSERT INTO ocpi_partners (tenant_id, partner_id, name, status, version, versions_url, endpoints, token_sealed) "
                "VALUES ($1, $2, $3, 'connected', '2.2.1', $4, $5::json, $6)",
                tenant_id,
                partner_id,
                f"Partner {number}",
                f"http://127.0.0.1:{port}/p/{number}/versions",
                json.dumps(endpoints),
                sealer.seal(tenant_id, PARTNER_TOKEN, "x"),
            )
            await connection.execute(
                "INSERT INTO ocpi_tokens (tenant_id, token_hash, partner_id, kind) VALUES ($1, $2, $3, 'access')",
                tenant_id,
                token_hash(key, _TOKEN.format(number)),
                partner_id,
            )
            await connection.execute(
                "INSERT INTO ocpi_roles (tenant_id, country_code, party_id, role, partner_id, status, last_updated) "
                "VALUES ($1, 'DE', $2, 'EMSP', $3, 'CONNECTED', now())",
                tenant_id,
                party_id,
                partner_id,
            )
            # 1 to 2 % of the locations
            size = max(1, len(places) * (100 + number) // 10_000)
            first = number * len(places) // self._count
            await connection.execute(
                "INSERT INTO ocpi_agreements (tenant_id, agreement_id, party_country_code, party_party_id, modules, location_ids, "
                "created_by) VALUES ($1, $2, 'DE', $3, '{locations}', $4, 'bench')",
                tenant_id,
                uuid4(),
                party_id,
                [places[(first + place) % len(places)] for place in range(size)],
            )

    async def _figures(self, report: Report) -> dict[str, float]:
        connection = await asyncpg.connect(self._place.url)
        try:
            changes = await _changes(connection)
            entitled = await self._entitled(connection)
        finally:
            await connection.close()
        began = self._began.timestamp() if self._began is not None else 0.0
        received = by_evse(report.pushes)
        ended = max((push.at for push in report.pushes), default=began)
        delays, disordered, missing, due = [], 0, 0, 0
        for (_, evse_uid), pushes in received.items():
            disordered += sum(one.last_updated > other.last_updated for one, other in pairwise(pushes))
            delays += _delays(changes.get(evse_uid, []), pushes, began)
        for partner, evse_uid in entitled:
            last = [at for at in changes.get(evse_uid, []) if began <= at < ended - _UNSETTLED_S]
            if last and partner < self._count - self._stalled:
                due += 1
                told = received.get((partner, evse_uid), [])
                missing += not told or _seconds(told[-1].last_updated) < last[-1]
        delays.sort()
        pages = sorted(report.pages)
        return {
            "pushes_per_second": len(report.pushes) / (ended - began) if ended > began else 0.0,
            "push_p50_s": _quantile(delays, 0.5),
            "push_p99_s": _quantile(delays, 0.99),
            "push_longest_s": delays[-1] if delays else 0.0,
            "pushes_out_of_order": disordered,
            "pushes_missing": missing,
            "evses_changed_at_partners": due,
            "pages": len(pages),
            "page_errors": report.page_errors,
            "page_p50_ms": _quantile(pages, 0.5),
            "page_p99_ms": _quantile(pages, 0.99),
        }

    async def _entitled(self, connection: Any) -> set[tuple[int, str]]:
        rows = await connection.fetch(
            "SELECT a.party_party_id, e.evse_uid FROM ocpi_agreements a "
            "JOIN stations s ON s.location_id::text = ANY (a.location_ids) JOIN evses e USING (station_id)"
        )
        return {(int(party_id.removeprefix("P")), str(evse_uid)) for party_id, evse_uid in rows}


@contextmanager
def partners(place: Installation, count: int, hub_port: int) -> Iterator[Partners]:
    """`count` partners, known to an installation that does not run yet."""
    made = Partners(place, count, hub_port)
    try:
        yield made
    finally:
        made.kill()


async def _changes(connection: Any) -> dict[str, list[float]]:
    """When each EVSE's status in OCPI's terms changed, by the commits of what its station told."""
    rows = await connection.fetch(
        "SELECT e.evse_uid, o.recorded_at, o.data::json ->> 'status' AS status "
        "FROM outbox o JOIN evses e USING (tenant_id, station_id) "
        "WHERE o.type = 'station.status' AND (o.data::json ->> 'evse_id')::integer = 1 ORDER BY o.recorded_at"
    )
    changes: dict[str, list[float]] = defaultdict(list)
    present: dict[UUID, str] = {}
    for evse_uid, recorded_at, status in rows:
        told = "CHARGING" if status in _CHARGING else _OTHERS.get(status, "UNKNOWN")
        if present.get(evse_uid) != told:
            present[evse_uid] = told
            changes[str(evse_uid)].append(recorded_at.timestamp())
    return changes


def _delays(changes: list[float], pushes: list[Received], began: float) -> list[float]:
    """From the oldest change that a push tells of to its coming, in seconds."""
    found, told_until = [], 0.0
    for push in pushes:
        updated = _seconds(push.last_updated)
        first = bisect.bisect_right(changes, told_until)
        if first < len(changes) and changes[first] <= updated and changes[first] >= began:
            found.append(push.at - changes[first])
        told_until = max(told_until, updated)
    return found


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
