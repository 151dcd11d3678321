"""What the hub is given by the launcher, and what it makes of it once for all requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from csms.accounts import HashWorkers, UserPasswords
from csms.billing.final import FinalBilling
from csms.bus import Bus
from csms.clock import Clock, Ids
from csms.commands import CommandService
from csms.credentials import StationPasswords
from csms.external_authorization.sealing import Sealer
from csms.health import HealthRegistry
from csms.limits import SharedLimits
from csms.payments.providers import built_in
from csms.payments.service import PaymentService
from csms.qr_tokens import QrCodes
from csms.quarantine import QuarantineService
from csms.reservations.service import ReservationService
from csms.roaming.invoices import Invoicing
from csms.secret import (
    API_KEY_HASH,
    CURSOR_SIGNING,
    EXTERNAL_AUTHORIZATION_SECRETS,
    JWT_SIGNING,
    PAYMENT_METHODS,
    QR_TOKENS,
    REFRESH_TOKEN_HASH,
    RootSecret,
)
from csms.sessions import SessionService
from csms.settings import Settings
from csms.statements.service import StatementService
from csms.store import Store
from csms.tenants import TenantDirectory
from hub.api.cursors import Cursors
from hub.api.export_slots import ExportSlots
from hub.api.workers import Workers
from hub.auth.access_tokens import AccessTokens
from hub.auth.api_keys import ApiKeys
from hub.auth.caller import Authenticator
from hub.auth.sign_in import SignIn
from hub.external_authorization.client import ThirdPartyClient
from hub.external_authorization.service import ExternalAuthorizationService
from hub.ocpi.asking import PartyAsking
from hub.ocpi.wiring import OcpiPart

QR_TOKENS_PER_MINUTE: Final = 300
"""Of one tenant."""


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
        self.workers = Workers()
        self.export_slots = ExportSlots()
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
        self.external_sealer = Sealer(services.secret.derive(EXTERNAL_AUTHORIZATION_SECRETS), services.ids)
        self.external_authorization = ExternalAuthorizationService(
            services.store.hub,
            services.bus,
            services.tenants,
            self.external_sealer,
            services.clock,
            services.ids,
            ThirdPartyClient(services.clock, private=services.settings.outgoing_private),
        )
        self.external_trials = self.limits.limit("external_trials", 10, 60.0)
        self.ocpi_checks = self.limits.limit("ocpi_checks", 6, 60.0)
        self.qr_codes = QrCodes(services.secret.derive(QR_TOKENS))
        self.qr_issuing = self.limits.limit("qr_tokens", QR_TOKENS_PER_MINUTE, 60.0)
        self.quarantine = QuarantineService(services.store.hub, services.bus, services.ids)
        self.sessions = SessionService(services.store.hub, services.clock, services.ids)
        self.billing = FinalBilling(services.store.hub, services.clock, services.ids)
        self.statements = StatementService(services.store.hub, services.clock, services.ids)
        self.commands = CommandService(services.store.hub, services.bus, services.clock, services.ids)
        self.reservations = ReservationService(services.store.hub, self.commands, services.clock, services.ids)
        self.invoicing = Invoicing(services.store.hub, services.bus, services.clock, services.ids)
        self.payments = PaymentService(
            services.store.hub,
            self.commands,
            services.clock,
            services.ids,
            built_in(services.store.hub),
            Sealer(services.secret.derive(PAYMENT_METHODS), services.ids),
        )
        self.ocpi = OcpiPart(
            settings=services.settings,
            clock=services.clock,
            ids=services.ids,
            store=services.store,
            bus=services.bus,
            tenants=services.tenants,
            commands=self.commands,
            secret=services.secret,
            limits=self.limits,
        )
        self.external_authorization.use(PartyAsking(self.ocpi.ocpi).ask)
