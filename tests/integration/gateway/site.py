"""A running gateway on a real ledger and database, and stations on the other side of its sockets."""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import trio
import trio_websocket
from trio_websocket import ConnectionClosed, WebSocketConnection

from csms.bus.local import LocalBus
from csms.clock import SystemClock, SystemIds
from csms.credentials import StationPasswords
from csms.domain.operations import Operation, OperationFailed
from csms.health import HealthRegistry
from csms.ledger import Ledger, LedgerFull
from csms.settings import Settings
from csms.store import Connection, Store, open_store
from csms.store.gateway_store import PostgresGatewayStore
from csms.store.ledger_transaction import PostgresLedgerStore
from csms.store.pool import run_with_owner
from csms.store.tenants import refresh_tenants
from csms.tenants import TenantDirectory
from gateway.server import VERSIONS, GatewayServices, run_gateway
from gateway.versions import Version
from tests.integration.gateway import frames

BOOT_16 = {"chargePointVendor": "Vendor", "chargePointModel": "Model"}
BOOT_201 = {"chargingStation": {"vendorName": "Vendor", "model": "Model"}, "reason": "PowerUp"}


@dataclass
class Faults:
    """A ledger whose caller side can be disturbed; what passes is committed by the real one behind it."""

    behind: Ledger
    full: bool = False
    held: bool = False
    """Take operations but hand them on only when released."""
    away: bool = False
    poisoned: set[type[Operation]] = field(default_factory=set)
    waiting: deque[tuple[Operation, Callable[[Any], None]]] = field(default_factory=deque)
    submitted: list[Operation] = field(default_factory=list)

    def submit(self, operation: Operation, done: Callable[[Any], None]) -> None:
        if self.full:
            raise LedgerFull
        self.submitted.append(operation)
        if type(operation) in self.poisoned:
            trio.lowlevel.current_trio_token().run_sync_soon(done, OperationFailed("poisoned"))
        elif self.held:
            self.waiting.append((operation, done))
        else:
            self.behind.submit(operation, done)

    def hurry(self) -> None:
        self.behind.hurry()

    def release(self) -> None:
        self.held = False
        while self.waiting:
            self.behind.submit(*self.waiting.popleft())

    @property
    def available(self) -> bool:
        return not self.away and self.behind.available


class Station:
    """A charging station on trio-websocket: an implementation of the protocol that is not ours."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self._next = 0

    async def send(self, frame: Any) -> None:
        await self.socket.send_message(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def receive(self, timeout: float = 5.0) -> Any:
        with trio.fail_after(timeout):
            return json.loads(await self.socket.get_message())

    async def call(self, action: str, payload: Any, message_id: str | None = None, *, timeout: float = 5.0) -> Any:
        """The answer's frame."""
        if message_id is None:
            self._next += 1
            message_id = f"m{self._next}"
        await self.send([2, message_id, action, payload])
        frame = await self.receive(timeout)
        assert frame[1] == message_id, frame
        return frame

    async def boot(self) -> Any:
        payload = BOOT_16 if self.socket.subprotocol == "ocpp1.6" else BOOT_201
        frame = await self.call("BootNotification", payload)
        assert frame[2]["status"] == "Accepted"
        return frame

    async def silent(self, seconds: float = 0.3) -> bool:
        """True when nothing arrives for this long."""
        with trio.move_on_after(seconds):
            await self.socket.get_message()
            return False
        return True

    async def closed(self, timeout: float = 5.0) -> tuple[int, str]:
        """Wait for the end of the connection: the close code and reason."""
        with trio.fail_after(timeout):
            try:
                while True:
                    await self.socket.get_message()
            except ConnectionClosed as error:
                return (0, "") if error.reason is None else (error.reason.code, error.reason.reason or "")


