"""Orders to take a quarantined message again: given by a person, carried out by any gateway process."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import structlog
import trio

from csms.bus import Bus, BusUnavailable
from csms.clock import Ids
from csms.domain.attachment import Fit, Place, check_attachable, fit, name_transaction, read_told
from csms.store import Connection, Database, StoreUnavailable
from csms.store.queries import quarantine as queries
from csms.store.queries.quarantine import Attachable, Attachment, Candidate, QuarantinedMessageDetails
from csms.store.replay_records import REPLAYS_TOPIC, replayed_topic
from csms.waiting import POLL_S, wait_for

log = structlog.get_logger()

MAX_WAIT_S: Final = 60.0
_LONGEST_LOOK_S: Final = 10.0
_LOOKED_AT: Final = 200
"""Sessions of a station that a message is held against: those that began last before it."""


class UnknownMessage(Exception):
    """There is no such message in this tenant."""


class AlreadyResolved(Exception):
    """The message is resolved."""


class ReplayUnderWay(Exception):
    """The message is being taken again already."""


class NotOfThisStation(Exception):
    """The session cannot be the one of the message: the text says why."""


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
        return await self._order(tenant_id, quarantine_id, payload, None, by, wait_s)

    async def candidates(self, tenant_id: int, quarantine_id: UUID, limit: int) -> list[tuple[UUID, Fit]]:
        """The sessions of its station that a message may belong to, best first. Raises UnknownMessage, NotAttachable."""

        async def read_message(conn: Connection) -> Attachable | None:
            return await queries.get_attachable(conn, tenant_id, quarantine_id)

        message = await self._database.tenant_unit(tenant_id, read_message)
        if message is None:
            raise UnknownMessage
        told = read_told(message.ocpp_version, message.action, message.payload)

        async def read_sessions(conn: Connection) -> list[Candidate]:
            return await queries.list_candidates(conn, tenant_id, message.station_id, message.ocpp_version, told.at, _LOOKED_AT)

        found = [
            (c.session_id, fit(told, _place(c))) for c in await self._database.tenant_unit(tenant_id, read_sessions) if c.newest
        ]
        # stable: those that fit equally well stay in the order of their time
        return sorted(found, key=lambda item: -item[1].rank)[:limit]

    async def attach(
        self, tenant_id: int, quarantine_id: UUID, attachment: Attachment, *, by: str, wait_s: float
    ) -> QuarantinedMessageDetails:
        """Have the message taken as one of this session's transaction, as `replay` does. The same order again joins the first.

        Raises UnknownMessage, NotAttachable, NotOfThisStation, AlreadyResolved, ReplayUnderWay, StoreUnavailable.
        """

        async def read(conn: Connection) -> tuple[Attachable, Candidate | None] | None:
            message = await queries.get_attachable(conn, tenant_id, quarantine_id)
            if message is None:
                return None
            return message, await queries.get_candidate(conn, tenant_id, message.station_id, attachment.session_id)

        found = await self._database.tenant_unit(tenant_id, read)
        if found is None:
            raise UnknownMessage
        message, session = found
        check_attachable(message.ocpp_version, message.action)
        if session is None:
            raise NotOfThisStation("is no session of this charge point")
        if session.ocpp_version != message.ocpp_version:
            raise NotOfThisStation(f"is a session of {session.ocpp_version}, the message is of {message.ocpp_version}")
        if not session.newest:
            raise NotOfThisStation("is a session whose transaction id the charge point has used again since")
        payload = name_transaction(message.ocpp_version, message.action, message.payload, session.transaction_ref)
        return await self._order(tenant_id, quarantine_id, payload, attachment, by, wait_s)

    async def _order(
        self, tenant_id: int, quarantine_id: UUID, payload: bytes | None, attachment: Attachment | None, by: str, wait_s: float
    ) -> QuarantinedMessageDetails:
        replay_id = self._ids.uuid7()
        with trio.CancelScope(shield=True):  # bounded by the time limits of the unit and of the bus
            ordered = await self._database.tenant_unit(
                tenant_id,
                lambda conn: queries.order_replay(
                    conn, tenant_id, quarantine_id, replay_id=replay_id, payload=payload, by=by, attachment=attachment
                ),
            )
            if ordered is None:
                raise UnknownMessage
            outcome, replay_id = ordered
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


def _place(session: Candidate) -> Place:
    return Place(
        session.start_time,
        session.stop_time,
        session.connector_id if session.ocpp_version == "ocpp1.6" else session.evse_id,
        session.id_token,
        session.start_meter_wh,
        session.stop_meter_wh,
        session.ended,
    )
