"""The platform of the tests as a process of its own, ordered about over a second port.

    python -m tests.ocpi.platform --role EMSP:DE:ABC [--role CPO:DE:ABC] [--port 0] [--control 0]

prints one line of JSON, {"url", "versions_url", "control"}, and ends with its standard input. An order is a POST of JSON to
{control}/{order}; the answer is JSON as well. `PlatformProcess` starts one and is its remote control.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import httpx
import trio

from tests.e2e.running import TRUST
from tests.ocpi.platform import Platform, running_platform
from tests.ocpi.replies import Refusal
from tests.ocpi.wire import Answer, Fault, Seen, start_serving

ROOT: Final = Path(__file__).parents[2]


class Control:
    """What may be ordered: the methods whose names begin with `do_`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def answer(self, seen: Seen) -> Answer:
        order: Callable[..., Awaitable[Any]] | None = getattr(self, f"do_{seen.segments[0]}", None) if seen.segments else None
        try:
            if order is None:
                raise Refusal(2000, "no such order")
            body, status = await order(**(seen.body or {})), 200
        except (Refusal, AssertionError, httpx.HTTPError, KeyError, TypeError, StopIteration) as error:
            body, status = f"{type(error).__name__}: {error}", 500
        return Answer(status, [("Content-Type", "application/json")], json.dumps(body).encode())

    async def do_offer(self) -> str:
        return self._platform.offer()

    async def do_grant(self) -> str:
        """A token for access, as after a registration."""
        token = f"C-{uuid.uuid4()}"
        self._platform.granted.add(token)
        return token

    async def do_register(self, versions_url: str, token: str) -> Any:
        return (await self._platform.register(versions_url, token)).as_json()

    async def do_update(self) -> Any:
        return (await self._platform.update()).as_json()

    async def do_unregister(self) -> Any:
        return (await self._platform.unregister()).as_json()

    async def do_set(self, **changes: Any) -> None:
        """Attributes of the platform: drives, allowed, commands, profiles, preferences; `style`: some of Style."""
        for name, value in changes.pop("style", {}).items():
            setattr(self._platform.style, name, value)
        for name, value in changes.items():
            if name in ("allowed", "commands"):
                getattr(self._platform, name).update(value)
            else:
                setattr(self._platform, name, value)

    async def do_own(self, module: str, documents: list[Any]) -> None:
        self._platform.own(module, *documents)

    async def do_fault(self, **members: Any) -> None:
        self._platform.faults.add(Fault(**members))

    async def do_mend(self) -> None:
        self._platform.faults.clear()

    async def do_request(self, method: str, module: str, role: str, segments: list[str], **more: Any) -> Any:
        return (await self._platform.request(method, module, role, *segments, **_parties(more))).as_json()

    async def do_push(self, module: str, document: Any, **more: Any) -> Any:
        return (await self._platform.push(module, document, **{"to": None} | _parties(more))).as_json()

    async def do_pull(self, module: str, query: Mapping[str, str], to: list[str] | None = None) -> Any:
        return await self._platform.pull(module, to=None if to is None else (to[0], to[1]), **query)

    async def do_command(self, command: str, body: Any, **more: Any) -> Any:
        return await self._platform.command(command, body, **_parties(more))

    async def do_profile(self, method: str, session_id: str, **more: Any) -> Any:
        return await self._platform.profile(method, session_id, **_parties(more))

    async def do_end_session(self, session_id: str) -> Any:
        return await self._platform.end_session(session_id)

    async def do_tell_session(self, session_id: str, changes: Mapping[str, Any]) -> Any:
        held = self._platform.session(session_id)
        assert held is not None, "there is no such session"
        return (await self._platform.tell_session(held, **changes)).as_json()

    async def do_seen(self, module: str | None = None, method: str | None = None) -> Any:
        return [seen.as_json() for seen in self._platform.requests(module, method)]

    async def do_state(self) -> Any:
        platform = self._platform
        return {
            "registered": platform.peer is not None,
            "token": platform.peer and platform.peer.token,
            "endpoints": [] if platform.peer is None else [[*pair, url] for pair, url in platform.peer.endpoints.items()],
            "received": {module: list(held.values()) for module, held in platform.received.items()},
            "owned": {module: list(held.values()) for module, held in platform.owned.items()},
            "results": platform.results,
            "active_profiles": platform.active_profiles,
            "troubles": platform.troubles,
        }


def _parties(more: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if name in ("to", "sender") and value is not None else value for name, value in more.items()}


class PlatformProcess:
    """A platform in a process of its own, for tests that are not asynchronous."""

    def __init__(self, *roles: str) -> None:
        arguments = [argument for role in roles for argument in ("--role", role)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.ocpi.platform", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said, "the platform did not start"
        started = json.loads(said)
        self.versions_url: str = started["versions_url"]
        self.url: str = started["url"]
        self._client = httpx.Client(base_url=started["control"], timeout=60.0, verify=TRUST)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._process.stdout.close()

    def do(self, order: str, /, **members: Any) -> Any:
        """Give an order; what it answers. An error of the platform fails the test."""
        answer = self._client.post(f"/{order}", json=members)
        assert answer.status_code == 200, f"{order}: {answer.text}"
        return answer.json()

    def received(self, module: str) -> list[Any]:
        found: list[Any] = self.do("state")["received"][module]
        return found

    def wait(self, look: Callable[[], Any], what: str, seconds: float = 15.0) -> Any:
        """Until `look` gives something true."""
        until = time.monotonic() + seconds
        while True:
            if found := look():
                return found
            if time.monotonic() > until:
                seen = [(one["method"], one["target"], one["status"]) for one in self.do("seen")[-15:]]
                raise AssertionError(f"{what}: not within {seconds} s; seen: {seen}; troubles: {self.do('state')['troubles']}")
            time.sleep(0.05)


async def _run(roles: list[str], port: int, control_port: int) -> None:
    async with running_platform(*roles, port=port) as platform, trio.open_nursery() as nursery:
        control = await start_serving(nursery, Control(platform).answer, control_port)
        started = {"url": platform.url, "versions_url": platform.versions_url, "control": f"http://127.0.0.1:{control}"}
        print(json.dumps(started), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.ocpi.platform", description="An OCPI 2.2.1 platform for tests.")
    parser.add_argument("--role", action="append", required=True, help="a party, such as EMSP:DE:ABC; may be repeated")
    parser.add_argument("--port", type=int, default=0, help="where it speaks OCPI; 0: any free port")
    parser.add_argument("--control", type=int, default=0, help="where it takes orders; 0: any free port")
    options = parser.parse_args()
    trio.run(_run, options.role, options.port, options.control)
