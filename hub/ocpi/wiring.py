"""OCPI in one hub process, put together."""

from __future__ import annotations

import trio

from csms.bus import Bus
from csms.clock import Clock, Ids
from csms.commands import CommandService
from csms.external_authorization.sealing import Sealer
from csms.limits import SharedLimits
from csms.roaming.room import Room
from csms.secret import OCPI_SECRETS, OCPI_TOKEN_HASH, RootSecret
from csms.settings import Settings
from csms.store import Store
from csms.tenants import TenantDirectory
from hub.ocpi.client import PlatformClient
from hub.ocpi.directory import Directory
from hub.ocpi.entry import Entry
from hub.ocpi.log import MessageLog
from hub.ocpi.outgoing import Outgoing
from hub.ocpi.presence import Presence
from hub.ocpi.registration.configuration import CONFIGURATION
from hub.ocpi.routing.router import HubRouter
from hub.ocpi.services import Ocpi
from hub.ocpi.urls import OwnUrls
from hub.ocpi.workers import WORKERS, keep_working


class OcpiPart:
    """`entry` answers HTTP, `ocpi` is for the admin API; `run` keeps going what goes on behind them."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        store: Store,
        bus: Bus,
        tenants: TenantDirectory,
        commands: CommandService,
        secret: RootSecret,
        limits: SharedLimits,
    ) -> None:
        self.ocpi = Ocpi(
            settings=settings,
            clock=clock,
            ids=ids,
            store=store,
            bus=bus,
            tenants=tenants,
            commands=commands,
            directory=Directory(store, bus, clock, secret.derive(OCPI_TOKEN_HASH)),
            client=PlatformClient(clock, private=settings.outgoing_private),
            log=MessageLog(store.hub, clock, ids),
            urls=OwnUrls(settings.public_url or f"http://{settings.http_host}:{settings.http_port}"),
            sealer=Sealer(secret.derive(OCPI_SECRETS), ids),
            presence=Presence(clock),
            room=Room(clock),
        )
        self.router = HubRouter(self.ocpi)
        self.ocpi.use(Outgoing(self.ocpi, self.router))
        self.entry = Entry(self.ocpi, self.router, limits, CONFIGURATION)

    def listens_at(self, url: str) -> None:
        """Where the HTTP server listens, once it is known: partners are told this where no public URL is set."""
        if self.ocpi.settings.public_url is None:
            self.ocpi.urls = OwnUrls(url)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs until cancelled; partners can be asked from when it has started."""
        async with self.ocpi.client, trio.open_nursery() as nursery:
            task_status.started()
            nursery.start_soon(self.ocpi.directory.run)
            nursery.start_soon(self.ocpi.log.run)
            for worker in WORKERS:
                nursery.start_soon(keep_working, worker, self.ocpi, self.router)
