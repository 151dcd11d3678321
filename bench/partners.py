"""Roaming partners of a bench, in a process of their own: they take pushes, and ask for pages of locations at a fixed rate.

    python -m bench.partners PLAN     PLAN is JSON on the command line (`Plan`); prints `ready PORT`, and a report at SIGTERM

Partner n is at /p/n. The last `stalled` ones take requests and never answer.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

_LONGEST_HEAD: Final = 64 * 1024


class Plan(msgspec.Struct):
    """`tokens`: what partner n shows us, as its Authorization header. `pages_url`: our list of locations."""

    partners: int
    stalled: int
    pages_url: str = ""
    pages_per_second: float = 0.0
    page_size: int = 100
    tokens: list[str] = []


class Received(msgspec.Struct, frozen=True, array_like=True):
    """One push: when it came (seconds since 1970), to which partner, about which EVSE, and its last_updated."""

    at: float
    partner: int
    evse_uid: str
    last_updated: str


class Report(msgspec.Struct):
    """`pages`: milliseconds from when each page was due to its answer."""

    pushes: list[Received]
    others: int
    pages: list[float]
    page_errors: int


class _Partners:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.report = Report([], 0, [], 0)
        self.envelope = json.dumps({"status_code": 1000, "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}).encode()

    def stalls(self, partner: int) -> bool:
        return partner >= self.plan.partners - self.plan.stalled

    def take(self, method: str, path: str, body: bytes) -> bool:
        """Note a request; False: it is not answered."""
        now = time.time()
        parts = path.split("/")  # /p/{n}/receiver/{module}/{country}/{party}/{id}[/{evse}]
        partner = int(parts[2])
        if self.stalls(partner):
            return False
        if method == "PUT" and parts[4] == "locations":
            document = json.loads(body)
            evses = [document] if len(parts) == 9 else document.get("evses", [])
            self.report.pushes += [Received(now, partner, evse["uid"], evse["last_updated"]) for evse in evses]
        else:
            self.report.others += 1
        return True


class _Connection(asyncio.Protocol):
    """As much of HTTP/1.1 as one well-behaved client needs: heads, and bodies with a length."""

    def __init__(self, partners: _Partners) -> None:
        self._partners = partners
        self._buffer = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _LONGEST_HEAD:
                    self._transport.abort()
                return
            first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", "0"))
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            method, target, _ = first.split(" ")
            if self._partners.take(method, urlsplit(target).path, body):
                kept = [name for name in ("X-Request-ID", "X-Correlation-ID") if name.lower() in headers]
                ids = "".join(f"{name}: {headers[name.lower()]}\r\n" for name in kept)
                content = self._partners.envelope
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{ids}\r\n"
                self._transport.write(head.encode() + content)


async def _ask(url: str, token: str) -> bytes:
    """One GET on a connection of its own; gives the head and the body."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        head = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        writer.write(f"{head}Authorization: {token}\r\nConnection: close\r\n\r\n".encode())
        return await reader.read()
    finally:
        writer.close()


async def _ask_for_pages(partners: _Partners) -> None:
    """Open loop: each page has its time, whether or not the last one has come."""
    plan = partners.plan
    if not plan.pages_per_second:
        return
    asked: set[asyncio.Task[None]] = set()
    began = time.monotonic()

    async def page(due: float, number: int) -> None:
        url = f"{plan.pages_url}?limit={plan.page_size}"
        try:
            answer = await asyncio.wait_for(_ask(url, plan.tokens[number % len(plan.tokens)]), 30)
        except (OSError, TimeoutError):
            answer = b""
        if answer.startswith(b"HTTP/1.1 200"):
            partners.report.pages.append((time.monotonic() - due) * 1000)
        else:
            partners.report.page_errors += 1

    number = 0
    while True:
        due = began + number / plan.pages_per_second
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.create_task(page(due, number))
        asked.add(task)
        task.add_done_callback(asked.discard)
        number += 1


async def _main(plan: Plan, tell: Callable[[str], Any]) -> Report:
    partners = _Partners(plan)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    begin = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, begin.set)
    server = await loop.create_server(lambda: _Connection(partners), "127.0.0.1", 0)
    tell(f"ready {server.sockets[0].getsockname()[1]}")
    asking: asyncio.Task[None] | None = None
    waiting = {asyncio.create_task(stop.wait()), asyncio.create_task(begin.wait())}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if not stop.is_set():
        partners.report = Report([], 0, [], 0)
        asking = asyncio.create_task(_ask_for_pages(partners))
        await stop.wait()
    if asking is not None:
        asking.cancel()
    server.close()
    return partners.report


def main() -> None:
    """Run until SIGTERM. SIGUSR1: what came so far does not count, and pages are asked for from now on."""
    plan = msgspec.json.decode(sys.argv[1].encode(), type=Plan)
    report = asyncio.run(_main(plan, lambda text: print(text, flush=True)))
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")


def by_evse(pushes: list[Received]) -> dict[tuple[int, str], list[Received]]:
    """In the order of their coming."""
    found: dict[tuple[int, str], list[Received]] = defaultdict(list)
    for push in pushes:
        found[push.partner, push.evse_uid].append(push)
    return found


if __name__ == "__main__":
    main()
