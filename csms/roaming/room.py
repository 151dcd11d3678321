"""How much partners may store here: a partner that is broken or hostile fills neither the database nor the memory of others.

What is stored is counted by an index, at most every few seconds for each partner; in between what is added is reckoned up. So a
partner may get past its limit by what other processes take in that time. For use in units of work alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from csms.clock import Clock
from csms.roaming.parties import Folded
from csms.roaming.partners import PartnerSettings
from csms.store.pool import Connection
from csms.store.queries import ocpi_room as queries
from csms.store.queries.ocpi_objects import ObjectKey

log = structlog.get_logger()

FRESH_S: Final = 30.0
MOST_KEPT: Final = 10_000
RECORDS: Final = frozenset({"sessions", "cdrs", "invoicereconciliation"})
"""Modules of what has happened, which is kept; the others tell what is."""
MEGABYTE: Final = 1024 * 1024

REFUSED: Final = Counter("csms_ocpi_refused_objects", "Objects of partners for which there was no room", ["module"])

Filler = UUID | Folded
"""Who stores things: a partner, or behind our own hub the owner of what is stored."""


class NoRoom(Exception):
    """So much is stored of a partner already."""


@dataclass(slots=True)
class _Filled:
    until: float
    size: int
    objects: dict[str, int]


class Room:
    """One per process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._filled: dict[tuple[int, Filler], _Filled] = {}

    def of(self, partner_id: UUID | None, limits: PartnerSettings) -> Allowance:
        """What a partner may store; None: parties behind our own hub, each as much."""
        return Allowance(self, partner_id, limits)

    def known(self, tenant_id: int, filler: Filler) -> _Filled | None:
        """How much was stored when it was counted last, and since; None: that is too long ago."""
        found = self._filled.get((tenant_id, filler))
        return found if found is not None and found.until > self._clock.monotonic() else None

    async def filled(self, conn: Connection, tenant_id: int, filler: Filler) -> tuple[_Filled, bool]:
        """How much is stored, and whether it was counted just now."""
        known = self.known(tenant_id, filler)
        if known is not None:
            return known, False
        now, key = self._clock.monotonic(), (tenant_id, filler)
        counted: Mapping[str, tuple[int, int]] = await queries.count_stored(conn, tenant_id, filler)
        if len(self._filled) >= MOST_KEPT:
            self._filled.clear()
        found = _Filled(now + FRESH_S, sum(size for _, size in counted.values()), {name: one[0] for name, one in counted.items()})
        self._filled[key] = found
        return found, True


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one partner may store here. `partner_id`: through which connection it comes; None: within this installation."""

    room: Room = field(repr=False)
    partner_id: UUID | None
    limits: PartnerSettings

    async def take(self, conn: Connection, tenant_id: int, key: ObjectKey, size: int, *, objects: int = 0) -> None:
        """Room for `size` more bytes (or fewer) in so many new objects of the module and owner of `key`. Raises NoRoom."""
        filler: Filler = self.partner_id or key.owner
        if size <= 0 and objects == 0:
            known = self.room.known(tenant_id, filler)
            if known is not None:
                known.size += size
            return
        filled, counted = await self.room.filled(conn, tenant_id, filler)
        why = _full(filled, key.module, size, objects, self.limits)
        if why is not None:
            REFUSED.labels(key.module).inc(max(objects, 1))
            if counted:  # said once for each time that it is counted
                whom = "-".join(filler) if isinstance(filler, tuple) else str(filler)
                log.warning("ocpi.no_room", tenant_id=tenant_id, partner=whom, module=key.module, why=why)
            raise NoRoom(why)
        filled.size += size
        filled.objects[key.module] = filled.objects.get(key.module, 0) + objects


def most_objects(module: str, limits: PartnerSettings) -> int:
    """Of a module, of one partner."""
    return limits.most_records if module in RECORDS else limits.most_objects


def _full(filled: _Filled, module: str, size: int, objects: int, limits: PartnerSettings) -> str | None:
    most = most_objects(module, limits)
    if objects and filled.objects.get(module, 0) + objects > most:
        return f"no more than {most} objects of the module {module} are kept of one partner here"
    if filled.size + size > limits.most_megabytes * MEGABYTE:
        return f"no more than {limits.most_megabytes} MB of objects are kept of one partner here"
    return None
