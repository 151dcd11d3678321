"""What follows the events of the outbox in a process with a hub: billing, payments, local lists, roaming, the file of events.

None of them may end what serves stations and people: one that fails is started again, with growing pauses, and its health says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog
import trio

from csms.billing.worker import Billing
from csms.cli.services import Services
from csms.commands import CommandService
from csms.external_authorization.sealing import Sealer
from csms.health import HealthRegistry
from csms.local_lists.worker import LocalLists
from csms.outbox import OutboxReader, Sink
from csms.outbox.file_sink import FileSink
from csms.payments.providers import built_in
from csms.payments.service import PaymentService
from csms.payments.worker import PaymentWorker
from csms.roaming.publication.worker import Publication
from csms.secret import PAYMENT_METHODS
from csms.settings import Settings
from csms.store.outbox import ROAMING, OutboxStore

log = structlog.get_logger()

Run = Callable[[], Awaitable[None]]

_PAUSES_S: Final = (1.0, 5.0, 30.0)
_SOUND_AFTER_S: Final = 60.0
"""Whatever has run for so long begins with the shortest pause again."""


def start_followers(nursery: trio.Nursery, services: Services, settings: Settings) -> None:
    """Start all of them; they run until cancelled."""
    outbox = OutboxStore(services.store.gateway)

    def reader(sink: Sink, component: str, *, tenants: str | None = None, poked: bool = True) -> OutboxReader:
        return OutboxReader(
            sink, outbox, services.bus, services.health, services.process_id, component=component, tenants=tenants, poked=poked
        )

    billing = Billing(services.store, services.bus, services.clock, services.ids, interval_s=settings.cost_interval_s)
    payments = _payments(services)
    publication = Publication(services.store, services.bus, services.clock, services.health)
    lists = LocalLists(services.store, services.bus, services.clock, services.ids)
    found: list[tuple[str, Run]] = [
        ("billing", billing.run),
        ("billing", reader(billing, "billing").run),
        ("payments", payments.run),
        # the ledger pokes, and writes no bills
        ("payments", reader(payments, "payments", poked=False).run),
        ("local_lists", lists.run),
        ("roaming", partial(publication.run, lambda sink: reader(sink, "roaming", tenants=ROAMING))),
    ]
    if settings.event_file is not None:
        file = FileSink(settings.event_file, most_bytes=settings.event_file_mb * 1_000_000, keep=settings.event_file_keep)
        found.append(("outbox", reader(file, "outbox").run))
    for component, run in found:
        nursery.start_soon(partial(keep_running, component, run, services.health))


async def keep_running(component: str, run: Run, health: HealthRegistry) -> None:
    """Run what never ends by itself, and start it again when it fails. Runs until cancelled."""
    failures = 0
    while True:
        since = trio.current_time()
        try:
            await run()
            log.error("follower.ended", component=component)
        except Exception:
            log.exception("follower.failed", component=component)
        failures = 1 if trio.current_time() - since > _SOUND_AFTER_S else failures + 1
        pause = _PAUSES_S[min(failures, len(_PAUSES_S)) - 1]
        health.report(component, "degraded", f"it failed and is started again in {pause:.0f} s; the log says why")
        await trio.sleep(pause)


def _payments(services: Services) -> PaymentWorker:
    store, clock, ids = services.store, services.clock, services.ids
    commands = CommandService(store.hub, services.bus, clock, ids)
    sealer = Sealer(services.secret.derive(PAYMENT_METHODS), ids)
    return PaymentWorker(store, PaymentService(store.hub, commands, clock, ids, built_in(store.hub), sealer), clock)
