"""Who is who: own parties, partners and their parties, as a hub process knows them.

Kept in memory for a few seconds; whoever changes something tells all processes over the bus.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, TypeVar
from uuid import UUID

import structlog
import trio

from csms.bus import Bus, BusUnavailable
from csms.clock import Clock
from csms.roaming.agreements import Agreements
from csms.roaming.parties import Folded, OwnParties, PartnerRole
from csms.roaming.partners import Partner
from csms.roaming.topics import CHANGED_TOPIC
from csms.store import Store, StoreUnavailable
from csms.store.queries import ocpi_parties, ocpi_partners
from csms.store.queries.ocpi_agreements import load_agreements
from csms.store.queries.ocpi_partners import KnownToken

log = structlog.get_logger()

FRESH_S: Final = 5.0
MOST_KEPT: Final = 10_000

_FIRST: Final = UUID(int=0)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A partner that has shown a good token. `token`: the one that it has shown, for the answer to GET credentials alone (C7)."""

    partner: Partner
    registration_only: bool
    token_hash: bytes
    token: str = field(repr=False)


class Directory:
    """`run` keeps it fresh; without it nothing is older than FRESH_S either."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, token_key: bytes) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._token_key = token_key
        self.own = OwnParties()
        self._own_until = 0.0
        self._forgotten = 0
        self._tokens: _Kept[bytes, KnownToken | None] = _Kept(clock)
        self._partners: _Kept[tuple[int, UUID], Partner | None] = _Kept(clock)
        self._roles: _Kept[int, tuple[PartnerRole, ...]] = _Kept(clock)
        self._of_tenant: _Kept[int, Mapping[UUID, Partner]] = _Kept(clock)
        self._agreements: _Kept[int, Agreements] = _Kept(clock)

    async def run(self) -> None:
        """Forget what others have changed. Runs until cancelled."""
        while True:
            try:
                async with self._bus.subscribe(CHANGED_TOPIC) as changes:
                    while True:
                        with trio.move_on_after(FRESH_S):
                            await changes.receive()
                            self._forget()
                        try:
                            await self.refresh()
                        except StoreUnavailable:
                            log.debug("ocpi.directory_not_refreshed")
            except (BusUnavailable, trio.EndOfChannel):
                await trio.sleep(FRESH_S)

    async def refresh(self) -> None:
        """Read the own parties anew; again if something has changed meanwhile. Raises StoreUnavailable."""
        while True:
            forgotten = self._forgotten
            parties = await self._store.auth.look(ocpi_parties.load_parties)
            if forgotten == self._forgotten:
                break
        self.own.replace_all(parties)
        self._own_until = self._clock.monotonic() + FRESH_S

    async def parties(self) -> OwnParties:
        """The own parties, fresh. Raises StoreUnavailable."""
        if self._own_until <= self._clock.monotonic():
            await self.refresh()
        return self.own

    async def changed(self) -> None:
        """Something of parties, partners or tokens has changed: forget all, here and in the other processes."""
        self._forget()
        try:
            await self._bus.publish(CHANGED_TOPIC, b"")
        except BusUnavailable:
            log.debug("ocpi.change_not_told")

    def hash(self, token: str) -> bytes:
        """What is stored of a token that partners use."""
        return token_hash(self._token_key, token)

    async def authenticate(self, candidates: Sequence[str], now: datetime) -> Authenticated | None:
        """Whose token one of these is (A6); None: nobody's. Raises StoreUnavailable."""
        for candidate in candidates:
            hashed = self.hash(candidate)
            token = await self._tokens.get(hashed, self._find_token)
            if token is None or (token.expires_at is not None and token.expires_at <= now):
                continue
            partner = await self.partner(token.tenant_id, token.partner_id)
            if partner is not None:
                return Authenticated(partner, token.kind == "registration", hashed, candidate)
        return None

    async def partner(self, tenant_id: int, partner_id: UUID) -> Partner | None:
        """Raises StoreUnavailable."""

        async def load(key: tuple[int, UUID]) -> Partner | None:
            return await self._store.hub.tenant_unit(key[0], lambda conn: ocpi_partners.get_partner(conn, *key))

        return await self._partners.get((tenant_id, partner_id), load)

    async def partners(self, tenant_id: int) -> Mapping[UUID, Partner]:
        """All partners of the tenant. Raises StoreUnavailable."""

        async def load(key: int) -> Mapping[UUID, Partner]:
            found = await self._store.hub.tenant_unit(key, lambda conn: ocpi_partners.list_partners(conn, key, _FIRST, MOST_KEPT))
            return {partner.partner_id: partner for partner in found}

        return await self._of_tenant.get(tenant_id, load)

    async def agreements(self, tenant_id: int) -> Agreements:
        """Who may have what at this tenant (R14). Raises StoreUnavailable."""

        async def load(key: int) -> Agreements:
            return await self._store.hub.tenant_unit(key, lambda conn: load_agreements(conn, key))

        return await self._agreements.get(tenant_id, load)

    async def roles(self, tenant_id: int) -> tuple[PartnerRole, ...]:
        """Parties that the tenant reaches through partners; for the hub's tenant all of the hub. Raises StoreUnavailable."""

        async def load(key: int) -> tuple[PartnerRole, ...]:
            return tuple(await self._store.hub.tenant_unit(key, lambda conn: ocpi_partners.list_roles(conn, key)))

        return await self._roles.get(tenant_id, load)

    async def roles_of(self, tenant_id: int, party: Folded) -> list[PartnerRole]:
        """The roles of one party among them."""
        return [role for role in await self.roles(tenant_id) if role.party.folded == party]

    async def _find_token(self, hashed: bytes) -> KnownToken | None:
        found = await self._store.auth.look(lambda conn: ocpi_partners.find_tokens(conn, [hashed]))
        return next(iter(found), None)

    def _forget(self) -> None:
        self._own_until = 0.0
        self._forgotten += 1
        self._tokens.clear()
        self._partners.clear()
        self._roles.clear()
        self._of_tenant.clear()
        self._agreements.clear()


class _Kept(Generic[K, V]):
    """Values that are looked up again after FRESH_S. What was forgotten while it was being looked up is not kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[K, tuple[float, V]] = {}
        self._generation = 0

    async def get(self, key: K, load: Callable[[K], Awaitable[V]]) -> V:
        now = self._clock.monotonic()
        kept = self._values.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        generation = self._generation
        value = await load(key)
        if generation == self._generation:
            if len(self._values) >= MOST_KEPT:
                self._values.clear()
            self._values[key] = (now + FRESH_S, value)
        return value

    def clear(self) -> None:
        self._values.clear()
        self._generation += 1


def token_hash(key: bytes, token: str) -> bytes:
    """What is stored of a token that partners use."""
    return hmac.new(key, token.encode(), hashlib.sha256).digest()
