"""From the hold on a card to the capture of what a session came to, on a real ledger with real billing."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from csms.payments import machine, port, worker
from tests.integration.payments.harness import SETTINGS, Till


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long."""
    monkeypatch.setattr(worker, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("csms.payments.service.PROVIDER_S", 0.3)
    for name in ("PENDING_EVERY", "START_EVERY", "_FIRST_PAUSE"):
        monkeypatch.setattr(machine, name, machine._FIRST_PAUSE / 40)


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


async def test_what_a_session_comes_to_is_captured_and_the_rest_let_go(till: Till) -> None:
    payment = await till.pay()
    assert payment["state"] == "starting"
    assert payment["provider_reference"].startswith("test_")
    (command,) = (await till.boss.get("/api/v1/chargepoints/CP1/commands")).json()["items"]
    token = await till.token(payment)
    assert command["parameters"] == {"id_token": token, "token_type": "Central", "evse_id": 1}
    assert (len(token), command["requested_by"]) == (20, "system:payments")
    transaction = await till.start(payment)
    assert (await till.hold(payment))["state"] == "authorized"
    # the token is for this session alone
    again = await till.field.ledger.commit(_start(await till.field.tenant_id("north"), till.station, token, evse=2))
    assert again.decision.status != "Accepted"
    await till.field.stop("north", till.station, transaction)
    done = await till.state(payment, "captured")
    assert (done["captured"], done["due"], done["refunded"], done["flag"]) == (money("1.20"), money("1.20"), money("0.00"), None)
    hold = await till.hold(payment)
    assert (hold["state"], hold["captured"]) == ("captured", Decimal("1.20"))
    assert await till.calls(payment) == {"authorize": (1, "done"), "capture": (1, "done")}
    assert await till.events(payment) == [
        *("created", "authorizing", "authorized", "starting", "charging", "capturing", "captured"),
    ]
    (row,) = await till.sql("SELECT method_sealed, due_at FROM payments")
    assert (row["method_sealed"], row["due_at"]) == (None, None)


async def test_a_bill_beyond_the_hold_is_captured_up_to_it_and_flagged(till: Till) -> None:
    payment = await till.pay(amount=money("1.00"))
    transaction = await till.start(payment)
    await till.field.stop("north", till.station, transaction)
    done = await till.see(payment, lambda found: found["flag"] is not None)
    assert (done["state"], done["captured"], done["due"]) == ("captured", money("1.00"), money("1.20"))
    assert "1.20 EUR are due, of which 1.00" in done["flag"]
    flagged = (await till.boss.get("/api/v1/payments?flagged=true")).json()["items"]
    assert [item["payment_id"] for item in flagged] == [payment["payment_id"]]
    assert (await till.boss.get("/api/v1/payments?flagged=false")).json()["items"] == []


async def test_a_lower_correction_is_refunded_once_and_a_higher_one_is_a_person_s(till: Till) -> None:
    payment = await till.pay()
    transaction = await till.start(payment)
    session_id = await till.bills.session(transaction)
    await till.field.stop("north", till.station, transaction)
    await till.state(payment, "captured")

    async def correct(meter_wh: int) -> None:
        statement = "UPDATE sessions SET stop_meter_wh = $2, energy_wh = $3 WHERE session_id = $1"
        await till.sql(statement, session_id, meter_wh, meter_wh - 1000)
        await till.bills.billing._end(await till.field.tenant_id("north"), session_id)

    await correct(3000)
    done = await till.see(payment, lambda found: found["refunded"] != money("0.00"))
    assert (done["state"], done["captured"], done["refunded"], done["due"]) == (
        *("captured", money("1.20"), money("0.60"), money("0.60")),
    )
    await till.hasten(payment)  # the same again changes nothing
    await correct(7000)
    done = await till.see(payment, lambda found: found["flag"] is not None)
    assert (done["captured"], done["refunded"], done["due"]) == (money("1.20"), money("0.60"), money("1.80"))
    hold = await till.hold(payment)
    assert (hold["captured"], hold["refunded"]) == (Decimal("1.20"), Decimal("0.60"))
    assert await till.calls(payment) == {
        "authorize": (1, "done"),
        "capture": (1, "done"),
        "refund:1": (1, "done"),
    }


async def test_without_a_session_the_hold_is_released_and_the_token_gone(till: Till) -> None:
    payment = await till.pay()
    token = await till.token(payment)
    await till.hasten(payment, deadline="now()")
    done = await till.state(payment, "released")
    assert done["reason"] == "no session began"
    assert (await till.hold(payment))["state"] == "released"
    # who is late is refused; what he took all the same is told to a person
    late = await till.field.ledger.commit(_start(await till.field.tenant_id("north"), till.station, token))
    assert late.decision.status == "Blocked"
    session_id = await till.bills.session(str(late.transaction_id))
    await till.field.stop("north", till.station, str(late.transaction_id))
    await till.bills.settled()
    answer = await till.boss.post(f"/api/v1/sessions/{session_id}/settle", {"reason": "seen"})
    assert answer.status_code == 200, answer.text
    found = await till.see(payment, lambda found: found["flag"] is not None)
    assert str(session_id) in found["flag"]
    assert found["captured"] == money("0.00")


async def test_a_session_without_energy_costs_nothing(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csms.payments.service.BILL_AFTER", machine._FIRST_PAUSE * 0)
    monkeypatch.setattr(machine, "SESSION_EVERY", machine._FIRST_PAUSE)
    payment = await till.pay()
    transaction = await till.start(payment)
    await till.hasten(payment)
    await till.field.stop("north", till.station, transaction, meter_wh=1000)
    done = await till.state(payment, "released")
    assert (done["reason"], done["captured"], done["flag"]) == ("nothing to pay", money("0.00"), None)
    assert (await till.hold(payment))["state"] == "released"


@pytest.mark.parametrize(
    ("method", "states"),
    [
        ("test_declined", {"declined"}),
        ("test_redirect_declined", {"declined"}),
        ("test_silent", {"released"}),
    ],
)
async def test_no_authorization_no_start(till: Till, method: str, states: set[str]) -> None:
    payment = await till.pay(method)
    assert payment["state"] in ("authorizing", *states)
    if method == "test_silent":
        await till.see(payment, lambda found: found["attempts"] > 1 and "no answer" in str(found["failure"]))
        await till.hasten(payment, deadline="now()")
    done = await till.see(payment, lambda found: found["state"] in states)
    assert done["reason"]
    assert (await till.hold(payment))["state"] in ("declined", "released")
    assert (await till.boss.get("/api/v1/chargepoints/CP1/commands")).json()["items"] == []


async def test_the_payer_is_sent_to_the_provider_first(till: Till) -> None:
    payment = await till.pay("test_redirect", return_url="https://example.org/back")
    seen = payment if payment["redirect_url"] else await till.see(payment, lambda found: found["state"] != "authorizing")
    if seen["state"] == "authorizing":
        assert seen["redirect_url"] == f"https://payments.test.invalid/{payment['payment_id']}"
    done = await till.state(payment, "starting")
    assert done["redirect_url"] is None


@pytest.mark.parametrize("method", ["test_late", "test_unavailable"])
async def test_lost_answers_and_outages_change_nothing(till: Till, method: str) -> None:
    """Every call is lost once, before or after it had its effect."""
    payment = await till.pay(method)
    transaction = await till.start(payment)
    await till.field.stop("north", till.station, transaction)
    done = await till.state(payment, "captured")
    assert (done["captured"], done["failure"], done["attempts"]) == (money("1.20"), None, 0)
    assert await till.calls(payment) == {"authorize": (2, "done"), "capture": (2, "done")}
    assert (await till.hold(payment))["captured"] == Decimal("1.20")


async def test_a_provider_that_is_gone_and_comes_back(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = await till.pay()
    transaction = await till.start(payment)

    def gone(name: str, tenant_id: int) -> port.PaymentProvider:
        raise port.ProviderUnavailable("gone")

    providers = till.service._providers
    monkeypatch.setattr(providers, "open", gone)
    await till.field.stop("north", till.station, transaction)
    await till.see(payment, lambda found: found["state"] == "capturing" and found["attempts"] >= 2)
    assert (await till.hold(payment))["state"] == "authorized"
    monkeypatch.undo()
    await till.hasten(payment)
    assert (await till.state(payment, "captured"))["captured"] == money("1.20")


async def test_a_process_that_dies_between_any_two_steps(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step came to is not kept every first time, as if the process had died right after it."""
    kept = till.service._write
    died: set[str] = set()

    async def die_first(conn, tenant_id, stored, after, now):  # type: ignore[no-untyped-def]
        name = f"{stored.payment.state}>{after.state}"
        if name not in died and after != stored.payment:
            died.add(name)
            await conn.execute("UPDATE payments SET due_at = now() WHERE tenant_id = $1", tenant_id)
            return False
        return await kept(conn, tenant_id, stored, after, now)

    monkeypatch.setattr(till.service, "_write", die_first)
    # the hub's own service does not take it on: the worker has to do it all
    monkeypatch.setattr("hub.endpoints.payments._WAIT_S", 0.0)
    payment = await till.pay()
    transaction = await till.start(payment)
    await till.field.stop("north", till.station, transaction)
    done = await till.state(payment, "captured")
    assert done["captured"] == money("1.20")
    assert (await till.hold(payment))["captured"] == Decimal("1.20")
    states = ("created", "authorizing", "authorized", "starting", "charging", "capturing", "captured")
    assert {f"{before}>{after}" for before, after in pairwise(states)} <= died
    tokens = await till.sql("SELECT count(*) AS n FROM id_tokens WHERE kind = 'temporary' AND used_by_session_id IS NOT NULL")
    assert tokens[0]["n"] == 1
    commands = (await till.boss.get("/api/v1/chargepoints/CP1/commands")).json()["items"]
    assert [command["command"] for command in commands if command["requested_by"] == "system:payments"] == ["remote_start"]


async def test_a_station_that_is_away_is_not_paid_for(till: Till) -> None:
    await till.sql("UPDATE stations SET connected_process = NULL")
    payment = await till.pay()
    done = await till.state(payment, "released")
    assert done["reason"] == "the charge point is not connected"


async def test_a_request_that_comes_again_makes_one_payment(till: Till) -> None:
    first = await till.pay(request_id="order-1")
    body = {"charge_point_id": "CP1", "evse_id": 1, "payment_method": "test_ok", "request_id": "order-1"}
    again = await till.boss.post("/api/v1/payments", body)
    assert (again.status_code, again.json()["payment_id"]) == (200, first["payment_id"])
    assert len((await till.boss.get("/api/v1/payments?state=starting")).json()["items"]) == 1


async def test_bad_orders_and_settings(till: Till) -> None:
    good = {"charge_point_id": "CP1", "evse_id": 1, "payment_method": "test_ok"}
    for change, field in (
        ({"charge_point_id": "NOWHERE"}, "charge_point_id"),
        ({"amount": money("100.01")}, "amount.amount"),
        ({"amount": money("0.00")}, "amount.amount"),
        ({"amount": money("1.001")}, "amount.amount"),
        ({"amount": {"amount": "1.00", "currency": "CHF"}}, "amount.currency"),
        ({"amount": money("1e3")}, "amount.amount"),
        ({"evse_id": 0}, "evse_id"),
        ({"payment_method": "with blank"}, "payment_method"),
        ({"return_url": "http://example.org"}, "return_url"),
    ):
        answer = await till.boss.post("/api/v1/payments", good | change)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    for change, field in (
        ({"provider": "nobody"}, "provider"),
        ({"hold_amount": "200.00"}, "max_amount"),
        ({"hold_amount": "0"}, "hold_amount"),
        ({"currency": "JPY", "hold_amount": "20.50"}, "hold_amount"),
    ):
        answer = await till.boss.put("/api/v1/payment-settings", SETTINGS | change)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    assert (await till.boss.put("/api/v1/payment-settings", SETTINGS | {"enabled": False})).status_code == 200
    assert (await till.boss.post("/api/v1/payments", good)).status_code == 409
    assert (await till.sql("SELECT count(*) AS n FROM payments"))[0]["n"] == 0


def _start(tenant_id: int, station_id: int, tag: str, *, evse: int = 1):  # type: ignore[no-untyped-def]
    from csms.domain.operations import StartTransaction
    from csms.domain.times import parse_station_time

    return StartTransaction(
        tenant_id=tenant_id,
        station_id=station_id,
        evse_id=evse,
        connector_id=evse,
        id_token=tag,
        time=parse_station_time("2026-03-01T10:00:00Z"),
        meter_start_wh=1000,
    )
