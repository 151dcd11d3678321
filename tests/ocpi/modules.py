"""The modules of the platform of the tests, as sender and as receiver, with what they hold in memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import urlencode

from tests.ocpi.documents import Document, cdr, instant, session
from tests.ocpi.replies import Refusal, Reply
from tests.ocpi.wire import Faults, Seen

INTERFACES: Final[dict[str, list[tuple[str, str]]]] = {
    "CPO": [
        *((module, "SENDER") for module in ("locations", "sessions", "cdrs", "tariffs")),
        *((module, "RECEIVER") for module in ("tokens", "commands", "chargingprofiles", "hubclientinfo")),
    ],
    "EMSP": [
        *((module, "RECEIVER") for module in ("locations", "sessions", "cdrs", "tariffs", "hubclientinfo")),
        *((module, "SENDER") for module in ("tokens", "commands", "chargingprofiles")),
    ],
}
LATER: Final = ("chargingprofiles", "hubclientinfo")
"""Modules that 2.1.1 does not have."""
INVOICES: Final = "invoicereconciliation"
"""Of 2.3.0."""
LISTED: Final = ("locations", "sessions", "cdrs", "tariffs", "tokens", INVOICES)
COMMANDS: Final = ("START_SESSION", "STOP_SESSION", "RESERVE_NOW", "CANCEL_RESERVATION", "UNLOCK_CONNECTOR")
METHODS: Final = {
    ("locations", "RECEIVER"): ("GET", "PUT", "PATCH"),
    ("sessions", "RECEIVER"): ("GET", "PUT", "PATCH"),
    ("tokens", "RECEIVER"): ("GET", "PUT", "PATCH"),
    ("tariffs", "RECEIVER"): ("GET", "PUT", "DELETE"),
    ("cdrs", "RECEIVER"): ("GET", "POST"),
    ("hubclientinfo", "RECEIVER"): ("GET", "PUT"),
    ("commands", "RECEIVER"): ("POST",),
    ("chargingprofiles", "RECEIVER"): ("GET", "PUT", "DELETE"),
    (INVOICES, "RECEIVER"): ("GET", "POST", "PUT", "DELETE"),
}
Key = tuple[str, ...]


class Modules:
    """What the platform has (`owned`), what it was told (`received`), and how it answers commands.

    `commands[name]` is (response, result): what it answers, and what it posts to the response_url; result None: nothing.
    `allowed[uid]` is what it says of one of its tokens. With `drives` a START_SESSION leads to a session that it tells of, a
    STOP_SESSION to its end and its CDR.
    """

    old: bool
    """It speaks 2.1.1, whose documents do not name their owner."""
    peer: Any
    party: Any
    style: Any
    faults: Faults
    url: str
    roles: list[Any]
    request: Callable[..., Any]
    push: Callable[..., Any]
    later: Callable[[Callable[[], Any]], None]

    def __init__(self) -> None:
        self.owned: dict[str, dict[Key, Document]] = {module: {} for module in LISTED}
        self.received: dict[str, dict[Key, Document]] = {module: {} for module in (*LISTED, "hubclientinfo")}
        self.commands: dict[str, tuple[str, str | None]] = dict.fromkeys(COMMANDS, ("ACCEPTED", "ACCEPTED"))
        self.profiles: tuple[str, str | None] = ("ACCEPTED", "ACCEPTED")
        self.allowed: dict[str, str] = {}
        self.preferences = "ACCEPTED"
        self.drives = False
        self.results: dict[str, list[Document]] = {}
        """Of the commands that it sent, by their keys."""
        self.active_profiles: dict[str, Document] = {}
        self.troubles: list[str] = []
        """What went wrong behind its answers."""

    def own(self, module: str, *documents: Document) -> None:
        """Have these in its sender interface (or in their new state)."""
        for document in documents:
            self.owned[module][_key(module, document, self.party)] = document

    def find(self, module: str, identifier: str) -> Document | None:
        """The newest received object with this id (or uid)."""
        found = [held for key, held in self.received[module].items() if key[2] == identifier.lower()]
        return found[-1] if found else None

    def modules_reply(self, seen: Seen) -> Reply:
        module, role, method = seen.module or "", seen.role or "", seen.method
        if module == "results":
            return self._take_result(seen)
        if role == "RECEIVER" and method not in METHODS[module, role]:
            if self.faults.take("any_method", seen):
                return Reply()
            raise Refusal(2000, "no such method here", 405)
        match module, role:
            case "commands", "RECEIVER":
                return self._take_command(seen)
            case "chargingprofiles", "RECEIVER":
                return self._take_profile(seen)
            case "chargingprofiles", "SENDER" if method == "PUT" and len(seen.rest) == 1:
                self.active_profiles[seen.rest[0]] = seen.body
                return Reply()
            case "cdrs", "RECEIVER":
                return self._take_cdr(seen)
            case _, "RECEIVER":
                return self._take_object(seen)
            case "tokens", "SENDER" if method == "POST" and seen.rest[1:] == ("authorize",):
                return self._authorize(seen)
            case "sessions", "SENDER" if method == "PUT" and seen.rest[1:] == ("charging_preferences",):
                return Reply(data=self.preferences)
            case _, "SENDER" if method == "GET" and module in LISTED and not seen.rest:
                return self._list(seen)
            case "locations", "SENDER" if method == "GET":
                return self._one_of_own(seen)
        if self.faults.take("any_method", seen):
            return Reply()
        if role == "SENDER" and module in LISTED and not seen.rest:
            raise Refusal(2000, "no such method here", 405)
        raise Refusal(2000, "no such thing", 404)

    # -- as sender

    def _list(self, seen: Seen) -> Reply:
        take, query = self.faults.take, dict(seen.query)
        bounds = {} if take("ignores_dates", seen) else {name: query[name] for name in ("date_from", "date_to") if query.get(name)}
        try:
            offset, limit = int(query.get("offset") or 0), int(query.get("limit") or self.style.page_size)
            if offset < 0 or limit < 1 or any(value[4:5] != "-" for value in bounds.values()):
                raise ValueError
        except ValueError:
            if not take("takes_anything", seen):
                raise Refusal(2001, "that is no page") from None
            offset, limit, bounds = 0, self.style.page_size, {}
        if seen.module == "sessions" and "date_from" not in query and not take("takes_anything", seen):
            raise Refusal(2001, "date_from is missing")
        held = [document for document in self.owned[seen.module or ""].values() if _within(document, bounds)]
        if take("unordered", seen):
            held.sort(key=lambda document: document["last_updated"], reverse=True)
        offset = 0 if take("ignores_offset", seen) else offset
        size = max(len(held), 1) if take("ignores_limit", seen) else min(limit, self.style.page_size)
        page = held[offset : offset + size]
        headers = {"X-Total-Count": str(len(held) + bool(take("wrong_total", seen))), "X-Limit": str(self.style.page_size)}
        kept = {} if take("bare_link", seen) else {k: v for k, v in query.items() if k not in ("offset", "limit")}
        link = f"{self.url}{seen.path}?" + urlencode({**kept, "offset": offset + size, "limit": size})
        if offset + size < len(held):
            headers["Link"] = f'<{link}>; rel="next"'
        elif take("endless", seen):
            headers["Link"] = f'<{self.url}{seen.target}>; rel="next"'
        for fault, name in (("no_total", "X-Total-Count"), ("no_limit", "X-Limit"), ("no_link", "Link")):
            if take(fault, seen):
                headers.pop(name, None)
        return Reply(data=page, headers=headers)

    def _one_of_own(self, seen: Seen) -> Reply:
        for document in self.owned["locations"].values():
            if document["id"].lower() == seen.rest[0].lower():
                return Reply(data=_part(document, seen.rest[1:]))
        if self.faults.take("knows_everything", seen):
            return Reply()
        raise Refusal(2003, "no such location", 404)

    def _authorize(self, seen: Seen) -> Reply:
        uid, kind = seen.rest[0], seen.query.get("type", "RFID")
        for document in self.owned["tokens"].values():
            if document["uid"].lower() == uid.lower() and document["type"] == kind:
                said = self.allowed.get(document["uid"], "ALLOWED" if document["valid"] else "BLOCKED")
                answer = {"allowed": said}
                if not self.old:
                    answer |= {"token": document, "authorization_reference": f"ref-{uuid.uuid4().hex[:12]}"}
                if seen.body and said == "ALLOWED":
                    answer["location"] = seen.body
                return Reply(data=answer)
        raise Refusal(2004, "no such token", 404)

    def _take_result(self, seen: Seen) -> Reply:
        held = self.results.get(seen.query.get("of", ""))
        if held is None:
            raise Refusal(2000, "nobody asked for this", 404)
        held.append(seen.body)
        return Reply()

    # -- as receiver

    def _take_object(self, seen: Seen) -> Reply:
        module, method = seen.module or "", seen.method
        held = self.received[module]
        least = 2 if module == "hubclientinfo" else 3
        if len(seen.rest) < least or (module != "locations" and len(seen.rest) > least):
            raise Refusal(2000, "no such thing", 404)
        key = tuple(part.lower() for part in seen.rest[:3])
        if module == "tokens":
            key += (seen.query.get("type", "RFID"),)
        elif module == "hubclientinfo" and method == "PUT":
            key = (*key, seen.body["role"])
        elif module == "hubclientinfo":
            key = next((known for known in reversed(held) if known[:2] == key), key)
        known, parts = held.get(key), seen.rest[3:]
        if method == "POST" and known not in (None, seen.body):
            raise Refusal(2001, "another has this id")
        if method in ("PUT", "POST") and not parts:
            held.pop(key, None)  # the newest last
            held[key] = seen.body
            return Reply(201 if known is None else 200)
        if known is None:
            if method == "GET" and self.faults.take("knows_everything", seen):
                return Reply()
            raise Refusal(2003 if module == "locations" else 2000, "not known here", 404)
        if method == "GET":
            return Reply(data=_part(known, parts))
        if method == "DELETE":
            del held[key]
            return Reply()
        if method == "PATCH":
            if "last_updated" not in seen.body:
                raise Refusal(2001, "last_updated is missing")
            target = _part(known, parts)
            periods = [*target.get("charging_periods", ()), *seen.body.get("charging_periods", ())]
            target.update(seen.body)
            if module == "sessions" and periods:
                target["charging_periods"] = periods  # E2
        else:
            _put_part(known, parts, seen.body)
        known["last_updated"] = max(known["last_updated"], seen.body["last_updated"])
        return Reply()

    def _take_cdr(self, seen: Seen) -> Reply:
        held = self.received["cdrs"]
        if seen.method == "GET":
            for key, document in held.items():
                if seen.rest == ("kept", "-".join(key)):
                    return Reply(data=document)
            raise Refusal(2000, "no such CDR", 404)
        key = _key("cdrs", seen.body, self._teller() if self.old else self.party)
        where = {"Location": f"{self.url}{seen.path.rstrip('/')}/kept/{'-'.join(key)}"}
        if key in held:
            if held[key] != seen.body:
                raise Refusal(2001, "another CDR has this id")
            return Reply(200, headers=where)
        held[key] = seen.body
        return Reply(201, headers=where)

    def _teller(self) -> tuple[str, str]:
        """The one party on the other side (2.1.1)."""
        told = self.peer.credentials
        return told["country_code"], told["party_id"]

    def _take_command(self, seen: Seen) -> Reply:
        if len(seen.rest) != 1 or seen.rest[0] not in COMMANDS:
            raise Refusal(2000, "no such command", 404)
        command, body = seen.rest[0], seen.body
        response, result = self.commands[command]
        if (
            command == "STOP_SESSION"
            and self.drives
            and body["session_id"] not in {s["id"] for s in self.owned["sessions"].values()}
        ):
            response = "UNKNOWN_SESSION"
        if response == "ACCEPTED" and result is not None:

            async def follow() -> None:
                await self._post_result(seen, body["response_url"], {"result": result}, "commands")
                if self.drives and result == "ACCEPTED" and command == "START_SESSION":
                    await self.begin_session(body, seen)
                if self.drives and result == "ACCEPTED" and command == "STOP_SESSION":
                    await self.end_session(body["session_id"])

            self.later(follow)
        return Reply(data={"result": response} if self.old else {"result": response, "timeout": 10})

    def _take_profile(self, seen: Seen) -> Reply:
        response, result = self.profiles
        url = seen.body["response_url"] if seen.method == "PUT" else seen.query["response_url"]
        answer: Document = {"result": result}
        if seen.method == "PUT":
            self.active_profiles[seen.rest[0]] = seen.body["charging_profile"]
        elif seen.method == "GET" and result == "ACCEPTED":
            default = {"charging_rate_unit": "A", "charging_profile_period": [{"start_period": 0, "limit": 32.0}]}
            profile = self.active_profiles.get(seen.rest[0], default)
            answer["profile"] = {"start_date_time": instant(), "charging_profile": profile}
        elif seen.method == "DELETE":
            self.active_profiles.pop(seen.rest[0], None)
        if response == "ACCEPTED" and result is not None:
            self.later(lambda: self._post_result(seen, url, answer, "chargingprofiles"))
        return Reply(data={"result": response, "timeout": 10})

    async def _post_result(self, seen: Seen, url: str, result: Document, module: str) -> None:
        reply = await self.request(
            "POST",
            module,
            url=url,
            body=result,
            to=seen.party("from"),
            sender=seen.party("to"),
            correlation=seen.headers.get("x-correlation-id"),
        )
        if not reply.ok:
            self.troubles.append(f"{url}: {reply}")

    # -- sessions that it makes of commands

    async def begin_session(self, body: Document, seen: Seen | None = None) -> Document:
        """A session for a START_SESSION; its eMSP is told."""
        party = next(role.party for role in self.roles if role.role == "CPO")
        made = session(
            f"S-{uuid.uuid4().hex[:20]}",
            party,
            driver=body["token"],
            location_id=body["location_id"],
            evse_uid=body.get("evse_uid", "EVSE-1"),
            start_date_time=instant(),
        )
        if reference := body.get("authorization_reference"):
            made["authorization_reference"] = reference
        self.own("sessions", made)
        await self.tell_session(made)
        return made

    def session(self, identifier: str) -> Document | None:
        return next((held for held in self.owned["sessions"].values() if held["id"] == identifier), None)

    async def tell_session(self, held: Document, **changes: Any) -> Reply:
        held |= {"last_updated": instant(), **changes}
        token = held["cdr_token"]
        return cast("Reply", await self.push("sessions", held, to=(token["country_code"], token["party_id"])))

    async def end_session(self, identifier: str) -> Document:
        """The session's end, and its CDR, posted to the eMSP."""
        held = self.session(identifier)
        assert held is not None
        await self.tell_session(held, status="COMPLETED", kwh=10.0, end_date_time=instant())
        party = (held["country_code"], held["party_id"])
        made = cdr(
            f"CDR-{identifier[2:]}",
            party,
            session_id=identifier,
            cdr_token=held["cdr_token"],
            start_date_time=held["start_date_time"],
        )
        self.own("cdrs", made)
        token = held["cdr_token"]
        reply = await self.push("cdrs", made, to=(token["country_code"], token["party_id"]))
        if not reply.ok:
            self.troubles.append(f"CDR: {reply}")
        return made


