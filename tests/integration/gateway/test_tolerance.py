"""Strict and tolerant tenants, rules per make, and the counts of what was forgiven (ocpp-j-rules section 3)."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from csms.domain.operations import CountRelaxations, StartTransaction
from csms.domain.tolerance import MOST_COUNTS
from tests.integration.gateway.rules import add_rule, relaxations
from tests.integration.gateway.site import BOOT_16, BOOT_201, Site, running

START: dict[str, Any] = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"}
STATUS: dict[str, Any] = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


async def sessions(site: Site) -> list[dict[str, Any]]:
    return await site.rows("SELECT * FROM sessions ORDER BY session_id")


async def test_a_strict_tenant_refuses_what_a_tolerant_one_takes(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        assert (await station.call("StartTransaction", START | {"x": 1}))[0] == 3
        await site.tenant(validation="strict")
        frame = await station.call("StartTransaction", START | {"x": 2})
        assert frame[2:] == ["FormationViolation", "/x: unknown field", {"path": "/x", "rule": "additionalProperties"}]
        kept = await site.rows("SELECT payload, taken FROM quarantine ORDER BY quarantine_id")
        assert [row["taken"] for row in kept] == [True, False], "a refused billing message is kept"
        assert b'"x": 2' in kept[1]["payload"]
        assert len(await sessions(site)) == 1
        assert await relaxations(site) == [("call", "StartTransaction", "/x", "additionalProperties", "tolerant", 1)]


async def test_harmless_deviations_are_accepted_in_every_mode_and_counted(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await site.tenant(validation="strict")
        await station.boot()
        frame = await station.call("StartTransaction", START | {"timestamp": "2026-01-01T00:00:60"})
        assert frame[0] == 3
        values = [{"timestamp": f"2026-01-01T00:0{n}:00", "sampledValue": [{"value": "1", "unit": "Celcius"}]} for n in range(3)]
        metered = {"connectorId": 1, "transactionId": frame[2]["transactionId"], "meterValue": values}
        assert (await station.call("MeterValues", metered))[0] == 3
        clean = [{"timestamp": "2026-01-01T01:00:00+02:00", "sampledValue": [{"value": "1"}]}]
        assert (await station.call("MeterValues", metered | {"meterValue": clean}))[0] == 3
        assert await relaxations(site) == [
            ("call", "MeterValues", "/meterValue/*/timestamp", "timeZoneMissing", "always", 1),
            ("call", "StartTransaction", "/timestamp", "second60", "always", 1),
            ("call", "StartTransaction", "/timestamp", "timeZoneMissing", "always", 1),
        ]
        assert await site.rows("SELECT 1 FROM quarantine") == []


async def test_a_rule_spares_any_action_of_its_make_also_in_a_strict_tenant(database: str) -> None:
    async with running(database) as site, site.station("CP1") as station, site.station("CP2") as other:
        await site.tenant(validation="strict")
        await station.boot()
        assert (await other.call("BootNotification", BOOT_16 | {"chargePointVendor": "Else"}))[0] == 3
        rule_id = await add_rule(site, model=" MODEL", action="StatusNotification", path="/info")
        await add_rule(site, action="Heartbeat", path="/*")
        long = STATUS | {"info": "x" * 51}
        assert (await other.call("StatusNotification", long))[2] == "PropertyConstraintViolation", "another vendor"
        assert (await station.call("StatusNotification", long))[0] == 3
        assert (await station.call("StatusNotification", long | {"y": 1}))[2] == "FormationViolation", "no rule for this member"
        (connector,) = await site.rows("SELECT status, info FROM connectors WHERE connector_id = 1")
        assert (connector["status"], connector["info"]) == ("Available", None)
        for _ in range(5):
            assert (await station.call("Heartbeat", {"vendorThing": 1}))[0] == 3
        # without an operation of their own the counts come a moment later
        with trio.fail_after(5):
            while ("call", "Heartbeat", "/vendorThing", "additionalProperties", "rule", 5) not in await relaxations(site):
                await trio.sleep(0.02)
        (row,) = await site.rows("SELECT * FROM relaxations WHERE action = 'StatusNotification'")
        assert (row["rule_id"], row["path"], row["rule"], row["times"]) == (rule_id, "/info", "maxLength", 1)


async def test_what_a_rule_spares_is_as_if_it_had_not_been_there(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        await add_rule(site, action="StartTransaction", path="/vendorThing")
        assert (await station.call("StartTransaction", START | {"vendorThing": 1}))[0] == 3
        (session,) = await sessions(site)
        assert session["flags"] == ["unauthorized"]
        assert await site.rows("SELECT 1 FROM quarantine") == []
        assert (await station.call("StartTransaction", START | {"vendorThing": 1, "other": 1, "connectorId": 2}))[0] == 3
        assert "suspect" in (await sessions(site))[1]["flags"], "the rest is forgiven by the mode alone"
        assert len(await site.rows("SELECT 1 FROM quarantine")) == 1


async def test_nothing_essential_is_spared(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        await add_rule(site)
        assert (await station.call("StartTransaction", START | {"meterStart": "0"}))[2] == "TypeConstraintViolation"
        assert (await station.call("StatusNotification", STATUS | {"status": "Odd"}))[2] == "PropertyConstraintViolation"
        assert (await station.call("Nonsense", {}))[2] == "NotImplemented"
        assert (await station.call("Reset", {"type": "Soft"}))[2] == "NotSupported"
        assert await sessions(site) == []
        assert await relaxations(site) == []


async def test_a_rule_refuses_in_a_tolerant_tenant(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        await add_rule(site, action="StartTransaction", effect="refuse")
        await add_rule(site, action="StartTransaction", path="/fine")
        assert (await station.call("StartTransaction", START | {"x": 1}))[2] == "FormationViolation"
        assert (await station.call("StartTransaction", START | {"fine": 1}))[0] == 3
        (kept,) = await site.rows("SELECT * FROM quarantine")
        assert (kept["taken"], kept["path"]) == (False, "/x")


async def test_the_make_is_known_on_the_boot_itself_and_after_a_reconnect_without_one(database: str) -> None:
    async with running(database) as site:
        await add_rule(site, action="BootNotification", path="/iccid")
        await add_rule(site, action="StatusNotification", path="/info")
        async with site.station() as station:
            assert (await station.call("BootNotification", BOOT_16 | {"iccid": "1" * 21, "chargePointVendor": "Else"}))[0] == 4
            frame = await station.call("BootNotification", BOOT_16 | {"iccid": "1" * 21})
            assert frame[2]["status"] == "Accepted"
            assert (await station.call("StatusNotification", STATUS | {"info": 1}))[0] == 3
        async with site.station() as station:
            assert (await station.call("StatusNotification", STATUS | {"info": 1}))[0] == 3
        async with running(database) as restarted, restarted.station() as station:
            assert (await station.call("StatusNotification", STATUS | {"info": 1}))[0] == 3
            # a boot of another make: the rules for the old one are over
            await station.call("BootNotification", BOOT_16 | {"chargePointVendor": "Else"})
            assert (await station.call("StatusNotification", STATUS | {"info": 1}))[0] == 4
        (row,) = await site.rows("SELECT times FROM relaxations WHERE action = 'StatusNotification'")
        assert row["times"] == 3


async def test_rules_of_2_0_1(database: str) -> None:
    async with running(database) as site, site.station(versions=["ocpp2.0.1"]) as station:
        await site.tenant(validation="strict")
        await add_rule(site, ocpp_version="ocpp2.0.1", path="/chargingStation/modem/*")
        boot = {**BOOT_201, "chargingStation": {**BOOT_201["chargingStation"], "modem": {"iccid": 5, "imsi": "1"}}}  # type: ignore[dict-item]  # a JSON tree
        assert (await station.call("BootNotification", boot))[0] == 3
        (known,) = await site.rows("SELECT vendor, iccid, imsi FROM stations")
        assert tuple(known.values()) == ("Vendor", None, "1")
        assert await relaxations(site) == [("call", "BootNotification", "/chargingStation/modem/iccid", "type", "rule", 1)]


async def test_a_rule_for_answers_lets_a_command_end_with_what_can_be_used(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        keys = [{"key": f"K{n}", "readonly": True, "value": "x" * (400 + n % 2 * 200)} for n in range(20)]

        async def asked() -> dict[str, Any]:
            command_id = await site.order("CP1", None, {}, action="GetConfiguration")
            _, message_id, action, _ = await station.receive()
            assert action == "GetConfiguration"
            await station.send([3, message_id, {"configurationKey": keys}])
            with trio.fail_after(5):
                while (row := await site.command(command_id))["status"] in ("queued", "sent"):
                    await trio.sleep(0.02)
            return row

        assert (await asked())["status"] == "failed"
        await add_rule(site, kind="answer", action="GetConfiguration", path="/configurationKey/*/value")
        row = await asked()
        assert row["status"] == "accepted"
        assert row["result"].count('"value"') == 10
        assert await relaxations(site) == [("answer", "GetConfiguration", "/configurationKey/*/value", "maxLength", "rule", 1)]


async def test_counts_are_bounded_per_station(database: str) -> None:
    async with running(database) as site, site.station() as station:
        await station.boot()
        for number in range(MOST_COUNTS + 5):
            frame = await station.call("StartTransaction", START | {f"x{number}": 1})
            assert frame[0] == 3
        counted = await relaxations(site)
        assert len(counted) == MOST_COUNTS + 1
        (rest,) = [row for row in counted if row[0] == "*"]
        assert rest[1:] == ("*", "*", "*", "tolerant", 5)


async def test_clean_messages_cost_no_look_at_the_rules(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("asked about a message without a fault")

    async with running(database) as site, site.station() as station:
        await add_rule(site)
        monkeypatch.setattr("csms.domain.tolerance.RuleSet.find", never)
        monkeypatch.setattr("gateway.tolerance.forgiving.take_deviations", never)
        await station.boot()
        assert (await station.call("StartTransaction", START))[0] == 3
        assert not any(isinstance(operation, CountRelaxations) for operation in site.ledger.submitted)
        assert all(not operation.relaxations for operation in site.ledger.submitted)
        assert any(isinstance(operation, StartTransaction) for operation in site.ledger.submitted)
