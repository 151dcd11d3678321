"""What gateway and hub are given: made here once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from csms.bus import Bus
from csms.clock import Clock, Ids
from csms.credentials import StationPasswords
from csms.health import HealthRegistry
from csms.ledger import Ledger
from csms.outbox import Poker
from csms.secret import RootSecret
from csms.settings import Settings
from csms.store import Store
from csms.store.gateway_store import PostgresGatewayStore
from csms.tenants import TenantDirectory

if TYPE_CHECKING:  # a process loads the part that it runs, not the other
    from gateway.server import GatewayServices
    from hub.server import HubServices


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that a process of any kind has."""

    settings: Settings
    clock: Clock
    ids: Ids
    secret: RootSecret
    store: Store
    bus: Bus
    ledger: Ledger
    poker: Poker
    tenants: TenantDirectory
    passwords: StationPasswords
    health: HealthRegistry
    process_id: UUID

    def for_gateway(self) -> GatewayServices:
        from gateway.server import GatewayServices

        return GatewayServices(
            settings=self.settings,
            clock=self.clock,
            ids=self.ids,
            ledger=self.ledger,
            store=PostgresGatewayStore(self.store.gateway),
            bus=self.bus,
            tenants=self.tenants,
            passwords=self.passwords,
            health=self.health,
            process_id=self.process_id,
        )

    def for_hub(self) -> HubServices:
        from hub.server import HubServices

        return HubServices(
            settings=self.settings,
            clock=self.clock,
            ids=self.ids,
            store=self.store,
            bus=self.bus,
            tenants=self.tenants,
            passwords=self.passwords,
            secret=self.secret,
            health=self.health,
        )
