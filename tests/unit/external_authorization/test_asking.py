"""When a gateway has somebody asked, for what, and what it does while the answers do not come (on Trio's own clock)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from csms.bus.local import LocalBus
from csms.domain.external import AskingRules
from csms.domain.operations import Authorize, RecordTransactionEvent, StartTransaction, StationTime, StopTransaction
from csms.external_authorization.bulkhead import MOST_PER_TENANT
from csms.external_authorization.messages import LONGEST_S, TOPIC, WAY_S, Answered, encode, read_question
from csms.store import StoreUnavailable
from csms.tenants import TenantConfig, TenantDirectory
from gateway import external_authorization
from gateway.external_authorization import ExternalAuthorization

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RULES = AskingRules("unknown_tokens", 2000, "refuse", 0, NOW)


class _Clock:
    def now(self) -> datetime:
        return NOW + timedelta(seconds=trio.current_time())

    def monotonic(self) -> float:
        return trio.current_time()


class _Tokens:
    """The store: what it knows, and how it is."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.away = False
        self.most = 0
        self._under_way = 0

    async def knows_token(self, tenant_id: int, id_token: str, token_type: str | None, rules: AskingRules, now: datetime) -> bool:
        if self.away:
            raise StoreUnavailable("away")
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        await trio.sleep(0.001)
        self._under_way -= 1
        return id_token in self.known


class _World:
    """One gateway that asks over a bus, and stations that are nothing but names."""

    def __init__(self, nursery: trio.Nursery, bus: LocalBus, asking: ExternalAuthorization, tokens: _Tokens) -> None:
        self.nursery = nursery
        self.bus = bus
        self.asking = asking
        self.tokens = tokens
        self.asked: list[Any] = []

    @asynccontextmanager
    async def hub(self, answer: Callable[[], Awaitable[Any]]) -> AsyncIterator[None]:
        async def handle(body: bytes) -> bytes:
            self.asked.append(read_question(body))
            return encode(await answer())

        async with self.bus.serve(TOPIC, handle):
            yield

    async def ask(self, operation: Any, origin: Any = None) -> Any:
        """The verdict that the operation went on with."""
        done = trio.Event()
        if self.asking.asks(origin or station(), operation, done.set):
            await done.wait()
        return operation.external


def station() -> Any:
    return SimpleNamespace(identity="CP-1", station_id=7, station=SimpleNamespace(connection=object()))


def authorize(token: str = "CARD") -> Authorize:
    return Authorize(tenant_id=1, station_id=7, id_token=token, token_type="ISO14443")


def _time(age: timedelta) -> StationTime:
    ts = NOW - age
    return StationTime(ts, ts.isoformat())


def begun(age: timedelta = timedelta(0), **fields: Any) -> StartTransaction:
    return StartTransaction(
        tenant_id=1, station_id=7, evse_id=1, connector_id=1, id_token="CARD", time=_time(age), meter_start_wh=0, **fields
    )


def event(kind: Any = "Started", age: timedelta = timedelta(0), **fields: Any) -> RecordTransactionEvent:
    given = {"id_token": "CARD"} | fields
    return RecordTransactionEvent(
        tenant_id=1,
        station_id=7,
        ocpp_version="ocpp2.0.1",
        type=kind,
        transaction_ref="T",
        seq_no=0,
        time=_time(age),
        trigger_reason="Authorized",
        details=b"{}",
        payload=b"{}",
        **given,
    )


def ended(**fields: Any) -> StopTransaction:
    given = {"id_token": "CARD"} | fields
    return StopTransaction(
        tenant_id=1, station_id=7, transaction_ref="1", time=_time(timedelta(0)), meter_stop_wh=1, payload=b"{}", **given
    )


@asynccontextmanager
async def world(rules: AskingRules | None = RULES) -> AsyncIterator[_World]:
    tenants = TenantDirectory(try_out=False)
    tenants.replace_all([TenantConfig(1, "north", "refuse", "refuse", False, "UTC", "EUR", 300, external=rules)])
    tokens = _Tokens()
    async with LocalBus() as bus, trio.open_nursery() as nursery:
        asking = ExternalAuthorization(bus, tokens, tenants, _Clock())  # type: ignore[arg-type]  # the one method that is asked
        nursery.start_soon(asking.run)
        await trio.testing.wait_all_tasks_blocked()
        yield _World(nursery, bus, asking, tokens)
        nursery.cancel_scope.cancel()


async def accepted() -> Answered:
    return Answered("Accepted")


async def never() -> Answered:
    await trio.sleep_forever()
    raise AssertionError


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("operation", "purpose"),
    [
        (authorize(), "authorize"),
        (begun(), "start"),
        (begun(HOUR, clock_skew=True), "start"),
        (begun(timedelta(days=20_000)), "start"),  # a clock that counts from 1970
        (begun(HOUR), None),
        (begun(replayed=True), None),
        (event(), "start"),
        (event("Updated"), "start"),
        (event("Ended"), "stop"),
        (event(offline=True), None),
        (event(age=HOUR), None),
        (event(id_token=None), None),
        (ended(), "stop"),
        (ended(id_token=None), None),
        (ended(replayed=True), None),
        (authorize(""), None),
    ],
)
async def test_what_is_asked_about(autojump_clock: MockClock, operation: Any, purpose: str | None) -> None:
    async with world() as w, w.hub(accepted):
        verdict = await w.ask(operation)
        assert [question.purpose for question in w.asked] == ([] if purpose is None else [purpose])
        assert (verdict is None) is (purpose is None)


