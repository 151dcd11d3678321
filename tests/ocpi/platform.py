"""A stand-alone OCPI platform for tests, of 2.2.1 unless told otherwise: somebody else's, on the other side of the wire.

    async with running_platform("EMSP:DE:ABC") as platform:
        await platform.register(hub_versions_url, token_a)                  # it starts; or the other way round:
        token_a = platform.offer()                                          # others may register at platform.versions_url
        platform.own("tokens", documents.token("T1"))                       # what its sender interfaces have
        reply = await platform.push("locations", location, to=("NL", "HUB"))
        outcome = await platform.command("START_SESSION", {...}, to=("NL", "TNT"))
        await platform.wait(lambda: platform.find("sessions", "SESSION-1"))
        platform.faults.add(Fault("stall", module="locations"))             # what it shall do wrong, see wire.Fault
        platform.style.ids = False                                          # and in what it sends
        platform.seen                                                       # every request that came

It is written without our types and takes nothing of our code but this folder. As a process: `python -m tests.ocpi.platform --help`.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import httpx
import trio

from tests.e2e.running import TRUST
from tests.ocpi.documents import Document, instant
from tests.ocpi.modules import INTERFACES, INVOICES, LATER, Modules
from tests.ocpi.parties import Peer, Role, Style
from tests.ocpi.replies import Refusal, Reply, unenveloped
from tests.ocpi.wire import Answer, Drop, Faults, Seen, spelled_otherwise, start_serving

CONFIGURATION: Final = ("versions", "details", "credentials", "hubclientinfo")
_IDS_AND_CODES: Final = ("country_code", "party_id", "id", "uid", "location_id", "evse_uid", "session_id", "reservation_id")
_IDS: Final = ("X-Request-ID", "X-Correlation-ID")
_ROLE_PATHS: Final = {"in": "RECEIVER", "out": "SENDER"}


class Platform(Modules):
    """`running_platform` makes one that listens."""

    def __init__(self, nursery: trio.Nursery, client: httpx.AsyncClient, *roles: str, version: str = "2.2.1") -> None:
        super().__init__()
        self.roles = [Role.read(role) for role in roles]
        self.version = version
        self.old = version == "2.1.1"
        self.style = Style(encoding="raw", ids=False, routing=False, endpoint_roles=False) if self.old else Style()
        self.faults = Faults()
        self.seen: list[Seen] = []
        self.peer: Peer | None = None
        self.registration_tokens: set[str] = set()
        self.granted: set[str] = set()
        """Tokens that the peer may use here."""
        self.url = ""
        self._nursery = nursery
        self._client = client
        self._changed = trio.Event()

    # -- what it is called

    @property
    def party(self) -> tuple[str, str]:
        return self.roles[0].party

    @property
    def versions_url(self) -> str:
        return self._named("/p/versions")

    def endpoint(self, module: str, role: str) -> str:
        """Where it offers a module; the paths are none of ours on purpose (T3)."""
        if module == "credentials":
            return self._named(f"/p/{self.version}/credentials")
        return self._named(f"/p/{self.version}/{'in' if role == 'RECEIVER' else 'out'}/{module}")

    def _named(self, path: str) -> str:
        return self.url + path + ("/" if self.style.trailing_slashes else "")

    def interfaces(self) -> list[tuple[str, str]]:
        found = [pair for role in self.roles for pair in INTERFACES[role.role] if not (self.old and pair[0] in LATER)]
        if self.version == "2.3.0":
            found += [(INVOICES, "SENDER" if role.role == "CPO" else "RECEIVER") for role in self.roles]
        return [("credentials", "SENDER"), *dict.fromkeys(found)]

    def credentials(self, token: str) -> Document:
        parties: list[Document] = [role.document() for role in self.roles]
        if self.old:
            return {"token": token, "url": self.versions_url, **{name: parties[0][name] for name in parties[0] if name != "role"}}
        return {"token": token, "url": self.versions_url, "roles": parties}

    # -- registration

    def offer(self) -> str:
        """A TOKEN_A with which somebody may register here."""
        token = f"A-{uuid.uuid4()}"
        self.registration_tokens.add(token)
        return token

    async def register(self, versions_url: str, token: str) -> Reply:
        """Register at another platform (C1). The reply is that of the POST; it is registered if that is successful."""
        peer = await self._explore(versions_url, token)
        mine = f"B-{uuid.uuid4()}"
        self.granted.add(mine)  # the other side calls back during the request (C2)
        reply = await self.request("POST", url=peer.endpoints["credentials", ""], token=token, body=self.credentials(mine))
        if reply.ok:
            peer.token = reply.data["token"]
            peer.told(reply.data)
            self.peer = peer
        else:
            self.granted.discard(mine)
        return reply

    async def update(self) -> Reply:
        """PUT credentials: new tokens on both sides (C5)."""
        assert self.peer is not None
        mine = f"B-{uuid.uuid4()}"
        before = set(self.granted)
        self.granted.add(mine)
        reply = await self.request("PUT", "credentials", body=self.credentials(mine))
        if reply.ok:
            self.granted -= before
            self.peer.token = reply.data["token"]
            self.peer.told(reply.data)
        return reply

    async def unregister(self) -> Reply:
        reply = await self.request("DELETE", "credentials")
        self.granted.clear()
        return reply

    async def _explore(self, versions_url: str, token: str) -> Peer:
        """Read the versions and the details of the one that it speaks. Raises Refusal where that does not go."""
        versions = await self.request("GET", url=versions_url, token=token)
        if not versions.ok:
            raise Refusal(3001, f"versions: {versions}")
        offered = {version["version"]: version["url"] for version in versions.data}
        if self.version not in offered:
            raise Refusal(3002, f"no {self.version} among {sorted(offered)}")
        details = await self.request("GET", url=offered[self.version], token=token)
        if not details.ok:
            raise Refusal(3001, f"details: {details}")
        peer = Peer(versions_url, token, versions=list(offered))
        for endpoint in details.data["endpoints"]:
            module = endpoint["identifier"]
            role = "" if module == "credentials" else endpoint.get("role") or self._counterpart(module)
            peer.endpoints[module, role] = endpoint["url"]
        if ("credentials", "") not in peer.endpoints:
            raise Refusal(3003, "no credentials among the endpoints")
        return peer

    def _counterpart(self, module: str) -> str:
        """2.1.1: the interface that the other side has, which is the opposite of this platform's one role."""
        opposite = INTERFACES["EMSP" if self.roles[0].role == "CPO" else "CPO"]
        return next(role for name, role in opposite if name == module)

    # -- what it sends

    async def request(
        self,
        method: str,
        module: str = "",
        role: str = "",
        *segments: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        to: tuple[str, str] | None = None,
        sender: tuple[str, str] | None = None,
        url: str | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        correlation: str | None = None,
        timeout: float = 20.0,
    ) -> Reply:
        """One request to the peer (or to `url`). `sender`: of its parties, by default the first."""
        if url is None:
            assert self.peer is not None, "not registered"
            url = self.peer.endpoints[module, role]
        if segments:
            slashes = "//" if self.style.extra_slash else "/"
            url = url.rstrip("/") + "".join(slashes + quote(part, safe="") for part in segments)
        if token is None:
            assert self.peer is not None, "not registered"
            token = self.peer.token
        sent = {"Authorization": f"Token {encoded(token, self.style.encoding)}"}
        if self.style.ids:
            sent |= {"X-Request-ID": str(uuid.uuid4()), "X-Correlation-ID": correlation or str(uuid.uuid4())}
        if self.style.routing and module and module not in CONFIGURATION:
            sent |= routing("from", sender or self.party)
            if to is not None:
                sent |= routing("to", to)
        content = None
        if body is not None:
            document = spelled_otherwise(body, _IDS_AND_CODES) if self.style.other_case else body
            content = json.dumps(document).encode()
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        answer = await self._client.request(
            method, url, params=None if query is None else dict(query), headers=sent, content=content, timeout=timeout
        )
        return Reply.read(answer)

    async def push(
        self, module: str, document: Document, *, to: tuple[str, str] | None = None, method: str = "PUT", **more: Any
    ) -> Reply:
        """Tell a receiver of an object of this platform: PUT (or PATCH, DELETE) of it, or POST of a CDR."""
        if module == "cdrs":
            return await self.request("POST", module, "RECEIVER", body=document, to=to, **more)
        owner = self.party if self.old else (document["country_code"], document["party_id"])
        path = (*owner, document["uid" if module == "tokens" else "id"])
        if module == "tokens":
            more.setdefault("query", {"type": document["type"]})
        body = None if method == "DELETE" else document
        return await self.request(method, module, "RECEIVER", *path, body=body, to=to, **more)

    async def pull(self, module: str, *, to: tuple[str, str] | None, **query: str) -> list[Document]:
        """All pages of a list of the peer."""
        reply = await self.request("GET", module, "SENDER", to=to, query=query)
        found = []
        while True:
            assert reply.ok, reply
            found += reply.data
            following = reply.next_url
            if following is None:
                return found
            reply = await self.request("GET", module, "SENDER", to=to, url=following)

    async def command(
        self, command: str, body: Document, *, to: tuple[str, str] | None = None, wait: float = 15.0, **more: Any
    ) -> Document:
        """Send a command and wait for its result: {response, result}; `result` None: there came none."""
        key, url = self.response_url()
        reply = await self.request("POST", "commands", "RECEIVER", command, body={"response_url": url, **body}, to=to, **more)
        response = reply.data if reply.ok else reply.as_json()
        result = await self.result(key, wait) if reply.ok and response["result"] == "ACCEPTED" and wait else None
        return {"response": response, "result": result, "key": key}

    async def profile(
        self, method: str, session_id: str, *, to: tuple[str, str], body: Document | None = None, wait: float = 15.0
    ) -> Document:
        """Set (PUT), get (GET) or clear (DELETE) a charging profile, and wait for the result."""
        key, url = self.response_url()
        query = None if method == "PUT" else {"response_url": url, **({"duration": "600"} if method == "GET" else {})}
        sent = {"charging_profile": body, "response_url": url} if method == "PUT" else None
        reply = await self.request(method, "chargingprofiles", "RECEIVER", session_id, query=query, body=sent, to=to)
        response = reply.data if reply.ok else reply.as_json()
        result = await self.result(key, wait) if reply.ok and response["result"] == "ACCEPTED" else None
        return {"response": response, "result": result, "key": key}

    def response_url(self) -> tuple[str, str]:
        """A key, and the URL under which a result is expected: with a query (M3)."""
        key = uuid.uuid4().hex
        self.results[key] = []
        return key, f"{self.url}/p/results?of={key}&n=1"

    async def result(self, key: str, seconds: float = 15.0) -> Document | None:
        with trio.move_on_after(seconds):
            await self.wait(lambda: self.results[key], seconds + 1)
            return self.results[key][0]
        return None

    # -- what it is waited for

    async def wait(self, condition: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Until the condition gives something true, which is returned; looked at after each request that was answered."""
        with trio.move_on_after(seconds):
            while True:
                changed = self._changed
                if found := condition():
                    return found
                await changed.wait()
        raise AssertionError(f"not within {seconds} s; seen: {[(s.method, s.target, s.status) for s in self.seen[-12:]]}")

    def requests(self, module: str | None = None, method: str | None = None) -> list[Seen]:
        return [seen for seen in self.seen if module in (None, seen.module) and method in (None, seen.method)]

    # -- what it answers

    async def answer(self, seen: Seen) -> Answer:
        self._place(seen)
        self.seen.append(seen)
        if (fault := self.faults.take("slow", seen)) is not None:
            await trio.sleep(fault.seconds)
        if self.faults.take("stall", seen):
            await trio.sleep_forever()
        if self.faults.take("drop", seen):
            raise Drop
        for kind, answer in _RUDE_ANSWERS.items():
            if self.faults.take(kind, seen):
                seen.status = answer.status
                return answer
        if self.faults.take("redirect", seen):
            return Answer(308, [("Location", f"{self.url}{seen.path}/")])
        try:
            reply = await self._reply(seen)
        except Refusal as refusal:
            reply = Reply(refusal.http_status, code=refusal.code, message=str(refusal), data=refusal.data)
        seen.status = reply.status
        made = self._write(seen, reply)
        self.changed()
        return made

    def changed(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _place(self, seen: Seen) -> None:
        match seen.segments:
            case ("p", "versions"):
                seen.module = "versions"
            case ("p", "results"):
                seen.module = "results"
            case ("p", version) if version == self.version:
                seen.module = "details"
            case ("p", version, "credentials") if version == self.version:
                seen.module = "credentials"
            case ("p", version, side, module, *rest) if version == self.version and side in _ROLE_PATHS:
                seen.module, seen.role, seen.rest = module, _ROLE_PATHS[side], tuple(rest)

    async def _reply(self, seen: Seen) -> Reply:
        known = self._known(seen)
        if known is None and not self.faults.take("answers_anyone", seen):
            raise Refusal(2000, "who are you?", 403 if self.faults.take("forbids_anyone", seen) else 401)
        if self.faults.take("refuses_slash", seen) and (seen.path.endswith("/") or "//" in seen.path):
            raise Refusal(2000, "no such page", 404)
        match seen.module:
            case "versions" if seen.method == "GET":
                return Reply(data=[{"version": self.version, "url": self._named(f"/p/{self.version}")}])
            case "details" if seen.method == "GET":
                return Reply(data={"version": self.version, "endpoints": [self._endpoint(*pair) for pair in self.interfaces()]})
            case "credentials":
                return await self._credentials(seen, known or "")
            case "versions" | "details":
                if self.faults.take("any_method", seen):
                    return Reply()
                raise Refusal(2000, "no such method here", 405)
            case None:
                raise Refusal(2000, "no such page", 404)
        if known in self.registration_tokens:
            raise Refusal(2000, "register first", 401)  # A4
        if seen.module != "results" and (seen.module, seen.role) not in self.interfaces():
            raise Refusal(2000, "no such interface", 404)
        return self.modules_reply(seen)

    def _known(self, seen: Seen) -> str | None:
        scheme, _, value = seen.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "token":
            return None
        tokens = self.granted | self.registration_tokens
        ways = ("base64", "raw") if self.style.expects == "any" else (self.style.expects,)
        return next((token for token in tokens for way in ways if encoded(token, way) == value), None)

    def _endpoint(self, module: str, role: str) -> Document:
        named = {"identifier": module, "role": role, "url": self.endpoint(module, role)}
        return named if self.style.endpoint_roles else {name: named[name] for name in ("identifier", "url")}

    async def _credentials(self, seen: Seen, token: str) -> Reply:
        if seen.method == "GET":
            return Reply(data=self.credentials(token))
        if seen.method not in ("POST", "PUT", "DELETE") or (seen.method == "POST") is not (token in self.registration_tokens):
            raise Refusal(2000, "not now", 405)  # C4
        if seen.method == "DELETE":
            self.granted.clear()
            self.peer = None
            return Reply()
        theirs = seen.body
        peer = await self._explore(theirs["url"], theirs["token"])
        peer.told(theirs)
        self.peer = peer
        self.registration_tokens.discard(token)
        granted = f"C-{uuid.uuid4()}"
        self.granted = {granted}
        return Reply(data=self.credentials(granted))

    def _write(self, seen: Seen, reply: Reply) -> Answer:
        take = self.faults.take
        body: Any = {"data": reply.data, "status_code": reply.code, "status_message": reply.message, "timestamp": instant()}
        if reply.data is None:
            del body["data"]
        elif take("wrapped", seen):
            body["data"] = unenveloped(reply.data)
        if take("other_case", seen) and "data" in body:
            body["data"] = spelled_otherwise(body["data"], _IDS_AND_CODES)
        if take("text_code", seen):
            body["status_code"] = str(reply.code)
        if take("no_timestamp", seen):
            del body["timestamp"]
        if take("no_envelope", seen):
            body = body.get("data")
        headers: dict[str, str] = dict(reply.headers)
        if not take("no_ids", seen):
            headers |= {name: seen.headers[name.lower()] for name in _IDS if name.lower() in seen.headers}
        if seen.module not in CONFIGURATION and not self.old and not take("no_routing", seen):
            asker, asked = seen.party("from"), seen.party("to")
            headers |= {} if asker is None else routing("to", asker)
            headers |= routing("from", asked or self.party)
        if take("no_location", seen):
            headers.pop("Location", None)
        headers["Content-Type"] = "application/json"
        if take("odd_headers", seen):
            headers = {name.upper(): value for name, value in headers.items()}
        return Answer(reply.status, list(headers.items()), json.dumps(body).encode())

    def later(self, work: Callable[[], Any]) -> None:
        """Do something after the answer has left."""

        async def run() -> None:
            await trio.sleep(0.01)
            try:
                await work()
            except (httpx.HTTPError, AssertionError) as error:
                self.troubles.append(repr(error))
            self.changed()

        self._nursery.start_soon(run)


_RUDE_ANSWERS: Final = {
    "error_500": Answer(500, [("Content-Type", "text/html")], b"<h1>It broke</h1>"),
    "garbage": Answer(200, [("Content-Type", "application/json")], b'{"data": [}'),
    "not_http": Answer(verbatim=b"\x16\x03\x01 this is no HTTP\r\n\r\n", status=0),
    "huge": Answer(200, [("Content-Type", "application/json")], b'{"status_code":1000,"data":"' + b"x" * 20_000_000 + b'"}'),
    "code_3000": Answer(200, [("Content-Type", "application/json")], b'{"status_code":3000,"timestamp":"2026-01-01T00:00:00Z"}'),
    "unauthorized": Answer(401, [("Content-Type", "application/json")], b'{"status_code":2000,"timestamp":"2026-01-01T00:00:00Z"}'),
    "too_many": Answer(429, [("Content-Type", "text/plain"), ("Retry-After", "1")], b"slow down"),
}


def encoded(token: str, way: str) -> str:
    """A token as it stands in the header (A1, A6)."""
    match way:
        case "raw":
            return token
        case "twice":
            return encoded(encoded(token, "base64"), "base64")
        case "newline":
            return base64.b64encode(f"{token}\n".encode()).decode()
        case _:
            return base64.b64encode(token.encode()).decode()


def routing(direction: str, party: tuple[str, str]) -> dict[str, str]:
    return {f"OCPI-{direction}-country-code": party[0], f"OCPI-{direction}-party-id": party[1]}


@asynccontextmanager
async def running_platform(*roles: str, port: int = 0, version: str = "2.2.1") -> AsyncIterator[Platform]:
    """A platform with parties such as `EMSP:DE:ABC`, the first of which it speaks for unless told otherwise."""
    failure: Exception | None = None
    async with httpx.AsyncClient(verify=TRUST, follow_redirects=False) as client, trio.open_nursery() as nursery:
        platform = Platform(nursery, client, *roles, version=version)
        platform.url = f"http://127.0.0.1:{await start_serving(nursery, platform.answer, port)}"
        try:
            yield platform
        except Exception as error:  # raised below: the test's own failure, not a group with it
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


if __name__ == "__main__":
    from tests.ocpi.process import main

    main()
