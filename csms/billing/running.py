"""What sessions cost while they run: looked at again and again, told to the world and the station; ended where a limit is reached.

Between two looks only what came since is read: the cost so far is folded (csms.pricing.state). Data that come late are left to the
final cost, which is made from all that is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
import structlog
import trio

from csms.billing.cdr import money
from csms.billing.pricers import Pricers
from csms.billing.session_usage import bounds, energy_readings, momentary_values, parking_changes, reservation
from csms.clock import Clock
from csms.domain.metering import Reading
from csms.domain.restrictions import SessionLimits
from csms.ledger.encoding import encode
from csms.pricing import BadUsage, Cost, OutOfOrder, Pricer, PriceSeries, PricingState
from csms.pricing.exact import to_datetime, to_minor_unit
from csms.pricing.usage import EnergyReading
from csms.store import Connection, Database
from csms.store.queries import session_costs as queries
from csms.store.queries import session_usage as usage_queries
from csms.store.queries.events import insert_event
from csms.store.queries.session_costs import RunningCost, SessionCost
from csms.store.queries.session_usage import SessionSpan
from csms.tariffs.service import TariffVersion, load_series_of, version_of_session

log = structlog.get_logger()

LIMITED: Final = timedelta(seconds=15)
"""How often a session that has a limit of its own is looked at, if others are not more often."""
AT_ONCE: Final = 100
"""Sessions of a tenant that are read in one transaction."""

_read_state: Final = msgspec.json.Decoder(PricingState).decode
_read_limits: Final = msgspec.json.Decoder(SessionLimits).decode
_encode_state: Final = msgspec.json.Encoder().encode


class Priced(msgspec.Struct, frozen=True):
    """A running session after a look. `amount` in the smallest unit of `currency`, with VAT if any is stated; `changed`: it is
    another than before; `limit`: which limit it has reached, for which it was not ordered to stop yet."""

    session_id: UUID
    transaction_id: str
    charge_point_id: str
    ocpp_version: str
    displays_cost: bool
    currency: str | None
    amount: Decimal | None
    energy_wh: Decimal | None
    meter_wh: Decimal | None
    charging_state: str | None
    until: datetime
    changed: bool
    limit: str | None


class _Found(msgspec.Struct, frozen=True):
    """What was read of one session."""

    cost: SessionCost
    state: PricingState | None
    span: SessionSpan
    facts: queries.RunningFacts
    readings: Sequence[Reading]
    states: Sequence[tuple[datetime, str]]
    tariff: TariffVersion | None
    series: PriceSeries


class RunningCosts:
    """Looks at the running sessions of one tenant after the other. `database` is the hub role's."""

    def __init__(self, database: Database, clock: Clock, every: timedelta) -> None:
        """`every`: how often a session is looked at."""
        self._database = database
        self._every = every
        self._clock = clock
        self._pricers = Pricers()

    async def look(self, tenant_id: int, session_ids: Sequence[UUID]) -> list[Priced]:
        """Bring the costs of these sessions up to now; gives those that were stored. Raises StoreUnavailable."""
        now = self._clock.now()
        found = await self._database.tenant_unit(tenant_id, lambda conn: _read(conn, tenant_id, session_ids, now))
        rows: list[RunningCost] = []
        priced: dict[UUID, Priced] = {}
        for one in found:
            row, told = self._price(tenant_id, one, now)
            rows.append(row)
            priced[row.session_id] = told
            await trio.lowlevel.checkpoint()

        async def write(conn: Connection) -> set[UUID]:
            stored = await queries.save_running(conn, tenant_id, rows)
            for told in priced.values():
                if told.session_id in stored and told.changed and told.amount is not None:
                    await _publish(conn, tenant_id, told)
            return stored

        stored = await self._database.tenant_unit(tenant_id, write) if rows else set()
        return [told for told in priced.values() if told.session_id in stored]

    def _price(self, tenant_id: int, found: _Found, now: datetime) -> tuple[RunningCost, Priced]:
        row, span = found.cost, found.span
        state, cost = None, None
        if found.tariff is not None:
            pricer = self._pricers.of(tenant_id, found.tariff.version, found.tariff.tariff, found.series)
            state, cost = _fold(pricer, found, now)
        total, currency = (None, None) if cost is None else (cost.total_cost, cost.currency)
        amount = None if total is None else total.incl_vat if total.incl_vat is not None else total.excl_vat
        if amount is not None and currency is not None:
            amount = to_minor_unit(amount, currency)
        start, until = bounds(span, now)
        limits = SessionLimits() if row.limits is None else _read_limits(row.limits)
        limit = None if row.limit_reached else reached(limits, amount, found.facts.energy_wh, until - start)
        due_at = now + (self._every if row.limits is None else min(self._every, LIMITED))
        saved = RunningCost(
            row.session_id,
            row.tariff_version if found.tariff is None else found.tariff.version,
            None if state is None else _encode_state(state),
            row.total_excl_vat if total is None else total.excl_vat,
            row.total_incl_vat if total is None else total.incl_vat,
            row.priced_until if total is None else until,
            row.due_at or now,
            due_at,
        )
        before = row.total_incl_vat if row.total_incl_vat is not None else row.total_excl_vat
        changed = total is not None and before != (total.incl_vat if total.incl_vat is not None else total.excl_vat)
        facts = found.facts
        told = Priced(
            row.session_id,
            facts.transaction_id,
            facts.charge_point_id,
            facts.ocpp_version,
            facts.displays_cost,
            currency,
            amount,
            facts.energy_wh,
            facts.last_meter_wh,
            facts.charging_state,
            until,
            changed,
            limit,
        )
        return saved, told


