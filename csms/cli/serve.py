"""`csms serve`, `csms gateway`, `csms hub`: the launcher.

Three layers, each ending before the one below it: the parts (gateway, hub) with their listeners and connections; what they
stand on (ledger, tenants, upkeep); the database. The first signal starts that way down, the second cuts it short.
With `serve --gateways` the gateway is a fleet of processes, and the hub serves until the last of them has ended.
"""

from __future__ import annotations

import os
import signal
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

import structlog
import trio

from csms.accounts import DEFAULT_ADMIN_EMAIL, ensure_first_admin
from csms.cli.buses import open_bus
from csms.cli.database import OpenDatabase, load_secret, open_database, require_database_url, secret_path
from csms.cli.failure import CommandError
from csms.cli.fleet import BEYOND_DRAIN_S, GatewayFleet
from csms.cli.followers import start_followers
from csms.cli.lifeline import stop_with_launcher, tell_ready
from csms.cli.metrics_server import metrics_server
from csms.cli.parts import Part, Parts, PartsFailed, Run
from csms.cli.services import Services
from csms.cli.shutdown import Shutdown, listen_for_signals
from csms.cli.upkeep import look_after_server
from csms.clock import SystemClock, SystemIds
from csms.credentials import StationPasswords
from csms.health import HealthRegistry
from csms.ledger import Ledger
from csms.outbox import Poker
from csms.qr_tokens import QrCodes
from csms.secret import QR_TOKENS, STATION_PASSWORD_PEPPER, TRANSACTION_ID_PERMUTATION, RootSecret
from csms.settings import Settings
from csms.store import check_schema, migrate, open_store
from csms.store.ledger_transaction import PostgresLedgerStore
from csms.store.maintenance import maintain
from csms.store.tenants import keep_fresh, refresh_tenants
from csms.tenants import TenantDirectory

log = structlog.get_logger()

SWITCH_INTERVAL_S: Final = 0.001
"""How long the loop of Trio may keep the interpreter from that of the store, which wants it for each answer of the database, and
the contrary: with Python's own 5 ms some statements in a row add up to what somebody with a card in his hand notices."""
_LEDGER_FLUSH_S: Final = 15.0
_ABANDONED_FLUSH_S: Final = 5.0

_HUB_AFTER_FLEET_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Command:
    """What this process runs. `gateways`: how many gateway processes it supervises instead of being one itself; `replacements`:
    each item asks for all of them to be replaced; `supervised`: which of a launcher's gateway processes it is."""

    name: Literal["serve", "gateway", "hub"]
    gateways: int = 0
    supervised: int | None = None
    replacements: AsyncIterator[object] | None = None

    @property
    def has_gateway(self) -> bool:
        return self.name != "hub" and not self.gateways

    @property
    def has_hub(self) -> bool:
        return self.name != "gateway"


def serve(arguments: Namespace) -> int:
    """`csms serve`."""
    settings: Settings = arguments.settings
    if arguments.gateways and settings.redis_url is None:
        raise CommandError(
            "several gateway processes need Redis or Valkey: set CSMS_REDIS_URL, for example to redis://127.0.0.1:6379 "
            "(without --gateways one process serves all stations and needs none)"
        )
    return _launch(Command("serve", gateways=arguments.gateways), settings)


def gateway(arguments: Namespace) -> int:
    """`csms gateway`."""
    require_database_url(arguments.settings, "gateway")
    return _launch(Command("gateway", supervised=arguments.supervised), arguments.settings)


def hub(arguments: Namespace) -> int:
    """`csms hub`."""
    require_database_url(arguments.settings, "hub")
    return _launch(Command("hub"), arguments.settings)


