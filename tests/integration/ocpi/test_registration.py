"""Handshakes with other platforms (OCPI 2.2.1, versions, credentials, authorization; the rules by the ids of our digest)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import trio

from csms.secret import RootSecret
from hub.ocpi.registration.renewing import renew
from tests.integration.ocpi.onboarding import DETAILS, PARTNERS, Scene, enveloped, open_scene, scripted
from tests.ocpi.operations import operation
from tests.ocpi.platform import encoded
from tests.ocpi.wire import Answer

Case = Callable[[Scene], Awaitable[None]]

CASES: Final[list[tuple[str, Case]]] = []

RULES: Final = {
    *(f"V{number}" for number in range(1, 8)),
    *(f"C{number}" for number in range(1, 13)),
    *(f"A{number}" for number in range(1, 8)),
}


def rule(*ids: str) -> Callable[[Case], Case]:
    def note(case: Case) -> Case:
        CASES.append((" ".join(ids), case))
        return case

    return note


async def test_every_rule(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    """All cases at one running hub, each with platforms of its own; a failure names its rule."""
    assert {one for ids, _ in CASES for one in ids.split()} == RULES
    failures = []
    async with open_scene(database, root_secret, nursery) as scene:
        for ids, case in CASES:
            try:
                with trio.fail_after(20):
                    async with AsyncExitStack() as scene.stack:
                        await case(scene)
            except Exception as error:
                error.add_note(f"rule {ids}: {case.__name__}")
                failures.append(error)
    if failures:
        raise ExceptionGroup("rules that do not hold", failures)


@rule("V1")
@operation(1)
async def versions_are_listed_for_tokens_of_every_kind(scene: Scene) -> None:
    invited, platform = await scene.connected()
    second = await scene.invite(versions=["2.2.1"])
    assert platform.peer is not None
    for token, numbers in ((platform.peer.token, None), (second.token, ["2.2.1"])):
        answer = await scene.ask("GET", invited.versions_url, token)
        assert answer.json()["status_code"] == 1000
        listed = {version["version"]: version["url"] for version in answer.json()["data"]}
        assert "2.2.1" in listed
        assert numbers is None or list(listed) == numbers
        details = (await scene.ask("GET", listed["2.2.1"], token)).json()["data"]
        assert details["version"] == "2.2.1"
    for url in (invited.versions_url, scene.url("2.2.1")):
        assert (await scene.ask("GET", url, None)).status_code == 401
        assert (await scene.ask("POST", url, second.token, {})).status_code == 405
    assert (await scene.ask("GET", scene.url("1.0"), second.token)).status_code == 404
    assert (await scene.ask("GET", scene.url("2.2"), second.token)).status_code == 404


@rule("V2")
@operation(2)
async def a_module_is_listed_once_for_each_role(scene: Scene) -> None:
    invited = await scene.invite(tenant="hub")
    details = (await scene.ask("GET", scene.url("2.2.1"), invited.token)).json()["data"]
    locations = {one["role"]: one["url"] for one in details["endpoints"] if one["identifier"] == "locations"}
    assert set(locations) == {"SENDER", "RECEIVER"}
    assert locations["SENDER"] != locations["RECEIVER"]
    assert len({(one["identifier"], one["role"]) for one in details["endpoints"]}) == len(details["endpoints"])
    as_cpo = (await scene.ask("GET", scene.url("2.2.1"), (await scene.invite()).token)).json()["data"]
    assert {"SENDER"} == {one["role"] for one in as_cpo["endpoints"] if one["identifier"] == "locations"}


@rule("V3")
async def credentials_are_listed_once_unless_a_partner_wants_them_twice(scene: Scene) -> None:
    for settings, roles in (({}, ["SENDER"]), ({"credentials_twice": True}, ["SENDER", "RECEIVER"])):
        invited = await scene.invite(**settings)
        details = (await scene.ask("GET", scene.url("2.2.1"), invited.token)).json()["data"]
        assert [one["role"] for one in details["endpoints"] if one["identifier"] == "credentials"] == roles
    for role in ("RECEIVER", None):
        async with scripted() as platform:
            url = f"{platform.url}/c"
            platform.details("2.2.1", raw=[{"identifier": "credentials", "url": url, **({} if role is None else {"role": role})}])
            party = ("EMSP", "DE", scene.party_id())
            platform.answers["POST /c"] = enveloped(platform.credentials(party))
            invited = await scene.invite()
            order = {"versions_url": platform.versions_url, "token": "token-a"}
            answer = await scene.order(invited.partner_id, "register", order)
            assert answer.status_code == 200, answer.text


@rule("V4")
async def the_highest_common_version_is_taken(scene: Scene) -> None:
    async with scripted() as platform:
        platform.versions("2.0", "2.2.1", "2.1", "9.9")
        platform.answers["POST /2.2.1/credentials/SENDER"] = enveloped(platform.credentials(("EMSP", "DE", scene.party_id())))
        invited = await scene.invite()
        answer = await scene.order(invited.partner_id, "register", {"versions_url": platform.versions_url, "token": "token-a"})
        assert answer.json()["version"] == "2.2.1", answer.text
        platform.versions("2.0", "9.9")
        second = await scene.invite()
        answer = await scene.order(second.partner_id, "register", {"versions_url": platform.versions_url, "token": "token-a"})
        assert (answer.status_code, "no common version" in answer.json()["detail"]) == (502, True)


@rule("V5")
async def nothing_but_modules_of_the_standard_is_shown(scene: Scene) -> None:
    standard = {
        "cdrs",
        "chargingprofiles",
        "commands",
        "credentials",
        "hubclientinfo",
        "locations",
        "sessions",
        "tariffs",
        "tokens",
    }
    invited = await scene.invite(tenant="hub")
    details = (await scene.ask("GET", scene.url("2.2.1"), invited.token)).json()["data"]
    assert {one["identifier"] for one in details["endpoints"]} == standard


@rule("V6", "C5")
async def a_new_party_is_told_by_rotating(scene: Scene) -> None:
    """Endpoints changed: the partner is told with PUT, and reads versions and details anew with the new token."""
    north, emsp = await scene.connected()
    assert emsp.peer is not None
    assert ("tokens", "SENDER") not in emsp.peer.endpoints
    made = await scene.boss.put("/api/v1/ocpi/parties/NL/NOR/EMSP", {"business_details": DETAILS})
    assert made.status_code == 200, made.text
    try:
        before = emsp.peer.token
        answer = await scene.order(north.partner_id, "rotate")
        assert answer.status_code == 200, answer.text
        assert ("tokens", "SENDER") in emsp.peer.endpoints
        assert {role["role"] for role in emsp.peer.roles} == {"CPO", "EMSP"}
        assert emsp.peer.token != before
        put = emsp.requests("credentials", "PUT")[-1]
        assert put.body["token"] == emsp.peer.token
        assert [one.module for one in emsp.seen[-3:]] == ["versions", "details", "credentials"]
    finally:
        assert (await scene.boss.delete("/api/v1/ocpi/parties/NL/NOR/EMSP")).status_code == 204


@rule("V7")
async def unknown_modules_of_a_partner_are_ignored(scene: Scene) -> None:
    async with scripted() as platform:
        names = ("xy-locations", "credentials", "cdrs")
        raw = [{"identifier": name, "role": "SENDER", "url": f"{platform.url}/{name}"} for name in names]
        raw.append({"identifier": "xy-secrets", "role": "SENDER", "url": "http://169.254.169.254/"})
        platform.details("2.2.1", raw=raw)
        platform.answers["POST /credentials"] = enveloped(platform.credentials(("EMSP", "DE", scene.party_id())))
        invited = await scene.invite()
        answer = await scene.order(invited.partner_id, "register", {"versions_url": platform.versions_url, "token": "token-a"})
        assert {one["identifier"] for one in answer.json()["endpoints"]} == set(names)


@rule("C1")
@operation(4)
async def either_side_may_start(scene: Scene) -> None:
    invited, platform = await scene.connected()
    shown = await scene.partner(invited.partner_id)
    assert (shown["status"], shown["version"]) == ("connected", "2.2.1")
    assert shown["versions_url"] == platform.versions_url
    assert [(role["country_code"], role["party_id"], role["status"]) for role in shown["roles"]] == [(*platform.party, "CONNECTED")]
    # inside of the POST we have read its versions and details with its token B
    (token_b,) = platform.granted
    read = [seen for seen in platform.seen if seen.module in ("versions", "details")]
    assert [seen.module for seen in read] == ["versions", "details"]
    assert {seen.headers["authorization"] for seen in read} == {f"Token {encoded(token_b, 'base64')}"}
    assert (await scene.ask("GET", invited.versions_url, invited.token)).status_code == 401  # A is dead
    assert platform.peer is not None
    assert [role["role"] for role in platform.peer.roles] == ["CPO"]

    other, second = await scene.platform(), await scene.invite()
    token_a = other.offer()
    answer = await scene.order(second.partner_id, "register", {"versions_url": other.versions_url, "token": token_a})
    assert answer.status_code == 200, answer.text
    assert [(seen.module, seen.method) for seen in other.seen] == [("versions", "GET"), ("details", "GET"), ("credentials", "POST")]
    assert token_a not in other.registration_tokens
    assert (await scene.ask("GET", invited.versions_url, second.token)).status_code == 401
    assert await scene.hash_count(second.partner_id) == 1


@rule("C1", "C3")
async def nothing_is_posted_where_endpoints_are_missing(scene: Scene) -> None:
    async with scripted() as platform:
        invited = await scene.invite()
        lonely = [{"identifier": "cdrs", "role": "SENDER", "url": platform.url}]
        for raw, why in (([], "no endpoints"), (lonely, "no endpoint credentials")):
            platform.details("2.2.1", raw=raw)
            order = {"versions_url": platform.versions_url, "token": "token-a"}
            answer = await scene.order(invited.partner_id, "register", order)
            assert (answer.status_code, why in answer.json()["detail"], "3003" in answer.json()["detail"]) == (502, True, True)
        assert {seen.method for seen in platform.seen} == {"GET"}
        assert await scene.hash_count(invited.partner_id) == 1  # the token A that we have made


@rule("C2")
async def token_b_is_good_before_the_answer(scene: Scene) -> None:
    """The platform calls back while we wait; it does so several times at once, and with the database's smallest pool."""
    platform, invited = await scene.platform(), await scene.invite()
    called: list[int] = []
    explore = platform._explore

    async def often(url: str, token: str) -> Any:
        async with trio.open_nursery() as nursery:
            for _ in range(8):

                async def call() -> None:
                    called.append((await scene.ask("GET", url, token)).status_code)

                nursery.start_soon(call)
        return await explore(url, token)

    platform._explore = often  # type: ignore[method-assign]
    order = {"versions_url": platform.versions_url, "token": platform.offer()}
    answer = await scene.order(invited.partner_id, "register", order)
    assert answer.status_code == 200, answer.text
    assert called == [200] * 8