def _fold(pricer: Pricer, found: _Found, now: datetime) -> tuple[PricingState | None, Cost | None]:
    """The state and the cost with all that came since the last look.

    What contradicts the state (a register that fell, say) leaves the session as it was priced before: its final cost is made from
    everything, in whatever order it came.
    """
    start, until = bounds(found.span, now)
    try:
        state = found.state
        if state is None:
            state = pricer.begin(start, found.span.time_zone, reservation(found.span, start))
            if found.span.start_meter_wh is not None:
                pricer.fold(state, [EnergyReading(start, found.span.start_meter_wh)])
        from_now_on = to_datetime(state.time)
        registers = [r for r in energy_readings(found.readings) if r.time > from_now_on]
        parking = parking_changes(found.states, charged=state.energy > 0)
        momentary = [m for m in momentary_values(found.readings) if m.time > from_now_on]
        pricer.fold(state, _rising(registers, state), parking, momentary)
        return state, pricer.cost(state, max(until, to_datetime(state.time)))
    except (BadUsage, OutOfOrder) as error:
        log.info("billing.running_cost_unknown", session_id=str(found.cost.session_id), error=str(error))
        return None, None


def _rising(registers: Iterable[EnergyReading], state: PricingState) -> list[EnergyReading]:
    """Those that do not fall: one that does is left to the final cost, which knows the last of them."""
    highest = Decimal(state.register or 0).scaleb(-6)
    kept = []
    for reading in registers:
        if reading.wh >= highest:
            kept.append(reading)
            highest = reading.wh
    return kept


def reached(limits: SessionLimits, amount: Decimal | None, energy_wh: Decimal | None, duration: timedelta) -> str | None:
    """Which limit a session has reached, in words; None: none."""
    if limits.max_amount is not None and amount is not None and amount >= limits.max_amount:
        return f"max_amount_per_session: {limits.max_amount}"
    if limits.max_energy_wh is not None and energy_wh is not None and energy_wh >= limits.max_energy_wh:
        return f"max_energy_wh_per_session: {limits.max_energy_wh}"
    if limits.max_duration_s is not None and duration >= timedelta(seconds=limits.max_duration_s):
        return f"max_duration_s_per_session: {limits.max_duration_s}"
    return None


async def _read(conn: Connection, tenant_id: int, session_ids: Sequence[UUID], now: datetime) -> list[_Found]:
    rows = await queries.running_costs(conn, tenant_id, session_ids, now)
    spans = await usage_queries.load_spans(conn, tenant_id, [row.session_id for row in rows])
    over = [row.session_id for row in rows if row.session_id not in spans or spans[row.session_id].status != "active"]
    if over:
        await queries.end_running(conn, tenant_id, over)
    rows = [row for row in rows if row.session_id not in over]
    if not rows:
        return []
    tariffs = await _tariffs(conn, tenant_id, rows, now)
    # what is folded by one version does not go on by another
    folded = {
        row.session_id: _read_state(row.state)
        for row in rows
        if row.state is not None and row.session_id in tariffs and tariffs[row.session_id].version == row.tariff_version
    }
    after: dict[UUID, datetime | None] = {
        session_id: to_datetime(folded[session_id].time) if session_id in folded else None for session_id in tariffs
    }
    readings = await usage_queries.load_readings(conn, tenant_id, after) if after else {}
    states = await usage_queries.load_states(conn, tenant_id, after) if after else {}
    facts = await queries.running_facts(conn, tenant_id, [row.session_id for row in rows])
    found = []
    for row in rows:
        span, tariff = spans[row.session_id], tariffs.get(row.session_id)
        start, until = bounds(span, now)
        series = PriceSeries() if tariff is None else await load_series_of(conn, tenant_id, tariff.tariff, start, until)
        found.append(
            _Found(
                row,
                folded.get(row.session_id),
                span,
                facts[row.session_id],
                readings.get(row.session_id, []),
                states.get(row.session_id, []),
                tariff,
                series,
            )
        )
    return found


async def _tariffs(conn: Connection, tenant_id: int, rows: Sequence[SessionCost], now: datetime) -> Mapping[UUID, TariffVersion]:
    """The tariff of each session as it is now; those of a tariff that sessions follow change over to its newest version."""
    versions: dict[tuple[str, int], TariffVersion] = {}
    found: dict[UUID, TariffVersion] = {}
    for row in rows:
        if row.tariff_id is None or row.tariff_version is None:
            continue
        key = row.tariff_id, row.tariff_version
        if key not in versions:
            versions[key] = await version_of_session(conn, tenant_id, *key, now)
        found[row.session_id] = versions[key]
    return found


async def _publish(conn: Connection, tenant_id: int, priced: Priced) -> None:
    await insert_event(
        conn,
        tenant_id,
        "session.cost_updated",
        encode(
            {
                "session_id": priced.session_id,
                "transaction_id": priced.transaction_id,
                "cost": None if priced.amount is None or priced.currency is None else money(priced.amount, priced.currency),
                "energy_wh": priced.energy_wh,
                "until": priced.until,
            }
        ),
        charge_point_id=priced.charge_point_id,
        session_id=priced.session_id,
        occurred_at=priced.until,
    )