def _launch(command: Command, settings: Settings) -> int:
    if command.supervised is not None:
        structlog.contextvars.bind_contextvars(process=command.supervised)
    elif settings.try_out:
        log.warning("try_out_mode", meaning="unknown stations need no password: never on a server that others reach")
    if command.name != "serve" and settings.redis_url is None:
        log.warning("no_redis", meaning="without CSMS_REDIS_URL commands do not reach stations that another process holds")
    try:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        trio.run(_run, command, settings)
    except PartsFailed:
        return 1
    log.info("stopped")
    return 0


async def _run(command: Command, settings: Settings) -> None:
    shutdown = Shutdown()
    with ExitStack() as stack:
        if command.gateways:
            # from the start: by default this signal ends a process
            command = replace(command, replacements=stack.enter_context(trio.open_signal_receiver(signal.SIGUSR1)))
        async with trio.open_nursery() as watchers:
            await watchers.start(listen_for_signals, shutdown)
            if command.supervised is not None:
                watchers.start_soon(stop_with_launcher, shutdown)
            with shutdown.start_up:
                async with open_database(settings, gateways=command.gateways) as database:
                    await _run_on(database, command, settings, shutdown)
            watchers.cancel_scope.cancel()


async def _run_on(database: OpenDatabase, command: Command, settings: Settings, shutdown: Shutdown) -> None:
    secret = load_secret(settings)
    if database.embedded is not None:
        for version in await migrate(database.url, fingerprint=secret.fingerprint()):
            log.info("migrated", version=version)
    else:
        await check_schema(database.url, fingerprint=secret.fingerprint())
    async with _open_services(database, settings, secret, shared=database.embedded is None or command.gateways > 0) as services:
        await refresh_tenants(services.store.gateway, services.tenants)
        notes: list[str] = []
        if command.has_hub:
            password = await ensure_first_admin(services.store, settings, services.ids)
            if password is not None:
                email = settings.admin_email or DEFAULT_ADMIN_EMAIL
                notes.append(f"first administrator {email}, password {password} (shown this once)")
        async with trio.open_nursery() as infrastructure:
            await infrastructure.start(services.ledger.run)
            infrastructure.start_soon(keep_fresh, services.store.gateway, services.tenants, services.bus)
            infrastructure.start_soon(
                partial(
                    maintain,
                    database.url,
                    services.store.gateway,
                    call_timeout_s=settings.call_timeout_s,
                    health=services.health,
                )
            )
            infrastructure.start_soon(services.poker.run)
            if command.has_hub:
                start_followers(infrastructure, services, settings)
            if database.embedded is not None:
                infrastructure.start_soon(look_after_server, database.embedded, services.health)

            async def abandon(stuck: list[Part]) -> None:
                log.warning("stop.parts_do_not_end", parts=stuck)
                await services.ledger.close(_ABANDONED_FLUSH_S)
                infrastructure.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    if database.embedded is not None:
                        await trio.to_thread.run_sync(database.embedded.stop)
                log.info("stopped")
                os._exit(0)

            drain_s = settings.drain_s + (BEYOND_DRAIN_S + _HUB_AFTER_FLEET_S if command.gateways else 0)
            parts = Parts(_runs(command, services, database), shutdown, drain_s)
            tell = _tell_launcher if command.supervised is not None else partial(_tell, notes=notes)
            try:
                held = command.supervised is not None
                with metrics_server(settings.http_host, settings.metrics_port, services.health, held=held):
                    await parts.run(tell, abandon)
            finally:
                with trio.CancelScope(shield=True):
                    log.info("stop.flushing", queued=services.ledger.queued)
                    await services.ledger.close(_LEDGER_FLUSH_S)
            infrastructure.cancel_scope.cancel()