@rule("C3")
async def a_failed_call_back_leaves_nothing_and_token_a_alive(scene: Scene) -> None:
    party = ("EMSP", "DE", scene.party_id())
    async with scripted() as platform:
        invited = await scene.invite()
        url = scene.url("2.2.1", "credentials")

        async def post(**members: Any) -> dict[str, Any]:
            answer = await scene.ask("POST", url, invited.token, platform.credentials(party, **members))
            assert answer.status_code == 200  # S2
            body: dict[str, Any] = answer.json()
            return body

        broken: list[tuple[int, Callable[[], None]]] = [
            (3001, lambda: platform.answers.update({"/versions": Answer(500)})),
            (3001, lambda: platform.answers.update({"/versions": enveloped(None, 2000)})),
            (3001, lambda: platform.answers.update({"/versions": enveloped(None, 2000, 401)})),
            (3001, lambda: platform.answers.update({"/versions": enveloped("2.2.1")})),
            (3001, lambda: platform.answers.update({"/versions": Answer(200, [], b'{"data": [}')})),
            (3001, lambda: platform.answers.update({"/versions": Answer(302, [("Location", f"{platform.url}/v2")])})),
            (3001, lambda: platform.answers.update({"/versions": Answer(200, [], b" " * 2_000_000)})),
            (3001, lambda: platform.answers.update({"/versions": Answer(verbatim=b"SSH-2.0\r\n\r\n")})),
            (3002, lambda: platform.versions("2.1.1", "2.3.0")),
            (3001, lambda: platform.answers.update({"/2.2.1": Answer(404)})),
            (3001, lambda: platform.answers.update({"/2.2.1": enveloped({"version": "2.2.1", "endpoints": "none"})})),
            (3003, lambda: platform.details("2.2.1", raw=[])),
            (3003, lambda: platform.details("2.2.1", ("locations", "SENDER"))),
        ]
        for code, breaks in broken:
            platform.versions("2.2.1")
            breaks()
            body = await post()
            assert body["status_code"] == code, body
            assert "data" not in body
        platform.versions("2.2.1")
        assert (await post(url="http://127.0.0.1:9/versions"))["status_code"] == 3001
        shown = await scene.partner(invited.partner_id)
        assert (shown["status"], shown["roles"], shown["endpoints"], shown["versions_url"]) == ("planned", [], [], None)
        assert await scene.hash_count(invited.partner_id) == 1
        assert (await post())["status_code"] == 1000
        assert (await scene.partner(invited.partner_id))["status"] == "connected"


