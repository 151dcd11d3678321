"""From an ended session to its CDR: what is stored of it is read, priced as a whole, and recorded, each in its own step.

The reading and the recording are transactions; between them nothing is locked, so a session with many readings holds up nobody.
What changes meanwhile is told by an event of its own, which brings the session here again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import structlog
import trio

from csms.billing.cdr import Basis, Cdr, Hold, Snapshot, credit, make_cdr, same_bill, select_signed
from csms.billing.pricers import Pricers
from csms.billing.records import find_token, store
from csms.billing.session_usage import to_usage
from csms.clock import Clock, Ids
from csms.domain.session_flags import DOUBTS
from csms.ledger.encoding import encode
from csms.pricing import BadUsage, Cost, Pricer, PriceSeries, Tariff, Usage
from csms.pricing.usage import MOST_ENTRIES
from csms.store import Connection, Database
from csms.store.queries import cdrs as cdr_queries
from csms.store.queries import session_costs as cost_queries
from csms.store.queries import session_usage as usage_queries
from csms.store.queries.cdrs import BilledSession
from csms.store.queries.signed_values import signed_values
from csms.tariffs.service import choose_for_session, load_series_of, version_of_session

log = structlog.get_logger()

INLINE: Final = 500
"""Readings up to which a session is priced at once; above, a thread does it."""
_BY_STATION: Final = "offline"
_NOT_CHOSEN: Final = b"null"


class _Changed(Exception):
    """The session has changed since it was read."""


class Priceable(msgspec.Struct, frozen=True):
    """All that the price of an ended session comes from, and what its CDR tells beside it."""

    snapshot: Snapshot
    station_id: int
    group_id: UUID | None
    as_of: datetime
    """When the session was changed last, as it was read."""
    choice: bytes
    version: int
    tariff: Tariff
    series: PriceSeries
    usage: Usage


class Held(msgspec.Struct, frozen=True):
    """There is no CDR (yet)."""

    why: Hold
    choice: bytes


class FinalBilling:
    """Makes CDRs. `database` is the hub role's."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._pricers = Pricers()

    async def bill(self, tenant_id: int, session_id: UUID) -> list[Cdr]:
        """Bill a session that has ended, or bill it again: the CDRs that this made.

        None where there is nothing to bill (the session runs, or its tenant has no tariffs), it is held back, or the bill is as
        it was. Raises StoreUnavailable.
        """
        while True:
            try:
                return await self._bill(tenant_id, session_id)
            except _Changed:
                log.debug("billing.changed_meanwhile", tenant_id=tenant_id, session_id=str(session_id))

    async def give_up(self, tenant_id: int, session_id: UUID) -> None:
        """Note that billing the session failed, for people to see. Raises StoreUnavailable."""
        await self._hold(tenant_id, session_id, Held("unusable", _NOT_CHOSEN))

    async def _bill(self, tenant_id: int, session_id: UUID) -> list[Cdr]:
        found = await self._database.tenant_unit(tenant_id, lambda conn: self._read(conn, tenant_id, session_id))
        if found is None:
            return []
        if isinstance(found, Held):
            return await self._hold(tenant_id, session_id, found)
        pricer = self._pricers.of(tenant_id, found.version, found.tariff, found.series)
        try:
            cost = await price(pricer, found.usage)
        except BadUsage as error:
            log.warning("billing.unusable", tenant_id=tenant_id, session_id=str(session_id), error=str(error))
            return await self._hold(tenant_id, session_id, Held("unusable", found.choice))
        made = await self._database.tenant_unit(tenant_id, lambda conn: self._record(conn, tenant_id, session_id, found, cost))
        for cdr in made:
            log.info("billing.cdr", tenant_id=tenant_id, number=cdr.number, credit=cdr.credit)
        return made

    async def _read(self, conn: Connection, tenant_id: int, session_id: UUID) -> Priceable | Held | None:
        session = await cdr_queries.billed_session(conn, tenant_id, session_id)
        if session is None or session.status == "active":
            return None
        if not session.prices and not session.has_cost:
            return None
        row = await cost_queries.get_cost(conn, tenant_id, session_id)
        if row is None or row.tariff_id is None:
            if not session.prices:
                await cost_queries.end_running(conn, tenant_id, [session_id])
                return None
            chosen = await choose_for_session(conn, tenant_id, session_id)
            choice, tariff_id, version = encode(chosen), chosen.tariff_id, chosen.version
        else:
            choice, tariff_id, version = row.choice, row.tariff_id, row.tariff_version
        if any(flag in session.flags and flag not in session.settled_flags for flag in DOUBTS):
            return Held("in_doubt", choice)
        if tariff_id is None or version is None:
            return Held("no_tariff", choice)
        if session.readings_gone and await cdr_queries.newest_cdr(conn, tenant_id, session_id) is not None:
            return Held("readings_gone", choice)
        return await _gather(conn, tenant_id, session_id, session, choice, tariff_id, version)

    async def _hold(self, tenant_id: int, session_id: UUID, held: Held) -> list[Cdr]:
        """Note why there is no CDR; one that was made before stays until it is corrected."""

        async def work(conn: Connection) -> None:
            newest = await cdr_queries.newest_cdr(conn, tenant_id, session_id)
            if newest is not None and not newest.cdr.credit:
                await cost_queries.note_held(conn, tenant_id, session_id, held.why)
                return
            await _ensure_row(conn, tenant_id, session_id, held.choice)
            await cost_queries.save_final(
                conn, tenant_id, session_id, tariff=None, choice=held.choice, totals=None, priced_until=None, held=held.why
            )

        await self._database.tenant_unit(tenant_id, work)
        return []

    async def _record(self, conn: Connection, tenant_id: int, session_id: UUID, found: Priceable, cost: Cost) -> list[Cdr]:
        await _ensure_row(conn, tenant_id, session_id, found.choice)
        await cost_queries.get_cost(conn, tenant_id, session_id, lock=True)
        # who waited for the lock may have read what is no longer so, and there may be no other event to come here for
        if await cdr_queries.changed_at(conn, tenant_id, session_id) != found.as_of:
            raise _Changed
        newest = await cdr_queries.newest_cdr(conn, tenant_id, session_id)
        revision = 0 if newest is None else newest.revision
        made: list[Cdr] = []
        draft = make_cdr("", 0, found.snapshot, found.tariff, found.version, cost)
        billed = newest is not None and not newest.cdr.credit
        if newest is None or not billed or not same_bill(newest.cdr, draft):
            if newest is not None and billed:
                made.append(credit(newest.cdr, f"{newest.cdr.id}-C", await cdr_queries.take_number(conn, tenant_id)))
            if cost.total_energy or cost.total_cost.excl_vat:
                number = await cdr_queries.take_number(conn, tenant_id)
                made.append(msgspec.structs.replace(draft, id=str(self._ids.uuid7()), number=number))
        basis = Basis(found.usage.start, found.usage.end, found.usage.time_zone, found.series, found.usage.reservation)
        for cdr in made:
            revision += 1
            await store(
                conn,
                tenant_id,
                cdr,
                revision=revision,
                station_id=found.station_id,
                group_id=found.group_id,
                basis=basis,
                now=self._clock.now(),
            )
        await cost_queries.save_final(
            conn,
            tenant_id,
            session_id,
            tariff=(found.tariff.id, found.version, found.tariff.currency),
            choice=found.choice,
            totals=(draft.amount_due.excl_vat, draft.amount_due.incl_vat),
            priced_until=cost.end_date_time,
            held=None,
        )
        return made