def _key(module: str, document: Document, owner: tuple[str, str]) -> Key:
    """`owner`: of documents that do not name theirs."""
    named = (document.get("country_code", owner[0]), document.get("party_id", owner[1]))
    key = [str(part).lower() for part in (*named, document["uid" if module == "tokens" else "id"])]
    return (*key, document["type"]) if module == "tokens" else tuple(key)


def _within(document: Document, bounds: dict[str, str]) -> bool:
    updated = document["last_updated"].rstrip("Z")
    first, last = (bounds.get(name, "").rstrip("Z") for name in ("date_from", "date_to"))
    return (not first or updated >= first) and (not last or updated < last)


def _part(document: Document, parts: tuple[str, ...]) -> Document:
    """An EVSE, or a connector of it."""
    for part, (members, name) in zip(parts, (("evses", "uid"), ("connectors", "id")), strict=False):
        for member in document.get(members, ()):
            if member[name].lower() == part.lower():
                document = member
                break
        else:
            raise Refusal(2003, f"{part} is not known here", 404)
    return document


def _put_part(document: Document, parts: tuple[str, ...], part: Document) -> None:
    parent = _part(document, parts[:-1])
    members, name = ("evses", "uid") if len(parts) == 1 else ("connectors", "id")
    kept = [member for member in parent.get(members, ()) if member[name].lower() != parts[-1].lower()]
    parent[members] = [*kept, part]
