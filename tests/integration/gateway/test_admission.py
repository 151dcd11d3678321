"""Who may connect: credentials, onboarding, sub-protocols, limits (rules C1 to C8, attacks V1, V2, V4, V24, V30)."""

from __future__ import annotations

import pytest
import trio

from tests.integration.gateway.frames import basic, read_all, request
from tests.integration.gateway.site import BOOT_16, running

PASSWORD = b"\x00\x01 a password of a station \xff"


async def test_a_station_with_a_password_needs_it(database: str) -> None:
    async with running(database, open_door=False) as site:
        await site.add_station("CP1", PASSWORD)
        assert await site.refusal("CP1") == 401
        assert await site.refusal("CP1", password=b"wrong") == 401
        assert await site.refusal("CP1", password=b"") == 401
        (row,) = await site.rows("SELECT * FROM stations")
        assert (row["connection_epoch"], row["connected_process"]) == (0, None), "a refused handshake changes nothing"
        async with site.station("CP1", password=PASSWORD) as station:
            await station.boot()
        (row,) = await site.rows("SELECT * FROM stations")
        assert (row["connection_epoch"], row["security_profile"]) == (1, 1)


async def test_a_password_is_needed_even_where_the_door_is_open(database: str) -> None:
    async with running(database) as site:
        await site.add_station("CP1", PASSWORD)
        assert await site.refusal("CP1") == 401
        assert await site.refusal("CP1", password=b"wrong") == 401


async def test_unknown_station_and_wrong_password_look_the_same(database: str) -> None:
    async with running(database, open_door=False) as site:
        await site.add_station("known", PASSWORD)
        await site.add_station("retired", PASSWORD)
        await site.execute("UPDATE stations SET retired_at = now() WHERE identity = 'retired'")
        answers = set()
        for identity, path, user in [
            ("known", "/ocpp/known", "known"),
            ("other", "/ocpp/other", "other"),
            ("retired", "/ocpp/retired", "retired"),
            ("user is another", "/ocpp/known", "other"),
            ("unknown tenant", "/ocpp/nobody/known", "known"),
        ]:
            started = trio.current_time()
            answers.add(await site.answer(identity, path=path, headers=[basic(user, b"wrong")]))
            assert trio.current_time() - started >= 0.24, "the answer's time must not tell what was wrong"
        answers.add(await site.answer("known"))
        answers.add(await site.answer("other"))
        answers.add(await site.answer("other", headers=[("Authorization", "Bearer x")]))
        (answer,) = answers
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"www-authenticate: basic" in answer.lower()
        assert len(await site.rows("SELECT * FROM stations")) == 2


async def test_404_only_where_no_authentication_is_configured(database: str) -> None:
    async with running(database, open_door=False) as site:
        assert await site.refusal("new") == 401
        await site.tenant(allow_unauthenticated=True)
        assert await site.refusal("new") == 404
        assert await site.refusal("new", password=b"something") == 401
        await site.add_station("CP1")
        assert await site.refusal("CP1") == 101
        await site.tenant(allow_unauthenticated=False)
        assert await site.refusal("CP1") == 401
        assert await site.refusal("CP1", password=b"something") == 401


async def test_a_higher_security_profile_is_never_left(database: str) -> None:
    async with running(database) as site:
        await site.add_station("CP1", security_profile=1)
        assert await site.refusal("CP1") == 401
        await site.add_station("CP2", PASSWORD, security_profile=2)
        assert await site.refusal("CP2", password=PASSWORD) == 401


async def test_a_new_station_adopts_its_first_password(database: str) -> None:
    async with running(database, open_door=False) as site:
        await site.tenant(onboarding="accept")
        assert await site.refusal("new") == 401, "without credentials the tenant has to allow it"
        assert await site.refusal("new", password=PASSWORD) == 101
        (row,) = await site.rows("SELECT * FROM stations")
        assert row["password_scheme"] == "argon2"
        assert PASSWORD not in row["password_hash"]
        assert await site.refusal("new", password=b"another") == 401
        assert await site.refusal("new") == 401
        assert await site.refusal("new", password=PASSWORD) == 101
        assert await site.refusal("NEW", password=b"another") == 401, "two identities must not differ by case only"
        assert len(await site.rows("SELECT * FROM stations")) == 1


async def test_pending_onboarding_answers_pending(database: str) -> None:
    async with running(database) as site:
        await site.tenant(onboarding="pending")
        async with site.station("new") as station:
            frame = await station.call("BootNotification", BOOT_16)
            assert frame[2]["status"] == "Pending"
        (row,) = await site.rows("SELECT * FROM stations")
        assert (row["admission"], row["registration"]) == ("pending", "pending")