@asynccontextmanager
async def _open_services(
    database: OpenDatabase, settings: Settings, secret: RootSecret, *, shared: bool
) -> AsyncIterator[Services]:
    clock = SystemClock()
    ids = SystemIds(clock)
    health = HealthRegistry()
    tenants = TenantDirectory(try_out=settings.try_out)
    async with (
        open_store(
            database.url,
            gateway_dsn=settings.database_gateway_url,
            hub_dsn=settings.database_hub_url,
            connections=settings.database_connections,
        ) as store,
        open_bus(settings, ids, health) as bus,
    ):
        poker = Poker(bus)
        yield Services(
            settings=settings,
            clock=clock,
            ids=ids,
            secret=secret,
            store=store,
            bus=bus,
            ledger=Ledger(
                PostgresLedgerStore(store.gateway),
                tenants,
                clock,
                ids,
                transaction_id_key=secret.derive(TRANSACTION_ID_PERMUTATION),
                qr_codes=QrCodes(secret.derive(QR_TOKENS)),
                linger_s=settings.ledger_linger_ms / 1000,
                batch_size=settings.ledger_batch,
                queue_bound=settings.ledger_queue,
                health=health,
                committed=poker.written,
                # on a database that others reach: while one takes another's place there are two, however many are meant to be
                shared=shared,
            ),
            poker=poker,
            tenants=tenants,
            passwords=StationPasswords(secret.derive(STATION_PASSWORD_PEPPER), ids),
            health=health,
            process_id=ids.uuid4(),
        )


def _runs(command: Command, services: Services, database: OpenDatabase) -> dict[Part, Run]:
    runs: dict[Part, Run] = {}
    if command.has_gateway:
        from gateway.server import run_gateway

        runs["gateway"] = partial(run_gateway, services.for_gateway())
    if command.has_hub:
        from hub.server import run_hub

        runs["hub"] = partial(run_hub, services.for_hub())
    if command.replacements is not None:
        fleet = _fleet(command.gateways, command.replacements, services, database)
        runs = {"gateway": fleet.run, "hub": partial(_run_after, fleet.ended, runs["hub"])}
    return runs


def _fleet(count: int, replacements: AsyncIterator[object], services: Services, database: OpenDatabase) -> GatewayFleet:
    """Raises OSError when a port cannot be had."""
    from gateway.listener import bind_addresses

    settings = services.settings
    ports = bind_addresses(settings.ocpp_host, settings.ocpp_port)
    given = {
        "CSMS_DATABASE_URL": database.url,
        "CSMS_SECRET_FILE": str(secret_path(settings).absolute()),
        "CSMS_OCPP_PORT": str(ports[0].getsockname()[1]),
    }
    if settings.ocpp_tls_certificate:
        ports_tls = bind_addresses(settings.ocpp_host, settings.ocpp_tls_port)
        given["CSMS_OCPP_TLS_PORT"] = str(ports_tls[0].getsockname()[1])
        ports = [*ports, *ports_tls]
    environments = [dict(given) for _ in range(count)]
    if settings.metrics_port is not None:
        for number, environment in enumerate(environments):
            port = settings.metrics_port + 1 + number
            ports = [*ports, *bind_addresses(settings.http_host, port)]
            environment["CSMS_METRICS_PORT"] = str(port)
    return GatewayFleet(environments, ports, replacements, services.health, drain_s=settings.drain_s)


async def _run_after(others: trio.Event, run: Run, stop: trio.Event, *, task_status: trio.TaskStatus[list[str]]) -> None:
    """Run a part that stops after `others` have."""
    theirs = trio.Event()

    async def pass_on() -> None:
        await stop.wait()
        await others.wait()
        theirs.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pass_on)
        await run(theirs, task_status=task_status)
        nursery.cancel_scope.cancel(reason="the part has ended")


def _tell_launcher(urls: dict[Part, list[str]]) -> None:
    tell_ready(urls["gateway"])


def _tell(urls: dict[Part, list[str]], notes: list[str]) -> None:
    """Tell the person at the terminal where everything is."""
    lines = ["", "Open-CSMS is running; Ctrl-C stops it."]
    lines += [f"  stations  {url}" for url in urls.get("gateway", [])]
    lines += [f"  HTTP API  {url}" for url in urls.get("hub", [])]
    lines += [f"  {note}" for note in notes]
    print("\n".join(lines) + "\n", flush=True)
