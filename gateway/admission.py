"""Decides about a WebSocket upgrade: who is it, may it come in, and under which epoch (rules C1 to C8, security.md 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import structlog
import trio

from csms.domain.operations import Connected, ConnectStation, DisconnectStation
from csms.ledger import LedgerClosed, LedgerFull
from csms.limits import SharedLimits
from csms.store import StoreUnavailable
from csms.store.stations import StationRecord
from csms.tenants import TenantConfig
from gateway import handshake
from gateway.handshake import BadCredentials, BadRequest, Credentials, Rejection, Target, Upgrade
from gateway.limits import HANDSHAKES_PER_SECOND, NEW_STATIONS_PER_HOUR, FailedLogins, Pacer, source_of
from gateway.registry import Registry
from gateway.services import GatewayServices
from gateway.submission import Submission
from gateway.tls import Peer
from gateway.versions import Version

log = structlog.get_logger()

NO_AUTHENTICATION: Final = 0
BASIC_OVER_PLAIN: Final = 1
BASIC_OVER_TLS: Final = 2
MUTUAL_TLS: Final = 3
"""OCPP security profiles."""
REFUSAL_STEP_S: Final = 0.25
"""A refusal of credentials leaves a multiple of this after the request came, so that its time does not tell whether the
station exists, nor how its password is stored (attack V4)."""
SLOW_HASHES_AT_ONCE: Final = 2
SLOW_HASHES_WAITING: Final = 50
"""Handshakes that may wait for a slow hash of about 100 ms; more would not be through in time."""
RETRY_AFTER_S: Final = (5, 60)
"""Refused for lack of room: come back after a random time in this range, in seconds."""


class Admitted(NamedTuple):
    """A station that may come in; its epoch is committed. `certificate_name`: with it the station proved who it is."""

    tenant: TenantConfig
    identity: str
    version: Version
    connected: Connected
    certificate_name: str | None


class NoCommonSubprotocol(NamedTuple):
    """Authenticated, but without a common language: finish the handshake without a sub-protocol, then close (rule C5)."""


class _Authenticated(NamedTuple):
    """Who asks: the station's row (None: to be created), and what was proved."""

    tenant: TenantConfig
    record: StationRecord | None
    security_profile: int
    adopt: Credentials | None = None


