"""From an accepted socket to a served station: handshake under a deadline, then the connection, all inside one boundary."""

from __future__ import annotations

import socket
import ssl
from typing import Final

import structlog
import trio

from csms.clock import Clock
from csms.tenants import TenantDirectory
from gateway import _native, metrics
from gateway.admission import Admission, Admitted, NoCommonSubprotocol
from gateway.arrivals import Arrivals
from gateway.calls import OutgoingCalls
from gateway.closing import CloseReason
from gateway.connection import Connection, linger
from gateway.handshake import Rejection, Upgrade
from gateway.inbound import InboundCalls
from gateway.limits import HANDSHAKES_PER_SECOND, Pacer
from gateway.readiness import Readiness
from gateway.registry import Registry
from gateway.supervision import split_exits
from gateway.tls import Peer, shake_hands
from gateway.tolerance.makes import make
from gateway.unanswered import UnansweredMessages
from gateway.wire import Wire

log = structlog.get_logger()

HALF_OPEN_LIMIT: Final = 1_000
"""Sockets in their handshake. Over it the oldest is dropped: an honest station is through in a moment, a slow stranger is not."""
MAX_MESSAGE: Final = 256 * 1024
MAX_MESSAGE_16: Final = 64 * 1024
"""Bytes of an inflated message; OCPP 2.x carries certificate chains and reports."""