@rule("C3")
async def a_cpo_without_data_and_a_platform_of_our_kind_match_nothing(scene: Scene) -> None:
    async with scripted() as platform:
        platform.details("2.2.1", ("credentials", "SENDER"))
        for tenant, role, code in (("hub", "CPO", 3003), ("north", "CPO", 3003), ("north", "NSP", 1000)):
            invited = await scene.invite(tenant=tenant)
            body = platform.credentials((role, "DE", scene.party_id()))
            answer = await scene.ask("POST", scene.url("2.2.1", "credentials"), invited.token, body)
            assert answer.json()["status_code"] == code, answer.text


@rule("C4")
async def who_is_registered_may_not_post_and_who_is_not_may_not_put(scene: Scene) -> None:
    invited, platform = await scene.connected()
    other = await scene.invite()
    assert platform.peer is not None
    body = platform.credentials("token-of-mine")
    for version in ("2.2.1",):
        url = scene.url(version, "credentials")
        assert (await scene.ask("POST", url, platform.peer.token, body)).status_code == 405
        for method in ("PUT", "DELETE"):
            assert (await scene.ask(method, url, other.token, None if method == "DELETE" else body)).status_code == 405
        assert (await scene.ask("PATCH", url, platform.peer.token, body)).status_code == 405
        assert (await scene.ask("GET", url + "/more", platform.peer.token)).status_code == 404
    assert (await scene.partner(invited.partner_id))["status"] == "connected"


