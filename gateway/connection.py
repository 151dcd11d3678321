"""One station's connection: reads its socket, tells the codec's events apart, closes (design 6).

An idle connection is one task, which waits for its end: what arrives is handled as it is delivered (gateway.wire). Answers to
our CALLs are handled at once, also while a CALL of the station waits for the store (rule T2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Final

import structlog
import trio

from csms.clock import Clock
from csms.domain.operations import Registration
from csms.tenants import TenantConfig, TenantDirectory
from gateway import _native, metrics
from gateway._native import (
    CALL,
    CLOSED,
    ERROR,
    INVALID_CALL,
    INVALID_RESULT,
    PONG,
    REPLY,
    RESULT,
    RESULT_ERROR,
    SEND,
    UNMATCHED,
    VIOLATION,
)
from gateway.closing import CloseReason
from gateway.supervision import split_exits

if TYPE_CHECKING:
    from gateway._native import _Event
    from gateway.calls import OutgoingCalls
    from gateway.inbound import InboundCalls
    from gateway.registry import Registry
    from gateway.skew import ClockSkew
    from gateway.station import Station
    from gateway.unanswered import UnansweredMessages
    from gateway.versions import Version
    from gateway.wire import Wire

log = structlog.get_logger()

FRAMES_PER_TURN: Final = 16
LINGER_S: Final = 2.0
"""Seconds that a refused or faulty peer gets to read our last bytes before the socket is closed."""
LINGER_BYTES: Final = 1024 * 1024
PROBE: Final = b"displaced"
"""Payload of the ping that asks a displaced connection whether anybody is still there."""
LONGEST_CLOSE_TEXT: Final = 120


class Stop(Enum):
    """What events that have arrived wait for."""

    FULL = "room for the station's messages"
    TURN = "the turn of others"


_frames_in: Final = metrics.FRAMES_IN.counts


class Connection:
    """The server side of one authenticated socket. It is also the context that version modules see (`StationContext`)."""

    __slots__ = (
        "_tenant",
        "boot_asked",
        "calls",
        "certificate_name",
        "clock",
        "closing",
        "codec",
        "compressed",
        "displaced",
        "epoch",
        "heard",
        "identity",
        "inbound",
        "opened",
        "paused",
        "pinged",
        "ready",
        "registry",
        "reported",
        "retiring",
        "skew",
        "station",
        "tenants",
        "unanswered",
        "version",
        "wire",
    )

    def __init__(
        self,
        *,
        wire: Wire,
        codec: _native.Connection,
        station: Station,
        tenant: TenantConfig,
        tenants: TenantDirectory,
        identity: str,
        epoch: int,
        version: Version,
        compressed: bool,
        certificate_name: str | None,
        clock: Clock,
        registry: Registry,
        inbound: InboundCalls,
        calls: OutgoingCalls,
        unanswered: UnansweredMessages,
    ) -> None:
        self.wire = wire
        self.codec = codec
        self.station = station
        self._tenant = tenant
        self.tenants = tenants
        self.identity = identity
        self.epoch = epoch
        self.version = version
        self.compressed = compressed
        self.certificate_name = certificate_name
        """The name in the certificate by which the station signed in (security profile 3)."""
        self.clock = clock
        self.registry = registry
        self.inbound = inbound
        self.calls = calls
        self.unanswered = unanswered
        self.opened = self.heard = clock.monotonic()
        """When the connection was opened, and when anything was read from it last (monotonic seconds)."""
        self.reported = 0.0
        """`heard` as it was when the last sign of life was handed to the ledger."""
        self.pinged = 0.0
        """When the ping left that nothing has been heard since; 0: none is out."""
        self.ready = False
        """True once our own CALLs may leave (rule B10)."""
        self.boot_asked = False
        """True once the station was asked for its BootNotification (rule B7)."""
        self.paused = False
        """True while we do not read: the peer cannot be blamed for silence then."""
        self.displaced = False
        """True once a newer connection of the station has taken over (rule C10)."""
        self.skew: ClockSkew | None = None
        """What is known of the station's clock; None before it has told any time."""
        self.closing: CloseReason | None = None
        self.retiring: CloseReason | None = None
        """Close with this reason as soon as the CALL under way is answered; new ones are not taken."""

    @property
    def tenant(self) -> TenantConfig:
        """The tenant's settings as they are now."""
        return self.tenants.by_id(self.station.key[0]) or self._tenant

    @property
    def tenant_id(self) -> int:
        return self.station.key[0]

    @property
    def station_id(self) -> int:
        return self.station.key[1]

    @property
    def ocpp_version(self) -> str:
        return self.version.name

    @property
    def registration(self) -> Registration:
        return self.station.gate.registration

    @registration.setter
    def registration(self, registration: Registration) -> None:
        self.station.gate.registration = registration

    async def read(self) -> CloseReason:
        """Handle what arrives until the connection is over; gives the reason.

        What arrives is handled as it is delivered, without this task, unless there is something to wait for.
        """
        rest = iter(self.codec.receive(b""))  # the codec may hold what came right behind the upgrade
        stop = self._take(rest)
        while not isinstance(stop, CloseReason):
            if stop is Stop.FULL:
                await self._pause()
            elif stop is Stop.TURN:
                await trio.lowlevel.checkpoint()
            else:
                delivered = await self.wire.deliver(self.codec, self._arrived, compressed=self.compressed)
                if delivered is None:
                    return self._reason(CloseReason.LOST)
                stop, rest = delivered
                continue
            stop = self._take(rest)
        return stop

    def _reason(self, otherwise: CloseReason) -> CloseReason:
        return self.closing or self.wire.end or otherwise

    def _arrived(self, events: Iterator[_Event]) -> tuple[CloseReason | Stop, Iterator[_Event]] | None:
        """Handle events at once; what stopped it and the events that are left, when it is over or something is waited for."""
        self.heard = self.clock.monotonic()
        stop = self._take(events)
        return None if stop is None else (stop, events)

    def _take(self, events: Iterator[_Event]) -> CloseReason | Stop | None:
        """Act on events; None when they are at an end, a reason when the connection is."""
        station = self.station
        for turn, event in enumerate(events, 1):
            _frames_in[event[0]] += 1
            if event[0] == CALL:
                if self.closing is None and self.retiring is None:
                    self.inbound.arrive(self, event[1], event[2], event[3], event[4])
            elif event[0] == RESULT:
                self.calls.on_result(self, event[1], event[2])
            elif event[0] == REPLY:
                self.wire.send(event[1])
            elif event[0] != PONG or self.displaced:
                end = self._take_rare(event)
                if end is not None:
                    return end
            if self.wire.end is not None:
                return self._reason(CloseReason.LOST)
            if station.running is not None and self.inbound.must_pause(station):
                return Stop.FULL
            if turn == FRAMES_PER_TURN:
                return Stop.TURN
        return None

    def _take_rare(self, event: _Event) -> CloseReason | None:
        if event[0] == INVALID_CALL:
            if self.closing is None and self.retiring is None:
                self.inbound.arrive_invalid(self, *event[1:])
        elif event[0] == ERROR:
            self.calls.on_error(self, event[1], event[2], event[3])
        elif event[0] == INVALID_RESULT:
            self.calls.on_invalid_result(self, event[1], event[2], event[3])
        elif event[0] == PONG:
            if event[1] == PROBE:
                self.registry.displaced_answered(self)
        elif event[0] == SEND:
            self.unanswered.on_send(self, event[2], event[3])
        elif event[0] == RESULT_ERROR:
            self.unanswered.on_result_error(self, event[1], event[2], event[3], event[4])
        elif event[0] == UNMATCHED:
            log.debug("gateway.unmatched_answer", station_id=self.station_id, message_type=event[2])
        elif event[0] == CLOSED:
            return self._reason(CloseReason.PEER_CLOSED)
        elif event[0] == VIOLATION:
            log.info("gateway.violation", station_id=self.station_id, code=event[1], violation=event[2])
            if event[3]:
                self.wire.send(event[3])
            return self._reason(CloseReason.VIOLATION)
        return None

    async def _pause(self) -> None:
        """Do not read until there is room: TCP pushes back on the peer (rule T3)."""
        station = self.station
        metrics.PAUSED_READS.inc()
        self.paused = True
        while self.inbound.must_pause(station) and self.closing is None and self.wire.end is None:
            if station.room is None:
                station.room = trio.Event()
            await station.room.wait()
        self.paused = False
        self.heard = self.clock.monotonic()  # the silence was ours

    def become_displaced(self) -> None:
        """A newer connection has taken over: ask the old one whether anybody is still there (rule C10)."""
        self.displaced = True
        self.wire.send(self.codec.ping(PROBE))

    def ping(self, now: float) -> None:
        self.pinged = now
        self.wire.send(self.codec.ping(b""))

    def close(self, reason: CloseReason, text: str | None = None) -> None:
        """Send a close frame and let the peer answer it; the sweeper aborts a peer that does not."""
        if self.closing is not None:
            return
        self.closing = reason
        frame = self.codec.close(reason.code, (text or reason.label)[:LONGEST_CLOSE_TEXT])
        if frame:
            self.wire.send(frame)
        self.registry.expect_end(self)
        self._wake()

    def abort(self, reason: CloseReason) -> None:
        if self.closing is None:
            self.closing = reason
        self.wire.abort(reason)
        self._wake()

    def retire(self, reason: CloseReason) -> None:
        """Close once the CALL under way is answered; take no new ones."""
        if self.station.running is None or self.displaced:
            self.close(reason)
        else:
            self.retiring = reason
            self.registry.finishing.add(self)

    def _wake(self) -> None:
        if self.paused and self.station.room is not None:
            self.station.room.set()
            self.station.room = None


def contained(connection: Connection, act: Callable[[], None]) -> None:
    """Do something to one connection on behalf of all: what it raises ends that connection only (supervision.md 3.0).

    For the tasks and callbacks that serve every station, which no single one may end.
    """
    try:
        act()
    except BaseException as error:  # noqa: BLE001 - the boundary of one connection; exits go on from there
        contain(connection, error)


def contain(connection: Connection, error: BaseException) -> None:
    """End the connection with which this was raised; exits go on."""
    passing, ours = split_exits(error)
    if ours is not None:
        log.error("gateway.connection_failed", identity=connection.identity, exc_info=ours)
        connection.abort(CloseReason.INTERNAL_ERROR)
    if passing is not None:
        raise passing from None


async def linger(wire: Wire) -> None:
    """Say that no more comes, then read and drop what the peer still sends, for a moment."""
    with trio.move_on_after(LINGER_S):
        dropped = 0
        try:
            wire.finish_sending()
            while wire.end is None and dropped < LINGER_BYTES:
                data = await wire.receive()
                if not data:
                    return
                dropped += len(data)
        except (OSError, trio.ClosedResourceError):
            return
