"""CALLs of stations: order, repeats, errors, back-pressure, a store that is away."""

from __future__ import annotations

import json
from typing import Any

import trio

from csms.domain.operations import (
    Authorize,
    BootStation,
    QuarantineFrame,
    ReportConnectorStatus,
    StartTransaction,
)
from gateway.effects import Effect
from gateway.server import VERSIONS
from gateway.versions import StationContext, UnsupportedCommand, Verdict, Version
from tests.integration.gateway.frames import become_station, frame, read_until
from tests.integration.gateway.site import BOOT_16, Site, running

START: dict[str, Any] = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


class PanicException(BaseException):
    """What a Rust panic looks like: no subclass of Exception."""


class Broken:
    """OCPP 1.6 whose handlers raise when the id tag or vendor says so."""

    name = "ocpp1.6"

    def __init__(self, behind: Version) -> None:
        self._behind = behind

    def handle(self, context: StationContext, action: str, payload: bytes) -> Effect:
        if b"PANIC" in payload:
            raise PanicException("index out of bounds: secret detail")
        if b"BUG" in payload:
            raise KeyError("secret detail")
        return self._behind.handle(context, action, payload)

    def to_call(self, command: Any, command_id: Any, context: StationContext) -> tuple[str, bytes]:
        raise UnsupportedCommand("not here")

    def read_result(self, action: str, payload: bytes) -> tuple[Verdict, bytes]:
        return self._behind.read_result(action, payload)