@rule("C5")
@operation(5)
async def a_put_renews_tokens_and_reads_everything_anew(scene: Scene) -> None:
    invited, platform = await scene.connected()
    assert platform.peer is not None
    token = platform.peer.token
    platform.roles.append(platform.roles[0]._replace(party_id=scene.party_id()))
    platform.seen.clear()
    reply = await platform.update()
    assert reply.ok, reply
    assert platform.peer.token != token
    assert [seen.module for seen in platform.seen] == ["versions", "details"]
    shown = await scene.partner(invited.partner_id)
    assert {role["party_id"] for role in shown["roles"]} == {role.party_id for role in platform.roles}
    gone = platform.roles.pop()
    assert (await platform.update()).ok
    shown = await scene.partner(invited.partner_id)
    assert {role["party_id"]: role["status"] for role in shown["roles"]}[gone.party_id] == "SUSPENDED"  # I3
    # what is gone stays so when the platform is suspended and comes back
    for order in ("suspend", "resume"):
        assert (await scene.order(invited.partner_id, order)).status_code == 200
    shown = await scene.partner(invited.partner_id)
    assert sorted(role["status"] for role in shown["roles"]) == ["CONNECTED", "SUSPENDED"]


@rule("C6")
async def old_tokens_are_good_for_a_minute_more(scene: Scene) -> None:
    invited, platform = await scene.connected()
    assert platform.peer is not None
    old = platform.peer.token
    assert (await platform.update()).ok
    new = platform.peer.token
    assert [(await scene.ask("GET", invited.versions_url, token)).status_code for token in (old, new)] == [200, 200]
    rows = await scene.hub.sql(
        "SELECT expires_at - now() AS rest FROM ocpi_tokens WHERE partner_id = $1::text::uuid ORDER BY expires_at",
        invited.partner_id,
    )
    assert timedelta(seconds=50) < rows[0]["rest"] <= timedelta(seconds=60)
    assert [row["rest"] for row in rows[1:]] == [None]
    await scene.hub.sql("UPDATE ocpi_tokens SET expires_at = now() WHERE expires_at IS NOT NULL")
    await scene.forget()
    assert [(await scene.ask("GET", invited.versions_url, token)).status_code for token in (old, new)] == [401, 200]


