"""One command: from the caller's order to its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
import trio

from csms.bus import Bus, BusUnavailable
from csms.clock import Clock, Ids
from csms.commands.ends import CommandEnds
from csms.commands.pokes import MOST_TOLD, CommandPoke, DisconnectOrder, ToldCommand, commands_topic, disconnect_topic
from csms.domain.commands import DEFAULT_TIME_TO_LIVE, QUEUEABLE, AnyCommand
from csms.store import Connection, Database, StoreUnavailable
from csms.store.queries import commands as queries
from csms.store.queries.commands import OPEN, CommandRow
from csms.waiting import AWAY_POLL_S, POLL_S

log = structlog.get_logger()

MAX_OPEN: Final = 100
"""Commands of one station that may wait at the same time."""

MAX_PARAMETERS: Final = 64 * 1024
"""Bytes that the parameters or the payload of a command have at most, as JSON."""

MAX_WAIT_S: Final = 120.0
_LONGEST_LOOK_S: Final = 10.0


class UnknownStation(Exception):
    """There is no such station in this tenant."""


class StationAway(Exception):
    """The station is not connected, and the order may not or shall not wait for it."""


class StationRefused(Exception):
    """The station was rejected: it is sent nothing (rule B5)."""


class TooManyCommands(Exception):
    """The station has too many open commands."""


_REFUSALS: Final[Mapping[queries.Refusal, type[Exception]]] = {
    "rejected": StationRefused,
    "away": StationAway,
    "full": TooManyCommands,
}


@dataclass(frozen=True, slots=True)
class DomainOrder:
    """A command in the domain's terms."""

    command: AnyCommand


@dataclass(frozen=True, slots=True)
class RawOrder:
    """An OCPP action with its payload, a JSON object; the gateway checks it against the schema before it is sent."""

    action: str
    payload: bytes


Order = DomainOrder | RawOrder


class CommandService:
    """Takes orders for stations. `database` is the hub role's."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._ends = CommandEnds(bus)

    async def run(self) -> None:
        """Listen for the ends of commands. Runs until cancelled; without it they are looked for every second."""
        await self._ends.run()

    async def submit(
        self,
        tenant_id: int,
        identity: str,
        order: Order,
        *,
        requested_by: str,
        time_to_live: timedelta | None = None,
        session_id: UUID | None = None,
        command_id: UUID | None = None,
    ) -> CommandRow:
        """Record the command and poke the process that holds the station; gives the command as it was recorded.

        `time_to_live`: how long it may wait for a station that is away; None: it is refused then. Once this has returned
        the command goes on whatever happens to the caller. `command_id`: when the id has to be known before.
        Raises UnknownStation, StationAway, StationRefused, TooManyCommands, StoreUnavailable.
        """
        name, action, parameters = _columns(order)
        now = self._clock.now()
        row = CommandRow(
            command_id=command_id or self._ids.uuid7(),
            charge_point_id=identity,
            command=name,
            action=action,
            parameters=parameters,
            status="queued",
            result=None,
            error=None,
            requested_by=requested_by,
            session_id=session_id,
            created_at=now,
            expires_at=now + (time_to_live or DEFAULT_TIME_TO_LIVE),
            sent_at=None,
            finished_at=None,
        )

        may_wait = time_to_live is not None and _may_wait(order)

        async def place(conn: Connection) -> queries.Placed | None:
            return await queries.place_command(conn, tenant_id, identity, row, may_wait=may_wait, most_open=MAX_OPEN)

        with trio.CancelScope(shield=True):  # bounded by the time limits of the unit and of the bus
            placed = await self._database.tenant_unit(tenant_id, place)
            if placed is None:
                raise UnknownStation
            if placed.refusal is not None:
                raise _REFUSALS[placed.refusal]
            if placed.process_id is not None:
                poke = CommandPoke(tenant_id, placed.station_id, row.command_id, _told(row))
                await self._poke(commands_topic(placed.process_id), poke)
        return row

    async def execute(
        self,
        tenant_id: int,
        identity: str,
        order: Order,
        *,
        requested_by: str,
        wait_s: float,
        time_to_live: timedelta | None = None,
        session_id: UUID | None = None,
        command_id: UUID | None = None,
    ) -> CommandRow:
        """`submit`, then wait at most `wait_s` seconds (0..120) for the end; gives the command as it is then.

        The row is the truth, the bus wakes early. While the database is away the command is what was last known of it: whoever
        sent it gets its id in any case.
        """
        command_id = command_id or self._ids.uuid7()
        deadline = trio.current_time() + min(wait_s, MAX_WAIT_S)
        # before the command leaves, so that its end cannot be missed
        with self._ends.watch(command_id) as ended:
            row = await self.submit(
                tenant_id,
                identity,
                order,
                requested_by=requested_by,
                time_to_live=time_to_live,
                session_id=session_id,
                command_id=command_id,
            )
            while row.status in OPEN and (rest := deadline - trio.current_time()) > 0:
                if ended.is_set():  # and yet open: the database could not be asked
                    await trio.sleep(min(AWAY_POLL_S, rest))
                else:
                    with trio.move_on_after(min(POLL_S if self._bus.connected else AWAY_POLL_S, rest)):
                        await ended.wait()
                row = await self._look(tenant_id, row, deadline)
        return row

    async def disconnect(self, process_id: UUID | None, tenant_id: int, station_id: int, reason: str) -> None:
        """Ask the process that holds the station (None: nobody does) to close its connection."""
        if process_id is not None:
            await self._poke(disconnect_topic(process_id), DisconnectOrder(tenant_id, station_id, reason))

    async def _look(self, tenant_id: int, known: CommandRow, deadline: float) -> CommandRow:
        timeout = min(max(deadline - trio.current_time(), POLL_S), _LONGEST_LOOK_S)
        try:
            row = await self._database.tenant_unit(
                tenant_id, lambda conn: queries.get_command(conn, tenant_id, known.command_id), timeout=timeout
            )
        except StoreUnavailable as error:
            log.warning("commands.cannot_look", command_id=str(known.command_id), error=str(error))
            return known
        return row or known

    async def _poke(self, topic: str, body: CommandPoke | DisconnectOrder) -> None:
        """A poke may be lost: the gateway looks into the table every few seconds."""
        try:
            await self._bus.publish(topic, msgspec.json.encode(body))
        except BusUnavailable:
            log.warning("commands.poke_lost", topic=topic.partition(".")[0])


def _may_wait(order: Order) -> bool:
    """Which orders may wait for an absent station. Raw ones may: whoever sends them knows what they do."""
    return isinstance(order, RawOrder) or _tag(order.command) in QUEUEABLE


def _columns(order: Order) -> tuple[str | None, str | None, str]:
    """(command, action, parameters) as stored: a domain command's fields without its name."""
    if isinstance(order, RawOrder):
        return None, order.action, order.payload.decode()
    fields = msgspec.to_builtins(order.command)
    name = fields.pop("command")
    return name, None, msgspec.json.encode(fields).decode()


def _told(row: CommandRow) -> ToldCommand | None:
    if len(row.parameters) > MOST_TOLD:
        return None
    return ToldCommand(msgspec.Raw(row.parameters.encode()), row.expires_at, row.command, row.action)


def _tag(command: AnyCommand) -> str:
    return str(type(command).__struct_config__.tag)
