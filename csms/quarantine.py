"""Orders to take a quarantined message again: given by a person, carried out by any gateway process."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import structlog
import trio

from csms.bus import Bus, BusUnavailable
from csms.clock import Ids
from csms.store import Database, StoreUnavailable
from csms.store.queries import quarantine as queries
from csms.store.queries.quarantine import QuarantinedMessageDetails
from csms.store.replay_records import REPLAYS_TOPIC, replayed_topic
from csms.waiting import POLL_S, wait_for

log = structlog.get_logger()

MAX_WAIT_S: Final = 60.0
_LONGEST_LOOK_S: Final = 10.0


class UnknownMessage(Exception):
    """There is no such message in this tenant."""


class AlreadyResolved(Exception):
    """The message is resolved."""


class ReplayUnderWay(Exception):
    """The message is being taken again already."""


class QuarantineService:
    """`database` is the hub role's."""

    def __init__(self, database: Database, bus: Bus, ids: Ids) -> None:
        self._database = database
        self._bus = bus
        self._ids = ids

    async def replay(
        self, tenant_id: int, quarantine_id: UUID, *, payload: bytes | None, by: str, wait_s: float
    ) -> QuarantinedMessageDetails:
        """Have the message, or the corrected `payload` (a JSON object) in its place, taken as if it had just come.

        Gives the message as it is when that is done, or after `wait_s` seconds (0..60); the order goes on whatever happens to
        the caller. Raises UnknownMessage, AlreadyResolved, ReplayUnderWay, StoreUnavailable.
        """
        replay_id = self._ids.uuid7()
        with trio.CancelScope(shield=True):  # bounded by the time limits of the unit and of the bus
            outcome = await self._database.tenant_unit(
                tenant_id,
                lambda conn: queries.order_replay(conn, tenant_id, quarantine_id, replay_id=replay_id, payload=payload, by=by),
            )
            if outcome is None:
                raise UnknownMessage
            if outcome == "resolved":
                raise AlreadyResolved
            if outcome == "under_way":
                raise ReplayUnderWay
            try:
                await self._bus.publish(REPLAYS_TOPIC, b"")
            except BusUnavailable:
                log.warning("quarantine.poke_lost")  # the gateways look every few seconds

        async def look(deadline: float) -> QuarantinedMessageDetails | None:
            timeout = min(max(deadline - trio.current_time(), POLL_S), _LONGEST_LOOK_S)
            try:
                return await self._database.tenant_unit(
                    tenant_id, lambda conn: queries.get_quarantined(conn, tenant_id, quarantine_id), timeout=timeout
                )
            except StoreUnavailable:
                return None

        found = await wait_for(
            self._bus,
            replayed_topic(replay_id),
            look,
            lambda message: message is not None and message.replay_finished_at is not None,
            min(wait_s, MAX_WAIT_S),
        )
        if found is None:
            raise StoreUnavailable("the message cannot be read")
        return found