@rule("C7")
@operation(3)
async def credentials_show_the_token_that_was_used(scene: Scene) -> None:
    invited, platform = await scene.connected()
    other = await scene.invite()
    assert platform.peer is not None
    for token in (platform.peer.token, other.token):
        shown = (await scene.ask("GET", scene.url("2.2.1", "credentials"), token)).json()["data"]
        assert shown == {
            "token": token,
            "url": invited.versions_url,
            "roles": [{"role": "CPO", "business_details": DETAILS, "party_id": "NOR", "country_code": "NL"}],
        }


@rule("C8")
@operation(6)
async def after_delete_neither_token_is_good(scene: Scene) -> None:
    invited, platform = await scene.connected()
    assert platform.peer is not None
    token = platform.peer.token
    reply = await platform.unregister()
    assert (reply.status, reply.code, reply.data) == (200, 1000, None)
    assert (await scene.ask("GET", invited.versions_url, token)).status_code == 401
    shown = await scene.partner(invited.partner_id)
    assert (shown["status"], [role["status"] for role in shown["roles"]]) == ("left", ["SUSPENDED"])
    assert (await scene.order(invited.partner_id, "rotate")).status_code == 409

    second, other = await scene.connected()
    answer = await scene.boss.delete(f"{PARTNERS}/{second.partner_id}")
    assert answer.json() == {"told": True, "failure": None}
    assert (other.granted, await scene.hash_count(second.partner_id)) == (set(), 0)
    # who cannot be told is left too, and may come back with a new token A
    third, away = await scene.connected()
    away.granted.clear()
    answer = await scene.boss.delete(f"{PARTNERS}/{third.partner_id}")
    assert (answer.json()["told"], "401" in answer.json()["failure"]) == (False, True)
    again = (await scene.order(third.partner_id, "registration-token")).json()
    assert again["partner"]["status"] == "planned"
    assert (await away.register(again["versions_url"], again["token"])).ok
    assert (await scene.partner(third.partner_id))["status"] == "connected"


