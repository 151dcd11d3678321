"""What the stations of a tenant ought to have, worked out when something has changed.

A change leaves a mark in its own transaction (migration 0020). Who has read the marks reads everything else after them, and takes
away just those: what is committed later has a mark of its own. One process at a time does it for a tenant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import msgspec
import structlog
import trio

from csms.clock import Clock
from csms.domain.known_tokens import KnownToken
from csms.domain.restrictions import Place
from csms.local_lists.content import EMPTY, Content
from csms.local_lists.messages import dialect_of
from csms.local_lists.policy import OfflinePolicy, decode_policy, encode_policy, together
from csms.local_lists.roster import Reason, Roster, StationPlace
from csms.store import Connection, Database
from csms.store.known_tokens import load_known_tokens
from csms.store.ledger_tokens import TokenLookups
from csms.store.queries import local_lists as queries
from csms.store.queries import offline_policies as policy_queries
from csms.store.queries.local_lists import StationRow, WantedRow

log = structlog.get_logger()

_LEASE_S: Final = 60.0
_KEYS: Final = 2_000
"""Tokens that are read in one transaction."""
FORGET_AFTER: Final = timedelta(hours=1)
"""How long a list that nobody has any more is kept: it may come back."""

_read_left_out: Final = msgspec.json.Decoder(dict[str, int]).decode
_encode: Final = msgspec.json.Encoder().encode


class _Policies:
    """All policies of a tenant."""

    def __init__(self, rows: Sequence[policy_queries.ScopedPolicy], parents: Sequence[tuple[UUID, UUID | None]]) -> None:
        self._of = {(row.station_group_id, row.station_id): decode_policy(row.policy) for row in rows}
        self._parents = dict(parents)
        self._order = {group_id: n for n, (group_id, _) in enumerate(parents)}

    @property
    def with_lists(self) -> bool:
        return any(policy.local_list for policy in self._of.values())

    def of_station(self, station_id: int, groups: Sequence[UUID]) -> OfflinePolicy:
        """All that hold together: the station's, those of its groups by distance and name, the tenant's."""
        scopes: list[tuple[UUID | None, int | None]] = [(None, station_id)]
        seen: set[UUID] = set()
        level = sorted(groups, key=lambda group_id: self._order.get(group_id, 0))
        while level:
            above: list[UUID] = []
            for group_id in level:
                if group_id not in seen:
                    seen.add(group_id)
                    scopes.append((group_id, None))
                    parent = self._parents.get(group_id)
                    if parent is not None:
                        above.append(parent)
            level = above
        scopes.append((None, None))
        return together(policy for scope in scopes if (policy := self._of.get(scope)) is not None)


class Refresh:
    """`database` is the hub role's."""

    def __init__(self, database: Database, clock: Clock, owner: UUID) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner

    async def refresh(self, tenant_id: int) -> int:
        """Bring up to date what the stations of the tenant ought to have. Gives how many of them have to be told something; 0 when
        another process is at it. Raises StoreUnavailable."""
        marks = await self._begin(tenant_id)
        if marks is None:
            return 0
        policies = await self._database.tenant_unit(tenant_id, lambda conn: _load_policies(conn, tenant_id))
        now = self._clock.now()
        if policies is None:
            await self._end(tenant_id, marks, None)
            return 0
        families = await self._families(tenant_id) if policies.with_lists else []
        roster = Roster(families, now)
        told = after = 0
        while True:
            count, after, due = await self._chunk(tenant_id, after, policies, roster)
            told += due
            if count < queries.CHUNK:
                break
        await self._end(tenant_id, marks, roster.next_at)
        return told

    async def _end(self, tenant_id: int, marks: Sequence[str], next_at: datetime | None) -> None:
        forget_before = self._clock.now() - FORGET_AFTER

        async def end(conn: Connection) -> None:
            if await queries.take_round(conn, tenant_id, self._owner, _LEASE_S):
                await queries.forget_contents(conn, tenant_id, forget_before)
                await queries.end_round(conn, tenant_id, marks, next_at)

        await self._database.tenant_unit(tenant_id, end)

    async def _begin(self, tenant_id: int) -> list[str] | None:
        async def begin(conn: Connection) -> list[str] | None:
            if not await queries.take_round(conn, tenant_id, self._owner, _LEASE_S):
                return None
            return await queries.seen_changes(conn, tenant_id)

        return await self._database.tenant_unit(tenant_id, begin)

    async def _families(self, tenant_id: int) -> list[list[KnownToken]]:
        keys = await self._database.tenant_unit(tenant_id, lambda conn: queries.listable_keys(conn, tenant_id))
        families: list[list[KnownToken]] = []
        for first in range(0, len(keys), _KEYS):
            portion = [(tenant_id, key) for key in keys[first : first + _KEYS]]
            found = await self._database.tenant_unit(tenant_id, partial(load_known_tokens, keys=portion))
            families += [found[key] for key in portion if key in found]
        return families

    async def _chunk(self, tenant_id: int, after: int, policies: _Policies, roster: Roster) -> tuple[int, int, int]:
        """(stations looked at, the last of them, how many have to be told something)"""

        async def read(conn: Connection) -> tuple[list[StationRow], Mapping[tuple[int, int], Place]]:
            rows = await queries.stations_after(conn, tenant_id, after)
            wanting = [(tenant_id, row.station_id) for row in rows] if policies.with_lists else []
            return rows, await TokenLookups(conn).places(wanting)

        rows, places = await self._database.tenant_unit(tenant_id, read)
        if not rows:
            return 0, after, 0
        changed, contents = await trio.to_thread.run_sync(_compare, rows, places, policies, roster, tenant_id)

        async def write(conn: Connection) -> bool:
            if not await queries.take_round(conn, tenant_id, self._owner, _LEASE_S):
                return False
            await queries.save_contents(
                conn, tenant_id, {digest: (one.encoded.decode(), len(one)) for digest, one in contents.items()}
            )
            await queries.save_wanted(conn, tenant_id, changed)
            return True

        if changed and not await self._database.tenant_unit(tenant_id, write):
            log.warning("local_lists.round_lost", tenant_id=tenant_id)
            return 0, after, 0
        return len(rows), rows[-1].station_id, sum(row.due for row in changed)


