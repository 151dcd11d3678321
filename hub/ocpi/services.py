"""What all of OCPI in one hub process shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from csms.bus import Bus
from csms.clock import Clock, Ids
from csms.commands import CommandService
from csms.external_authorization.sealing import Sealer
from csms.roaming.room import Room
from csms.settings import Settings
from csms.store import Store
from csms.tenants import TenantDirectory
from hub.ocpi.client import PlatformClient
from hub.ocpi.directory import Directory
from hub.ocpi.log import MessageLog
from hub.ocpi.presence import Presence
from hub.ocpi.urls import OwnUrls

if TYPE_CHECKING:
    from hub.ocpi.outgoing import Outgoing


@dataclass(slots=True, kw_only=True)
class Ocpi:
    """The parts of the product that OCPI works with."""

    settings: Settings
    clock: Clock
    ids: Ids
    store: Store
    bus: Bus
    tenants: TenantDirectory
    commands: CommandService
    directory: Directory
    client: PlatformClient
    log: MessageLog
    urls: OwnUrls
    sealer: Sealer
    presence: Presence
    room: Room
    _outgoing: Outgoing | None = None

    def use(self, outgoing: Outgoing) -> None:
        """What is made last, of all the rest."""
        self._outgoing = outgoing

    @property
    def outgoing(self) -> Outgoing:
        if self._outgoing is None:
            raise LookupError("OCPI is not put together yet")
        return self._outgoing