@rule("C9")
async def a_party_is_named_once_in_a_role_and_a_hub_names_itself_alone(scene: Scene) -> None:
    await scene.connected(role="CPO", tenant="hub")
    hub = await scene.invite(tenant="hub")
    told = (await scene.ask("GET", scene.url("2.2.1", "credentials"), hub.token)).json()["data"]
    assert [(role["role"], role["country_code"], role["party_id"]) for role in told["roles"]] == [("HUB", "NL", "HUB")]
    async with scripted() as platform:
        invited, party_id = await scene.invite(), scene.party_id()
        for roles in (
            [("EMSP", "DE", party_id), ("EMSP", "de", party_id.lower())],
            [],
            [("EMSP", "DEU", "X")],
            [("CPO", "nl", "nor")],
        ):
            answer = await scene.ask("POST", scene.url("2.2.1", "credentials"), invited.token, platform.credentials(*roles))
            assert (answer.status_code, answer.json()["status_code"]) == (200, 2001), answer.text
            assert "roles" in answer.json()["status_message"]
        assert platform.seen == []


@rule("C10")
async def tokens_are_renewed_when_they_are_old(scene: Scene) -> None:
    invited, platform = await scene.connected(rotate_days=30)
    _, untouched = await scene.connected()
    assert platform.peer is not None
    assert untouched.peer is not None
    before = (platform.peer.token, untouched.peer.token)
    since = (await scene.partner(invited.partner_id))["credentials_since"]
    assert await renew(scene.ocpi) == 0
    await scene.hub.sql("UPDATE ocpi_tokens SET created_at = created_at - interval '31 days'")
    assert await renew(scene.ocpi) == 1
    assert await renew(scene.ocpi) == 0
    assert platform.peer.token != before[0]
    assert untouched.peer.token == before[1]
    assert (await scene.partner(invited.partner_id))["credentials_since"] > since


@rule("C11")
async def business_details_of_both_sides_are_told(scene: Scene) -> None:
    invited, platform = await scene.connected()
    assert platform.peer is not None
    assert platform.peer.roles[0]["business_details"] == DETAILS
    shown = await scene.partner(invited.partner_id)
    assert shown["roles"][0]["name"] == platform.roles[0].document()["business_details"]["name"]


@rule("C12")
async def a_party_belongs_to_one_live_connection(scene: Scene) -> None:
    first, platform = await scene.connected(role="CPO", tenant="hub")
    second = await scene.invite(tenant="hub")
    rival = await scene.platform("CPO")
    rival.roles = platform.roles
    name = "-".join(platform.party)
    reply = await rival.register(second.versions_url, second.token)
    assert (reply.status, reply.code, name in (reply.message or "")) == (200, 2001, True)
    own = await scene.invite(tenant="hub")  # and so do parties of our own tenants
    rival.roles = [platform.roles[0]._replace(country_code="NL", party_id="NOR")]
    reply = await rival.register(own.versions_url, own.token)
    assert (reply.code, "NL-NOR" in (reply.message or "")) == (2001, True)
    taken = await scene.boss.put("/api/v1/ocpi/parties/{}/{}/CPO".format(*platform.party), {"business_details": DETAILS})
    assert taken.status_code == 409
    # an operator approves of a move by suspending the old connection
    assert (await scene.order(first.partner_id, "suspend", tenant="hub")).status_code == 200
    rival.roles = platform.roles
    assert (await rival.register(second.versions_url, second.token)).ok
    roles = (await scene.partner(second.partner_id, tenant="hub"))["roles"]
    assert [(role["party_id"], role["status"]) for role in roles] == [(platform.party[1], "CONNECTED")]
    # as the one that starts we call off what is taken
    third, fourth = await scene.platform("CPO"), await scene.invite(tenant="hub")
    third.roles = rival.roles
    order = {"versions_url": third.versions_url, "token": third.offer()}
    answer = await scene.order(fourth.partner_id, "register", order, tenant="hub")
    assert (answer.status_code, name in answer.json()["detail"]) == (502, True)
    assert (third.granted, third.peer) == (set(), None)
    assert await scene.hash_count(fourth.partner_id) == 1