class Admission:
    """Admits stations, for all listeners of a process."""

    def __init__(
        self, services: GatewayServices, submission: Submission, registry: Registry, versions: Mapping[str, Version]
    ) -> None:
        self._services = services
        self._submission = submission
        self._registry = registry
        self._versions = versions
        self.limits = SharedLimits(services.bus, services.clock)
        """To be run beside: it tells other processes what is counted here."""
        self._failures = FailedLogins(self.limits)
        self._new_stations = self.limits.limit("new_stations", NEW_STATIONS_PER_HOUR, 3600.0)
        self._pacer = Pacer(HANDSHAKES_PER_SECOND)
        self._running = trio.CapacityLimiter(services.settings.max_handshakes)
        self._slow_hashes = trio.CapacityLimiter(SLOW_HASHES_AT_ONCE)
        self.draining = False

    async def admit(self, upgrade: Upgrade, address: str, peer: Peer) -> Admitted | NoCommonSubprotocol | Rejection:
        """Decide about `upgrade` from `address`; `peer`: what the transport tells. The caller limits the time; a cancelled call
        leaves nothing behind."""
        services = self._services
        if services.settings.try_out and handshake.came_through_browser_or_proxy(upgrade.headers):
            return handshake.FORBIDDEN_IN_TRY_OUT
        try:
            target = handshake.parse_target(upgrade.target)
            credentials = handshake.parse_basic(upgrade.headers)
        except BadRequest as error:
            return handshake.bad_request(error)
        except BadCredentials:
            return handshake.UNAUTHORIZED
        arrived = services.clock.monotonic()
        crowded = await self._find_room(arrived)
        if crowded is not None:
            return crowded
        source = source_of(address)
        if credentials is not None and self._failures.blocked(target, source):
            return handshake.TOO_MANY_FAILURES
        suspicious = self._failures.suspicious(source)
        decision = await self._decide(upgrade, target, credentials, address, peer, cheap_only=suspicious)
        if decision is handshake.UNAUTHORIZED and (credentials is not None or peer.certificate_name is not None):
            self._failures.failed(target, source)
            log.info("gateway.log_in_refused", tenant=target.tenant, source=source)
            if suspicious:
                return handshake.TOO_MANY_FAILURES
            taken = services.clock.monotonic() - arrived
            await trio.sleep(REFUSAL_STEP_S - taken % REFUSAL_STEP_S)
        return decision

    async def _find_room(self, now: float) -> Rejection | None:
        """Pace handshakes; refuse those that this process cannot serve."""
        services = self._services
        if self.draining:
            return self.overloaded("draining")
        if not services.ledger.available:
            return self.overloaded("store_away")
        if self._submission.full or len(self._registry.connections) >= services.settings.connections_max:
            return self.overloaded("full")
        wait = self._pacer.delay(now, services.settings.handshake_timeout_s / 2)
        if wait is None:
            return self.overloaded("too_many_handshakes")
        if wait > 0:
            await trio.sleep(wait)
        return None

    def overloaded(self, reason: str) -> Rejection:
        """503, with the request to come back after a random time."""
        least, most = RETRY_AFTER_S
        return handshake.overloaded(reason, least + self._services.ids.token(1)[0] % (most - least + 1))

    async def _decide(
        self, upgrade: Upgrade, target: Target, credentials: Credentials | None, address: str, peer: Peer, *, cheap_only: bool
    ) -> Admitted | NoCommonSubprotocol | Rejection:
        try:
            who = await self._authenticate(target, credentials, peer, cheap_only=cheap_only)
        except StoreUnavailable:
            return self.overloaded("store_away")
        if isinstance(who, Rejection):
            return who
        version = handshake.choose_subprotocol(upgrade.subprotocols, self._versions)
        if version is None:
            return NoCommonSubprotocol()
        now = self._services.clock.monotonic()
        if who.record is None:
            # in try-out mode every station is on this machine
            if not self._services.settings.try_out and self._new_stations.wait(who.tenant.tenant_id):
                return handshake.TOO_MANY_NEW_STATIONS
        else:
            present = self._registry.find((who.tenant.tenant_id, who.record.station_id))
            if present is not None and present.refuses_newcomers(now):
                return handshake.CONFLICT
        operation = await self._connect_operation(who, target.identity, version, address)
        try:
            async with self._running:
                connected = await _Connecting(self._services, self._submission).commit(operation)
        except (LedgerFull, LedgerClosed):
            return self.overloaded("full")
        if connected is None:
            # retired, or made in another spelling, since the look-up
            return handshake.UNAUTHORIZED if credentials is not None else handshake.NOT_FOUND
        if connected.created:
            self._new_stations.count(who.tenant.tenant_id)
            log.info("gateway.station_created", tenant=who.tenant.slug, station_id=connected.station_id)
        proved = peer.certificate_name if who.security_profile == MUTUAL_TLS else None
        return Admitted(who.tenant, target.identity, version, connected, proved)

    async def _authenticate(
        self, target: Target, credentials: Credentials | None, peer: Peer, *, cheap_only: bool
    ) -> _Authenticated | Rejection:
        """Who asks? `cheap_only`: work no slow hash. Raises StoreUnavailable."""
        tenant = self._services.tenants.by_slug(target.tenant)
        if tenant is not None and peer.certificate_name is not None:
            record = await self._look_up(tenant, target.identity)
            if (
                record is not None
                and not record.retired
                and (record.identity, record.certificate_name) == (target.identity, peer.certificate_name)
            ):
                return _Authenticated(tenant, record, MUTUAL_TLS)
        if credentials is None:
            if tenant is None or not tenant.allow_unauthenticated:
                return handshake.UNAUTHORIZED
            return await self._without_credentials(tenant, target.identity)
        usable = 0 < len(credentials.password) <= handshake.LONGEST_PASSWORD
        if not usable or not handshake.names_station(credentials, target.identity):
            return handshake.UNAUTHORIZED
        if tenant is None:
            return self._refuse_unknown(credentials)
        profile = BASIC_OVER_TLS if peer.encrypted else BASIC_OVER_PLAIN
        return await self._with_credentials(tenant, target.identity, credentials, profile, cheap_only=cheap_only)

    async def _without_credentials(self, tenant: TenantConfig, identity: str) -> _Authenticated | Rejection:
        record = await self._look_up(tenant, identity)
        if record is None:
            # no authentication is configured here, so the standard's 404 tells nothing worth hiding (rule C6)
            return handshake.NOT_FOUND if tenant.onboarding == "refuse" else _Authenticated(tenant, None, NO_AUTHENTICATION)
        if record.retired or record.identity != identity:
            return handshake.NOT_FOUND
        if _has_credentials(record) or record.security_profile > NO_AUTHENTICATION:
            return handshake.UNAUTHORIZED
        return _Authenticated(tenant, record, NO_AUTHENTICATION)

    async def _with_credentials(
        self, tenant: TenantConfig, identity: str, credentials: Credentials, profile: int, *, cheap_only: bool
    ) -> _Authenticated | Rejection:
        record = await self._look_up(tenant, identity)
        if record is None and tenant.onboarding != "refuse" and not cheap_only:
            if self._hashes_crowded:
                return self.overloaded("too_many_slow_hashes")
            return _Authenticated(tenant, None, profile, credentials)
        if record is None or record.retired or record.identity != identity:
            return self._refuse_unknown(credentials)
        if record.password_scheme is None:
            unproven = not _has_credentials(record) and record.security_profile == NO_AUTHENTICATION
            if tenant.allow_unauthenticated and unproven:
                return _Authenticated(tenant, record, NO_AUTHENTICATION)
            return self._refuse_unknown(credentials)
        passwords = self._services.passwords
        stored = (record.password_scheme, record.password_hash or b"", record.password_salt or b"", credentials.password)
        if passwords.is_cheap(*stored):
            right = passwords.verify(*stored)
        elif cheap_only:
            right = False
        elif self._hashes_crowded:
            return self.overloaded("too_many_slow_hashes")
        else:
            right = await trio.to_thread.run_sync(passwords.verify, *stored, limiter=self._slow_hashes)
        if not right or record.security_profile > profile:
            return handshake.UNAUTHORIZED
        return _Authenticated(tenant, record, profile)

    async def _look_up(self, tenant: TenantConfig, identity: str) -> StationRecord | None:
        async with self._running:
            return await self._services.store.find_station(tenant.tenant_id, identity)

    @property
    def _hashes_crowded(self) -> bool:
        return self._slow_hashes.statistics().tasks_waiting >= SLOW_HASHES_WAITING

    def _refuse_unknown(self, credentials: Credentials) -> Rejection:
        """The same answer after the same work as for a wrong password (rule C6)."""
        self._services.passwords.verify("hmac", b"", b"", credentials.password)
        return handshake.UNAUTHORIZED

    async def _connect_operation(self, who: _Authenticated, identity: str, version: Version, address: str) -> ConnectStation:
        operation = ConnectStation(
            tenant_id=who.tenant.tenant_id,
            station_id=0 if who.record is None else who.record.station_id,
            identity=identity,
            process_id=self._services.process_id,
            ocpp_version=version.name,
            remote_address=address,
            security_profile=who.security_profile,
            create=who.record is None,
            admission="pending" if who.tenant.onboarding == "pending" else "accept",
            password_hash=None if who.record is None else who.record.password_hash,
            certificate_name=None if who.record is None else who.record.certificate_name,
        )
        if who.adopt is not None:
            # trust on first use: the first password that a new station shows is its own from now on
            stored = await trio.to_thread.run_sync(
                self._services.passwords.store_chosen, who.adopt.password, limiter=self._slow_hashes
            )
            operation.password_scheme, operation.password_hash, operation.password_salt = stored
        return operation


