"""What other processes want from the stations of this one: pokes over the bus, and the database as the truth."""

from __future__ import annotations

from functools import partial
from typing import Final, TypeVar
from uuid import UUID

import msgspec
import structlog
import trio

from csms.bus import Bus, BusUnavailable
from csms.commands.ends import MOST_AT_ONCE, TOPIC, encode_ids
from csms.commands.pokes import CommandPoke, DisconnectOrder, ToldCommand, commands_topic, disconnect_topic
from csms.store import StoreUnavailable
from csms.store.command_records import CommandRecord
from csms.store.gateway_store import GatewayStore
from gateway.calls import OutgoingCalls
from gateway.closing import CloseReason
from gateway.connection import contained
from gateway.registry import Registry

log = structlog.get_logger()

TRUTH_SWEEP_S: Final = 5.0
AWAY_SWEEP_S: Final = 0.5
"""The same while the bus is away, when nothing else tells of commands, and for a while after: others may not have it back yet."""
OTHERS_COME_BACK_S: Final = 5.0
RETRY_S: Final = 2.0
MOST_POKES: Final = 100
"""Commands that are read in one unit of work."""
MOST_NOTICES: Final = 10_000


Poke = TypeVar("Poke", CommandPoke, DisconnectOrder)


class Mailbox:
    """Brings commands to the stations and tells waiters of their ends."""

    def __init__(self, bus: Bus, store: GatewayStore, process_id: UUID) -> None:
        self._bus = bus
        self._store = store
        self._process_id = process_id
        self._notices, self._unsent_notices = trio.open_memory_channel[UUID](MOST_NOTICES)

    def finished(self, command_id: UUID) -> None:
        """The end of a command is committed: wake who waits for it. A lost notice is made up for by the waiter's own look
        at the row."""
        try:
            self._notices.send_nowait(command_id)
        except trio.WouldBlock:
            log.warning("gateway.notices_full")

    async def run(self, calls: OutgoingCalls, registry: Registry) -> None:
        """Runs until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._take_commands, calls)
            nursery.start_soon(self._take_disconnects, registry)
            nursery.start_soon(self._sweep, calls)
            nursery.start_soon(self._send_notices)

    async def _take_commands(self, calls: OutgoingCalls) -> None:
        while True:
            try:
                async with self._bus.subscribe(commands_topic(self._process_id)) as bodies:
                    while True:
                        pokes = [await bodies.receive()]
                        try:
                            while len(pokes) < MOST_POKES:
                                pokes.append(bodies.receive_nowait())
                        except trio.WouldBlock:
                            pass  # none waits
                        wanted = [poke for body in pokes if (poke := _read(body, CommandPoke)) is not None]
                        await self._order(wanted, calls)
            except (BusUnavailable, trio.EndOfChannel):
                await trio.sleep(RETRY_S)

    async def _order(self, pokes: list[CommandPoke], calls: OutgoingCalls) -> None:
        unknown = []
        for poke in pokes:
            if poke.told is None:
                unknown.append((poke.tenant_id, poke.command_id))
            else:
                calls.order(_told_record(poke, poke.told))
        if not unknown:
            return
        try:
            records = await self._store.load_commands(unknown)
        except StoreUnavailable:
            return  # the sweep finds them when the store is back
        for record in records:
            calls.order(record)

    async def _take_disconnects(self, registry: Registry) -> None:
        while True:
            try:
                async with self._bus.subscribe(disconnect_topic(self._process_id)) as bodies:
                    while True:
                        order = _read(await bodies.receive(), DisconnectOrder)
                        station = None if order is None else registry.find((order.tenant_id, order.station_id))
                        connection = None if station is None else station.connection
                        if order is not None and connection is not None:
                            contained(connection, partial(connection.close, CloseReason.OPERATOR, order.reason))
            except (BusUnavailable, trio.EndOfChannel):
                await trio.sleep(RETRY_S)

    async def _sweep(self, calls: OutgoingCalls) -> None:
        """Look into the database: every few seconds, more often without the bus, and at once when it goes or comes back."""
        often_until = 0.0
        while True:
            await self._look(calls)
            often = not self._bus.connected or trio.current_time() < often_until
            with trio.move_on_after(AWAY_SWEEP_S if often else TRUTH_SWEEP_S):
                await self._bus.until_changed()
                often_until = trio.current_time() + OTHERS_COME_BACK_S

    async def _look(self, calls: OutgoingCalls) -> None:
        try:
            for record in await self._store.queued_commands(self._process_id):
                calls.order(record)
        except StoreUnavailable:
            log.debug("gateway.command_sweep_failed")

    async def _send_notices(self) -> None:
        async for command_id in self._unsent_notices:
            ended = [command_id]
            try:
                while len(ended) < MOST_AT_ONCE:
                    ended.append(self._unsent_notices.receive_nowait())
            except trio.WouldBlock:
                pass  # no more at this moment
            try:
                await self._bus.publish(TOPIC, encode_ids(ended))
            except BusUnavailable:
                log.debug("gateway.notice_lost")


def _told_record(poke: CommandPoke, told: ToldCommand) -> CommandRecord:
    return CommandRecord(
        tenant_id=poke.tenant_id,
        station_id=poke.station_id,
        command_id=poke.command_id,
        command=told.command,
        action=told.action,
        parameters=bytes(told.parameters),
        status="queued",
        expires_at=told.expires_at,
        epoch=None,
        hearsay=True,
    )


def _read(body: bytes, kind: type[Poke]) -> Poke | None:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        log.warning("gateway.bad_poke", kind=kind.__name__, error=str(error))
        return None