@dataclass
class Site:
    """The gateway under test."""

    port: int
    store: Store
    ledger: Faults
    bus: LocalBus
    services: GatewayServices
    shutdown: trio.Event
    stopped: trio.Event
    dsn: str
    tls_port: int | None = None

    @asynccontextmanager
    async def station(
        self,
        identity: str = "CP1",
        *,
        versions: Sequence[str] = ("ocpp1.6",),
        password: str | bytes | None = None,
        path: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> AsyncIterator[Station]:
        sent: list[tuple[bytes, bytes]] = []
        if password is not None:
            key = password.encode() if isinstance(password, str) else password
            sent.append((b"authorization", b"Basic " + b64encode(identity.encode() + b":" + key)))
        # the stream is ours to close: trio-websocket leaves it open when the server has closed first
        async with await (self.raw() if tls is None else self.secured(tls)) as stream, trio.open_nursery() as nursery:
            with trio.fail_after(5):
                socket = await trio_websocket.wrap_client_stream(
                    nursery, stream, "localhost", path or f"/ocpp/{identity}", subprotocols=list(versions), extra_headers=sent
                )
            yield Station(socket)
            with trio.move_on_after(0.5):
                await socket.aclose()
            nursery.cancel_scope.cancel()

    async def refusal(
        self,
        identity: str = "CP1",
        *,
        path: str | None = None,
        password: bytes | None = None,
        headers: Sequence[tuple[str, str]] = (),
        tls: ssl.SSLContext | None = None,
    ) -> int:
        """The HTTP status that a handshake is answered with."""
        return int((await self.answer(identity, path=path, password=password, headers=headers, tls=tls)).split(b" ")[1])

    async def answer(
        self,
        identity: str,
        *,
        path: str | None = None,
        password: bytes | None = None,
        headers: Sequence[tuple[str, str]] = (),
        tls: ssl.SSLContext | None = None,
    ) -> bytes:
        """The whole HTTP answer to an upgrade request, after which the connection is dropped."""
        sent = list(headers)
        if password is not None:
            sent.append(frames.basic(identity, password))
        async with await (self.raw() if tls is None else self.secured(tls)) as stream:
            await stream.send_all(frames.request(path or f"/ocpp/{identity}", headers=sent))
            head = await frames.read_until(stream, b"\r\n\r\n")
            return head if head.startswith(b"HTTP/1.1 101") else head + await frames.read_all(stream)

    async def raw(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def secured(self, tls: ssl.SSLContext) -> trio.SSLStream[trio.SocketStream]:
        """Raises trio.BrokenResourceError when the server refuses the handshake."""
        assert self.tls_port is not None
        stream = trio.SSLStream(
            await trio.open_tcp_stream("127.0.0.1", self.tls_port), tls, server_hostname="localhost", https_compatible=True
        )
        try:
            with trio.fail_after(5):
                await stream.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return stream

    @asynccontextmanager
    async def raw_station(self, identity: str) -> AsyncIterator[trio.SocketStream]:
        """A booted OCPP 1.6 station without a library behind it."""
        async with await self.raw() as stream:
            await frames.become_station(stream, identity)
            yield stream

    async def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        async def work(conn: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in await conn.fetch(sql, *arguments)]

        return await self.store.gateway.unit(work)

    async def execute(self, sql: str, *arguments: Any) -> None:
        """Run a statement as the owner of the database."""

        async def work(conn: Connection) -> None:
            await conn.execute(sql, *arguments)

        await run_with_owner(self.dsn, work)

    async def tenant(self, **columns: Any) -> None:
        """Change the default tenant."""
        for name, value in columns.items():
            await self.execute(f"UPDATE tenants SET {name} = $1 WHERE slug = 'default'", value)
        await refresh_tenants(self.store.gateway, self.services.tenants)

    async def add_station(self, identity: str, password: bytes | None = None, **columns: Any) -> None:
        stored = (None, None, None) if password is None else self.services.passwords.store_machine_made(password)
        await self.execute(
            "INSERT INTO stations (tenant_id, identity, password_scheme, password_hash, password_salt) VALUES (1, $1, $2, $3, $4)",
            identity,
            *stored,
        )
        for name, value in columns.items():
            await self.execute(f"UPDATE stations SET {name} = $1 WHERE identity = $2", value, identity)

    async def order(
        self,
        identity: str,
        command: str | None,
        parameters: Any,
        *,
        action: str | None = None,
        poke: bool = True,
        ttl: int = 60,
        told: Mapping[str, Any] | None = None,
    ) -> UUID:
        """Put a command into the database, as the hub does, and poke this process. `told`: what the poke says otherwise."""
        command_id = self.services.ids.uuid7()
        (station,) = await self.rows("SELECT station_id FROM stations WHERE identity = $1", identity)
        await self.execute(
            "INSERT INTO commands (tenant_id, command_id, station_id, command, action, parameters, requested_by, expires_at) "
            "VALUES (1, $1, $2, $3, $4, $5, 'test', now() + make_interval(secs => $6))",
            command_id,
            station["station_id"],
            command,
            action,
            json.dumps(parameters),
            float(ttl),
        )
        if poke:
            says = {"parameters": parameters, "expires_at": (self.services.clock.now() + timedelta(seconds=ttl)).isoformat()}
            says |= {"command": command, "action": action, **(told or {})}
            body = {"tenant_id": 1, "station_id": station["station_id"], "command_id": str(command_id), "told": says}
            await self.bus.publish(f"gateway.{self.services.process_id}.commands", json.dumps(body).encode())
        return command_id

    async def command(self, command_id: UUID, *, until: str | None = None, timeout: float = 5.0) -> dict[str, Any]:
        """The row of a command, once it has this status."""
        with trio.fail_after(timeout):
            while True:
                (row,) = await self.rows("SELECT * FROM commands WHERE command_id = $1", command_id)
                if until is None or row["status"] == until:
                    return row
                await trio.sleep(0.02)


@asynccontextmanager
async def running(
    dsn: str, *, versions: dict[str, Version] | None = None, linger_s: float = 0.01, open_door: bool = True, **overrides: Any
) -> AsyncIterator[Site]:
    """Serve the default tenant; `open_door`: it takes unknown stations without credentials."""
    clock = SystemClock()
    ids = SystemIds(clock)
    settings = Settings(**({"ocpp_port": 0, "drain_s": 5} | overrides))
    tenants = TenantDirectory(try_out=settings.try_out)
    health = HealthRegistry()
    async with open_store(dsn, connections=4) as store, LocalBus() as bus, trio.open_nursery() as nursery:
        await refresh_tenants(store.gateway, tenants)
        ledger = Ledger(
            PostgresLedgerStore(store.gateway), tenants, clock, ids, transaction_id_key=bytes(32), linger_s=linger_s, health=health
        )
        await nursery.start(ledger.run)
        faults = Faults(ledger)
        services = GatewayServices(
            settings=settings,
            clock=clock,
            ids=ids,
            ledger=faults,  # type: ignore[arg-type]  # it stands in front of the real ledger
            store=PostgresGatewayStore(store.gateway),
            bus=bus,
            tenants=tenants,
            passwords=StationPasswords(bytes(32), ids),
            health=health,
            process_id=ids.uuid4(),
        )
        shutdown, stopped = trio.Event(), trio.Event()

        async def serve(*, task_status: trio.TaskStatus[list[str]]) -> None:
            await run_gateway(services, shutdown, task_status=task_status, versions=versions or VERSIONS)
            stopped.set()

        urls = await nursery.start(serve)
        ports = {url.split(":")[0]: int(url.rsplit(":", 1)[1].split("/")[0]) for url in urls}
        site = Site(ports["ws"], store, faults, bus, services, shutdown, stopped, dsn, ports.get("wss"))
        if open_door:
            await site.tenant(onboarding="accept", allow_unauthenticated=True)
        yield site
        faults.full = False
        faults.release()
        shutdown.set()
        with trio.fail_after(20):
            await stopped.wait()
        await ledger.close()
