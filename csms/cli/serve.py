"""`csms serve`, `csms gateway`, `csms hub`: the launcher.

Three layers, each ending before the one below it: the parts (gateway, hub) with their listeners and connections; what they
stand on (ledger, tenants, upkeep); the database. The first signal starts that way down, the second cuts it short.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Literal

import structlog
import trio

from csms.accounts import DEFAULT_ADMIN_EMAIL, ensure_first_admin
from csms.bus import Bus
from csms.bus.local import LocalBus
from csms.cli.database import OpenDatabase, load_secret, open_database, require_database_url
from csms.cli.parts import Part, Parts, PartsFailed, Run
from csms.cli.services import Services
from csms.cli.shutdown import Shutdown, listen_for_signals
from csms.cli.upkeep import look_after_server
from csms.clock import SystemClock, SystemIds
from csms.credentials import StationPasswords
from csms.health import HealthRegistry
from csms.ledger import Ledger
from csms.outbox import OutboxReader, Poker
from csms.outbox.file_sink import FileSink
from csms.secret import STATION_PASSWORD_PEPPER, TRANSACTION_ID_PERMUTATION, RootSecret
from csms.settings import Settings
from csms.store import check_schema, migrate, open_store
from csms.store.ledger_transaction import PostgresLedgerStore
from csms.store.maintenance import maintain
from csms.store.outbox import OutboxStore
from csms.store.tenants import keep_fresh, refresh_tenants
from csms.tenants import TenantDirectory

log = structlog.get_logger()

_LEDGER_FLUSH_S: Final = 15.0
_ABANDONED_FLUSH_S: Final = 5.0

Command = Literal["serve", "gateway", "hub"]


def serve(arguments: Namespace) -> int:
    """`csms serve`."""
    return _launch("serve", arguments.settings)


def gateway(arguments: Namespace) -> int:
    """`csms gateway`."""
    require_database_url(arguments.settings, "gateway")
    return _launch("gateway", arguments.settings)


def hub(arguments: Namespace) -> int:
    """`csms hub`."""
    require_database_url(arguments.settings, "hub")
    return _launch("hub", arguments.settings)


def _launch(command: Command, settings: Settings) -> int:
    if settings.try_out:
        log.warning("try_out_mode", meaning="unknown stations need no password: never on a server that others reach")
    if command != "serve" and settings.redis_url is None:
        log.warning("no_redis", meaning="without CSMS_REDIS_URL commands do not reach stations that another process holds")
    try:
        trio.run(_run, command, settings)
    except PartsFailed:
        return 1
    log.info("stopped")
    return 0


async def _run(command: Command, settings: Settings) -> None:
    shutdown = Shutdown()
    async with trio.open_nursery() as signals:
        await signals.start(listen_for_signals, shutdown)
        with shutdown.start_up:
            async with open_database(settings) as database:
                await _run_on(database, command, settings, shutdown)
        signals.cancel_scope.cancel()


async def _run_on(database: OpenDatabase, command: Command, settings: Settings, shutdown: Shutdown) -> None:
    secret = load_secret(settings)
    if database.embedded is not None:
        for version in await migrate(database.url, fingerprint=secret.fingerprint()):
            log.info("migrated", version=version)
    else:
        await check_schema(database.url, fingerprint=secret.fingerprint())
    async with _open_services(database, settings, secret) as services:
        await refresh_tenants(services.store.gateway, services.tenants)
        notes: list[str] = []
        if command != "gateway":
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
            if command != "gateway" and settings.event_file is not None:
                sink = FileSink(settings.event_file, most_bytes=settings.event_file_mb * 1_000_000, keep=settings.event_file_keep)
                outbox = OutboxStore(services.store.gateway)
                reader = OutboxReader(sink, outbox, services.bus, services.health, services.process_id)
                infrastructure.start_soon(reader.run)
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

            parts = Parts(_runs(command, services), shutdown, settings.drain_s)
            try:
                await parts.run(lambda urls: _tell(urls, notes), abandon)
            finally:
                with trio.CancelScope(shield=True):
                    log.info("stop.flushing", queued=services.ledger.queued)
                    await services.ledger.close(_LEDGER_FLUSH_S)
            infrastructure.cancel_scope.cancel()


@asynccontextmanager
async def _open_services(database: OpenDatabase, settings: Settings, secret: RootSecret) -> AsyncIterator[Services]:
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
        _open_bus(settings, ids, health) as bus,
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
                linger_s=settings.ledger_linger_ms / 1000,
                batch_size=settings.ledger_batch,
                queue_bound=settings.ledger_queue,
                health=health,
                committed=poker.written,
                # while one takes another's place there are two, however many are meant to be
                shared=database.embedded is None,
            ),
            poker=poker,
            tenants=tenants,
            passwords=StationPasswords(secret.derive(STATION_PASSWORD_PEPPER), ids),
            health=health,
            process_id=ids.uuid4(),
        )


@asynccontextmanager
async def _open_bus(settings: Settings, ids: SystemIds, health: HealthRegistry) -> AsyncIterator[Bus]:
    if settings.redis_url is None:
        async with LocalBus() as local:
            yield local
    else:
        from csms.bus.redis import RedisBus

        async with RedisBus(settings.redis_url, ids=ids, health=health) as bus:
            yield bus


def _runs(command: Command, services: Services) -> dict[Part, Run]:
    runs: dict[Part, Run] = {}
    if command != "hub":
        from gateway.server import run_gateway

        runs["gateway"] = partial(run_gateway, services.for_gateway())
    if command != "gateway":
        from hub.server import run_hub

        runs["hub"] = partial(run_hub, services.for_hub())
    return runs


def _tell(urls: dict[Part, list[str]], notes: list[str]) -> None:
    """Tell the person at the terminal where everything is."""
    lines = ["", "Open-CSMS is running; Ctrl-C stops it."]
    lines += [f"  stations  {url}" for url in urls.get("gateway", [])]
    lines += [f"  HTTP API  {url}" for url in urls.get("hub", [])]
    lines += [f"  {note}" for note in notes]
    print("\n".join(lines) + "\n", flush=True)
