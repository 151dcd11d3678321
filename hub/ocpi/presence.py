"""Of whom something was heard, and who does not answer (I4, I5, digest 17.3): noted here, acted upon in routing.watching."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import trio

from csms.clock import Clock
from csms.roaming.partners import Partner

MOST_NOTED: Final = 10_000

Key = tuple[int, UUID]
"""Tenant and partner."""


class Presence:
    """What this process has heard. `heard` and `lost` never wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard: dict[Key, datetime] = {}
        self._urgent: dict[Key, bool] = {}
        self._poke = trio.Event()

    def heard(self, partner: Partner) -> None:
        """Something has come from the partner."""
        key = (partner.tenant_id, partner.partner_id)
        if len(self._heard) < MOST_NOTED:
            self._heard[key] = self._clock.now()
        if partner.status == "offline":
            self._be_urgent(key, lost=False)

    def lost(self, partner: Partner) -> None:
        """It has failed so often that it is left alone."""
        if partner.status == "connected":
            self._be_urgent((partner.tenant_id, partner.partner_id), lost=True)

    def take_heard(self) -> dict[int, list[UUID]]:
        """Of whom something was heard since this was last asked, by tenant."""
        taken, self._heard = self._heard, {}
        found: dict[int, list[UUID]] = {}
        for tenant_id, partner_id in taken:
            found.setdefault(tenant_id, []).append(partner_id)
        return found

    async def take_urgent(self) -> dict[Key, bool]:
        """Wait until somebody was lost (True) or seems to be back (False)."""
        await self._poke.wait()
        self._poke = trio.Event()
        taken, self._urgent = self._urgent, {}
        return taken

    def _be_urgent(self, key: Key, *, lost: bool) -> None:
        if len(self._urgent) < MOST_NOTED:
            self._urgent[key] = lost
            self._poke.set()
