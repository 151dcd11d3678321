"""What a test vector plays with: a running server, its API, its database, and stations of either version."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import asyncpg

from tests.certificates import Authority
from tests.conformance.wire import Station, Wire
from tests.e2e.running import Api, RunningServer

OCPP16 = "ocpp1.6"
OCPP201 = "ocpp2.0.1"
OCPP21 = "ocpp2.1"

# the tenants of the vectors; the default one is in try-out mode: it takes stations and tokens that nobody entered
DEFAULT = "default"
STRICT = "strict"  # takes stations, refuses unknown tokens
PENDING = "pending"  # puts new stations on Pending
CALL_TIMEOUT = 2.0  # seconds that stations have to answer a command on the server of the vectors

_numbers = count(1)


@dataclass(slots=True)
class Order:
    """A CALL that an order at the API sent to a station, in the hand of the test that plays it."""

    station: Station
    call: list[Any]
    ordered: Future[Any]

    @property
    def action(self) -> str:
        action: str = self.call[2]
        return action

    @property
    def payload(self) -> Any:
        return self.call[3]

    def answer(self, payload: dict[str, Any]) -> Any:
        """Answer as the station; gives the command as the API tells it to whoever ordered it."""
        self.station.send([3, self.call[1], payload])
        return self.ordered.result(10)


@dataclass(slots=True)
class Scene:
    """One vector's surroundings. Identities are made up afresh, so that vectors do not meet."""

    server: RunningServer
    apis: dict[str, Api]
    database_url: str
    version: str
    authority: Authority
    """It has signed the certificate of the server, whose TLS port takes the stations that it has signed a certificate for."""
    _open: list[Wire] = field(default_factory=list)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))

    @property
    def api(self) -> Api:
        return self.apis[DEFAULT]

    @property
    def is16(self) -> bool:
        return self.version == OCPP16

    def identity(self) -> str:
        return f"V-{next(_numbers)}"

    def connect(
        self,
        identity: str | None = None,
        *,
        tenant: str = DEFAULT,
        basic: tuple[str, str] | None = None,
        deflate: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> Station:
        """A connected station that has not sent anything yet."""
        identity = identity or self.identity()
        port = self.server.ocpp_port if tls is None else self.server.tls_port
        wire = Wire.connect(port, f"/ocpp/{tenant}/{identity}", self.version, basic=basic, deflate=deflate, tls=tls)
        self._open.append(wire)
        assert wire.subprotocol == self.version
        return Station(wire, identity)

    def station(self, identity: str | None = None, *, tenant: str = DEFAULT, deflate: bool = False) -> Station:
        """A connected station that booted and is accepted."""
        station = self.connect(identity, tenant=tenant, deflate=deflate)
        assert self.boot(station) == "Accepted"
        return station

    def boot(self, station: Station) -> str:
        if self.is16:
            payload: Any = {"chargePointVendor": "Vectors", "chargePointModel": "V"}
        else:
            payload = {"chargingStation": {"vendorName": "Vectors", "model": "V"}, "reason": "PowerUp"}
        status: str = station.call("BootNotification", payload)["status"]
        return status

    def order(self, station: Station, action: str, payload: dict[str, Any], *, tenant: str = DEFAULT) -> Order:
        """Order a raw CALL at a station through the API; gives it as the station received it."""
        ordered = self.background(lambda: self.apis[tenant].raw(station.identity, action, payload))
        return Order(station, station.receive(), ordered)

    def command(self, station: Station, name: str, *, tenant: str = DEFAULT, **parameters: object) -> Order:
        """Order a command in the product's own terms; gives the CALL as the station received it."""
        ordered = self.background(lambda: self.apis[tenant].command(station.identity, name, **parameters))
        return Order(station, station.receive(), ordered)

    def reserve(self, station: Station, *, tenant: str = DEFAULT, expect: int = 201, **terms: object) -> Order:
        """Make a reservation through the API; gives the CALL as the station received it. `expect`: what the API answers at last."""
        body = {"charge_point_id": station.identity, "expires_at": at(3600), **terms}
        ordered = self.background(lambda: self.apis[tenant].call("POST", "/reservations", body, expect=(expect,)))
        return Order(station, station.receive(), ordered)

    def reservation(self, order: Order, *, tenant: str = DEFAULT) -> Any:
        """The reservation that this ReserveNow was for, as it stands now."""
        number = order.payload["reservationId" if self.is16 else "id"]
        return self.apis[tenant].get(f"/reservations/{number}")

    def cancel(self, order: Order, *, tenant: str = DEFAULT) -> Order:
        """Give the reservation of this ReserveNow up through the API; gives the CALL."""
        number = order.payload["reservationId" if self.is16 else "id"]
        ordered = self.background(lambda: self.apis[tenant].call("DELETE", f"/reservations/{number}"))
        return Order(order.station, order.station.receive(), ordered)

    def background(self, work: Callable[[], Any]) -> Future[Any]:
        """Do something while the test plays the station."""
        return self._threads.submit(work)

    def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Look into the database as its owner."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database_url)
            try:
                return await connection.fetch(statement, *arguments)
            finally:
                await connection.close()

        return asyncio.run(run())

    def quarantined(self, identity: str) -> list[asyncpg.Record]:
        return self.rows(
            "SELECT q.* FROM quarantine q JOIN stations s USING (tenant_id, station_id) WHERE s.identity = $1", identity
        )

    def close(self) -> None:
        for wire in self._open:
            wire.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


def at(seconds: float = 0.0) -> str:
    """A time so many seconds from now, as stations write it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
