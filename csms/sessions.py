"""Sessions that could not be settled by themselves: closed, contested ends decided, doubts settled, each by a person.

Every decision is one transaction that locks the session as the ledger does, keeps who, when and why, and publishes what changed.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.clock import Clock, Ids
from csms.domain.closing import Closing, End, Refused, close_by_hand, end_as_told
from csms.domain.facts import changes, facts, told
from csms.domain.session_flags import DOUBTS
from csms.domain.session_state import SessionState
from csms.ledger.encoding import encode
from csms.store import Connection, Database
from csms.store.queries import corrections as queries
from csms.store.queries import sessions as session_queries
from csms.store.queries.corrections import StoredEvent
from csms.store.queries.events import insert_event
from csms.store.queries.sessions import Session

Changes = dict[str, list[Any]]
"""fact -> [before, after]"""

Use = Literal["first", "other"]

ENDS: Final = frozenset({"StopTransaction", "Ended"})
"""Types of the events that end a session."""


class UnknownSession(Exception):
    """There is no such session in this tenant."""


class AlreadyEnded(Exception):
    """The session has ended by a stop of its station, or is not active where it must be."""


class UnknownConflict(Exception):
    """The session has no such event in conflict."""


class OpenConflicts(Exception):
    """Conflicts are resolved one by one."""


class _Stop(msgspec.Struct, rename="camel"):
    """What is read of a stored StopTransaction."""

    meter_stop: Decimal
    reason: str = "Local"


class _TransactionInfo(msgspec.Struct, rename="camel"):
    stopped_reason: str = "Local"


class _Ended(msgspec.Struct, rename="camel"):
    """What is read of a stored TransactionEvent."""

    transaction_info: _TransactionInfo


_read_stop: Final = msgspec.json.Decoder(_Stop).decode
_read_ended: Final = msgspec.json.Decoder(_Ended).decode


class SessionService:
    """`database` is the hub role's."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def close(self, tenant_id: int, session_id: UUID, closing: Closing, *, reason: str, by: str) -> Session:
        """Close a session whose stop will not come, or correct the end of one that was closed without a stop.

        The same order again changes nothing. A stop of the station that comes after all completes the session. Raises
        UnknownSession, AlreadyEnded (completed), csms.domain.closing.Refused, StoreUnavailable.
        """
        return await self._close(tenant_id, session_id, closing, "closed_by_operator", reason=reason, by=by)

    async def force(self, tenant_id: int, session_id: UUID, *, reason: str, by: str) -> Session:
        """Close an active session where it was last known, because its station cannot or will not stop it.

        Raises UnknownSession, AlreadyEnded (not active any more), StoreUnavailable.
        """
        return await self._close(tenant_id, session_id, Closing(), "forced", reason=reason, by=by)

    async def _close(self, tenant_id: int, session_id: UUID, closing: Closing, flag: str, *, reason: str, by: str) -> Session:
        now = self._clock.now()
        forced = flag == "forced"

        async def work(conn: Connection) -> Session:
            session = await _lock(conn, tenant_id, session_id)
            if session.status == "completed" or (forced and session.status != "active"):
                raise AlreadyEnded(session.status)
            before, was_closed = facts(session), flag in session.flags
            close_by_hand(session, flag, closing, now)
            if forced:
                session.stop_reason = "forced"
            changed = changes(before, facts(session))
            if was_closed and not changed:
                return await _shown(conn, tenant_id, session_id)
            # nobody has looked into where a forced one ended
            await queries.save_session(conn, session, settled=() if forced else ["stop_missing"])
            return await self._corrected(conn, session, "close", changed, reason=reason, by=by)

        return await self._database.tenant_unit(tenant_id, work)

    async def resolve_conflict(
        self,
        tenant_id: int,
        session_id: UUID,
        seq_no: int,
        digest: bytes,
        use: Use,
        *,
        stop_meter_wh: Decimal | None,
        reason: str,
        by: str,
    ) -> Session:
        """Decide which of two contradicting messages of a station bills.

        `first`: what bills goes on billing, or bills again where `other` was decided before. `other`: the message in conflict
        ends the session instead; `stop_meter_wh` is needed where it brought no meter value that can be told from others'.
        The same decision again changes nothing. Raises UnknownSession, UnknownConflict, Refused, StoreUnavailable.
        """

        async def work(conn: Connection) -> Session:
            session = await _lock(conn, tenant_id, session_id)
            events = await queries.events_of(conn, tenant_id, session_id, seq_no)
            contested = next((e for e in events if e.conflict and e.digest == digest), None)
            if contested is None:
                raise UnknownConflict
            if contested.resolution == use:
                return await _shown(conn, tenant_id, session_id)
            before = facts(session)
            if use == "other" or contested.resolution == "other":
                ending = contested if use == "other" else events[0]
                end_as_told(session, await _end(conn, session, seq_no, ending, stop_meter_wh))
            elif stop_meter_wh is not None:
                raise Refused("stop_meter_wh", "is for a message that takes the place of the first")
            await queries.resolve_event(conn, tenant_id, session_id, seq_no, digest, resolution=use, reason=reason, by=by)
            if not await queries.has_open_conflict(conn, tenant_id, session_id):
                session.flags = [flag for flag in session.flags if flag != "conflict"]
            changed = changes(before, facts(session))
            await queries.save_session(conn, session)
            return await self._corrected(conn, session, "conflict", changed, reason=reason, by=by)

        return await self._database.tenant_unit(tenant_id, work)

    async def settle(self, tenant_id: int, session_id: UUID, flags: Collection[str] | None, *, reason: str, by: str) -> Session:
        """Take doubts (`flags`, or all of them) off the list: a person has looked into them. The facts stay as they are.

        What is settled already stays so. Raises UnknownSession, OpenConflicts, Refused, StoreUnavailable.
        """

        async def work(conn: Connection) -> Session:
            session = await _lock(conn, tenant_id, session_id)
            missing = sorted(set(flags or ()) - set(session.flags))
            if missing:
                raise Refused("flags", f"the session has no flag {missing[0]}")
            known = await queries.settled_flags(conn, tenant_id, session_id)
            wanted = [f for f in DOUBTS if f in session.flags and f not in known and (flags is None or f in flags)]
            contested = "conflict" in wanted and await queries.has_open_conflict(conn, tenant_id, session_id)
            if contested and (flags is not None or wanted == ["conflict"]):
                raise OpenConflicts
            settled = [flag for flag in wanted if flag != "conflict" or not contested]
            if not settled:
                return await _shown(conn, tenant_id, session_id)
            if "conflict" in settled:
                # its messages are gone by retention; were it settled, nobody would hear of the next one
                session.flags = [flag for flag in session.flags if flag != "conflict"]
                await queries.save_session(conn, session)
            await queries.settle_flags(conn, tenant_id, session_id, [flag for flag in settled if flag != "conflict"])
            kept = await self._keep(conn, session, "settled", {}, reason=f"{', '.join(settled)}: {reason}", by=by)
            shown = await _shown(conn, tenant_id, session_id)
            await _publish(conn, shown, tenant_id, "session.settled", kept, self._clock.now())
            return shown

        return await self._database.tenant_unit(tenant_id, work)

    async def _keep(
        self, conn: Connection, session: SessionState, cause: str, changed: Changes, *, reason: str, by: str
    ) -> dict[str, Any]:
        """Keep who did what and why; gives it as an event carries it."""
        correction_id, encoded = self._ids.uuid7(), encode(changed)
        await queries.insert_correction(conn, session, correction_id, cause=cause, changes=encoded, reason=reason, corrected_by=by)
        return {
            "session_id": session.session_id,
            "transaction_id": session.transaction_ref,
            "correction_id": correction_id,
            "cause": cause,
            "changes": msgspec.Raw(encoded),
            "reason": reason,
            "corrected_by": by,
        }

    async def _corrected(
        self, conn: Connection, session: SessionState, cause: str, changed: Changes, *, reason: str, by: str
    ) -> Session:
        """Keep who did what and why, and publish it; gives the session as it has become."""
        correction = await self._keep(conn, session, cause, changed, reason=reason, by=by)
        shown = await _shown(conn, session.tenant_id, session.session_id)
        whole = told(session)
        now = self._clock.now()
        if changed.get("status", [None])[0] == "active":
            await _publish(conn, shown, session.tenant_id, "session.ended", whole, shown.stop_time or now)
        elif changed:
            await _publish(conn, shown, session.tenant_id, "session.corrected", correction, now)
        else:
            await _publish(conn, shown, session.tenant_id, "session.updated", whole, now)
            # nothing that is billed is another, but a doubt may be gone that kept it from being billed
            await _publish(conn, shown, session.tenant_id, "session.settled", correction, now)
        return shown