async def test_bad_paths_make_no_row(database: str) -> None:
    async with running(database) as site:
        for path in ("/ocpp/ST%2F1", "/ocpp/..%2fx", "/ocpp/" + "x" * 49, "/ocpp/ST:1", "/ocpp/", "/"):
            assert await site.refusal("x", path=path) == 400, path
        assert await site.rows("SELECT * FROM stations") == []


async def test_the_tenant_of_the_path(database: str) -> None:
    async with running(database) as site:
        await site.execute(
            "INSERT INTO tenants (slug, name, onboarding, allow_unauthenticated) VALUES ('acme', 'Acme', 'accept', true)"
        )
        await site.tenant()
        for path in ("/ocpp/acme/CP1", "/ocpp/CP1", "/steve/websocket/CentralSystemService/CP2"):
            async with site.station("CP1", path=path) as station:
                await station.boot()
        rows = await site.rows("SELECT t.slug, s.identity FROM stations s JOIN tenants t USING (tenant_id) ORDER BY 1, 2")
        assert [tuple(row.values()) for row in rows] == [("acme", "CP1"), ("default", "CP1"), ("default", "CP2")]


async def test_try_out_mode_takes_no_proxies(database: str) -> None:
    async with running(database, try_out=True, open_door=False) as site:
        assert await site.refusal("CP1", headers=[("X-Forwarded-For", "1.2.3.4")]) == 403
        assert await site.refusal("CP1", headers=[("Origin", "https://example.org")]) == 403
        assert await site.rows("SELECT * FROM stations") == []
        assert await site.refusal("CP1") == 101


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["ocpp1.6", "ocpp2.0.1"], "ocpp1.6"), (["ocpp2.0.1", "ocpp1.6"], "ocpp2.0.1"), (["foo", "ocpp1.6"], "ocpp1.6")],
)
async def test_the_clients_order_of_subprotocols_decides(database: str, offered: list[str], chosen: str) -> None:
    async with running(database) as site, site.station(versions=offered) as station:
        assert station.socket.subprotocol == chosen


@pytest.mark.parametrize("offered", [["foo"], []])
async def test_without_a_common_subprotocol_the_connection_is_closed_at_once(database: str, offered: list[str]) -> None:
    async with running(database) as site:
        async with site.station(versions=offered) as station:
            assert station.socket.subprotocol is None
            code, reason = await station.closed()
            assert (code, reason) == (1002, "no_subprotocol")
        assert await site.rows("SELECT * FROM stations") == []


async def test_guessing_passwords_ends_after_ten_tries_a_minute(database: str) -> None:
    async with running(database, open_door=False) as site:
        await site.add_station("CP1", PASSWORD)
        statuses: list[int] = []

        async def guess() -> None:
            statuses.append(await site.refusal("CP1", password=b"wrong"))

        for _ in range(2):
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(guess)
        assert statuses[:10] == [401] * 10
        assert statuses[10:] == [429] * 10


async def test_onboarding_has_a_cap_per_tenant(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.admission.NEW_STATIONS_PER_HOUR", 2)
    async with running(database) as site:
        assert [await site.refusal(f"N{number}") for number in range(4)] == [101, 101, 429, 429]
        assert await site.refusal("N0") == 101, "known stations are not concerned"


async def test_d2_handshakes_get_503_while_the_store_is_away(database: str) -> None:
    async with running(database) as site:
        site.ledger.away = True
        answer = await site.answer("CP1")
        assert answer.startswith(b"HTTP/1.1 503 ")
        retry_after = answer.lower().partition(b"retry-after: ")[2].partition(b"\r")[0]
        assert 5 <= int(retry_after) <= 60
        site.ledger.away = False
        assert await site.refusal() == 101


async def test_a_handshake_that_times_out_in_the_ledger_leaves_no_presence(database: str) -> None:
    async with running(database, handshake_timeout_s=1) as site:
        await site.add_station("CP1")
        site.ledger.held = True
        async with await site.raw() as stream:
            await stream.send_all(request("/ocpp/CP1"))
            assert (await read_all(stream)).startswith(b"HTTP/1.1 503 ")
        site.ledger.release()
        with trio.fail_after(5):
            while True:
                (row,) = await site.rows("SELECT * FROM stations")
                if row["connection_epoch"] == 1 and row["connected_process"] is None:
                    break
                await trio.sleep(0.05)
