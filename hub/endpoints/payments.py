"""Ad-hoc payments: charging without a contract, paid by the session."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

import msgspec
import trio
from msgspec import Meta

from csms.payments.machine import Payment, State
from csms.payments.port import LONGEST_URL
from csms.payments.service import NewPayment, NotTaken
from csms.pricing.exact import to_minor_unit
from csms.store import StoreUnavailable
from csms.store.queries import payments as queries
from csms.store.queries.payments import PaymentSettings, StoredPayment
from hub.api.fields import Identity
from hub.api.paging import NIL, Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

_WAIT_S: Final = 8.0
"""How long a new payment is taken on before it is answered with; it goes on by itself in any case."""

WireNumber = Annotated[int, Meta(ge=1, le=2_147_483_647)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="ISO 4217")]
Amount = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,4})?\Z", description="A decimal number as text")]
Method = Annotated[
    str,
    Meta(min_length=1, max_length=200, pattern=r"^[!-~]+\Z", description="The provider's own token for what the payer pays with"),
]
ReturnUrl = Annotated[
    str, Meta(max_length=LONGEST_URL, pattern=r"^https://[!-~]+\Z", description="Where the provider sends the payer afterwards")
]
RequestId = Annotated[
    str,
    Meta(min_length=1, max_length=64, pattern=r"^[!-~]+\Z", description="Of your choice; the same again makes no second payment"),
]


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    amount: Amount
    currency: Currency


class PaymentOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`amount`: what is held at the payer's, and the session ends at; left out, what the settings say."""

    charge_point_id: Identity
    evse_id: WireNumber
    connector_id: WireNumber | None = None
    amount: Money | None = None
    payment_method: Method
    return_url: ReturnUrl | None = None
    request_id: RequestId | None = None


class PaymentView(msgspec.Struct, frozen=True):
    """A payment. `amount`: what is held; `due`: what the session's newest bill comes to; `redirect_url`: where the payer has to go
    now; `reason`: why it ended as it did; `flag`: why a person has to look at it; `failure`: why the last of `attempts` tries of
    the present step failed; it is tried again."""

    payment_id: UUID
    request_id: str | None
    state: State
    provider: str
    provider_reference: str | None
    charge_point_id: str
    evse_id: int
    connector_id: int | None
    session_id: UUID | None
    command_id: UUID | None
    amount: Money
    due: Money | None
    captured: Money
    refunded: Money
    redirect_url: str | None
    reason: str | None
    flag: str | None
    failure: str | None
    attempts: int
    requested_by: str
    created_at: datetime
    updated_at: datetime


class PaymentQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: State | None = None
    charge_point_id: Identity | None = None
    flagged: Annotated[bool, Meta(description="Those that a person has to look at, or the others")] | None = None


class PaymentSettingsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`provider`: `test` moves no money. `hold_amount`: what is held where a payment names no amount; `max_amount`: the most."""

    provider: Annotated[str, Meta(min_length=1, max_length=40)]
    enabled: bool = True
    currency: Currency
    hold_amount: Amount
    max_amount: Amount


async def create_payment(call: Call[NoQuery, PaymentOrder]) -> Answer:
    hub, body, tenant_id = call.hub, call.body, call.tenant_id
    new = NewPayment(
        charge_point_id=body.charge_point_id,
        evse_id=body.evse_id,
        connector_id=body.connector_id,
        amount=None if body.amount is None else Decimal(body.amount.amount),
        currency=None if body.amount is None else body.amount.currency,
        payment_method=body.payment_method,
        return_url=body.return_url,
        request_id=body.request_id,
        requested_by=call.caller.label,
    )
    try:
        with trio.CancelScope(shield=True):  # bounded by the time limit of a transaction
            stored, made = await hub.payments.create(tenant_id, new)
    except NotTaken as error:
        raise (conflict(error.message) if error.field is None else invalid(error.field, error.message)) from None
    if made:
        stored = await _taken_on(call, stored)
    location = {"Location": f"/api/v1/payments/{stored.payment.payment_id}"}
    return Answer(201 if made else 200, _view(stored), location)


async def _taken_on(call: Call[NoQuery, PaymentOrder], stored: StoredPayment) -> StoredPayment:
    """The payment after the steps that could be taken in a while."""
    tenant_id, payment_id = call.tenant_id, stored.payment.payment_id
    try:
        with trio.move_on_after(_WAIT_S):
            await call.hub.payments.advance(tenant_id, payment_id)
        found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_payment(conn, tenant_id, payment_id))
    except StoreUnavailable:
        return stored  # it is recorded, and goes on
    return found or stored


async def get_payment(call: Call[NoQuery, None]) -> Answer:
    tenant_id, payment_id = call.tenant_id, call.uuid("id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_payment(conn, tenant_id, payment_id))
    if found is None:
        raise not_found()
    return Answer(200, _view(found))


async def list_payments(call: Call[PaymentQuery, None]) -> Answer:
    tenant_id, query = call.tenant_id, call.query
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(
        tenant_id,
        lambda conn: queries.list_payments(
            conn,
            tenant_id,
            after,
            query.limit + 1,
            state=query.state,
            charge_point_id=query.charge_point_id,
            flagged=query.flagged,
        ),
    )
    return Answer(200, page(call, found, lambda stored: stored.payment.payment_id, _view))


async def get_payment_settings(call: Call[NoQuery, None]) -> Answer:
    tenant_id = call.tenant_id
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_settings(conn, tenant_id))
    if found is None:
        raise not_found()
    return Answer(200, _settings_view(found))


async def put_payment_settings(call: Call[NoQuery, PaymentSettingsBody]) -> Answer:
    body, tenant_id = call.body, call.tenant_id
    try:
        settings = call.hub.payments.check_settings(
            PaymentSettings(body.provider, body.enabled, body.currency, Decimal(body.hold_amount), Decimal(body.max_amount))
        )
    except NotTaken as error:
        raise invalid(error.field or "provider", error.message) from None
    await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.put_settings(conn, tenant_id, settings))
    return Answer(200, _settings_view(settings))


def _settings_view(settings: PaymentSettings) -> PaymentSettingsBody:
    return PaymentSettingsBody(
        provider=settings.provider,
        enabled=settings.enabled,
        currency=settings.currency,
        hold_amount=str(settings.hold_amount),
        max_amount=str(settings.max_amount),
    )


def _view(stored: StoredPayment) -> PaymentView:
    payment, place = stored.payment, stored.circumstances
    return PaymentView(
        payment.payment_id,
        place.request_id,
        payment.state,
        place.provider,
        payment.provider_reference,
        place.charge_point_id,
        place.evse_id,
        place.connector_id,
        payment.session_id,
        payment.command_id,
        _money(payment, payment.amount),
        None if payment.due is None else _money(payment, payment.due),
        _money(payment, payment.captured),
        _money(payment, payment.refunded),
        payment.redirect_url,
        payment.reason,
        payment.flag,
        payment.failure,
        payment.attempts,
        place.requested_by,
        payment.created_at,
        stored.updated_at,
    )


def _money(payment: Payment, amount: Decimal) -> Money:
    return Money(str(to_minor_unit(amount, payment.currency)), payment.currency)


ROUTES = (
    route(
        "GET",
        "/api/v1/payment-settings",
        get_payment_settings,
        permission="payments.read",
        answers={200: PaymentSettingsBody},
        tag="Payments",
        summary="How the tenant takes ad-hoc payments",
        problems={404: "it never took any"},
    ),
    route(
        "PUT",
        "/api/v1/payment-settings",
        put_payment_settings,
        permission="payments.configure",
        body=PaymentSettingsBody,
        answers={200: PaymentSettingsBody},
        tag="Payments",
        summary="Take ad-hoc payments, or take none any more",
        description="Payments that are under way go on with the provider that they began with.",
    ),
    route(
        "POST",
        "/api/v1/payments",
        create_payment,
        permission="payments.write",
        body=PaymentOrder,
        answers={200: PaymentView, 201: PaymentView},
        tag="Payments",
        summary="Charge for a payment",
        description="An amount is held at the payer's, the charge point is told to start, and what the session comes to is "
        "captured when it is billed; the rest, or all where no session begins within 5 minutes, is released. Answered after a few "
        "seconds with how far it came; it goes on by itself. 200: a payment with this `request_id` was there.",
        problems={409: "the tenant takes no payments, or has no tariff"},
        waits=True,
    ),
    route(
        "GET",
        "/api/v1/payments",
        list_payments,
        permission="payments.read",
        query=PaymentQuery,
        answers={200: Page[PaymentView]},
        tag="Payments",
        summary="The tenant's ad-hoc payments",
    ),
    route(
        "GET",
        "/api/v1/payments/{id}",
        get_payment,
        permission="payments.read",
        answers={200: PaymentView},
        tag="Payments",
        summary="One ad-hoc payment",
    ),
)