async def _publish(
    conn: Connection, session: Session, tenant_id: int, type_: str, data: dict[str, Any], occurred_at: datetime
) -> None:
    await insert_event(
        conn,
        tenant_id,
        type_,
        encode(data),
        charge_point_id=session.charge_point_id,
        session_id=session.session_id,
        occurred_at=occurred_at,
    )


async def _lock(conn: Connection, tenant_id: int, session_id: UUID) -> SessionState:
    session = await queries.lock_session(conn, tenant_id, session_id)
    if session is None:
        raise UnknownSession
    return session


async def _shown(conn: Connection, tenant_id: int, session_id: UUID) -> Session:
    session = await session_queries.get_session(conn, tenant_id, session_id)
    if session is None:
        raise UnknownSession
    return session


async def _end(conn: Connection, session: SessionState, seq_no: int, event: StoredEvent, meter_wh: Decimal | None) -> End:
    """The end of the session in the words of this message. Raises Refused."""
    if event.type not in ENDS:
        raise Refused("use", f"a message of the type {event.type} does not end the session: it cannot take the place of the end")
    if event.type == "StopTransaction":
        stop = _read_stop(event.data)
        if meter_wh is not None and meter_wh != stop.meter_stop:
            raise Refused("stop_meter_wh", f"is not what the message says: {stop.meter_stop} Wh")
        return End(seq_no, event.event_time, event.event_time_text, stop.reason, stop.meter_stop)
    if meter_wh is None:
        meter_wh = _one_of(await queries.end_registers(conn, session.tenant_id, session.session_id, event.event_time), session)
    reason = _read_ended(event.data).transaction_info.stopped_reason
    return End(seq_no, event.event_time, event.event_time_text, reason, meter_wh)


def _one_of(registers: tuple[set[Decimal], set[Decimal]], session: SessionState) -> Decimal:
    """The one value that the message can have brought: the readings of OCPP 2.x are kept apart from their messages."""
    for values in registers:
        others = values - {session.stop_meter_wh} if len(values) > 1 else values
        if len(others) == 1:
            return next(iter(others))
    raise Refused("stop_meter_wh", "is needed: the meter value that this message brought cannot be told from others")
