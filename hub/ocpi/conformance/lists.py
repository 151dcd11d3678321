"""Lists of a platform: pages, headers, dates, and every object in them (section 2.5 of the digest)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import trio

from hub.external_authorization.destinations import origin
from hub.ocpi.conformance import points
from hub.ocpi.conformance.entrance import Platform
from hub.ocpi.conformance.probe import REGISTRATION_ONLY, Heard, Probe
from schemas.ocpi221.base import OcpiObject
from schemas.ocpi221.headers import Party
from schemas.ocpi221.instants import read_instant, read_query_instant, write_instant
from schemas.ocpi221.interfaces import OPERATIONS
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.paging import PageHeaders, read_page_headers
from schemas.ocpi221.reading import read
from schemas.ocpi221.urls import join_url

EARLIEST_YEAR: Final = 1970
MOST_PAGES: Final = 20
MOST_OBJECTS: Final = 1_000
LONG_AGO: Final = "2000-01-01T00:00:00Z"
FAR_AHEAD: Final = "2099-01-01T00:00:00Z"
LISTS: Final[dict[str, type[OcpiObject]]] = {
    operation.module: operation.data[0]  # type: ignore[misc]  # lists hold objects
    for operation in OPERATIONS
    if operation.paged
}
_BAD: Final = (("limit", "0"), ("limit", "-1"), ("limit", "many"), ("offset", "-1"), ("date_from", "yesterday"))
_LARGE: Final = 1_000_000
Key = tuple[str, ...]
Query = Mapping[str, str]


@dataclass(slots=True)
class Crawl:
    """What the pages of a list hold. `whole`: all pages were read."""

    documents: list[Any] = field(default_factory=list)
    total: int | None = None
    maximum: int | None = None
    whole: bool = False


class ListCheck:
    """The list of one module. `run` gives the documents in it."""

    def __init__(self, probe: Probe, platform: Platform, module: str) -> None:
        self._probe = probe
        self._note = probe.notebook
        self._module = module
        self._type = LISTS[module]
        self._url = platform.endpoints[module, "SENDER"]
        self._to: Party | None = probe.target.receiver or platform.receiver(module, "SENDER")
        self._where = f"{module} SENDER"
        self._always: Query = {"date_from": LONG_AGO} if module == "sessions" else {}

    async def run(self) -> list[Any]:
        """Raises OutOfBudget."""
        left_out = () if self._module == "sessions" else ("list.date_from_required",)
        self._note.expect((name for name in points.LIST if name not in left_out), self._where)
        first = await self._get({})
        if first.status == 401:
            self._note.leave_out(points.LIST, REGISTRATION_ONLY, self._where)
            return []
        if not self._answered(first):
            return []
        crawl = await self._crawl(first)
        await self._objects(crawl.documents)
        heard = await self._probe.ask(self._full({}), self._module, self._to, shown="none")
        self._judge("list.token", heard.status == 401, str(heard))
        await self._pages_of_one(crawl)
        await self._dates(crawl)
        await self._limits(crawl)
        return crawl.documents

    # -- asking

    async def _get(self, query: Query) -> Heard:
        return await self._probe.ask(self._full(query), self._module, self._to)

    def _full(self, query: Query) -> str:
        return join_url(self._url, query=({**self._always, **query}).items())

    def _judge(self, point: str, held: bool, seen: str, rule: str | None = None) -> bool:
        return self._note.judge(point, held, seen, where=self._where, rule=rule)

    def _answered(self, heard: Heard) -> bool:
        if heard.status == 404:
            return self._judge("list.answered", False, f"{heard}: an empty list is answered as a list", "Z11")
        if not self._judge("list.answered", heard.ok, str(heard)):
            return False
        if not isinstance(heard.data, list):
            kind = "nothing" if heard.data is None else "one object" if isinstance(heard.data, dict) else "something else"
            self._judge("list.answered", False, f"the data is {kind}", "Z12")
        return True

    def _page(self, heard: Heard) -> tuple[list[Any], PageHeaders]:
        documents = heard.data if isinstance(heard.data, list) else [heard.data] if isinstance(heard.data, dict) else []
        headers = read_page_headers({} if heard.answer is None else heard.answer.headers, heard.url)
        self._judge("list.total", headers.total is not None, "it is missing or no number")
        self._judge("list.limit", headers.maximum is not None, "it is missing or no number")
        if headers.maximum is not None:
            said = f"a page has {len(documents)} objects although X-Limit is {headers.maximum}"
            self._judge("list.size", len(documents) <= headers.maximum, said)
        return documents, headers

    # -- all of it

    async def _crawl(self, heard: Heard) -> Crawl:
        crawl = Crawl()
        seen = {heard.url}
        for _ in range(MOST_PAGES):
            documents, headers = self._page(heard)
            crawl.documents += documents
            crawl.total = headers.total if crawl.total is None else crawl.total
            crawl.maximum = headers.maximum
            if headers.next_url is None:
                crawl.whole = True
                break
            if not self._judge("list.link_target", headers.next_url not in seen, f"{headers.next_url} once more", "G8"):
                break
            if not self._leads_home(headers.next_url) or len(crawl.documents) >= MOST_OBJECTS:
                break
            seen.add(headers.next_url)
            heard = await self._probe.ask(headers.next_url, self._module, self._to)
            if not self._answered(heard):
                break
            if not heard.data:
                self._judge("list.link", False, "the page that it led to is empty")
        self._counts(crawl)
        return crawl

    def _counts(self, crawl: Crawl) -> None:
        if not crawl.whole or crawl.total is None:
            return
        held, total = len(crawl.documents), crawl.total
        if held < total:
            self._judge("list.link", False, f"the last page has none, but there are only {held} objects of {total}")
        elif held:
            self._judge("list.link", True, "")
        different = {_key(document) for document in crawl.documents}
        if len(different) < held:
            self._judge("list.complete", False, f"{held - len(different)} objects came more than once")
        else:
            self._judge("list.complete", held == total, f"there are {held} objects, X-Total-Count says {total}")

    async def _objects(self, documents: Sequence[Any]) -> None:
        for index, document in enumerate(documents[:MOST_OBJECTS]):
            await trio.lowlevel.checkpoint()  # reading them takes longer than others should wait
            name = f"[{index}]"
            try:
                remarks = read(self._type, document).remarks
            except Unreadable as fault:
                self._judge("objects.readable", False, f"{name} {fault}", fault.rule)
                continue
            self._judge("objects.readable", True, "")
            unknown = [remark for remark in remarks if remark.rule == "B11"]
            wrong = next((remark for remark in remarks if remark.rule != "B11"), None)
            self._judge("objects.members", not unknown, f"{name} {unknown[0].text if unknown else ''}")
            said, rule = ("", None) if wrong is None else (f"{name}.{wrong.field} {wrong.text}", wrong.rule)
            self._judge("objects.exact", wrong is None, said, rule)

    # -- parts of it

    async def _pages_of_one(self, crawl: Crawl) -> None:
        keys = [_key(document) for document in crawl.documents]
        for offset in range(min(3, len(keys))):
            heard = await self._get({"offset": str(offset), "limit": "1"})
            if not self._answered(heard):
                return
            documents, headers = self._page(heard)
            self._judge("list.size", len(documents) <= 1, f"{len(documents)} objects for limit=1")
            if not documents:
                self._judge("list.offset", False, f"nothing for offset={offset}, though there are {len(keys)} objects")
                return
            got = _key(documents[0])
            if offset and got == keys[0]:
                self._judge("list.offset", False, f"offset={offset} gives the first object again")
                return
            if offset:
                self._judge("list.offset", True, "")
            said = f"offset={offset} in pages of one gives another object than in long pages"
            self._judge("list.order", got == keys[offset], said)
            last = offset == len(keys) - 1
            if crawl.whole or not last:
                self._link(headers, last=last)
            if not offset and headers.next_url is not None and len(keys) > 1:
                await self._follow(headers.next_url, keys[1])
        changes = [changed for document in crawl.documents if (changed := _changed(document)) is not None]
        if len(changes) >= 3:
            falling = all(earlier >= later for earlier, later in pairwise(changes)) and changes[0] > changes[-1]
            said = "what was changed last comes first: who crawls it meanwhile misses objects"
            self._judge("list.newest_first", not falling, said)

    def _link(self, headers: PageHeaders, *, last: bool) -> None:
        link = headers.next_url
        said = "the last page has one" if last else "a page that is not the last has none"
        self._judge("list.link", (link is None) is last, said)
        if link is not None:
            query = dict(parse_qsl(urlsplit(link).query))
            plain = query.get("offset", "").isdigit() and query.get("limit", "").isdigit()
            self._judge("list.link_plain", plain, link)

    async def _follow(self, link: str, expected: Key) -> None:
        """The Link of a page of one leads to the next object."""
        if not self._leads_home(link):
            return
        heard = await self._probe.ask(link, self._module, self._to)
        if self._answered(heard):
            documents, _ = self._page(heard)
            got = [_key(document) for document in documents]
            self._judge("list.order", got == [expected], f"{link} does not lead to the one object that comes next")

    def _leads_home(self, link: str) -> bool:
        """Whether our token may go where a Link leads."""
        here = self._probe.refusal(link) is None and origin(link) == origin(self._url)
        return self._judge("list.link_target", here, link)

    async def _dates(self, crawl: Crawl) -> None:
        for form in ("2000-01-01T00:00:00", "2000-01-01T00:00:00.000Z"):
            heard = await self._get({"date_from": form})
            self._judge("list.date_forms", heard.ok, f"date_from={form}: {heard}")
        if self._module == "sessions":
            heard = await self._probe.ask(self._url, self._module, self._to)
            self._judge("list.date_from_required", not heard.ok and heard.code // 1000 == 2, str(heard))
        changes = sorted(changed for document in crawl.documents if (changed := _changed(document)) is not None)
        if not changes:
            return
        await self._bounded(crawl, "date_from", FAR_AHEAD, [])
        await self._bounded(crawl, "date_to", LONG_AGO, [])
        middle = changes[len(changes) // 2]
        if changes[0] < middle:
            await self._bounded(crawl, "date_from", write_instant(middle), [change for change in changes if change >= middle])
            await self._bounded(crawl, "date_to", write_instant(middle), [change for change in changes if change < middle])
        if len(changes) > 1 and changes[0].year >= EARLIEST_YEAR:
            begin = write_instant(changes[0] - timedelta(seconds=1))
            heard = await self._get({"date_from": begin, "limit": "1"})
            if heard.ok and (link := self._page(heard)[1].next_url) is not None:
                given = dict(parse_qsl(urlsplit(link).query)).get("date_from", "")
                self._judge("list.link_filters", _instant(given) == _instant(begin), link)

    async def _bounded(self, crawl: Crawl, name: str, bound: str, expected: Sequence[datetime]) -> None:
        point = f"list.{name}"
        heard = await self._get({name: bound})
        if not self._judge(point, heard.ok, f"{name}={bound}: {heard}"):
            return
        documents, headers = self._page(heard)
        limit = _instant(bound)
        for document in documents:
            changed = _changed(document)
            fits = changed is None or limit is None or (changed >= limit if name == "date_from" else changed < limit)
            self._judge(point, fits, f"{name}={bound} gives an object of {changed}")
        if crawl.whole and headers.total is not None and crawl.total == len(crawl.documents):
            said = f"{name}={bound} gives {headers.total} objects, {len(expected)} were expected"
            self._judge(point, headers.total == len(expected), said)

    async def _limits(self, crawl: Crawl) -> None:
        heard = await self._get({"limit": str(_LARGE)})
        if self._answered(heard):
            self._page(heard)
        if crawl.total is not None:
            offset = crawl.total + 1_000
            heard = await self._get({"offset": str(offset)})
            empty = heard.ok and not heard.data and (heard.answer is None or "link" not in heard.answer.headers)
            said = f"offset={offset}: {heard}" + (f", {len(heard.data)} objects" if isinstance(heard.data, list) else "")
            self._judge("list.beyond", empty, said)
        for name, value in _BAD:
            heard = await self._get({name: value})
            refused = not heard.ok and heard.code // 1000 == 2
            self._judge("list.bad_parameters", refused, f"{name}={value}: {heard}")


def _key(document: Any) -> Key:
    """What tells an object from the others of its list (B2)."""
    if not isinstance(document, dict):
        return (str(document),)
    names = ("country_code", "party_id", "id", "uid", "type", "role")
    return tuple(str(document.get(name, "")).casefold() for name in names)


def _changed(document: Any) -> datetime | None:
    value = document.get("last_updated") if isinstance(document, dict) else None
    if not isinstance(value, str):
        return None
    try:
        return read_instant(value)[0]
    except ValueError:
        return None


def _instant(text: str) -> datetime | None:
    try:
        return read_query_instant(text)
    except ValueError:
        return None