async def price(pricer: Pricer, usage: Usage) -> Cost:
    """Price a session; a long one in a thread, so that nothing else waits for it. Raises BadUsage."""
    if len(usage.readings) + len(usage.momentary) <= INLINE:
        return pricer.price(usage)
    return await trio.to_thread.run_sync(pricer.price, usage)


async def _gather(
    conn: Connection, tenant_id: int, session_id: UUID, session: BilledSession, choice: bytes, tariff_id: str, version: int
) -> Priceable | Held:
    span = (await usage_queries.load_spans(conn, tenant_id, [session_id])).get(session_id)
    everything: usage_queries.After = {session_id: None}
    readings = (await usage_queries.load_readings(conn, tenant_id, everything)).get(session_id, [])
    states = (await usage_queries.load_states(conn, tenant_id, everything)).get(session_id, [])
    if span is None or len(readings) >= MOST_ENTRIES:
        return Held("too_long", choice)
    usage = to_usage(span, readings, states)
    stored = await version_of_session(conn, tenant_id, tariff_id, version, usage.end)
    series = await load_series_of(conn, tenant_id, stored.tariff, usage.start, usage.end)
    token, group_id = await find_token(conn, tenant_id, session.id_token, session.id_token_type)
    snapshot = Snapshot(
        session_id=session_id,
        transaction_id=session.transaction_id,
        token=token,
        location=session.location,
        auth_method="COMMAND" if session.by_command else "WHITELIST" if _BY_STATION in session.flags else "AUTH_REQUEST",
        stop_reason=session.stop_reason,
        signed_values=select_signed(await signed_values(conn, tenant_id, session_id)),
    )
    return Priceable(
        snapshot, session.station_id, group_id, session.updated_at, choice, stored.version, stored.tariff, series, usage
    )


async def _ensure_row(conn: Connection, tenant_id: int, session_id: UUID, choice: bytes) -> None:
    """A session that nobody looked at while it ran has no row yet."""
    await cost_queries.insert_cost(conn, tenant_id, session_id, tariff=None, choice=choice, limits=None, due_at=None)
