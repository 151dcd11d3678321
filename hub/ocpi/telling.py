"""Telling one receiver of what has changed: the requests for it, and what their answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import structlog
import trio

from csms.roaming.parties import SERVING, Folded, OwnParty, PartnerRole
from csms.store import StoreUnavailable
from csms.store.queries.ocpi_deliveries import Push
from csms.store.queries.ocpi_objects import ObjectKey, StoredObject
from hub.ocpi.message import OcpiRequest, OcpiResponse
from hub.ocpi.routing.router import HubRouter
from hub.ocpi.services import Ocpi
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.interfaces import Method

log = structlog.get_logger()

AT_ONCE: Final = 4
"""Objects that one receiver is told of at the same time."""

Outcome = Literal["told", "refused", "unreachable"]


class Telling:
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
        self.failed: list[Push] = []
        """That met an error of the receiver's, or got no answer: perhaps they are what is wrong."""
        self.unreachable: str | None = None
        self.store_away = False

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
                if self.unreachable is not None or self.store_away:
                    return
                try:
                    await self._tell_one(push)
                except StoreUnavailable as error:
                    log.debug("ocpi.delivery_waits_for_store", tenant_id=self._tenant_id, error=str(error))
                    self.store_away = True

    async def _tell_one(self, push: Push) -> None:
        if push.key.module == "hubclientinfo":
            requests = await self._router.client_info_requests(push.key, self._to)
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
            self.failed.append(push)
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
