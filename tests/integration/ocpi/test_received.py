"""Objects of partners at our own tenants: the receiver interfaces, rule by rule (digest, chapters 2.6, 9 to 12 and 14)."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import trio

from csms.roaming.partners import PartnerSettings
from tests.integration.ocpi.roaming import Roaming, data, rules
from tests.ocpi import documents
from tests.ocpi.operations import operation

CPO = ("NL", "XCP")
EMSP = ("DE", "ABC")


def at(second: int) -> str:
    return f"2026-03-01T10:00:{second:02d}Z"


@operation(12, 13, 14)
async def test_locations_evses_and_connectors(roaming: Roaming) -> None:
    """L1 to L6, W1 to W8, S3, S4."""
    await roaming.tenant("drivers", ("BE-OWN", "EMSP"))
    partner = await roaming.partner(roaming.own("BE-OWN").tenant_id, ("NL-XCP", "CPO"))

    async def tell(method: Any, *segments: str, body: Any = None) -> Any:
        return await roaming.ask(partner, "BE-OWN", method, "locations", "RECEIVER", *segments, body=body)

    evse = documents.evse("E1", last_updated=at(1), connectors=[documents.connector(last_updated=at(1))], colour="red")
    location = documents.location("Loc*1", CPO, last_updated=at(1), evses=[evse], extra={"kept": [1.5, None]})
    missing = await tell("PUT", "NL", "XCP", "LOC*1", "E1", body=evse)
    assert (missing.http_status, missing.status_code) == (404, 2003)  # L3
    assert (await tell("PATCH", "NL", "XCP", "LOC*1", body={"name": "x", "last_updated": at(1)})).http_status == 404  # W4
    made = await tell("PUT", "nl", "xcp", "LOC*1", body=location)
    assert (made.http_status, made.successful) == (201, True)
    assert data(await tell("GET", "NL", "XCP", "loc*1")) == location  # B2, B11: spelled and filled as told
    assert (await tell("PUT", "NL", "XCP", "LOC*1", body=location)).http_status == 200  # a replay changes nothing

    # L4: a part lifts its parents, and never lowers them
    connector = documents.connector(id="2", last_updated=at(5))
    assert (await tell("PUT", "NL", "XCP", "LOC*1", "e1", "2", body=connector)).http_status == 201
    stored = data(await tell("GET", "NL", "XCP", "LOC*1"))
    assert (stored["last_updated"], stored["evses"][0]["last_updated"]) == (at(5), at(5))
    assert (await tell("PATCH", "NL", "XCP", "LOC*1", "E1", "1", body={"max_amperage": 16, "last_updated": at(3)})).successful
    assert data(await tell("GET", "NL", "XCP", "LOC*1", "E1", "1"))["max_amperage"] == 16
    assert data(await tell("GET", "NL", "XCP", "LOC*1", "E1"))["last_updated"] == at(5)
    # W8: what comes late is answered well, and ignored
    late = await tell("PATCH", "NL", "XCP", "LOC*1", "E1", body={"status": "REMOVED", "last_updated": at(4)})
    assert late.successful
    assert "W8" in rules(late)
    assert data(await tell("GET", "NL", "XCP", "LOC*1", "E1"))["status"] == "AVAILABLE"
    assert (await tell("PATCH", "NL", "XCP", "LOC*1", "E1", body={"status": "CHARGING", "last_updated": at(5)})).successful
    assert data(await tell("GET", "NL", "XCP", "LOC*1", "E1")) | {"connectors": 0} == evse | {
        "status": "CHARGING",
        "last_updated": at(5),
        "connectors": 0,
    }
    # W1, W3: PUT forgets what it does not name, null in a PATCH clears
    assert (await tell("PATCH", "NL", "XCP", "LOC*1", body={"name": None, "last_updated": at(6)})).successful
    assert "name" not in data(await tell("GET", "NL", "XCP", "LOC*1"))
    whole = documents.location("Loc*1", CPO, last_updated=at(7), evses=[])
    assert (await tell("PUT", "NL", "XCP", "LOC*1", body=whole)).http_status == 200
    assert data(await tell("GET", "NL", "XCP", "LOC*1")) == whole
    for path in (("E1",), ("E1", "1")):
        assert (await tell("GET", "NL", "XCP", "LOC*1", *path)).status_code == 2003

    refused: list[tuple[tuple[str, ...], str, Any, tuple[int, int]]] = [
        (("NL", "XCP", "LOC*1"), "PATCH", {"name": "x"}, (200, 2001)),  # W2
        (("NL", "XCP", "LOC*1"), "PATCH", {"country": None, "last_updated": at(9)}, (200, 2001)),  # W3
        (("NL", "XCP", "OTHER"), "PUT", whole, (200, 2001)),  # W7
        (("NL", "XCP", "LOC*1"), "PUT", whole | {"party_id": "YYY"}, (200, 2001)),  # W7
        (("NL", "XCP", "LOC*1", "E1"), "PUT", whole, (200, 2001)),  # Z15
        (("NL", "YYY", "LOC*1"), "PUT", whole | {"party_id": "YYY"}, (404, 2001)),  # W6
        (("BE", "OWN", "LOC*1"), "PUT", whole | {"country_code": "BE", "party_id": "OWN"}, (404, 2001)),  # W6: our own
        (
            ("NL", "XCP", "LOC*1"),
            "PUT",
            whole | {"publish": True, "publish_allowed_to": [{"uid": "1", "type": "RFID"}]},
            (200, 2001),
        ),
        (("NL", "XCP", "LOC*1"), "PUT", whole | {"note": "a\0b"}, (200, 2001)),
        (("NL", "XCP", "LOC*1"), "PUT", None, (200, 2001)),
        (("NL", "XCP", "x\0"), "GET", None, (404, 2000)),
        (("NL", "XCP", "x" * 256), "GET", None, (404, 2000)),
        (("NL", "XCP"), "GET", None, (404, 2000)),
        (("NL", "XCP", "LOC*1"), "DELETE", None, (405, 2000)),  # S5
        (("NL", "XCP", "NONE"), "GET", None, (404, 2003)),
    ]
    for segments, method, body, expected in refused:
        answer = await tell(method, *segments, body=body)
        assert (answer.http_status, answer.status_code) == expected, (segments, method, answer)
    # Z23, Z12: forgiven, with a remark
    bare = {name: value for name, value in whole.items() if name != "time_zone"} | {"id": "B", "evses": [[evse], None]}
    answer = await tell("PUT", "NL", "XCP", "B", body=[bare])
    assert answer.http_status == 201
    assert {"Z23", "Z12", "Z3"} <= rules(answer)
    assert (await tell("PATCH", "NL", "XCP", "B", "E1", body={"status": "BLOCKED", "last_updated": at(9)})).successful
    assert data(await tell("GET", "NL", "XCP", "B", "E1"))["status"] == "BLOCKED"


async def test_the_newest_state_wins_in_any_order(roaming: Roaming) -> None:
    """W8, L4: PUTs of a location and of its EVSE in any order, one after the other and at the same time."""
    tenant_id = await roaming.tenant("drivers", ("BE-OWN", "EMSP"))
    partner = await roaming.partner(tenant_id, ("NL-XCP", "CPO"))
    old, new = (documents.location("L", CPO, name=f"at {n}", last_updated=at(n), evses=[]) for n in (1, 2))
    part = documents.evse("E1", status="CHARGING", last_updated=at(3), connectors=[documents.connector(last_updated=at(3))])
    newer = part | {"status": "BLOCKED", "last_updated": at(4)}
    for number, order in enumerate(permutations((old, new, new | {"name": "late", "last_updated": at(0)}))):
        for each in order:
            body = each | {"id": f"L{number}"}
            assert (
                await roaming.ask(partner, "BE-OWN", "PUT", "locations", "RECEIVER", "NL", "XCP", body["id"], body=body)
            ).successful
        got = data(await roaming.ask(partner, "BE-OWN", "GET", "locations", "RECEIVER", "NL", "XCP", f"L{number}"))
        assert got == new | {"id": f"L{number}"}
    for number, pair in enumerate(permutations((part, newer))):
        for each in pair:
            path = ("NL", "XCP", f"L{number}")
            assert (await roaming.ask(partner, "BE-OWN", "PUT", "locations", "RECEIVER", *path, "E1", body=each)).successful
        got = data(await roaming.ask(partner, "BE-OWN", "GET", "locations", "RECEIVER", "NL", "XCP", f"L{number}"))
        assert (got["evses"], got["last_updated"]) == ([newer], at(4))

    async def put(number: int) -> None:
        body = documents.location("RACE", CPO, name=f"at {number}", last_updated=at(number))
        answers.append(await roaming.ask(partner, "BE-OWN", "PUT", "locations", "RECEIVER", "NL", "XCP", "RACE", body=body))

    answers: list[Any] = []
    async with trio.open_nursery() as nursery:
        for number in (7, 3, 9, 1, 5, 2):
            nursery.start_soon(put, number)
    assert sorted(answer.http_status for answer in answers) == [200] * 5 + [201]
    assert data(await roaming.ask(partner, "BE-OWN", "GET", "locations", "RECEIVER", "NL", "XCP", "RACE"))["name"] == "at 9"


@operation(17, 18, 19, 24, 25, 26)
async def test_sessions_and_tariffs(roaming: Roaming) -> None:
    """E1, E2, E4, E7, Z18, F1, Z14."""
    tenant_id = await roaming.tenant("drivers", ("DE-ABC", "EMSP"))
    partner = await roaming.partner(tenant_id, ("NL-XCP", "CPO"))
    lenient = await roaming.partner(tenant_id, ("NL-LAX", "CPO"), settings=PartnerSettings(lenient_put=True))

    async def tell(method: Any, module: Any, *segments: str, body: Any = None, of: Any = partner) -> Any:
        return await roaming.ask(of, "DE-ABC", method, module, "RECEIVER", *segments, body=body)

    path = ("sessions", "NL", "XCP", "S1")
    session = documents.session("S1", CPO, status="PENDING", last_updated=at(1))
    assert (await tell("PUT", *path, body=session)).http_status == 201
    periods = [{"start_date_time": at(n), "dimensions": [{"type": "ENERGY", "volume": n}], "tariff_id": "T"} for n in (1, 2)]
    first = {"status": "ACTIVE", "kwh": 1, "charging_periods": periods[:1], "last_updated": at(2)}
    for _ in range(2):  # E2: added once, however often it comes
        assert (await tell("PATCH", *path, body=first)).successful
    assert (
        await tell("PATCH", *path, body={"charging_periods": periods, "auth_method": "WHITELIST", "last_updated": at(3)})
    ).successful
    stored = data(await tell("GET", *path))
    assert stored == session | first | {"charging_periods": periods, "auth_method": "WHITELIST", "last_updated": at(3)}
    (row,) = await roaming.sql("SELECT with_country_code, with_party_id FROM ocpi_objects WHERE module = 'sessions'")
    assert tuple(row.values()) == ("de", "abc")
    assert (await tell("PATCH", *path, body={"status": "COMPLETED", "last_updated": at(4)})).successful
    after = await tell("PUT", *path, body=session | {"status": "RESERVED", "last_updated": at(5)})
    assert after.successful
    assert {"E4", "Z18"} <= rules(after)
    assert "charging_periods" not in data(await tell("GET", *path))

    path = ("tariffs", "NL", "XCP", "T1")
    tariff = documents.tariff("T1", CPO, last_updated=at(1))
    assert (await tell("DELETE", *path)).http_status == 404
    assert (await tell("PUT", *path, body=tariff)).http_status == 201
    assert (await tell("PATCH", *path, body=tariff)).http_status == 405
    assert (await tell("DELETE", *path)).successful
    assert [(await tell(method, *path)).http_status for method in ("DELETE", "GET")] == [404, 404]
    assert (await tell("PUT", *path, body=tariff)).http_status == 201  # it is back
    assert data(await tell("GET", *path)) == tariff

    path = ("tariffs", "NL", "LAX", "T1")
    tariff = documents.tariff("T1", ("NL", "LAX"), last_updated=at(1))
    assert (await tell("PUT", *path, body={"currency": "SEK"}, of=lenient)).status_code == 2001  # nothing to merge it into
    assert (await tell("PUT", *path, body=tariff, of=lenient)).http_status == 201
    assert (await tell("PUT", *path, body={"currency": "SEK", "last_updated": at(2)}, of=lenient)).http_status == 200
    assert data(await tell("GET", *path, of=lenient)) == tariff | {"currency": "SEK", "last_updated": at(2)}
    assert (await tell("GET", *path)).http_status == 404  # nobody but the owner reads it


@operation(27, 28, 29)
async def test_tokens_become_known_to_stations(roaming: Roaming) -> None:
    """K1 to K4, and whose token a value is."""
    tenant_id = await roaming.tenant("stations", ("NL-XCP", "CPO"))
    partner = await roaming.partner(tenant_id, ("DE-ABC", "EMSP"))
    await roaming.partner(tenant_id, ("FR-ZZZ", "EMSP"))

    async def tell(method: Any, uid: str, body: Any = None, **query: str) -> Any:
        return await roaming.ask(partner, "NL-XCP", method, "tokens", "RECEIVER", "DE", "ABC", uid, body=body, query=query)

    async def rows(key: str) -> list[dict[str, Any]]:
        return await roaming.sql(
            "SELECT type, status, blocked_reason, owner_country_code, owner_party_id, ocpi_type, whitelist, contract_id, issuer "
            "FROM id_tokens WHERE tenant_id = $1 AND token_key = $2 ORDER BY type",
            tenant_id,
            key,
        )

    token = documents.token("Tag-1", EMSP, whitelist="NEVER", last_updated=at(1))
    assert (await tell("PUT", "TAG-1", token)).http_status == 201
    app = token | {"type": "APP_USER"}
    assert (await tell("PUT", "TAG-1", app)).status_code == 2001  # K1: RFID where the query names no type
    assert (await tell("PUT", "TAG-1", app, type="APP_USER")).http_status == 201
    assert data(await tell("GET", "tag-1")) == token
    assert data(await tell("GET", "TAG-1", type="APP_USER")) == app
    both = await rows("tag-1")
    assert {row["ocpi_type"] for row in both} == {"RFID", "APP_USER"}
    assert {(row["owner_country_code"], row["owner_party_id"], row["whitelist"]) for row in both} == {("DE", "ABC", "NEVER")}
    assert (await tell("PATCH", "TAG-1", {"valid": False, "last_updated": at(2)})).successful  # K2
    assert sorted(row["status"] for row in await rows("tag-1")) == ["accepted", "blocked"]
    assert (await tell("PUT", "TAG-1", token)).successful  # late (W8): it stays revoked
    assert sorted(row["status"] for row in await rows("tag-1")) == ["accepted", "blocked"]
    assert (await tell("PATCH", "TAG-1", {"valid": True, "last_updated": at(3)})).successful
    assert {row["status"] for row in await rows("tag-1")} == {"accepted"}
    assert (await tell("PATCH", "NONE", {"valid": True, "last_updated": at(3)})).status_code == 2004

    # an operator's block is not its party's to undo
    await roaming.sql("UPDATE id_tokens SET status = 'blocked', blocked_reason = 'stolen' WHERE tenant_id = $1", tenant_id)
    assert (await tell("PUT", "TAG-1", token | {"issuer": "New", "last_updated": at(4)})).successful
    (kept,) = [row for row in await rows("tag-1") if row["ocpi_type"] == "RFID"]
    assert (kept["status"], kept["blocked_reason"], kept["issuer"]) == ("blocked", "stolen", "New")

    # a value that is a token already stays whose it is
    await roaming.sql("INSERT INTO id_tokens (tenant_id, id_token, type) VALUES ($1, 'OURS', 'ISO14443')", tenant_id)
    answer = await tell("PUT", "OURS", documents.token("OURS", EMSP))
    assert answer.http_status == 201
    assert rules(answer) == {"K1"}
    assert [row["owner_country_code"] for row in await rows("ours")] == [None]
    assert data(await tell("GET", "OURS"))["uid"] == "OURS"
    # what does not fit our columns is left out of them, not cut
    odd = documents.token("ODD", EMSP, contract_id="C" * 60, language="eng", whitelist="SOMETIMES", type="HAND")
    assert (await tell("PUT", "ODD", odd, type="HAND")).http_status == 201
    (row,) = await rows("odd")
    assert (row["contract_id"], row["whitelist"], row["ocpi_type"]) == (None, "NEVER", "OTHER")


@operation(21, 22)
async def test_cdrs_and_what_is_doubtful_about_them(roaming: Roaming) -> None:
    """D1 to D4, D13, Z17, Z22; the price by the CDR's own tariff."""
    tenant_id = await roaming.tenant("drivers", ("DE-ABC", "EMSP"))
    partner = await roaming.partner(tenant_id, ("NL-XCP", "CPO"))

    async def post(body: Any) -> Any:
        return await roaming.ask(partner, "DE-ABC", "POST", "cdrs", "RECEIVER", body=body)

    async def doubts(identifier: str) -> set[str]:
        (row,) = await roaming.sql(
            "SELECT findings, doubtful FROM ocpi_received_cdrs WHERE object_id = lower($1) AND tenant_id = $2",
            identifier,
            tenant_id,
        )
        found = {each["rule"] for each in json.loads(row["findings"])}
        assert row["doubtful"] == bool(found)
        return found - {"D5"}  # no token of ours is published here

    good = documents.cdr("C 1", CPO, start_date_time=at(0), end_date_time="2026-03-01T10:30:00Z", session_id="S1")
    good["charging_periods"][0]["start_date_time"] = at(0)
    made = await post(good)
    assert (made.http_status, made.headers["Location"]) == (201, "https://csms.example/ocpi/2.2.1/receiver/cdrs/NL/XCP/C%201")
    again = await post(good)
    assert (again.http_status, again.headers) == (200, made.headers)  # D2
    assert (await post(good | {"remark": "other"})).status_code == 2001
    got = await roaming.ask(partner, "DE-ABC", "GET", "cdrs", "RECEIVER", "NL", "XCP", "C 1")
    assert data(got) == good
    assert await doubts("C 1") == set()
    (row,) = await roaming.sql("SELECT computed_excl_vat, computed_incl_vat FROM ocpi_received_cdrs")
    assert [str(value) for value in row.values()] == ["4.0000", "4.8400"]

    def later(identifier: str, **members: Any) -> Any:
        return good | {"id": identifier, "session_id": identifier} | members

    wrong = [
        (later("DEAR", total_cost={"excl_vat": 9.0}, total_energy_cost={"excl_vat": 9.0}), {"P1"}),
        (later("SUMS", total_energy_cost={"excl_vat": 1.0}), {"D13"}),
        (later("WH", total_energy=10_000), {"Z17"}),
        (later("TWICE", session_id="S1"), {"Z22"}),
        (later("NOBODY", credit=True, credit_reference_id="NONE"), {"D3"}),
        (later("NOT-OURS", cdr_token=documents.cdr_token(documents.token("T", ("FR", "ZZZ")))), {"R8"}),
        (later("BACK", start_date_time=at(9), end_date_time=at(1)), {"D6"}),
    ]
    for body, expected in wrong:
        assert (await post(body)).http_status == 201
        assert expected <= await doubts(body["id"]), body["id"]
    negative = {"excl_vat": -4.0, "incl_vat": -4.84}
    credit = later("C 1-C", session_id="S1", credit=True, credit_reference_id="c 1", total_cost=negative)
    assert (await post(credit)).http_status == 201
    assert await doubts("C 1-C") == set()
    assert (await post(credit | {"id": "C 1-D"})).http_status == 201
    assert await doubts("C 1-D") == {"D3"}
    assert (await post(later("S1-NEW", session_id="S1"))).http_status == 201
    assert await doubts("S1-NEW") == {"Z22"}  # TWICE bills it still
    for body in (
        later("X", credit=True),
        later("X", credit_reference_id="C 1"),
        later("X", party_id="YYY"),
        later("X", total_cost=None),
    ):
        assert (await post(body)).status_code == 2001  # D4, W6, B1
    assert (await roaming.ask(partner, "DE-ABC", "PUT", "cdrs", "RECEIVER", body=good)).http_status == 405