async def test_t3_a_pipelining_station_is_answered_in_order(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        for number in range(40):
            action, payload = [("Heartbeat", {}), ("StatusNotification", STATUS)][number % 2]
            await station.send([2, f"n{number}", action, payload])
        assert [(await station.receive())[1] for _ in range(40)] == [f"n{number}" for number in range(40)]


async def test_t3_33_calls_in_one_segment(database: str) -> None:
    async with running(database) as site, await site.raw() as stream:
        await become_station(stream, "CP1")
        calls = [
            frame(b'[2,"n%d","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]' % n)
            for n in range(33)
        ]
        await stream.send_all(b"".join(calls))
        answers = await read_until(stream, b'[3,"n32",{}]')
        positions = [answers.index(b'[3,"n%d",{}]' % n) for n in range(33)]
        assert positions == sorted(positions)


async def test_calls_behind_a_boot_see_its_outcome(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.send([2, "a", "BootNotification", BOOT_16])
        await station.send([2, "b", "Heartbeat", {}])
        assert (await station.receive())[2]["status"] == "Accepted"
        assert (await station.receive())[0:2] == [3, "b"]


async def test_a_failing_handler_answers_with_an_id_only_and_harms_nobody(database: str) -> None:
    versions: dict[str, Version] = dict(VERSIONS) | {"ocpp1.6": Broken(VERSIONS["ocpp1.6"])}
    async with running(database, versions=versions) as site, site.station("good") as good, site.station("bad") as bad:
        await good.boot()
        await bad.boot()
        for word in ("BUG", "PANIC"):
            frame = await bad.call("DataTransfer", {"vendorId": word})
            assert frame[0] == 4
            assert frame[2] == "InternalError"
            assert "secret" not in frame[3]
            assert frame[4] == {}
            frame = await bad.call("StartTransaction", START | {"idTag": word})
            assert frame[2] == "InternalError"
        rows = await site.rows("SELECT * FROM quarantine")
        assert [(row["action"], row["reason"]) for row in rows] == [("StartTransaction", "failed")] * 2
        assert (await bad.call("Heartbeat", {}))[0] == 3, "the station itself goes on"
        assert (await good.call("Heartbeat", {}))[0] == 3


async def test_a_poisoned_operation_is_quarantined_and_refused(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        site.ledger.poisoned = {StartTransaction, ReportConnectorStatus}
        assert (await station.call("StartTransaction", START))[2] == "InternalError"
        assert (await station.call("StatusNotification", STATUS))[2] == "InternalError"
        (row,) = await site.rows("SELECT * FROM quarantine")
        assert (row["action"], row["reason"]) == ("StartTransaction", "failed")
        site.ledger.poisoned = {StartTransaction, QuarantineFrame}
        assert (await station.call("StartTransaction", START))[2] == "InternalError"
        site.ledger.poisoned = set()
        assert (await station.call("StartTransaction", START))[0] == 3, "a refusal is not remembered as the answer"


async def test_a_broken_billing_message_is_kept_before_it_is_refused(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        site.ledger.held = True
        await station.send([2, "x", "StartTransaction", START | {"meterStart": "five"}])
        await wait_for(site, QuarantineFrame)
        assert await station.silent(), "nothing leaves before the frame is durable"
        site.ledger.release()
        frame = await station.receive()
        assert frame[0:3] == [4, "x", "TypeConstraintViolation"]
        assert frame[4] == {"path": "/meterStart", "rule": "type"}
        (row,) = await site.rows("SELECT * FROM quarantine")
        assert (row["action"], row["reason"], row["path"]) == ("StartTransaction", "schema", "/meterStart")
        assert b'"five"' in row["payload"]


async def test_a_billing_message_with_a_harmless_fault_is_taken_and_marked(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        frame = await station.call("StartTransaction", START | {"vendorThing": 1})
        assert frame[0] == 3
        assert frame[2]["transactionId"] > 0
        (operation,) = [operation for operation in site.ledger.submitted if isinstance(operation, StartTransaction)]
        assert operation.suspect
        (row,) = await site.rows("SELECT * FROM quarantine")
        assert (row["reason"], row["path"]) == ("schema", "/vendorThing")
        assert b"vendorThing" in row["payload"]


async def test_other_invalid_calls_are_answered_at_once(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        site.ledger.held = True
        assert (await station.call("Heartbeat", {"x": 1}))[2] == "FormationViolation"
        assert (await station.call("Nonsense", {}))[2] == "NotImplemented"
        assert (await station.call("Heartbeat", None))[0] == 3
        assert len(site.ledger.waiting) == 0


async def test_t3_reading_stops_while_the_ledger_is_full(database: str) -> None:
    async with running(database) as site, site.station() as station, site.station("other") as other:
        await station.boot()
        await other.boot()
        site.ledger.full = True
        await station.send([2, "x", "StatusNotification", STATUS])
        assert await station.silent()
        assert (await other.call("Heartbeat", {}))[0] == 3
        # far more than the socket buffers hold: the peer is pushed back instead of memory growing
        sent = 0
        with trio.move_on_after(1):
            while sent < 100_000:
                await station.send([2, f"h{sent}", "Heartbeat", {}])
                sent += 1
        assert sent < 100_000
        assert await site_refuses(site)
        site.ledger.full = False
        assert (await station.receive())[0:2] == [3, "x"]
        for number in range(min(sent, 1000)):
            assert (await station.receive())[0:2] == [3, f"h{number}"]


async def test_t3_who_sends_more_than_there_is_room_for_is_not_read(database: str) -> None:
    """32 MB, more than the buffers of both sockets hold."""
    filler = b"x" * 50_000
    calls = [frame(b'[2,"n%d","DataTransfer",{"vendorId":"v","data":"%b"}]' % (number, filler)) for number in range(640)]
    sent = trio.Event()

    async def send(stream: trio.SocketStream) -> None:
        await stream.send_all(b"".join(calls))
        sent.set()

    async with running(database) as site, site.raw_station("CP1") as stream, trio.open_nursery() as nursery:
        site.ledger.held = True
        await stream.send_all(frame(b'[2,"x","StatusNotification",%b]' % json.dumps(STATUS).encode()))
        nursery.start_soon(send, stream)
        await trio.sleep(2)
        assert not sent.is_set()
        site.ledger.release()
        answers = await read_until(stream, b'"n639"', timeout=30)
        assert sent.is_set()
        positions = [answers.index(b'"n%d"' % number) for number in range(640)]
        assert positions == sorted(positions)


async def test_d2_a_held_authorize_is_refused_in_time_and_heartbeats_go_on(database: str) -> None:
    async with running(database, hold_authorize_s=1) as site, site.station() as station:
        await station.boot()
        site.ledger.held = True
        frame = await station.call("Authorize", {"idTag": "TAG"})
        assert frame[2] == "InternalError"
        assert (await station.call("Heartbeat", {}))[0] == 3
        site.ledger.release()
        assert await station.silent(), "the late outcome is not sent"
        assert (await station.call("Authorize", {"idTag": "TAG"}))[0] == 3
        assert sum(isinstance(operation, Authorize) for operation in site.ledger.submitted) == 2


async def test_d2_a_held_transaction_message_closes_the_station_without_an_answer(database: str) -> None:
    async with running(database, hold_transaction_s=1) as site:
        async with site.station() as station:
            await station.boot()
            site.ledger.held = True
            await station.send([2, "x", "StartTransaction", START])
            assert await station.closed() == (1013, "store_away")
        site.ledger.release()
        async with site.station() as station:
            assert (await station.call("StartTransaction", START, "x"))[0] == 3
        assert len(await site.rows("SELECT * FROM sessions")) == 1


async def test_a_boot_of_a_displaced_connection_changes_nothing(database: str) -> None:
    async with running(database) as site, site.station() as old:
        await old.boot()
        async with site.station() as new:
            boots = sum(isinstance(operation, BootStation) for operation in site.ledger.submitted)
            await old.send([2, "late", "BootNotification", BOOT_16])
            await old.closed()
            assert (await new.call("Heartbeat", {}))[0] == 3
            assert sum(isinstance(operation, BootStation) for operation in site.ledger.submitted) == boots


async def wait_for(site: Site, kind: type) -> None:
    with trio.fail_after(5):
        while not any(isinstance(operation, kind) for operation in site.ledger.submitted):
            await trio.sleep(0.01)


async def site_refuses(site: Site) -> bool:
    return await site.refusal("newcomer") == 503


async def test_an_authorize_that_finds_the_ledger_full_leaves_nothing_behind(database: str) -> None:
    async with running(database) as site, site.station() as station, site.station("other") as other:
        await station.boot()
        await other.boot()
        site.ledger.full = True
        await other.send([2, "x", "StatusNotification", STATUS])
        while not await site_refuses(site):
            await trio.sleep(0.01)
        assert (await station.call("Authorize", {"idTag": "TAG"}))[2] == "InternalError"
        site.ledger.full = False
        assert (await other.receive())[0:2] == [3, "x"]
        assert (await station.call("Authorize", {"idTag": "TAG"}))[0] == 3
