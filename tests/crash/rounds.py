"""Rounds: stations charge, a fault strikes, everything recovers by itself, and the account is settled to the last reading.

What a round does is drawn from its seed alone (`plan`), so a round that failed can be run again; how the processes and the
fault met, to the microsecond, cannot.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

import trio

from tests.crash.accounts import Account, api_differences
from tests.crash.charging import Station, fleet
from tests.crash.faults import FAULTS, Fault
from tests.crash.installation import HOLD, Installation, open_installation
from tests.crash.pulse import Pulse
from tests.crash.surroundings import in_asyncio
from tests.crash.watching import Watch, watching

BRIEF: Final = (0.2, 1.5)
"""Seconds of a fault that is over before an answer was held for too long."""
LONG: Final = (HOLD + 1.5, HOLD + 3.0)
SETTLE: Final = 1.0
"""Seconds in which answers to what was committed before the fault may still arrive."""
BACK_OFF: Final = 1.5
"""Seconds from the return of the store until the ledger has tried again and committed."""
BACK_WITHIN: Final = 60.0
"""Seconds in which every station is answered again (security.md R1, R2 say 10 s; here stations, proxies and all processes share
a machine with whatever else runs, so this only tells that it happens; the table tells how long it took)."""
TOLD_WITHIN: Final = 60.0
"""Seconds in which all that the stations have queued is acknowledged."""
PATIENCE: Final = 6.0
"""Seconds until a station gives up an answer; longer than the server holds it."""
HEARTBEAT_WITHIN: Final = 3.0
"""Seconds; it is answered without the store."""
PULSES: Final = 6
CLOSES_PER_SECOND: Final = 200
"""With 1013, of one gateway (design 3.1)."""
ASKED_AT_API: Final = 5
STORE_AWAY: Final = 1013


class NotInTime(Exception):
    """The network did not recover."""


@dataclass(frozen=True)
class Plan:
    """What happens in one round."""

    seed: int
    fault: Fault
    moment: float
    """Seconds of undisturbed charging before it."""
    length: float
    """Seconds that it lasts."""


def plan(seed: int) -> Plan:
    """Each kind of fault comes once in as many seeds as there are kinds, in an order that changes."""
    turn, place = divmod(seed, len(FAULTS))
    fault = Random(f"order/{turn}").sample(FAULTS, len(FAULTS))[place]
    chance = Random(f"plan/{seed}")
    return Plan(seed, fault, chance.uniform(0.3, 2.5), chance.uniform(*chance.choice((BRIEF, LONG))))


@dataclass(frozen=True)
class Times:
    """Of one fault, by Trio's clock."""

    struck: float
    """It is being brought about from here on,"""
    began: float
    """there to the full from here on,"""
    ended: float
    """until here,"""
    repaired: float
    """and what it took down runs again."""
    pulse: float
    """Seconds that a Heartbeat waited for its answer while the fault was there, at most."""


@dataclass
class Outcome:
    """What came of one round; `differences` is empty when all is well."""

    plan: Plan
    differences: list[str]
    back: float
    """Seconds from the end of the fault until every station was answered."""
    sent: int
    acknowledged: int
    repeated: int
    unanswered: int
    """Messages whose answer a station gave up, and its connection with it."""
    closed: Counter[int]
    refused: Counter[int]
    memory: int
    """The most bytes that a gateway had resident."""

    def line(self) -> str:
        closes = " ".join(f"{code or 'cut'}:{times}" for code, times in sorted(self.closed.items()))
        refusals = " ".join(f"{status or 'none'}:{times}" for status, times in sorted(self.refused.items()))
        return (
            f"seed {self.plan.seed:<6} {self.plan.fault.name:<20} {self.plan.length:4.1f} s  back in {self.back:4.1f} s  "
            f"acknowledged {self.acknowledged:<5} repeated {self.repeated:<4} "
            f"unanswered {self.unanswered:<3} closed [{closes}] refused [{refusals}] "
            f"memory {self.memory / 2**20:.0f} MB  {'ok' if not self.differences else 'DIFFERENT'}"
        )


