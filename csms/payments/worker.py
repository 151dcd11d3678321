"""Takes up payments that have a step to take, and follows the bills of their sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog
import trio

from csms.clock import Clock
from csms.ledger.encoding import encode
from csms.outbox import SinkUnavailable
from csms.payments.metrics import FAILED
from csms.payments.service import PaymentService
from csms.store import Connection, Store, StoreUnavailable
from csms.store.queries import payments as queries
from csms.store.queries import tenants as tenant_queries
from csms.store.queries.events import Event, insert_event

log = structlog.get_logger()

BILLED: Final = "cdr.created"
LOOK_EVERY_S: Final = 1.0
AT_ONCE: Final = 100
AT_ONCE_PER_TENANT: Final = 10
"""A provider that does not answer holds up no other tenant's payments."""


class PaymentWorker:
    """The sink of the outbox that hears of bills, and the round that takes payments on. One in every hub process; they take turns
    with the payments."""

    name = "payments"
    takes = frozenset({BILLED})
    """The condition of the index outbox_payments (migration 0019)."""
    chunk = 100

    def __init__(self, store: Store, service: PaymentService, clock: Clock) -> None:
        self._gateway = store.gateway
        self._hub = store.hub
        self._service = service
        self._clock = clock
        self._tenant_ids: dict[str, int] = {}
        self._under_way: Counter[int] = Counter()
        self._poked = trio.Event()

    async def run(self) -> None:
        """Take payments on. Runs until cancelled: what is under way is taken up again after its lease."""
        async with trio.open_nursery() as nursery:
            while True:
                for tenant_id, payment_id in await self._due():
                    if self._under_way.total() >= AT_ONCE:
                        break
                    if self._under_way[tenant_id] < AT_ONCE_PER_TENANT:
                        self._under_way[tenant_id] += 1
                        nursery.start_soon(self._advance, tenant_id, payment_id)
                with trio.move_on_after(LOOK_EVERY_S):
                    await self._poked.wait()
                self._poked = trio.Event()

    async def publish(self, events: Sequence[Event]) -> None:
        """Take events of bills. Raises SinkUnavailable while the database is away."""
        by_tenant: dict[str, set[UUID]] = {}
        for event in events:
            if event.session_id is not None:
                by_tenant.setdefault(event.tenant, set()).add(event.session_id)
        try:
            for slug, session_ids in by_tenant.items():
                await self._poke(await self._tenant_id(slug), session_ids)
        except StoreUnavailable as error:
            raise SinkUnavailable(f"the database is away: {error}") from error
        self._poked.set()

    async def _poke(self, tenant_id: int, session_ids: set[UUID]) -> None:
        now = self._clock.now()

        async def work(conn: Connection) -> None:
            await queries.poke(conn, tenant_id, session_ids, now)
            for payment_id, charge_point_id, session_id in await queries.flag_strangers(conn, tenant_id, session_ids):
                data = encode({"payment_id": payment_id, "flag": "a session that is not its own was charged with its token"})
                await insert_event(
                    conn,
                    tenant_id,
                    "payment.flagged",
                    data,
                    charge_point_id=charge_point_id,
                    session_id=session_id,
                    occurred_at=now,
                )

        await self._hub.tenant_unit(tenant_id, work)

    async def _tenant_id(self, slug: str) -> int:
        tenant_id = self._tenant_ids.get(slug)
        if tenant_id is None:
            tenant_id = self._tenant_ids[slug] = await self._gateway.look(lambda conn: tenant_queries.id_of(conn, slug))
        return tenant_id

    async def _due(self) -> Sequence[tuple[int, UUID]]:
        now = self._clock.now()
        try:
            return await self._gateway.look(lambda conn: queries.due_payments(conn, now, 2 * AT_ONCE, AT_ONCE_PER_TENANT))
        except StoreUnavailable:
            return ()

    async def _advance(self, tenant_id: int, payment_id: UUID) -> None:
        try:
            await self._service.advance(tenant_id, payment_id)
        except StoreUnavailable as error:
            log.info("payments.postponed", payment_id=str(payment_id), error=str(error))
        except Exception:
            # one payment that cannot go on must not keep the others; it is taken up again after its lease
            FAILED.inc()
            log.exception("payments.failed", tenant_id=tenant_id, payment_id=str(payment_id))
        finally:
            self._under_way[tenant_id] -= 1
