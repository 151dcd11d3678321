"""Roaming as it is used: our installation, two platforms of others and stations, each a process of its own, in one run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from tests.e2e.databases import external_database
from tests.e2e.roaming import OURS_CPO, OURS_EMSP, PRICE, A, Network, X, roaming_network, show_card
from tests.e2e.running import RunningServer
from tests.ocpi import documents
from tests.ocpi.documents import Document
from tests.ocpi.operations import operation

MONTH = datetime.now(UTC).strftime("%Y-%m")


@pytest.fixture
def server(postgres: EmbeddedPostgres, migrated_template: str, root_secret: RootSecret, tmp_path: Path) -> Iterator[RunningServer]:
    """`csms serve` on a database of its own."""
    with external_database(postgres, migrated_template, root_secret, tmp_path) as (_, environment):
        running = RunningServer(
            tmp_path, {**environment, "CSMS_OUTGOING_PRIVATE": "1", "CSMS_COST_INTERVAL_S": "1", "CSMS_DRAIN_S": "3"}
        )
        try:
            yield running.start()
        finally:
            running.ensure_gone()


@pytest.mark.slow
def test_roaming(server: RunningServer) -> None:
    with roaming_network(server) as network:
        driver = documents.token("DRIVER-1", A, type="APP_USER")
        reserve_and_unlock(network, driver)
        records = [charge_by_app(network, version, driver) for version in ("1.6", "2.0.1")]
        settle(network, records)
        abroad(network)
        ask_about_unknown_cards(network)
        report = network.check_ours()
        failed = [finding for finding in report["findings"] if finding["outcome"] == "failed"]
        assert failed == []
        assert report["complete"]
        assert network.a.do("state")["troubles"] == []
        assert network.x.do("state")["troubles"] == []


@operation(18, 21, 32, 33, by="HUB")
def charge_by_app(network: Network, version: str, driver: Document) -> Document:
    """A driver of A starts in the app of A at a station of our CPO: through the hub, to the station, and back; gives the CDR."""
    a, place = network.a, network.evse_of(version)
    reference = f"ref-{version}"
    started = a.do(
        "command", command="START_SESSION", body={"token": driver, "authorization_reference": reference, **place}, to=OURS_CPO
    )
    assert (started["response"]["result"], started["result"]) == ("ACCEPTED", {"result": "ACCEPTED"}), started
    session = a.wait(
        lambda: next((one for one in a.received("sessions") if one.get("authorization_reference") == reference), None),
        f"the session at the {version} station is told",
    )
    assert (session["country_code"], session["party_id"]) == OURS_CPO
    assert session["cdr_token"] == documents.cdr_token(driver)
    assert (session["auth_method"], session["location_id"], session["evse_uid"]) == (
        "COMMAND",
        network.location_id,
        place["evse_uid"],
    )

    def running(least: float) -> bool:
        told = network.session_at_a(session["id"])
        cost = told.get("total_cost", {"excl_vat": 0})  # E8: not known yet
        return bool(told["status"] == "ACTIVE" and told["kwh"] > least and cost["excl_vat"] > 0)

    a.wait(lambda: running(0), "energy and cost are told while it runs", 20)
    before = network.session_at_a(session["id"])["kwh"]
    a.wait(lambda: running(before), "and told again", 20)
    limit_it(network, session["id"])

    stopped = a.do("command", command="STOP_SESSION", body={"session_id": session["id"]}, to=OURS_CPO)
    assert (stopped["response"]["result"], stopped["result"]) == ("ACCEPTED", {"result": "ACCEPTED"}), stopped
    a.wait(lambda: network.session_at_a(session["id"])["status"] == "COMPLETED", "the end is told")
    cdr: Document = a.wait(
        lambda: next((one for one in a.received("cdrs") if one["session_id"] == session["id"]), None), "the CDR is delivered"
    )
    assert cdr["total_energy"] == network.session_at_a(session["id"])["kwh"] > 0
    assert cdr["total_cost"]["excl_vat"] == pytest.approx(cdr["total_energy"] * PRICE, abs=0.001)
    assert cdr["total_cost"]["incl_vat"] == pytest.approx(cdr["total_cost"]["excl_vat"] * 1.21, abs=0.001)
    assert cdr["authorization_reference"] == reference
    return cdr


@operation(34, 35, 36, 37, by="HUB")
def limit_it(network: Network, session_id: str) -> None:
    """A limits a running session, asks what holds, and takes the limit away."""
    profile = {"charging_rate_unit": "A", "charging_profile_period": [{"start_period": 0, "limit": 16.0}]}
    for method, body in (("PUT", profile), ("GET", None), ("DELETE", None)):
        done = network.a.do("profile", method=method, session_id=session_id, to=OURS_CPO, body=body)
        assert done["response"]["result"] == "ACCEPTED", (method, done)
        assert done["result"]["result"] == "ACCEPTED", (method, done)


def settle(network: Network, records: list[Document]) -> None:
    """Both sides come to the same amount: our statement for A, and what A has been sent."""
    run = network.cpo.post("/statements", {"period": MONTH, "kind": "partner", "subject": "-".join(A), "preview": True})
    (statement,) = (item["statement"] for item in run["items"])
    assert statement["cdr_count"] == len(records)
    total = sum(record["total_cost"]["excl_vat"] for record in records)
    assert float(statement["total_excl_vat"]["amount"]) == pytest.approx(total, abs=0.01)


def reserve_and_unlock(network: Network, driver: Document) -> None:
    """A place is kept for a driver of A, which is told to A as a session (E5), and given free again."""
    a, place = network.a, network.evse_of("1.6")

    def told(status: str) -> bool:
        return [(one["status"], one["evse_uid"]) for one in a.received("sessions")] == [(status, place["evse_uid"])]

    body: dict[str, Any] = {"token": driver, "reservation_id": "R-1", "expiry_date": documents.instant(minutes=10)}
    body |= {name: place[name] for name in ("location_id", "evse_uid")}
    for command, sent in (
        ("RESERVE_NOW", body),
        ("CANCEL_RESERVATION", {"reservation_id": "R-1"}),
        ("UNLOCK_CONNECTOR", place),
    ):
        done = a.do("command", command=command, body=sent, to=OURS_CPO)
        assert (done["response"]["result"], done["result"]) == ("ACCEPTED", {"result": "ACCEPTED"}), (command, done)
        if command != "UNLOCK_CONNECTOR":
            status = "RESERVATION" if command == "RESERVE_NOW" else "COMPLETED"
            a.wait(partial(told, status), f"the reservation is told as {status}")


@operation(18, 21, 31, 33, 37)
def abroad(network: Network) -> None:
    """A driver of our eMSP at the CPO of somebody else: reserved, unlocked, started, limited, stopped, and paid for."""
    emsp, x = network.emsp, network.x
    token = emsp.post("/id-tokens", {"id_token": "OURS-1", "type": "ISO14443", "contract_id": "NL-CCC-C00000001"})["token_id"]
    (told,) = x.wait(lambda: x.received("tokens"), "our token is told to X")
    assert (told["uid"], told["party_id"], told["valid"]) == ("OURS-1", OURS_EMSP[1], True)
    network.wait(lambda: received(network, "locations"), "the location of X is known to our eMSP")
    for uid, answer in (("OURS-1", (200, 1000)), ("NOBODY", (404, 2004))):
        said = x.do("request", method="POST", module="tokens", role="SENDER", segments=[uid, "authorize"], to=OURS_EMSP)
        assert (said["status"], said["code"]) == answer, said
        assert uid == "NOBODY" or said["data"]["allowed"] == "ALLOWED"

    def order(command: str, **parameters: Any) -> Any:
        done = emsp.call("POST", "/ocpi/commands", {"command": command, **parameters}, wait=15)
        assert (done["response"], done["result"], done["status"]) == ("ACCEPTED", "ACCEPTED", "done"), done
        return done

    place = {"location_id": "LOC-1", "evse_uid": "EVSE-1"}
    held = order("reserve_now", token_id=token, expires_at=documents.instant(minutes=10), **place)["reservation_id"]
    order("cancel_reservation", reservation_id=held, owner="-".join(X))
    order("unlock_connector", connector_id="1", **place)
    order("start_session", token_id=token, connector_id="1", **place)
    (session,) = network.wait(lambda: received(network, "sessions"), "the session abroad is told")
    assert (session["status"], session["cdr_token"]["uid"]) == ("ACTIVE", "OURS-1")
    profile = {"charging_rate_unit": "A", "charging_profile_period": [{"start_period": 0, "limit": 16}]}
    order("set_charging_profile", session_id=session["id"], charging_profile=profile)
    assert order("get_charging_profile", session_id=session["id"], duration=600)["result_document"]["profile"]
    order("clear_charging_profile", session_id=session["id"])
    x.do("tell_session", session_id=session["id"], changes={"kwh": 5.5})
    network.wait(lambda: received(network, "sessions")[0]["kwh"] == 5.5, "its energy is told")
    order("stop_session", session_id=session["id"])
    (cdr,) = network.wait(lambda: received(network, "cdrs"), "the CDR abroad is delivered")
    assert received(network, "sessions")[0]["status"] == "COMPLETED"
    (statement,) = emsp.get("/ocpi/received-statements", period=MONTH)["items"]
    assert (statement["party"], statement["cdr_count"], statement["doubtful_count"]) == ("-".join(X), 1, 0)
    assert float(statement["total_excl_vat"]["amount"]) == cdr["total_cost"]["excl_vat"] == 4.0


def received(network: Network, module: str) -> list[Document]:
    """What X has told our eMSP."""
    found = network.emsp.items("/ocpi/objects", module=module, owner="-".join(X))
    return [network.emsp.get(f"/ocpi/objects/{module}/{one['object_no']}")["document"] for one in found]


@operation(31, by="HUB")
def ask_about_unknown_cards(network: Network) -> None:
    """A card that nobody has told us of names A: A is asked and nobody else; while A is silent the fallback holds."""
    network.cpo.put(
        "/external-authorization",
        {"via": "ocpi", "asks": "unknown_tokens", "timeout_ms": 1000, "fallback": "refuse", "cache_s": 0},
    )
    known, blocked, silent = (documents.token(f"DE-AAA-C0000000{number}", A) for number in range(3))
    network.a.do("own", module="tokens", documents=[known, blocked, silent])
    network.a.do("set", allowed={blocked["uid"]: "BLOCKED"})
    assert show_card(network.server, known["uid"]) == "Accepted"
    assert show_card(network.server, blocked["uid"]) == "Blocked"
    asked = network.a.do("seen", module="tokens", method="POST")
    assert [one["rest"][0] for one in asked] == [known["uid"], blocked["uid"]]
    assert asked[0]["body"]["location_id"] == network.location_id
    network.a.do("fault", kind="stall", module="tokens", method="POST")
    assert show_card(network.server, silent["uid"]) == "Invalid"
    network.a.do("mend")
