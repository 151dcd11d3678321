"""What the hub is given by the launcher, and what it makes of it once for all requests."""

from __future__ import annotations

from dataclasses import dataclass

from csms.accounts import HashWorkers, UserPasswords
from csms.bus import Bus
from csms.clock import Clock, Ids
from csms.commands import CommandService
from csms.credentials import StationPasswords
from csms.health import HealthRegistry
from csms.limits import SharedLimits
from csms.quarantine import QuarantineService
from csms.secret import API_KEY_HASH, CURSOR_SIGNING, JWT_SIGNING, REFRESH_TOKEN_HASH, RootSecret
from csms.sessions import SessionService
from csms.settings import Settings
from csms.store import Store
from csms.tenants import TenantDirectory
from hub.api.cursors import Cursors
from hub.auth.access_tokens import AccessTokens
from hub.auth.api_keys import ApiKeys
from hub.auth.caller import Authenticator
from hub.auth.sign_in import SignIn


@dataclass(frozen=True, slots=True)
class HubServices:
    """The parts of the product that the hub works with."""

    settings: Settings
    clock: Clock
    ids: Ids
    store: Store
    bus: Bus
    tenants: TenantDirectory
    passwords: StationPasswords
    secret: RootSecret
    health: HealthRegistry


class Hub:
    """The services, and what is built on them; one per process."""

    def __init__(self, services: HubServices) -> None:
        self.settings = services.settings
        self.clock = services.clock
        self.ids = services.ids
        self.store = services.store
        self.bus = services.bus
        self.tenants = services.tenants
        self.station_passwords = services.passwords
        self.health = services.health
        self.hash_workers = HashWorkers()
        self.user_passwords = UserPasswords(self.hash_workers)
        self.cursors = Cursors(services.secret.derive(CURSOR_SIGNING))
        self.api_keys = ApiKeys(services.secret.derive(API_KEY_HASH), services.ids)
        tokens = AccessTokens(services.secret.derive(JWT_SIGNING), services.clock, services.ids)
        self.authenticator = Authenticator(services.store, services.tenants, tokens, self.api_keys, services.clock)
        self.limits = SharedLimits(services.bus, services.clock)
        self.sign_in = SignIn(
            services.store,
            tokens,
            self.user_passwords,
            self.limits,
            services.clock,
            services.ids,
            services.secret.derive(REFRESH_TOKEN_HASH),
        )
        self.quarantine = QuarantineService(services.store.hub, services.bus, services.ids)
        self.sessions = SessionService(services.store.hub, services.clock, services.ids)
        self.commands = CommandService(services.store.hub, services.bus, services.clock, services.ids)