def _has_credentials(record: StationRecord) -> bool:
    return record.password_scheme is not None or record.certificate_name is not None


class _Connecting:
    """Waits for the commit of one ConnectStation; when the wait is cancelled, the connection that nobody has is undone."""

    __slots__ = ("_abandoned", "_done", "_outcome", "_services", "_submission")

    def __init__(self, services: GatewayServices, submission: Submission) -> None:
        self._services = services
        self._submission = submission
        self._done = trio.Event()
        self._outcome: object = None
        self._abandoned: ConnectStation | None = None

    async def commit(self, operation: ConnectStation) -> Connected | None:
        """Raises LedgerFull, LedgerClosed."""
        self._services.ledger.submit(operation, self._committed)
        try:
            await self._done.wait()
        except trio.Cancelled:
            self._abandoned = operation
            if self._done.is_set():
                self._undo()
            raise
        return self._outcome if isinstance(self._outcome, Connected) else None

    def _committed(self, outcome: object) -> None:
        self._outcome = outcome
        self._done.set()
        if self._abandoned is not None:
            self._undo()

    def _undo(self) -> None:
        operation, outcome = self._abandoned, self._outcome
        if operation is not None and isinstance(outcome, Connected):
            left = DisconnectStation(
                tenant_id=operation.tenant_id, station_id=outcome.station_id, epoch=outcome.epoch, reason="handshake_timeout"
            )
            self._submission.submit(left, _ignore)


def _ignore(outcome: object) -> None:
    """For operations whose outcome changes nothing here; the ledger logs failures."""
