"""Requests of our own tenants: straight to a partner of theirs, or through the hub."""

from __future__ import annotations

from typing import Protocol

from csms.roaming.parties import SERVING, OwnParty
from csms.roaming.partners import Partner
from csms.store import StoreUnavailable
from hub.ocpi import platform
from hub.ocpi.message import OcpiRequest, OcpiResponse, Requester
from hub.ocpi.services import Ocpi
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import MessageHeaders, Party


class Router(Protocol):
    """The hub, for whoever is behind it."""

    async def route(self, requester: Requester, request: OcpiRequest, *, timeout_s: float | None = None) -> OcpiResponse:
        """Route by the TO and FROM of `request`. Never raises but for cancellation."""
        ...


class Outgoing:
    """`router` is None where this installation is no hub."""

    def __init__(self, ocpi: Ocpi, router: Router) -> None:
        self._ocpi = ocpi
        self._router = router

    async def send(
        self,
        sender: OwnParty,
        to: Party | None,
        request: OcpiRequest,
        *,
        correlation_id: str | None = None,
        timeout_s: float | None = None,
    ) -> OcpiResponse:
        """Send `request` (its headers are written here) as `sender` to the party `to`; None: open routing by the hub.

        A direct partner of the tenant that serves the party comes first, then the hub. Never raises but for cancellation: what
        could not be delivered is a response with `failure`.
        """
        ids = self._ocpi.ids
        headers = MessageHeaders(
            request_id=str(ids.uuid4()),
            correlation_id=correlation_id or str(ids.uuid4()),
            to_party=to,
            from_party=sender.party,
        )
        request = with_headers(request, headers)
        try:
            partner = None if to is None else await self.direct_partner(sender.tenant_id, to, request)
            if partner is not None:
                return await platform.send(self._ocpi, partner, request, timeout_s=timeout_s)
            own = await self._ocpi.directory.parties()
            if own.hub is None or not sender.on_hub:
                return platform.failed(StatusCode.HUB_UNKNOWN_RECEIVER, "no partner serves this party")
        except StoreUnavailable as error:
            return platform.failed(StatusCode.HUB_ERROR, f"the database is not available: {error}")
        requester = Requester(party=sender.party, parties=frozenset({sender.party.folded}), own_tenant_id=sender.tenant_id)
        return await self._router.route(requester, request, timeout_s=timeout_s)

    async def direct_partner(self, tenant_id: int, to: Party, request: OcpiRequest) -> Partner | None:
        """The partner of the tenant that serves `to` in the role that the interface is asked in. Raises StoreUnavailable."""
        own = await self._ocpi.directory.parties()
        if own.hub is not None and own.hub.tenant_id == tenant_id:
            return None
        wanted = SERVING.get((request.module, request.role)) if request.role is not None else None
        for role in await self._ocpi.directory.roles_of(tenant_id, to.folded):
            if role.partner_id is not None and (wanted is None or role.role in wanted or role.role == "HUB"):
                return await self._ocpi.directory.partner(tenant_id, role.partner_id)
        return None


def with_headers(request: OcpiRequest, headers: MessageHeaders) -> OcpiRequest:
    """The same request with other message headers."""
    return OcpiRequest(
        method=request.method,
        module=request.module,
        role=request.role,
        segments=request.segments,
        query=request.query,
        headers=headers,
        body=request.body,
        url=request.url,
    )