async def test_faults_of_the_published_examples(roaming: Roaming) -> None:
    """Digest, 19: what is tolerated, and what is not."""
    tenant_id = await roaming.tenant("drivers", ("DE-ABC", "EMSP"))
    partner = await roaming.partner(tenant_id, ("NL-XCP", "CPO"))

    async def tell(method: Any, module: Any, *segments: str, body: Any) -> Any:
        return await roaming.ask(partner, "DE-ABC", method, module, "RECEIVER", *segments, body=body)

    assert (await tell("PUT", "locations", "NL", "XCP", "L", body=documents.location("L", CPO))).http_status == 201
    added = {
        "uid": "3256",
        "status": "AVAILABLE",
        "connectors": [{"id": "1", "standard": "IEC_62196_T2", "format": "SOCKET", "tariff_ids": ["14"]}],
        "physical_reference": 3,
        "floor": -1,
        "last_updated": at(1),
    }
    assert (await tell("PUT", "locations", "NL", "XCP", "L", "3256", body=added)).status_code == 2001
    tariff = documents.tariff("T", CPO)
    assert (await tell("PUT", "tariffs", "NL", "XCP", "T", body=tariff | {"last_updated": None})).status_code == 2001
    free = [{"price_components": [{"type": "FLAT", "price": 0.0, "step_size": 0}]}]
    assert (await tell("PUT", "tariffs", "NL", "XCP", "T", body=tariff | {"elements": free})).http_status == 201  # P16
    in_wh = [{"start_date_time": at(0), "dimensions": [{"type": "ENERGY", "volume": 41000}]}]
    session = documents.session("S", CPO, kwh=41.0, charging_periods=in_wh)
    assert (await tell("PUT", "sessions", "NL", "XCP", "S", body=session)).http_status == 201  # E11

    timed = [{"price_components": [{"type": "TIME", "price": 2.0, "vat": 10.0, "step_size": 300}]}]
    cdr = documents.cdr("CDR", CPO) | {
        "start_date_time": "2015-06-29T21:39:09Z",
        "end_date_time": "2015-06-29T23:37:32Z",
        "charging_periods": [
            {"start_date_time": "2015-06-29T21:39:09Z", "dimensions": [{"type": "TIME", "volume": 1.973}], "tariff_id": "12"}
        ],
        "tariffs": [documents.tariff("12", CPO, elements=timed)],
        "total_cost": {"excl_vat": 4.00, "incl_vat": 4.40},
        "total_time_cost": {"excl_vat": 4.00, "incl_vat": 4.40},
        "session_id": None,
        "total_energy": 15.342,
        "total_time": 1.973,
    }
    del cdr["total_energy_cost"]
    cdr["cdr_location"]["coordinates"] = {"latitude": "3.729944", "longitude": "51.047599"}
    assert (await tell("POST", "cdrs", body=cdr)).http_status == 201
    (row,) = await roaming.sql("SELECT computed_excl_vat, computed_incl_vat, findings FROM ocpi_received_cdrs")
    assert (str(row["computed_excl_vat"]), str(row["computed_incl_vat"])) == ("4.0000", "4.4000")
    assert {each["rule"] for each in json.loads(row["findings"])} == {"D5"}  # no token of ours
