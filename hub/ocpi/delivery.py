"""Tells receivers what has changed: each in its order, none waiting for another, going on after failures and restarts.

Not messages wait but keys of objects (design 9): a receiver that was away gets what has changed meanwhile, once and in its present
state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal
from uuid import UUID

import structlog
import trio

from csms.bus import BusUnavailable
from csms.roaming.parties import SERVING, Folded, OwnParty, PartnerRole
from csms.store import Connection, StoreUnavailable
from csms.store.leases import Leases
from csms.store.queries import ocpi_deliveries as queries
from csms.store.queries.ocpi_deliveries import Push, ReceiverState
from csms.store.queries.ocpi_objects import ObjectKey, StoredObject
from hub.ocpi import metrics
from hub.ocpi.message import OcpiRequest, OcpiResponse
from hub.ocpi.routing.router import HubRouter
from hub.ocpi.services import Ocpi
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.interfaces import Method

log = structlog.get_logger()

PUSHES_TOPIC: Final = "ocpi.pushes"
"""Told with the tenant's id when there is something new to deliver; a poke may be lost."""
LEASE: Final = "ocpi-deliveries"
LEASE_S: Final = 15.0
LOOK_S: Final = 2.0
"""How often it is looked what waits, without a poke."""
BATCH: Final = 40
AT_ONCE: Final = 4
"""Objects that one receiver is told of at the same time."""
PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""After the first, second, … failure in a row."""
REFUSED_PAUSES_S: Final = (60.0, 600.0, 3600.0)
"""Between two tries of a CDR that is refused."""

Outcome = Literal["told", "refused", "unreachable"]
Key = tuple[int, Folded]


@dataclass(slots=True)
class _Receiver:
    """One that is being told things. `again`: something new may have come since it was last looked."""

    again: bool = False


class Deliveries:
    """One per hub process; only the one with the lease delivers."""

    def __init__(self, ocpi: Ocpi, router: HubRouter, owner: UUID) -> None:
        self._ocpi = ocpi
        self._router = router
        self._owner = owner
        self._lease = Leases(ocpi.store.gateway)
        self._receivers: dict[Key, _Receiver] = {}
        self._due: dict[Key, float] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        try:
            while True:
                try:
                    if await self._lease.take(LEASE, self._owner, LEASE_S):
                        await self._deliver_while_leased()
                except StoreUnavailable:
                    log.debug("ocpi.deliveries_wait_for_store")
                await trio.sleep(LEASE_S / 3)
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                await self._give_back()

    async def _deliver_while_leased(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, nursery)
            try:
                until = trio.current_time() + LEASE_S / 3
                while True:
                    await self._look(nursery, None)
                    await trio.sleep(LOOK_S)
                    if trio.current_time() >= until:
                        if not await self._lease.take(LEASE, self._owner, LEASE_S):
                            return
                        until = trio.current_time() + LEASE_S / 3
            finally:
                nursery.cancel_scope.cancel(reason="no lease any more")
                self._receivers.clear()

    async def _listen(self, nursery: trio.Nursery) -> None:
        while True:
            try:
                async with self._ocpi.bus.subscribe(PUSHES_TOPIC) as pokes:
                    async for body in pokes:
                        if body.isdigit():
                            await self._look(nursery, int(body))
            except (BusUnavailable, trio.EndOfChannel, StoreUnavailable):
                pass
            await trio.sleep(LOOK_S)

    async def _look(self, nursery: trio.Nursery, tenant_id: int | None) -> None:
        """See for whom something waits, and have it told. Raises StoreUnavailable."""
        own = await self._ocpi.directory.parties()
        for each in list(own.tenant_ids) if tenant_id is None else [tenant_id]:
            if each not in own.tenant_ids:
                continue
            due = await self._unit(each, partial(queries.list_due, tenant_id=each))
            now = self._ocpi.clock.now()
            for one in due:
                if one.at is not None and one.at > now:
                    continue
                key = (each, one.party)
                receiver = self._receivers.get(key)
                if receiver is not None:
                    receiver.again = True
                    continue
                self._receivers[key] = _Receiver()
                nursery.start_soon(self._tell_all, key)

    async def _tell_all(self, key: Key) -> None:
        """All that waits for one receiver. Never raises but for cancellation."""
        try:
            while True:
                self._receivers[key].again = False
                more = await self._tell_some(key)
                if not more and not self._receivers[key].again:
                    return
        except StoreUnavailable:
            log.debug("ocpi.delivery_waits_for_store", tenant_id=key[0])
        except Exception as error:
            log.error("ocpi.delivery_failed", tenant_id=key[0], receiver="-".join(key[1]), exc_info=error)
        finally:
            self._receivers.pop(key, None)

    async def _tell_some(self, key: Key) -> bool:
        """The next ones. False: there are none, or the receiver cannot be reached."""
        tenant_id, to = key
        now = self._ocpi.clock.now()

        async def take(conn: Connection) -> tuple[list[Push], dict[ObjectKey, StoredObject], ReceiverState | None]:
            pushes, objects = await queries.take(conn, tenant_id, to, now, BATCH)
            return pushes, objects, await queries.get_state(conn, tenant_id, to)

        pushes, objects, state = await self._unit(tenant_id, take)
        if not pushes:
            return False
        run = _Run(self._ocpi, self._router, tenant_id, to, objects)
        probe, rest = (pushes[:1], pushes[1:]) if state is not None else ([], pushes)  # who was away is asked with one first
        await run.tell(probe)
        if run.unreachable is None:
            await run.tell(rest)
        await self._settle(key, run, state)
        return run.unreachable is None

    async def _settle(self, key: Key, run: _Run, state: ReceiverState | None) -> None:
        tenant_id, to = key
        now = self._ocpi.clock.now()
        for push in run.told:
            metrics.PUSH_AGE.observe(max(0.0, (now - push.changed_at).total_seconds()))

        async def settle(conn: Connection) -> None:
            if run.told or run.given_up:
                await queries.done(conn, tenant_id, to, [*run.told, *run.given_up])
            for push in run.postponed:
                pause = REFUSED_PAUSES_S[min(push.attempts, len(REFUSED_PAUSES_S) - 1)]
                await queries.postpone(conn, tenant_id, to, push, now + timedelta(seconds=pause))
            if run.unreachable is not None:
                failures = 1 if state is None else state.failures + 1
                pause = PAUSES_S[min(failures, len(PAUSES_S)) - 1]
                await queries.receiver_failed(conn, tenant_id, to, now, failures, timedelta(seconds=pause), run.unreachable)
            elif state is not None:
                await queries.receiver_answers(conn, tenant_id, to)

        # what was told is noted even when this is cancelled: else it would be told twice
        with trio.CancelScope(shield=True), trio.move_on_after(5):
            await self._unit(tenant_id, settle)

    async def _unit(self, tenant_id: int, work: Any) -> Any:
        return await self._ocpi.store.hub.tenant_unit(tenant_id, work)

    async def _give_back(self) -> None:
        try:
            await self._lease.give_back(LEASE, self._owner)
        except StoreUnavailable:
            log.debug("ocpi.lease_not_given_back")


class _Run:
    """Some pushes to one receiver. Those of one object are sent one after the other."""

    def __init__(self, ocpi: Ocpi, router: HubRouter, tenant_id: int, to: Folded, objects: dict[ObjectKey, StoredObject]) -> None:
        self._ocpi = ocpi
        self._router = router
        self._tenant_id = tenant_id
        self._to = to
        self._objects = objects
        self.told: list[Push] = []
        self.given_up: list[Push] = []
        self.postponed: list[Push] = []
        self.unreachable: str | None = None

    async def tell(self, pushes: Sequence[Push]) -> None:
        by_object: dict[ObjectKey, list[Push]] = {}
        for push in pushes:
            by_object.setdefault(push.key, []).append(push)
        places = trio.CapacityLimiter(AT_ONCE)
        async with trio.open_nursery() as nursery:
            for of_object in by_object.values():
                nursery.start_soon(self._tell_of_object, of_object, places)

    async def _tell_of_object(self, pushes: Sequence[Push], places: trio.CapacityLimiter) -> None:
        async with places:
            for push in pushes:
                if self.unreachable is not None:
                    return
                await self._tell_one(push)

    async def _tell_one(self, push: Push) -> None:
        if push.key.module == "hubclientinfo":
            requests = await self._router.client_info_requests(push.key)
        else:
            requests = requests_for(push, self._objects.get(push.key))
        response = OcpiResponse()
        for request in requests:
            response = await self._send(push, request)
            if response.failure is not None or response.http_status != 404:
                break
        outcome = outcome_of(requests[-1].method if requests else "PUT", response)
        if outcome == "told":
            self.told.append(push)
        elif outcome == "unreachable":
            self.unreachable = response.failure or response.status_message or f"HTTP {response.http_status}"
        elif push.key.module == "cdrs":
            self.postponed.append(push)
        else:
            self.given_up.append(push)
            log.info("ocpi.push_refused", tenant_id=self._tenant_id, module=push.key.module, receiver="-".join(self._to))

    async def _send(self, push: Push, request: OcpiRequest) -> OcpiResponse:
        directory = self._ocpi.directory
        own = await directory.parties()
        if own.hub is not None and own.hub.tenant_id == self._tenant_id:
            roles = await directory.roles_of(self._tenant_id, self._to)
            if not roles:
                return OcpiResponse(status_code=StatusCode.HUB_UNKNOWN_RECEIVER, failure="the party has left")
            return await self._router.deliver(_role_for(request, roles), request, correlation_id=push.correlation_id)
        sender = _sender(own.of_tenant(self._tenant_id), push)
        if sender is None:
            return OcpiResponse(status_code=StatusCode.HUB_UNKNOWN_RECEIVER, failure="the sending party is gone")
        to = await self._party(own.hub)
        return await self._ocpi.outgoing.send(sender, to, request, correlation_id=push.correlation_id)

    async def _party(self, hub: OwnParty | None) -> Party:
        """The receiver in its own spelling."""
        if hub is not None and hub.party.folded == self._to:
            return hub.party
        for role in await self._ocpi.directory.roles_of(self._tenant_id, self._to):
            return role.party
        return Party(self._to[0].upper(), self._to[1].upper())


def requests_for(push: Push, stored: StoredObject | None) -> list[OcpiRequest]:
    """What tells a receiver of an object as it is now: the first one, and the next where the receiver does not know what the first
    is about (L3). Empty: there is nothing to tell any more."""
    if stored is None:
        return []
    document, module = stored.document, push.key.module
    if module == "cdrs":
        return [OcpiRequest(method="POST", module="cdrs", role="RECEIVER", body=document)]
    path = (str(document["country_code"]), str(document["party_id"]), str(document["uid" if module == "tokens" else "id"]))
    query = (("type", push.key.kind),) if module == "tokens" else ()
    if stored.deleted_at is not None:
        return [OcpiRequest(method="DELETE", module=module, role="RECEIVER", segments=path, query=query)]
    whole = OcpiRequest(method="PUT", module=module, role="RECEIVER", segments=path, query=query, body=document)
    if not push.part:
        return [whole]
    evse = next((evse for evse in document.get("evses") or () if str(evse["uid"]).lower() == push.part), None)
    if evse is None:
        return [whole]
    part = OcpiRequest(method="PUT", module=module, role="RECEIVER", segments=(*path, str(evse["uid"])), body=evse)
    return [part, whole]


def outcome_of(method: Method, response: OcpiResponse) -> Outcome:
    """What came of it. A receiver that is there and says no has been told, and is not asked again (T5)."""
    if response.successful or (method == "DELETE" and response.failure is None and response.http_status == 404):
        return "told"
    if response.failure is not None:
        gone = (StatusCode.CLIENT_ERROR, StatusCode.INVALID_PARAMETERS, StatusCode.HUB_UNKNOWN_RECEIVER)
        return "refused" if response.status_code in gone else "unreachable"
    away = (StatusCode.HUB_ERROR, StatusCode.HUB_TIMEOUT, StatusCode.HUB_CONNECTION_PROBLEM)
    if response.http_status in (401, 429) or response.http_status >= 500 or response.status_code in away:
        return "unreachable"
    return "refused"


def _role_for(request: OcpiRequest, roles: Sequence[PartnerRole]) -> PartnerRole:
    wanted = SERVING.get((request.module, "RECEIVER"), frozenset())
    return next((role for role in roles if role.role in wanted), roles[0])


def _sender(parties: Sequence[OwnParty], push: Push) -> OwnParty | None:
    role = "EMSP" if push.key.module == "tokens" else "CPO"
    fitting = [party for party in parties if party.party.folded == push.sender]
    return next((party for party in fitting if party.role == role), next(iter(fitting), None))


async def deliver(ocpi: Ocpi, router: HubRouter) -> None:
    """The worker. Runs until cancelled."""
    await Deliveries(ocpi, router, ocpi.ids.uuid4()).run()
