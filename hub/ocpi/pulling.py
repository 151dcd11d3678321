"""Reading the lists of a partner, page by page, whatever it makes of paging (G8, G10, L7, F2, K3, Z6, Z11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar, cast, get_args
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import trio

from csms.roaming import received, received_cdrs
from csms.roaming.parties import SERVING, Folded, OwnParty, PartnerRole
from csms.roaming.partners import Partner, PartnerSettings
from csms.roaming.pulled import Pulled, store_pulled
from csms.roaming.received_cdrs import Checked
from csms.roaming.room import Allowance, NoRoom
from csms.store import Connection
from csms.store.queries import ocpi_received, ocpi_received_cdrs
from csms.store.queries.ocpi_objects import ObjectKey
from csms.store.queries.ocpi_pulls import Tally
from csms.store.queries.ocpi_routing import put_role_of_hub
from hub.ocpi import platform
from hub.ocpi.message import OcpiRequest, OcpiResponse, plain
from hub.ocpi.services import Ocpi
from hub.ocpi.versions import has_interface
from schemas.ocpi221.base import fold
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.headers import MessageHeaders, Party
from schemas.ocpi221.hubclientinfo import ClientInfo, ConnectionStatus
from schemas.ocpi221.instants import write_instant
from schemas.ocpi221.merging import Document, listed
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.paging import read_page_headers
from schemas.ocpi221.reading import Page, Reading, read_page
from schemas.ocpi221.types import Role

T = TypeVar("T")

CLIENT_INFO: Final = "hubclientinfo"
PULLED: Final = ("hubclientinfo", "tariffs", "locations", "tokens", "sessions", "cdrs", "invoicereconciliation")
"""Modules that are read, in an order in which what is referred to comes first."""
OWN_HUB: Final = UUID(int=0)
"""In place of a partner: the hub of this installation."""

WHOLE: Final = frozenset({"locations", "tariffs"})
"""G10: modules of which a complete list is the whole truth."""
SESSIONS_FROM: Final = timedelta(days=30)
"""E9: a list of sessions always has a beginning."""
LIMIT: Final = 100
"""Objects that are asked for at once."""
MOST_PAGES: Final = 50_000
MOST_OBJECTS: Final = 1_000_000
MOST_EMPTY_PAGES: Final = 20
"""In a row, each with a link to the next."""
MOST_STEPS_BACK: Final = 20
"""Because the list has become shorter meanwhile."""
CHUNK: Final = 100
"""Objects of one unit of work."""
CDRS_AT_ONCE: Final = 20

_THREADS: Final = trio.CapacityLimiter(1)


class PullFailed(Exception):
    """The list cannot be read to its end."""


@dataclass(slots=True)
class Source:
    """Whose lists are read: a partner's, or those of our own hub (`partner` None). `asker`: which of our parties asks;
    `asked`: to whom the requests are addressed; `any_owner`: a hub, which has what is of parties behind it."""

    tenant_id: int
    module: str
    partner: Partner | None
    asker: OwnParty
    asked: tuple[Party, ...]
    any_owner: bool
    owners: frozenset[Folded]

    @property
    def partner_id(self) -> UUID | None:
        return None if self.partner is None else self.partner.partner_id


async def source_of(ocpi: Ocpi, tenant_id: int, partner: Partner | None, module: str) -> Source | None:
    """Where the module can be read; None: nobody of the tenant has a use for it, or the partner does not offer it."""
    own = await ocpi.directory.parties()
    receiving = SERVING.get((module, "RECEIVER"))
    askers = [party for party in own.of_tenant(tenant_id) if receiving is None or party.role in receiving]
    if partner is None:
        hub = own.hub
        askers = [party for party in askers if party.on_hub]
        if hub is None or hub.tenant_id == tenant_id or not askers or module not in ("locations", "tariffs", "tokens"):
            return None
        return Source(tenant_id, module, None, askers[0], (hub.party,), True, frozenset())
    if not askers or not partner.registered or partner.endpoint(module, "SENDER") is None:
        return None
    if not has_interface(partner.version, module, "SENDER"):
        return None
    if own.hub is not None and own.hub.tenant_id == tenant_id:
        return None  # what passes through the hub is its members' business (17.2)
    roles = [role for role in partner.roles if role.status != "SUSPENDED" and not role.gone]
    hubs = list(dict.fromkeys(role.party for role in roles if role.role == "HUB"))
    serving = SERVING.get((module, "SENDER"), frozenset())
    parties = list(dict.fromkeys(role.party for role in roles if role.role in serving))
    asked = tuple(hubs[:1] or parties)
    if not asked or (module == CLIENT_INFO and not hubs):
        return None
    return Source(tenant_id, module, partner, askers[0], asked, bool(hubs), frozenset(role.party.folded for role in partner.roles))


@dataclass(slots=True)
class Crawl:
    """One reading of a module. `tally` counts while it runs."""

    ocpi: Ocpi
    source: Source
    tally: Tally = field(default_factory=Tally)
    _kept: dict[Folded, set[str]] = field(default_factory=dict)
    _sound: bool = True

    async def run(self, since: datetime | None) -> None:
        """Read what has changed since, or everything (None); what is gone at its owner then goes here, too, if the list could be
        read without a fault. Raises PullFailed, StoreUnavailable."""
        source, begun = self.source, self.ocpi.clock.now()
        complete = since is None
        if source.module == "sessions" and since is None:
            since = begun - SESSIONS_FROM
        for party in source.asked:
            await self._read_list(party, since)
        if not (complete and self._sound and source.module in WHOLE) or source.any_owner:
            return
        for party in source.asked:
            kept = self._kept.get(party.folded, set())
            self.tally.removed += await self._unit(
                partial(
                    ocpi_received.remove_missing,
                    tenant_id=source.tenant_id,
                    module=source.module,
                    owner=party.folded,
                    kept=kept,
                    before=begun,
                    at=begun,
                )
            )

    async def _read_list(self, party: Party, since: datetime | None) -> None:
        query = [("limit", str(LIMIT))]
        if since is not None:
            query.insert(0, ("date_from", write_instant(since)))
        request = self._request(party, tuple(query), None)
        seen: set[str] = set()
        total_before: int | None = None
        empty = steps_back = 0
        while True:
            answer = await self._ask(request)
            if answer is None:
                return
            count = await self._take(answer)
            self.tally.pages += 1
            here = request.url or self._endpoint(request)
            said = read_page_headers(answer.headers, here)
            if total_before is not None and said.total is not None and said.total < total_before:
                steps_back += 1
                again = self._back(party, request, total_before - said.total)
                if again is not None and steps_back <= MOST_STEPS_BACK:
                    moved = await self._ask(again)
                    if moved is not None:
                        await self._take(moved)
            total_before = said.total
            if said.next_url is None:
                return
            empty = 0 if count else empty + 1
            if said.next_url in seen:
                raise PullFailed("its list leads in a circle")
            if empty > MOST_EMPTY_PAGES or self.tally.pages >= MOST_PAGES or self.tally.objects >= MOST_OBJECTS:
                raise PullFailed("its list does not end")
            seen.add(said.next_url)
            request = self._next(party, said.next_url, here)

    def _request(self, party: Party, query: tuple[tuple[str, str], ...], url: str | None) -> OcpiRequest:
        ids = self.ocpi.ids
        routed = self.source.module != CLIENT_INFO
        return OcpiRequest(
            method="GET",
            module=self.source.module,
            role="SENDER",
            query=query,
            headers=MessageHeaders(
                request_id=str(ids.uuid4()),
                correlation_id=str(ids.uuid4()),
                to_party=party if routed else None,
                from_party=self.source.asker.party if routed else None,
            ),
            url=url,
        )

    def _next(self, party: Party, link: str, here: str) -> OcpiRequest:
        """The next page. Its link is only taken as it is where it leads to the partner that is registered: our token is for nobody
        else. Elsewhere its query alone counts (Z6: the inner name of a host behind a proxy)."""
        query = tuple(parse_qsl(urlsplit(link).query, keep_blank_values=True))
        at_home = self.source.partner is not None and _origin(link) == _origin(here)
        return self._request(party, () if at_home else query, link if at_home else None)

    def _back(self, party: Party, request: OcpiRequest, by: int) -> OcpiRequest | None:
        """The same page, begun earlier: so many objects before it are gone, and others have taken their places."""
        given = request.query if request.url is None else tuple(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
        offset = next((value for name, value in given if name == "offset"), "")
        if not offset.isascii() or not offset.isdigit() or len(offset) > 18:
            return None
        moved = [(name, value) for name, value in given if name != "offset"]
        return self._request(party, (*moved, ("offset", str(max(0, int(offset) - by)))), None)

    def _endpoint(self, request: OcpiRequest) -> str:
        partner = self.source.partner
        url = None if partner is None else partner.endpoint(request.module, "SENDER")
        return url or self.ocpi.urls.endpoint("2.2.1", request.module, "SENDER")

    async def _ask(self, request: OcpiRequest) -> OcpiResponse | None:
        """None: there is nothing (Z11)."""
        partner = self.source.partner
        if partner is None:
            answer = await self.ocpi.outgoing.send(self.source.asker, request.headers.to_party, request)
        else:
            answer = await platform.send(self.ocpi, partner, request)
        if answer.http_status == 404:
            self._sound = False
            return None
        if not answer.successful:
            raise PullFailed(answer.failure or f"it answers {answer.status_code}: {answer.status_message or 'no reason'}"[:400])
        return answer

    async def _take(self, answer: OcpiResponse) -> int:
        """Store the good objects of a page; how many objects it has."""
        documents = plain(answer.data)
        if self.source.module == CLIENT_INFO:
            return await self._take_client_infos(documents)
        try:
            page: Page[Any] = read_page(received.TYPES[self.source.module], documents)
        except Unreadable as fault:
            raise PullFailed(f"its list is none: {fault}") from None
        given = [documents] if isinstance(documents, dict) else listed_as_read(documents)
        good: list[tuple[ObjectKey, Document, Reading[Any]]] = []
        for index, reading in page.readings.items():
            document = received.single(given[index])
            try:
                key = received.key_of(self.source.module, reading.value)
                received.check_storable(document)
            except Unreadable:
                self._refuse()
                continue
            if not self._may_own(key.owner):
                self._refuse()  # W9
                continue
            self._kept.setdefault(key.owner, set()).add(key.object_id)
            good.append((key, document, reading))
        for _ in page.faults:
            self._refuse()
        self.tally.objects += len(page.readings) + len(page.faults)
        size = CDRS_AT_ONCE if self.source.module == "cdrs" else CHUNK
        for start in range(0, len(good), size):
            await self._store(good[start : start + size])
        return len(page.readings) + len(page.faults)

    async def _store(self, good: Sequence[tuple[ObjectKey, Document, Reading[Any]]]) -> None:
        source = self.source
        if source.module == "cdrs":
            await self._book(good)
            return
        pulled = [Pulled(key, document, reading.value) for key, document, reading in good]
        self.tally.stored += await self._unit(
            lambda conn: store_pulled(conn, source.tenant_id, pulled, self._allowance, self.ocpi.ids.uuid7)
        )

    async def _book(self, good: Sequence[tuple[ObjectKey, Document, Reading[CDR]]]) -> None:
        source = self.source
        places = [ObjectKey("locations", key.owner, fold(reading.value.cdr_location.id)) for key, _, reading in good]

        async def zones(conn: Connection) -> list[str | None]:
            return [await ocpi_received_cdrs.time_zone_of(conn, source.tenant_id, place) for place in places]

        found = await self._unit(zones)

        def check_all() -> list[Checked]:
            return [received_cdrs.check(*one, zone) for one, zone in zip(good, found, strict=True)]

        own = {party.party.folded for party in self.ocpi.directory.own.of_tenant(source.tenant_id, "EMSP")}
        for checked in await trio.to_thread.run_sync(check_all, limiter=_THREADS, abandon_on_cancel=True):
            try:
                created, _ = await self._unit(
                    partial(received_cdrs.book, tenant_id=source.tenant_id, checked=checked, own=own, allowance=self._allowance)
                )
            except Unreadable:
                self._refuse()  # D2: the first one stays
            else:
                self.tally.stored += created

    async def _take_client_infos(self, documents: Any) -> int:
        """I4: who is behind the hub, and who can be reached."""
        source, partner = self.source, self.source.partner
        page = read_page(ClientInfo, documents)
        own = await self.ocpi.directory.parties()
        roles = []
        for info, _ in page.readings.values():
            party = Party(info.country_code.upper(), info.party_id.upper())
            known = info.role in get_args(Role) and info.status in get_args(ConnectionStatus)
            if partner is None or not known or own.find(party.folded, (cast(Role, info.role),)) is not None:
                self._refuse()
                continue
            role, status = cast(Role, info.role), cast(ConnectionStatus, info.status)
            roles.append(PartnerRole(*party, role, partner.partner_id, None, {}, status, info.last_updated))

        async def put(conn: Connection) -> int:
            return sum([await put_role_of_hub(conn, source.tenant_id, role) for role in roles])

        stored = await self._unit(put)
        self.tally.stored += stored
        self.tally.objects += len(page.readings) + len(page.faults)
        self.tally.refused += len(page.faults)
        if stored:
            await self.ocpi.directory.changed()
        return len(page.readings) + len(page.faults)

    def _may_own(self, owner: Folded) -> bool:
        """W9; and nobody tells us of ourselves."""
        if any(party.party.folded == owner for party in self.ocpi.directory.own.of_tenant(self.source.tenant_id)):
            return False
        return self.source.any_owner or owner in self.source.owners

    def _refuse(self) -> None:
        self.tally.refused += 1
        self._sound = False

    @property
    def _allowance(self) -> Allowance:
        partner = self.source.partner
        return self.ocpi.room.of(self.source.partner_id, PartnerSettings() if partner is None else partner.settings)

    async def _unit(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            return await self.ocpi.store.hub.tenant_unit(self.source.tenant_id, work)
        except NoRoom as full:
            raise PullFailed(str(full)) from None


def listed_as_read(documents: Any) -> list[Any]:
    """The documents of a list by the places at which `read_page` has them."""
    return documents if isinstance(documents, list) else listed(documents)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", None, None