async def test_nobody_is_asked_for_tenants_that_do_not_want_it(autojump_clock: MockClock) -> None:
    async with world(None) as w, w.hub(accepted):
        assert not w.asking.asks(station(), authorize(), lambda: None)
        assert w.tokens.most == 0


async def test_known_tokens_are_not_asked_about_unless_all_are(autojump_clock: MockClock) -> None:
    for asks, questions in (("unknown_tokens", 0), ("all_tokens", 1)):
        async with world(AskingRules(asks, 2000, "refuse", 0, NOW)) as w, w.hub(accepted):  # type: ignore[arg-type]
            w.tokens.known.add("CARD")
            assert ((await w.ask(authorize())) is None) is (asks == "unknown_tokens")
            assert len(w.asked) == questions


@pytest.mark.parametrize("timeout_ms", [100, 2000, 4000])
async def test_no_wait_is_longer_than_it_may_be(autojump_clock: MockClock, timeout_ms: int) -> None:
    async with world(AskingRules("all_tokens", timeout_ms, "refuse", 0, NOW)) as w, w.hub(never):
        begun_at = trio.current_time()
        verdict = await w.ask(authorize())
        assert verdict.status == "Invalid"
        assert trio.current_time() - begun_at == pytest.approx(min(LONGEST_S, timeout_ms / 1000 + WAY_S))
        assert "no hub answers" in verdict.reason


async def test_without_a_hub_nobody_waits(autojump_clock: MockClock) -> None:
    async with world() as w:
        begun_at = trio.current_time()
        assert (await w.ask(authorize())).reason == "external: no hub answers, fallback refuse"
        assert trio.current_time() - begun_at < 0.01


async def test_a_hub_of_another_mind_is_no_answer(autojump_clock: MockClock) -> None:
    async def nonsense() -> dict[str, str]:
        return {"type": "answered", "status": "Perhaps"}

    async with world() as w, w.hub(nonsense):
        assert (await w.ask(authorize())).reason == "external: the hub's answer cannot be understood, fallback refuse"


async def test_the_store_s_absence_does_not_stop_the_question(autojump_clock: MockClock) -> None:
    async with world() as w, w.hub(accepted):
        w.tokens.away = True
        assert (await w.ask(authorize())).status == "Accepted"


async def test_a_station_that_has_left_waits_no_longer(autojump_clock: MockClock) -> None:
    async with world() as w, w.hub(never):
        origin = station()
        begun_at = trio.current_time()

        async def leave() -> None:
            await trio.sleep(0.5)
            w.asking.give_up_for_the_gone()
            origin.station.connection = None
            await trio.sleep(0.5)
            w.asking.give_up_for_the_gone()

        w.nursery.start_soon(leave)
        assert (await w.ask(begun(), origin)).reason == "external: the station is gone, fallback refuse"
        assert trio.current_time() - begun_at == pytest.approx(1.0)


async def test_a_crowd_gets_answers_or_the_fallback_at_once(autojump_clock: MockClock) -> None:
    async with world() as w, w.hub(never):
        reasons: list[str] = []
        times: list[float] = []

        async def one(number: int) -> None:
            verdict = await w.ask(authorize(f"CARD{number}"))
            reasons.append(verdict.reason)
            times.append(trio.current_time())

        async with trio.open_nursery() as crowd:
            for number in range(3 * MOST_PER_TENANT):
                crowd.start_soon(one, number)
        refused = [at for at, reason in zip(times, reasons, strict=True) if "too many questions" in reason]
        assert len(refused) == 2 * MOST_PER_TENANT
        assert max(refused) < 0.5
        assert len(w.asked) == MOST_PER_TENANT
        assert w.tokens.most == external_authorization._LOOK_UPS


async def test_answers_are_forgotten_in_time(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    expires: datetime | None = None

    async def answer() -> Answered:
        return Answered("Accepted", expires)

    async with world(AskingRules("all_tokens", 2000, "refuse", 60, NOW)) as w, w.hub(answer):
        await w.ask(authorize())
        await trio.sleep(59)
        assert (await w.ask(authorize("card"))).status == "Accepted"
        assert len(w.asked) == 1
        await trio.sleep(2)
        expires = NOW + timedelta(seconds=trio.current_time() + 10)
        await w.ask(authorize())
        assert len(w.asked) == 2
        await trio.sleep(9)
        await w.ask(authorize())
        assert len(w.asked) == 2
        await trio.sleep(2)
        expires = NOW
        await w.ask(authorize())
        await w.ask(authorize())
        assert len(w.asked) == 4  # what is over already is not remembered
        expires = None
        monkeypatch.setattr(external_authorization, "MOST_REMEMBERED", 3)
        for number in range(10):
            await w.ask(authorize(f"CARD{number}"))
        assert len(w.asking._remembered) == 3