class Reception:
    """Serves accepted sockets. One for all listeners of a process."""

    def __init__(
        self,
        *,
        catalogue: _native.Catalogue,
        admission: Admission,
        registry: Registry,
        inbound: InboundCalls,
        calls: OutgoingCalls,
        unanswered: UnansweredMessages,
        clock: Clock,
        tenants: TenantDirectory,
        writers: trio.Nursery,
        readiness: Readiness,
        arrivals: Arrivals | None,
        handshake_timeout_s: float,
    ) -> None:
        """`arrivals` reads plain sockets once they are open; None: `readiness` does, as with those with TLS."""
        self._catalogue = catalogue
        self._admission = admission
        self._registry = registry
        self._inbound = inbound
        self._calls = calls
        self._unanswered = unanswered
        self._clock = clock
        self._tenants = tenants
        self._writers = writers
        self._readiness = readiness
        self._arrivals = arrivals
        self._handshake_timeout_s = handshake_timeout_s
        self._limits = _native.Limits()
        self._tls_pacer = Pacer(HANDSHAKES_PER_SECOND)
        self._half_open: dict[trio.CancelScope, None] = {}

    def handshaking(self) -> bool:
        """True while somebody who was accepted waits for an answer."""
        return bool(self._half_open)

    async def serve(self, sock: socket.socket, address: str) -> None:
        """Serve one socket until it is over. Lets out nothing but cancellation and exits (supervision.md 3.0)."""
        wire = Wire(sock, self._writers, self._readiness, None if isinstance(sock, ssl.SSLSocket) else self._arrivals)
        connection: Connection | None = None
        reason = CloseReason.LOST
        try:
            connection = await self._receive(wire, address)
            if connection is not None:
                reason = await connection.read()
                if reason is CloseReason.VIOLATION:
                    connection.closing = reason
                    self._registry.forget(connection, reason, self._calls)
                    await linger(wire)
        except BaseException as error:
            passing, ours = split_exits(error)
            reason = CloseReason.RESTART
            if ours is not None:
                reason = CloseReason.INTERNAL_ERROR
                log.error("gateway.connection_failed", identity=connection and connection.identity, exc_info=ours)
                if connection is not None:
                    _say_goodbye(connection)
            if passing is not None:
                raise passing from None
        finally:
            if connection is not None:
                metrics.CLOSES.labels(reason.label).inc()
                self._registry.forget(connection, reason, self._calls)
            wire.close(reason)

    async def _receive(self, wire: Wire, address: str) -> Connection | None:
        """The handshake; None when it failed."""
        outcome = "timeout"
        connection = None
        with trio.move_on_after(self._handshake_timeout_s) as scope:
            self._make_room()
            self._half_open[scope] = None
            metrics.HANDSHAKES_RUNNING.set(len(self._half_open))
            try:
                outcome, connection = await self._shake_hands(wire, address)
            finally:
                self._half_open.pop(scope, None)
                metrics.HANDSHAKES_RUNNING.set(len(self._half_open))
        metrics.HANDSHAKES.labels(outcome).inc()
        return connection

    def _make_room(self) -> None:
        if len(self._half_open) >= HALF_OPEN_LIMIT:
            oldest = next(iter(self._half_open))
            del self._half_open[oldest]
            oldest.cancel(reason="too many half-open handshakes")

    async def _shake_hands(self, wire: Wire, address: str) -> tuple[str, Connection | None]:
        peer = Peer()
        if isinstance(wire.sock, ssl.SSLSocket):
            secured = await self._secure(wire.sock, address)
            if secured is None:
                return "tls_failed", None
            peer = secured
        codec = _native.Connection(self._catalogue, self._limits)
        upgrade = await self._read_upgrade(wire, codec)
        if upgrade is None:
            return "not_an_upgrade", None
        try:
            decision = await self._admission.admit(upgrade, address, peer)
        except trio.Cancelled:
            # out of time, because the store hangs, or the process ends: the station shall come back later
            late = self._admission.overloaded("out_of_time")
            wire.send(codec.reject(late.status, late.headers, late.body))
            raise
        if isinstance(decision, Admitted):
            connection = self._open(wire, codec, upgrade, decision)
            return ("overtaken", None) if connection is None else ("accepted", connection)
        if isinstance(decision, Rejection):
            wire.send(codec.reject(decision.status, decision.headers, decision.body))
            outcome = decision.reason
        else:
            outcome = _finish_without_subprotocol(wire, codec, decision)
        await linger(wire)
        return outcome, None

    async def _secure(self, sock: ssl.SSLSocket, address: str) -> Peer | None:
        """The TLS handshake; None when it failed, or when more come at once than there is time for."""
        try:
            await trio.lowlevel.wait_readable(sock)
            wait = self._tls_pacer.delay(self._clock.monotonic(), self._handshake_timeout_s / 2)
            if wait is None:
                return None
            if wait > 0:
                await trio.sleep(wait)
            return await shake_hands(sock)
        except (OSError, trio.ClosedResourceError) as error:
            log.info("gateway.tls_failed", address=address, reason=getattr(error, "reason", None) or str(error))
            return None

    async def _read_upgrade(self, wire: Wire, codec: _native.Connection) -> Upgrade | None:
        while True:
            try:
                data = await wire.receive()
            except (OSError, trio.ClosedResourceError):
                return None
            if not data:
                return None
            for event in codec.receive(data):
                if event[0] == _native.UPGRADE:
                    return Upgrade(event[2], event[3], event[4], event[5])
                if event[0] == _native.BAD_REQUEST:
                    wire.send(event[3])
                    await linger(wire)
                    return None

    def _open(self, wire: Wire, codec: _native.Connection, upgrade: Upgrade, admitted: Admitted) -> Connection | None:
        """Finish the handshake and route the station here. No checkpoint between the commit of the epoch and this."""
        version, connected = admitted.version, admitted.connected
        station = self._registry.station((admitted.tenant.tenant_id, connected.station_id), connected.registration)
        station.make = make(connected.vendor, connected.model)
        station.call_timeout_s = connected.call_timeout_s
        compressed = upgrade.deflate_offered
        connection = Connection(
            wire=wire,
            codec=codec,
            station=station,
            tenant=admitted.tenant,
            tenants=self._tenants,
            identity=admitted.identity,
            epoch=connected.epoch,
            version=version,
            compressed=compressed,
            certificate_name=admitted.certificate_name,
            clock=self._clock,
            registry=self._registry,
            inbound=self._inbound,
            calls=self._calls,
            unanswered=self._unanswered,
        )
        longest = MAX_MESSAGE_16 if version.name == "ocpp1.6" else MAX_MESSAGE
        wire.send(codec.accept(version.name, compression=compressed, max_message=longest))
        if not self._registry.attach(connection, self._calls):
            wire.send(codec.close(CloseReason.REPLACED.code, CloseReason.REPLACED.label))
            return None
        return connection


def _finish_without_subprotocol(wire: Wire, codec: _native.Connection, decision: NoCommonSubprotocol) -> str:
    reason = CloseReason.NO_SUBPROTOCOL
    wire.send(codec.accept(None, compression=False, max_message=MAX_MESSAGE_16))
    wire.send(codec.close(reason.code, reason.label))
    return reason.label


def _say_goodbye(connection: Connection) -> None:
    """Send 1011 if the codec still can; it may be what has failed."""
    try:
        connection.close(CloseReason.INTERNAL_ERROR)
    except BaseException as error:
        passing, ours = split_exits(error)
        if passing is not None:
            raise passing from None
        log.debug("gateway.no_goodbye", exc_info=ours)
