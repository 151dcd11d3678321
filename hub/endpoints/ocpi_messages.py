"""The log of OCPI messages, for whoever has to find out what happened."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from csms.store.queries import ocpi_messages as queries
from csms.store.queries.ocpi_messages import KEPT_DAYS, LoggedMessage, Message, MessageFilter
from hub.api.fields import Time
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.ocpi_agreements import PartyCode

_Text = Annotated[str, Meta(min_length=1, max_length=255)]


class MessageQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that are given must hold."""

    partner_id: Annotated[UUID, Meta(description="Sent to or received from this partner")] | None = None
    party: PartyCode | None = None
    module: _Text | None = None
    correlation_id: _Text | None = None
    request_id: _Text | None = None
    failed: Annotated[bool, Meta(description="Only those that failed, or only the others")] | None = None
    text: Annotated[str, Meta(min_length=3, max_length=255, description="In the path or a body, as it stands there")] | None = None
    since: Annotated[Time, Meta(description="From then on")] | None = None
    until: Annotated[Time, Meta(description="Until then, exclusive")] | None = None


async def list_messages(call: Call[MessageQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    wanted = MessageFilter(
        query.partner_id,
        query.module,
        query.party,
        query.correlation_id,
        query.request_id,
        query.failed,
        query.text,
        query.since,
        query.until,
    )
    before = position(call, UUID)
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.list_messages(conn, tenant_id, wanted, before, query.limit + 1)
    )
    return Answer(200, page(call, found, lambda message: message.message_id, lambda message: message))


async def get_message(call: Call[NoQuery, None]) -> Answer:
    tenant_id, message_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_message(conn, tenant_id, message_id))
    if found is None:
        raise not_found()
    return Answer(200, found)


ROUTES = (
    route(
        "GET",
        "/api/v1/ocpi/messages",
        list_messages,
        permission="ocpi.read",
        query=MessageQuery,
        answers={200: Page[Message]},
        tag="Roaming",
        summary="OCPI messages, newest first",
        description=f"Every message to and from partners, and between tenants, of the last {KEPT_DAYS} days. Tokens are left out.",
    ),
    route(
        "GET",
        "/api/v1/ocpi/messages/{id}",
        get_message,
        permission="ocpi.read",
        answers={200: LoggedMessage},
        tag="Roaming",
        summary="One OCPI message with its bodies",
    ),
)