@dataclass
class Rounds:
    """An installation with its stations; the rounds follow each other on it."""

    installation: Installation
    stations: Sequence[Station]
    pulses: Sequence[Pulse]
    account: Account
    totals: Counter[str] = field(default_factory=Counter)

    async def run(self, plan: Plan) -> Outcome:
        """One round. Differences are told, not raised."""
        for station in self.stations:
            station.resume_meter()
        before = self._sums()
        found: list[str] = []
        back = 0.0
        async with watching(self.installation.gateways) as watch:
            await trio.sleep(plan.moment)
            pids = [gateway.pid for gateway in self.installation.gateways]
            try:
                times = await self._strike(plan, watch)
                back = await self._all_back(times.ended)
                found += await self._told_all()
                found += self._policy(plan, watch, times)
                if plan.fault.gateways and pids != [gateway.pid for gateway in self.installation.gateways]:
                    found.append("a gateway was started again")
                found += await watch.recovered()
            except (NotInTime, trio.TooSlowError) as late:
                found.append(f"not in time: {late!r}")
                found += [await trio.to_thread.run_sync(gateway.tail, 1500) for gateway in self.installation.gateways]
        self.installation.stations.bury()
        if not found:
            found += await self._settle()
        return self._outcome(plan, found, back, before, watch)

    async def charge(self, seconds: float) -> list[str]:
        """Without a fault; then let the meters rest until everything is told. Gives what is not."""
        for station in self.stations:
            station.resume_meter()
        await trio.sleep(seconds)
        return await self._told_all()

    async def _strike(self, plan: Plan, watch: Watch) -> Times:
        for station in self.stations:
            station.counts.acknowledged_at.clear()
            station.counts.closed.clear()
        for pulse in self.pulses:
            pulse.reset()
        struck = trio.current_time()
        async with plan.fault.strike(self.installation, Random(f"strike/{plan.seed}")):
            began = trio.current_time()
            watch.mark()
            await trio.sleep(plan.length)
            ended = trio.current_time()
            waited = max(pulse.longest_wait() for pulse in self.pulses)
        return Times(struck, began, ended, trio.current_time(), waited)

    async def _all_back(self, ended: float) -> float:
        """Wait until every station has been answered since the fault is gone; gives the seconds that took."""
        repaired = trio.current_time()
        waiting = list(self.stations)
        while waiting := [s for s in waiting if not s.counts.acknowledged_at or s.counts.acknowledged_at[-1] <= ended]:
            if trio.current_time() - repaired > BACK_WITHIN:
                raise NotInTime(f"{len(waiting)} stations have no answer {BACK_WITHIN:.0f} s later, {waiting[0].identity} is one")
            await trio.sleep(0.05)
        return trio.current_time() - repaired

    async def _told_all(self) -> list[str]:
        for station in self.stations:
            station.pause_meter()
        with trio.move_on_after(TOLD_WITHIN):
            while not all(station.idle for station in self.stations):
                await trio.sleep(0.05)
        return [f"{station.identity} still has messages to tell" for station in self.stations if not station.idle]

    def _policy(self, plan: Plan, watch: Watch, times: Times) -> list[str]:
        """What the stations saw of the fault (design 3.1, rule D2)."""
        fault, found = plan.fault, []
        for station in self.stations:
            counts = station.counts
            found += counts.errors + counts.unequal
            counts.errors.clear()
            counts.unequal.clear()
        closes = sorted(moment for s in self.stations for moment, code in s.counts.closed if code == STORE_AWAY)
        others = Counter(code for s in self.stations for _, code in s.counts.closed if code != STORE_AWAY)
        if fault.store == "away":
            early = sum(times.began + SETTLE < t < times.ended for s in self.stations for t in s.counts.acknowledged_at)
            if early:
                found.append(f"{early} messages were acknowledged while the store was away")
            if plan.length >= LONG[0]:
                found += watch.untold()
                if not closes:
                    found.append("no station was closed with 1013 although answers were held for too long")
        if fault.lines and fault.store != "sound":
            if times.pulse > HEARTBEAT_WITHIN:
                found.append(f"a Heartbeat was not answered for {times.pulse:.1f} s")
            if ends := sum(pulse.ends for pulse in self.pulses):
                found.append(f"{ends} connections ended although no answer was owed on them")
        if fault.lines and others:
            found.append(f"connections ended otherwise than with 1013: {dict(others)}")
        short = fault.store != "lost" and times.repaired - times.struck < HOLD - BACK_OFF
        if closes and (fault.store == "sound" or short):
            found.append(f"{len(closes)} stations were closed with 1013 although no answer was held for long")
        # two ticks of the sweeper may fall into one second beyond those that belong there
        paced = round(CLOSES_PER_SECOND * len(self.installation.gateways) * 1.25)
        for index in range(len(closes) - paced):
            if closes[index + paced] - closes[index] < 1.0:
                found.append(f"more than {paced} stations were closed with 1013 within a second")
                break
        return found

    async def _settle(self) -> list[str]:
        found: list[str] = await in_asyncio(self.account.differences)
        if not found:
            asked = Random(len(self.account.settled)).sample(list(self.stations), min(ASKED_AT_API, len(self.stations)))
            found += await trio.to_thread.run_sync(self._ask_api, asked)
        self.account.settle()
        return found

    def _ask_api(self, stations: Sequence[Station]) -> list[str]:
        """The gateway's HTTP side finds out for itself that its database is back: 503 until then, for a while."""
        deadline = time.monotonic() + BACK_WITHIN
        while True:
            try:
                with self.installation.gateways[-1].api() as api:
                    return api_differences(api, stations)
            except AssertionError as refused:
                if time.monotonic() > deadline or "urn:open-csms:problem:unavailable" not in str(refused):
                    return [f"the API: {refused}"]

    def _sums(self) -> Counter[str]:
        sums: Counter[str] = Counter()
        for station in self.stations:
            counts = station.counts
            sums.update(sent=counts.sent, acknowledged=counts.acknowledged, repeated=counts.repeated, unanswered=counts.timed_out)
            for status, times in counts.refused.items():
                sums[f"refused {status}"] += times
        return sums

    def _outcome(self, plan: Plan, found: list[str], back: float, before: Counter[str], watch: Watch) -> Outcome:
        grown = self._sums() - before
        return Outcome(
            plan,
            found,
            back,
            grown["sent"],
            grown["acknowledged"],
            grown["repeated"],
            grown["unanswered"],
            Counter(code for s in self.stations for _, code in s.counts.closed),
            Counter({int(name.split()[1]): times for name, times in grown.items() if name.startswith("refused")}),
            watch.most_memory,
        )


@asynccontextmanager
async def open_rounds(size: int, seed: int, *, pause: float) -> AsyncGenerator[Rounds]:
    """An installation with `size` stations that send a message every `pause` seconds, all of them charging."""
    async with open_installation() as installation:
        stations = fleet(size, seed, pause=pause, patience=PATIENCE)
        async with trio.open_nursery() as nursery:
            for station in stations:
                nursery.start_soon(partial(station.run, installation.url))
            pulses = [Pulse(f"PULSE-{number}") for number in range(PULSES)]
            for pulse in pulses:
                nursery.start_soon(pulse.run, installation.url)
            with trio.fail_after(60):
                while not all(station.transactions and station.transactions[0].started for station in stations):
                    await trio.sleep(0.1)
            yield Rounds(installation, stations, pulses, Account(installation.database_url, stations))
            nursery.cancel_scope.cancel()
