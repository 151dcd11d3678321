"""What the gateway is given by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from csms.bus import Bus
from csms.clock import Clock, Ids
from csms.credentials import StationPasswords
from csms.health import HealthRegistry
from csms.ledger import Ledger
from csms.settings import Settings
from csms.store.gateway_store import GatewayStore
from csms.tenants import TenantDirectory


@dataclass(frozen=True)
class GatewayServices:
    """`process_id` names this process in the database and on the bus."""

    settings: Settings
    clock: Clock
    ids: Ids
    ledger: Ledger
    store: GatewayStore
    bus: Bus
    tenants: TenantDirectory
    passwords: StationPasswords
    health: HealthRegistry
    process_id: UUID
