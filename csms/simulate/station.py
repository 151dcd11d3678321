"""One virtual charging station: its connection, its queue, its connectors. The OCPP version is its dialect's matter."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal

import msgspec
import trio

from csms.clock import Ids
from csms.simulate.chance import seeded
from csms.simulate.configuration import Configuration
from csms.simulate.connector import Connector
from csms.simulate.dialect import BootReason, Dialect
from csms.simulate.link import Answer, CallRefused, CallTimedOut, Link, LinkLost, LinkRefused, open_link
from csms.simulate.local_list import LocalList
from csms.simulate.message import Message
from csms.simulate.options import SimulateOptions
from csms.simulate.outbox import Entry, Outbox
from csms.simulate.profiles import Profiles, Unit, in_unit
from csms.simulate.report import Ledger
from csms.simulate.reservations import Reserved, ReserveStatus, Update
from csms.simulate.timeline import Timeline
from csms.simulate.transaction import Report, Transaction
from schemas.ocpp201.enums import IdTokenEnumType

_REBOOT: Final = 2.0  # real seconds
_RESET_GRACE: Final = 10.0  # real seconds that a soft reset waits for the queue
_BOOT_RETRY: Final = 60  # seconds, when the CSMS leaves the choice to the station
_OFFLINE_SPELL: Final = 300.0  # simulated seconds, mean
_DAY: Final = 86_400.0
_DIRECT_CURRENT_SHARE: Final = 0.3
_CUTS_AHEAD: Final = timedelta(hours=1)  # how far a connector looks for the next limit
_ERRANDS: Final = 100  # messages that wait because the CSMS triggered them


class Station:
    """Behaves as a real one: boots, reports, charges, obeys, loses its connection and comes back."""

    def __init__(
        self, number: int, dialect: Dialect, options: SimulateOptions, timeline: Timeline, ids: Ids, ledger: Ledger
    ) -> None:
        self.identity = options.identity(number)
        self.dialect = dialect
        self.options = options
        self.timeline = timeline
        self.ledger = ledger
        self.configuration = Configuration(
            connectors=options.connectors,
            meter_interval=options.meter_interval,
            attempts=options.attempts,
            retry_interval=options.retry_interval,
        )
        self.local_list = LocalList()
        self.profiles = Profiles()
        self._ids = ids
        self._chance = seeded(options.seed, number, "line")
        character = seeded(options.seed, number, "character")
        direct_current = character.random() < _DIRECT_CURRENT_SHARE
        self._connectors = [
            Connector(self, evse_id, seeded(options.seed, number, evse_id), direct_current=direct_current)
            for evse_id in range(1, options.connectors + 1)
        ]
        self._outbox = Outbox(
            ledger,
            attempts=options.attempts,
            retry_interval=options.retry_interval,
            fresh_id=self._new_id if character.random() < 0.5 else None,
        )
        self._errands_in, self._errands_out = trio.open_memory_channel[Callable[[], Message]](_ERRANDS)
        self._link: Link | None = None
        self._online = trio.Event()
        self._hang_up = trio.Event()
        self._states_changed = trio.Event()
        self._reservations_changed = trio.Event()
        self._boot_reason: BootReason | None = "power_up"
        self._restart: Literal["soft_reset", "hard_reset"] | None = None
        self._restart_ordered = trio.Event()

    async def run(self, end: trio.Event) -> None:
        """Work until `end`; then finish the transactions, deliver what is queued while `drain` allows, and leave."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stay_connected)
            nursery.start_soon(self._send_heartbeats)
            nursery.start_soon(self._report_states)
            nursery.start_soon(self._run_errands)
            nursery.start_soon(self._obey_restarts)
            nursery.start_soon(self._end_reservations)
            nursery.start_soon(self._outbox.deliver, self._until_online, self._send)
            async with trio.open_nursery() as connectors:
                for connector in self._connectors:
                    connectors.start_soon(connector.live, end)
                await end.wait()
                self._stop_transactions("local")
            with trio.move_on_after(self.options.drain):
                await self._outbox.drained()
            nursery.cancel_scope.cancel()

    # --- for the connectors

    @property
    def offline(self) -> bool:
        return self._link is None

    @property
    def meter_interval(self) -> float:
        return max(1.0, self.configuration.seconds("MeterValueSampleInterval"))

    @property
    def asks_for_remote_starts(self) -> bool:
        return self.configuration.switched_on("AuthorizeRemoteTxRequests")

    def now(self) -> datetime:
        return self.timeline.now()

    def limit_w(self, evse_id: int, transaction: Transaction | None, now: datetime, phases: int) -> float | None:
        """What the station may draw is shared out evenly among those who charge."""
        reference, began = (None, now) if transaction is None else (transaction.reference, transaction.started_at)
        limits = [self.profiles.limit_w(evse_id, reference, began, now, phases)]
        most = self.profiles.station_w(now)
        if most is not None:
            limits.append(most / max(1, len([c for c in self._connectors if c.transaction is not None])))
        return min((limit for limit in limits if limit is not None), default=None)

    def next_cut(self, transaction: Transaction, now: datetime) -> datetime | None:
        return next(iter(self.profiles.cuts(now, now + _CUTS_AHEAD, transaction.started_at)), None)

    def transaction_ended(self, transaction: Transaction) -> None:
        """Its profiles end with it; others may have more of what the station may draw."""
        self.profiles.clear(lambda profile: profile.transaction == transaction.reference)
        self.limits_changed()

    def reservation_removed(self, reserved: Reserved) -> None:
        self._tell_end(reserved, "Removed")

    def new_reference(self) -> str:
        return self._new_id()

    def state_changed(self) -> None:
        self._states_changed.set()

    async def may_charge(self, id_token: str) -> bool:
        """Ask the CSMS; a station that is offline lets the driver charge."""
        try:
            return self.dialect.read_authorize(await self._send(self._new_id(), self.dialect.authorize(id_token)))
        except (LinkLost, CallTimedOut):
            return True
        except (CallRefused, msgspec.DecodeError) as refused:
            self.ledger.error(str(refused))
            return False

    def queue(self, transaction: Transaction, report: Report) -> None:
        def delivered(answer: bytes) -> None:
            try:
                authorized = report.verdict(answer)
            except msgspec.DecodeError as broken:
                self.ledger.error(f"an answer that breaks its schema: {broken}")
                authorized = True
            transaction.record.transaction_id = self.dialect.transaction_id(transaction)
            if not authorized and self.configuration.switched_on("StopTransactionOnInvalidId"):
                transaction.order_stop("deauthorized")

        self._outbox.put(
            Entry(
                message_id=self._new_id(),
                build=report.build,
                delivered=delivered,
                record=transaction.record,
                samples=report.samples,
                droppable=report.droppable,
            )
        )

    # --- orders of the CSMS (csms.simulate.dialect.Orders)

    def evse_ids(self) -> range:
        return range(1, self.options.connectors + 1)

    def remote_start(
        self, evse_id: int | None, id_token: str, remote_start_id: int | None, token_type: IdTokenEnumType | None = None
    ) -> Callable[[], None] | None:
        if self._boot_reason is not None:  # not accepted yet: remote starts are refused (rule B4)
            return None
        for connector in self._connectors:
            if connector.evse_id == (evse_id or connector.evse_id) and connector.takes(id_token):
                return connector.remote_start(id_token, remote_start_id, token_type)
        return None

    def transaction(self, matches: Callable[[Transaction], bool]) -> Transaction | None:
        return next((c.transaction for c in self._connectors if c.transaction is not None and matches(c.transaction)), None)

    def transaction_at(self, evse_id: int) -> Transaction | None:
        return self._connectors[evse_id - 1].transaction if evse_id in self.evse_ids() else None

    def undelivered(self, transaction_id: str | None) -> bool:
        return self._outbox.holds(transaction_id)

    def set_available(self, evse_id: int | None, *, available: bool) -> bool:
        at_once = True
        for connector in self._connectors:
            if evse_id in (None, connector.evse_id):
                at_once &= connector.set_available(available)
        return at_once

    def reserve(self, evse_id: int | None, reserved: Reserved) -> ReserveStatus:
        before = next((c for c in self._connectors if self._keeps(c, reserved.reservation_id)), None)
        if evse_id is not None and evse_id not in self.evse_ids():
            return "Rejected"
        wanted = [c for c in self._connectors if evse_id in (None, c.evse_id)]
        found = next((c for c in wanted if c.free or c is before), None)
        if found is None:
            return "Unavailable" if all(c.state == "unavailable" for c in wanted) else "Occupied"
        if before is not None:
            before.give_free()
        found.reserve(reserved)
        self._reservations_changed.set()
        return "Accepted"

    def cancel_reservation(self, reservation_id: int) -> bool:
        kept = next((c for c in self._connectors if self._keeps(c, reservation_id)), None)
        if kept is not None:
            kept.give_free()
        return kept is not None

    def limits_changed(self) -> None:
        for connector in self._connectors:
            connector.limits_changed()

    def composite(self, evse_id: int, duration: int, unit: Unit) -> list[tuple[int, float]]:
        now = self.now()
        chosen = [c for c in self._connectors if evse_id in (0, c.evse_id)]
        transactions = [c.transaction for c in chosen if c.transaction is not None]
        cuts = {now}
        for began in [now, *(t.started_at for t in transactions)]:
            cuts.update(self.profiles.cuts(now, now + timedelta(seconds=duration), began))
        schedule: list[tuple[int, float]] = []
        for moment in sorted(cuts):
            watts = sum(connector.allowed_w(moment) for connector in chosen)
            most = self.profiles.station_w(moment)
            limit = in_unit(watts if most is None else min(watts, most), unit, max(c.phases for c in chosen))
            if not schedule or schedule[-1][1] != limit:
                schedule.append((int((moment - now).total_seconds()), limit))
        return schedule

    def restart(self, reason: Literal["soft_reset", "hard_reset"]) -> None:
        self._restart = reason
        self._restart_ordered.set()

    def send(self, message: Callable[[], Message]) -> None:
        try:
            self._errands_in.send_nowait(message)
        except trio.WouldBlock:
            self.ledger.error("too many triggered messages at once")

    def boot_again(self) -> None:
        self.send(lambda: self.dialect.boot(self.identity, "triggered"))

    def send_states(self, evse_id: int | None) -> None:
        for connector in self._connectors:
            if evse_id in (None, connector.evse_id):
                self.send(partial(self._state_of, connector))

    def send_meter_values(self, evse_id: int | None) -> None:
        for connector in self._connectors:
            if evse_id not in (None, connector.evse_id):
                continue
            if connector.transaction is not None:
                connector.report_meter("Trigger")
            else:
                self.send(partial(self._meter_values_of, connector))

    def _state_of(self, connector: Connector) -> Message:
        return self.dialect.state(connector.evse_id, connector.state, self.now())

    def _meter_values_of(self, connector: Connector) -> Message:
        return self.dialect.meter_values(connector.evse_id, connector.sample(), self.now())

    # --- the line

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            try:
                await self._connect()
                failures = 0
            except LinkRefused as refused:
                self.ledger.counters.connection_failures += 1
                self.ledger.error(f"connection refused: {refused}")
                failures += 1
            await trio.sleep(self._back_off(failures))

    def _back_off(self, failures: int) -> float:
        """Seconds before the next attempt (section 8): doubled after each failure, with a random part."""
        doublings = min(max(0, failures - 1), self.options.backoff_doublings)
        return self.options.backoff_minimum * 2.0**doublings + self._chance.uniform(0, self.options.backoff_random)

    async def _connect(self) -> None:
        """Connect, stay until the line is cut by either side, and wait out a spell without network if there is one."""
        options = self.options
        password = options.password_of(self.identity)
        async with open_link(options.url, self.identity, self.dialect.subprotocol, password, self.ledger) as link:
            self.ledger.counters.connections += 1
            self._hang_up = trio.Event()
            spell = await self._hold(link)
        if spell:
            await self.timeline.sleep(self._chance.expovariate(1 / _OFFLINE_SPELL))

    async def _hold(self, link: Link) -> bool:
        """Use an open link until it is gone; True when the station itself lost its network."""
        spell = False
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                try:
                    await link.serve(self._answer)
                except LinkLost:
                    pass
                nursery.cancel_scope.cancel()

            nursery.start_soon(read)
            try:
                await self._boot(link)
                self._go_online(link)
                with trio.move_on_after(self._until_offline_spell()) as network:
                    await self._hang_up.wait()
                spell = network.cancelled_caught
            except LinkLost:
                pass
            finally:
                self._go_offline()
            nursery.cancel_scope.cancel()
        return spell

    def _until_offline_spell(self) -> float:
        per_day = self.options.offline_spells_per_day
        if per_day == 0:
            return math.inf
        return self.timeline.real(self._chance.expovariate(per_day / _DAY))

    def _go_online(self, link: Link) -> None:
        self._link = link
        self._online.set()
        self.ledger.online += 1
        self.state_changed()

    def _go_offline(self) -> None:
        if self._link is not None:
            self._link = None
            self._online = trio.Event()
            self.ledger.online -= 1

    async def _boot(self, link: Link) -> None:
        """BootNotification after a (re)start, until the CSMS accepts; a mere reconnect does not boot (rule B1)."""
        while self._boot_reason is not None:
            message = self.dialect.boot(self.identity, self._boot_reason)
            wait = float(_BOOT_RETRY)
            try:
                payload = await link.call(self._new_id(), message.action, message.encoded(), self.options.answer_timeout)
                answer = self.dialect.read_boot(payload)
            except (CallRefused, CallTimedOut, msgspec.DecodeError) as failed:
                self.ledger.error(str(failed))
            else:
                if answer.accepted:
                    if answer.interval > 0:
                        self.configuration.set_seconds("HeartbeatInterval", answer.interval)
                    self._boot_reason = None
                    for connector in self._connectors:
                        connector.reported = None
                    if self.dialect.station_has_state:
                        self.send(lambda: self.dialect.state(0, "available", self.now()))
                    return
                wait = float(answer.interval or _BOOT_RETRY)
            await trio.sleep(wait)

    def _answer(self, action: str, payload: bytes) -> Answer:
        return self.dialect.answer(self, action, payload)

    # --- what goes out

    async def _until_online(self) -> None:
        await self._online.wait()

    async def _send(self, message_id: str, message: Message) -> bytes:
        if self._link is None:
            raise LinkLost
        return await self._link.call(message_id, message.action, message.encoded(), self.options.answer_timeout)

    async def _send_heartbeats(self) -> None:
        while True:
            await trio.sleep(max(1.0, self.configuration.seconds("HeartbeatInterval")))
            await self._until_online()
            try:
                await self._send(self._new_id(), self.dialect.heartbeat())
            except CallTimedOut as failed:
                self.ledger.error(str(failed))
                self._hang_up.set()  # nobody at the other end: a new connection may find someone
            except CallRefused as refused:
                self.ledger.error(str(refused))
            except LinkLost:
                pass

    async def _run_errands(self) -> None:
        async for message in self._errands_out:
            await self._until_online()
            await self._try_to_send(message())

    async def _report_states(self) -> None:
        while True:
            await self._until_online()
            self._states_changed = trio.Event()
            for connector in self._connectors:
                state = connector.state
                if state != connector.reported and await self._try_to_send(
                    self.dialect.state(connector.evse_id, state, self.now())
                ):
                    connector.reported = state
            await self._states_changed.wait()

    async def _try_to_send(self, message: Message) -> bool:
        """Send something whose loss does not matter; False when it was not answered well."""
        try:
            await self._send(self._new_id(), message)
        except LinkLost:
            return False
        except (CallRefused, CallTimedOut) as failed:
            self.ledger.error(str(failed))
            return False
        return True

    async def _obey_restarts(self) -> None:
        while True:
            await self._restart_ordered.wait()
            self._restart_ordered = trio.Event()
            reason = self._restart or "soft_reset"
            self._stop_transactions(reason)
            with trio.move_on_after(_RESET_GRACE):
                for connector in self._connectors:
                    await connector.idle()
                if reason == "soft_reset":
                    await self._outbox.drained()
            await trio.sleep(_REBOOT)
            self._boot_reason = "remote_reset"
            self._hang_up.set()

    async def _end_reservations(self) -> None:
        """Give places free that nobody came for in time."""
        while True:
            self._reservations_changed = trio.Event()
            ends = [c.reserved.expires_at for c in self._connectors if c.reserved is not None]
            left = (min(ends) - self.now()).total_seconds() if ends else math.inf
            with trio.move_on_after(self.timeline.real(left)):
                await self._reservations_changed.wait()
            for connector in self._connectors:
                if connector.reserved is not None and connector.reserved.expires_at <= self.now():
                    ended = connector.reserved
                    connector.give_free()
                    self._tell_end(ended, "Expired")

    def _tell_end(self, reserved: Reserved, update: Update) -> None:
        message = self.dialect.reservation_ended(reserved.reservation_id, update)
        if message is not None:
            self.send(lambda: message)

    @staticmethod
    def _keeps(connector: Connector, reservation_id: int) -> bool:
        return connector.reserved is not None and connector.reserved.reservation_id == reservation_id

    def _stop_transactions(self, reason: Literal["local", "soft_reset", "hard_reset"]) -> None:
        for connector in self._connectors:
            if connector.transaction is not None:
                connector.transaction.order_stop(reason)

    def _new_id(self) -> str:
        return str(self._ids.uuid4())
