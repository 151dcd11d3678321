"""`csms ocpi`: parties, partners and messages from the machine itself, while the hub runs."""

from __future__ import annotations

import io
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from csms.bus.redis import RedisBus
from csms.cli.failure import failure_line
from csms.cli.parser import make_parser
from csms.roaming.topics import CHANGED_TOPIC
from csms.secret import RootSecret
from csms.settings import load_settings
from tests.integration.ocpi.onboarding import open_scene


async def test_a_partner_from_its_first_day_to_its_last(
    database: str,
    root_secret: RootSecret,
    nursery: trio.Nursery,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    redis_url: str,
) -> None:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_bytes(bytes(range(32)))
    async with open_scene(database, root_secret, nursery) as scene, AsyncExitStack() as scene.stack:
        settings = load_settings(
            {
                "CSMS_DATABASE_URL": database,
                "CSMS_SECRET_FILE": str(secret),
                "CSMS_OUTGOING_PRIVATE": "1",
                "CSMS_PUBLIC_URL": scene.hub.url,
                "CSMS_REDIS_URL": redis_url,
            }
        )

        async def run(*arguments: str, tenant: str = "north") -> list[str]:
            parsed = make_parser(["ocpi", *arguments]).parse_args(["ocpi", *arguments, "--tenant", tenant])
            parsed.settings = settings
            with trio.fail_after(20):
                assert await trio.to_thread.run_sync(parsed.run, parsed) == 0
            return capsys.readouterr().out.splitlines()

        async def refused(*arguments: str, tenant: str = "north") -> str:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - what is printed of it is looked at
                await run(*arguments, tenant=tenant)
            line = failure_line(caught.value)
            assert line is not None, caught.value
            return line

        assert await run("party", "list") == ["NL-NOR  CPO   North Charging"]
        async with RedisBus(redis_url) as bus, bus.subscribe(CHANGED_TOPIC) as changes:
            await run("party", "set", "nl-nor", "EMSP", "--name", "North", "--website", "https://north.example", "--not-on-hub")
            with trio.fail_after(5):
                await changes.receive()  # other processes have been told
        assert await run("party", "list") == ["NL-NOR  CPO   North Charging", "NL-NOR  EMSP  North  not on the hub"]
        await run("party", "remove", "NL-NOR", "EMSP")
        assert "no party" in await refused("party", "remove", "NL-NOR", "EMSP")
        assert "website" in await refused("party", "set", "NL-NOR", "CPO", "--name", "x", "--website", "nowhere")
        assert "another tenant" in await refused("party", "set", "NL-NOR", "CPO", "--name", "x", tenant="default")
        assert await run("hub", "show") == [f"NL-HUB  The hub  {scene.url('versions')}"]
        await run("hub", "set", "NL-HB2", "--name", "Renamed")
        assert (await run("hub", "show"))[0].startswith("NL-HB2  Renamed")

        # the platform starts
        told = dict(line.split(maxsplit=1) for line in await run("partner", "add", "First"))
        first = await scene.platform()
        assert (await first.register(scene.url("versions"), told["token"])).ok
        # we start, with a token from standard input
        await run("partner", "add", "Second")
        second = await scene.platform()
        monkeypatch.setattr(sys, "stdin", io.StringIO(second.offer() + "\n"))
        shown = await run("partner", "register", "Second", second.versions_url, "-")
        assert next(line.split() for line in shown if line.startswith("party"))[1] == "-".join(second.party)
        lines = await run("partner", "list")
        assert [line.split()[1:4] for line in lines] == [["connected", "2.2.1", "First"], ["connected", "2.2.1", "Second"]]
        assert second.peer is not None
        before = second.peer.token
        await run("partner", "rotate", lines[1].split()[0])
        assert second.peer.token != before
        assert any(line.startswith("endpoint") for line in await run("partner", "refresh", "Second"))
        await run("partner", "suspend", "First")
        assert "suspended" in (await run("partner", "show", "First"))[1]
        await run("partner", "resume", "First")
        assert len(await run("partner", "token", "First")) == 3
        await run("partner", "remove", "Second")
        assert (await run("partner", "list", "--left"))[1].split()[1] == "left"
        assert "there is no partner Nobody" in await refused("partner", "show", "Nobody")
        assert "the partner is left" in await refused("partner", "rotate", "Second")
        assert "no tenant" in await refused("partner", "list", tenant="nobody")

        found = await run("messages", "--partner", "Second", "--module", "credentials", "--limit", "10")
        assert [line.split()[6] for line in found] == ["DELETE", "PUT", "POST"]
        whole = await run("messages", found[-1].split()[2])
        assert '"token":"…"' in whole[-2]
        assert before not in "".join(whole)
        assert "there is no message x" in await refused("messages", "x")