async def _load_policies(conn: Connection, tenant_id: int) -> _Policies | None:
    """None: there are none, and no station was told anything by those that there were."""
    rows = await policy_queries.list_policies(conn, tenant_id)
    if not rows and not await queries.is_anything_told(conn, tenant_id):
        return None
    return _Policies(rows, await queries.group_parents(conn, tenant_id) if rows else [])


def _compare(
    rows: Sequence[StationRow],
    places: Mapping[tuple[int, int], Place],
    policies: _Policies,
    roster: Roster,
    tenant_id: int,
) -> tuple[list[WantedRow], dict[bytes, Content]]:
    """The rows that change, and the contents that they name."""
    changed = []
    contents: dict[bytes, Content] = {}
    for row in rows:
        policy = policies.of_station(row.station_id, row.groups)
        if row.policy is None and policy.says_nothing:
            continue
        content, left_out = _content(row, policy, roster, places.get((tenant_id, row.station_id)))
        digest = None if content is None else content.digest
        same_policy = row.policy is not None and decode_policy(row.policy) == policy
        due = not same_policy or digest != row.wanted_digest
        if due or _read_left_out(row.left_out or "{}") != left_out:
            if content is not None and digest is not None:
                contents[digest] = content
            count = 0 if content is None else len(content)
            changed.append(
                WantedRow(row.station_id, encode_policy(policy).decode(), digest, count, _encode(left_out).decode(), due)
            )
    return changed, contents


def _content(
    row: StationRow, policy: OfflinePolicy, roster: Roster, place: Place | None
) -> tuple[Content | None, Mapping[Reason, int]]:
    """What the list ought to be; None: it is left alone."""
    if policy.local_list and place is not None:
        wanted = roster.wanted(policy, dialect_of(row.ocpp_version), StationPlace(place, frozenset(row.evse_ids)), row.max_entries)
        return wanted.content, wanted.left_out
    if policy.local_list is False and (row.version or row.sent_version is not None):
        return EMPTY, {}  # what is there must not be believed when the list is switched on again
    return None, {}