@rule("A1", "A7")
async def we_write_token_and_base64(scene: Scene) -> None:
    _, platform = await scene.connected()
    (token,) = platform.granted
    assert {seen.headers["authorization"] for seen in platform.seen} == {f"Token {encoded(token, 'base64')}"}


@rule("A2")
async def tokens_are_64_printable_characters_at_most(scene: Scene) -> None:
    _, platform = await scene.connected()
    assert platform.peer is not None
    assert 32 <= len(platform.peer.token) <= 64
    assert all("!" <= character <= "~" for character in platform.peer.token)
    other = await scene.invite()
    for token in ("", "a" * 65, "with space", "ümlaut"):
        answer = await scene.ask("POST", scene.url("2.2.1", "credentials"), other.token, platform.credentials(token))
        assert (answer.json()["status_code"], "token" in answer.json()["status_message"]) == (2001, True)
        order = {"versions_url": platform.versions_url, "token": token}
        assert (await scene.order(other.partner_id, "register", order)).status_code == 422


@rule("A3")
async def nobody_else_is_answered(scene: Scene) -> None:
    for token in (None, "not-known", "x" * 400):
        for path in (("versions",), ("2.2.1",), ("2.2.1", "credentials"), ("2.2.1", "sender", "locations"), ("nothing",)):
            answer = await scene.ask("GET", scene.url(*path), token)
            assert (answer.status_code, answer.json()["status_code"]) == (401, 2000), path
    for header in ("Token", "Bearer abc", "Token a b", "Basic " + "x" * 1000):
        answer = await scene.ask("GET", scene.url("versions"), None, headers={"Authorization": header})
        assert answer.status_code == 401, header


@rule("A4")
async def token_a_is_for_registration_only(scene: Scene) -> None:
    invited = await scene.invite(tenant="hub")
    for module in ("locations", "hubclientinfo", "tokens"):
        assert (await scene.ask("GET", scene.url("2.2.1", "sender", module), invited.token)).status_code == 401


@rule("A5")
async def a_platform_speaks_for_its_own_parties_only(scene: Scene) -> None:
    _, platform = await scene.connected()
    reply = await platform.request("GET", "locations", "SENDER", to=("NL", "NOR"), sender=("DE", "XXX"))
    assert (reply.status, reply.code, "OCPI-from" in (reply.message or "")) == (200, 2001, True)
    reply = await platform.request("GET", "locations", "SENDER", to=("NL", "NOR"))
    assert reply.ok, reply


@rule("A6", "A7")
async def tokens_are_read_in_every_way_they_are_sent(scene: Scene) -> None:
    invited = await scene.invite()
    for way in ("base64", "raw", "twice", "newline"):
        for scheme in ("Token", "token", "TOKEN"):
            answer = await scene.ask("GET", invited.versions_url, invited.token, way=way, scheme=scheme)
            assert answer.status_code == 200, (way, scheme)


@rule("A6")
async def how_a_partner_wants_our_token_is_found_out(scene: Scene) -> None:
    for expects, kept in (("raw", "raw"), ("base64", None)):
        for starts in (True, False):
            platform, invited = await scene.platform(), await scene.invite()
            platform.style.expects = expects
            if starts:
                reply = await platform.register(invited.versions_url, invited.token)
                assert reply.ok, reply
            else:
                order = {"versions_url": platform.versions_url, "token": platform.offer()}
                assert (await scene.order(invited.partner_id, "register", order)).status_code == 200
            shown = await scene.partner(invited.partner_id)
            assert shown["settings"].get("token_encoding") == kept
            assert (await scene.order(invited.partner_id, "rotate")).status_code == 200
    set_by_hand = await scene.invite(token_encoding="base64")
    platform = await scene.platform()
    platform.style.expects = "raw"
    reply = await platform.register(set_by_hand.versions_url, set_by_hand.token)
    assert (reply.code, "401" in (reply.message or "")) == (3001, True)
