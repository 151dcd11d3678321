"""Takes payments, and takes each the steps that it still has to go."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import UUID

import msgspec
import structlog
import trio

from csms.billing.cdr import money
from csms.billing.final import FinalBilling
from csms.clock import Clock, Ids
from csms.commands import (
    CommandService,
    DomainOrder,
    StationAway,
    StationRefused,
    TooManyCommands,
    UnknownStation,
)
from csms.domain.commands import RemoteStart
from csms.domain.restrictions import Restrictions
from csms.external_authorization.sealing import Sealer, Unreadable
from csms.ledger.encoding import encode
from csms.payments import machine
from csms.payments.machine import FINAL, Payment, Step
from csms.payments.metrics import CALLS, ENDED, FAILED
from csms.payments.port import (
    PROVIDER_S,
    Authorized,
    Declined,
    Hold,
    PaymentProvider,
    Providers,
    ProviderUnavailable,
    reference_of,
)
from csms.pricing.exact import to_minor_unit
from csms.qr_tokens import TYPE, random_code
from csms.store import Connection, Database, StoreUnavailable
from csms.store.queries import commands as command_queries
from csms.store.queries import payments as queries
from csms.store.queries.commands import OPEN
from csms.store.queries.events import insert_event
from csms.store.queries.id_tokens import IdTokenFields, insert_token
from csms.store.queries.payments import Circumstances, PaymentSettings, SessionBill, StoredPayment
from csms.store.queries.stations import get_station
from csms.tariffs.service import has_assignments

log = structlog.get_logger()

BY: Final = "system:payments"
LEASE: Final = timedelta(seconds=45)
"""Above what a step takes at the most: `PROVIDER_S`, and three transactions of 10 s."""
BILL_AFTER: Final = timedelta(seconds=60)
"""How long billing has for a session that has ended, before it is asked whether there is anything to pay."""
TOKEN_PREFIX: Final = "PAY"  # noqa: S105 - how the tokens begin, no secret
KIND: Final = "temporary"
_MAY_HAVE_STARTED: Final = frozenset({"accepted", "timed_out", "unknown"})
_REFUSALS: Final = {
    StationAway: "the charge point is not connected",
    StationRefused: "the charge point was rejected",
    TooManyCommands: "the charge point has too many open commands",
    UnknownStation: "the charge point is gone",
}


class NotTaken(Exception):
    """The payment cannot be begun. `field`: what of the request is wrong; None: something else stands against it."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class NewPayment(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `amount` None: what the settings say. `payment_method`: the provider's own token."""

    charge_point_id: str
    evse_id: int
    connector_id: int | None
    amount: Decimal | None
    currency: str | None
    payment_method: str
    return_url: str | None
    request_id: str | None
    requested_by: str


class PaymentService:
    """`database` is the hub role's. Any number of processes may have one."""

    def __init__(
        self, database: Database, commands: CommandService, clock: Clock, ids: Ids, providers: Providers, sealer: Sealer
    ) -> None:
        """`sealer`: for payment methods alone."""
        self._database = database
        self._commands = commands
        self._clock = clock
        self._ids = ids
        self._providers = providers
        self._sealer = sealer
        self._final = FinalBilling(database, clock, ids)

    def check_settings(self, settings: PaymentSettings) -> PaymentSettings:
        """The settings, with amounts in the smallest unit of their currency. Raises NotTaken."""
        if settings.provider not in self._providers.names:
            raise NotTaken(f"is not one of {', '.join(sorted(self._providers.names))}", "provider")
        for name, amount in (("hold_amount", settings.hold_amount), ("max_amount", settings.max_amount)):
            if amount <= 0 or amount != to_minor_unit(amount, settings.currency):
                raise NotTaken(f"is not more than 0, in the smallest unit of {settings.currency}", name)
        if settings.max_amount < settings.hold_amount:
            raise NotTaken("is less than hold_amount", "max_amount")
        return msgspec.structs.replace(
            settings,
            hold_amount=to_minor_unit(settings.hold_amount, settings.currency),
            max_amount=to_minor_unit(settings.max_amount, settings.currency),
        )

    async def create(self, tenant_id: int, new: NewPayment) -> tuple[StoredPayment, bool]:
        """Record a payment; its steps are for `advance`. False: it is the one that this request made before.

        Raises NotTaken, StoreUnavailable.
        """
        now = self._clock.now()
        payment_id = self._ids.uuid7()

        async def make(conn: Connection) -> tuple[StoredPayment, bool]:
            settings = await queries.get_settings(conn, tenant_id)
            if settings is None or not settings.enabled or settings.provider not in self._providers.names:
                raise NotTaken("this tenant takes no ad-hoc payments")
            amount = _amount(new, settings)
            if await get_station(conn, tenant_id, new.charge_point_id) is None:
                raise NotTaken("is not a charge point", "charge_point_id")
            if not await has_assignments(conn, tenant_id):
                raise NotTaken("no tariff is assigned, so that nothing could be billed")
            payment = Payment(payment_id=payment_id, state="created", currency=settings.currency, amount=amount, created_at=now)
            circumstances = Circumstances(
                request_id=new.request_id,
                provider=settings.provider,
                charge_point_id=new.charge_point_id,
                evse_id=new.evse_id,
                connector_id=new.connector_id,
                requested_by=new.requested_by,
                method_sealed=self._sealer.seal(tenant_id, _method_of(payment_id), new.payment_method),
                return_url=new.return_url,
            )
            made = await queries.insert_payment(conn, tenant_id, payment, circumstances, now)
            if made:
                await _publish(conn, tenant_id, "payment.created", payment, circumstances, now)
                found = await queries.get_payment(conn, tenant_id, payment_id)
            else:
                found = None if new.request_id is None else await queries.find_request(conn, tenant_id, new.request_id)
            if found is None:
                raise LookupError("the payment that was recorded is not there")
            return found, made

        return await self._database.tenant_unit(tenant_id, make)

    async def advance(self, tenant_id: int, payment_id: UUID) -> None:
        """Take all steps that can be taken now. Returns at once when somebody else is about it. Raises StoreUnavailable."""
        while True:
            now = self._clock.now()
            stored = await self._database.tenant_unit(
                tenant_id, partial(queries.take_up, tenant_id=tenant_id, payment_id=payment_id, now=now, leased_until=now + LEASE)
            )
            if stored is None or not await self._go_on(tenant_id, stored):
                return

    async def _go_on(self, tenant_id: int, stored: StoredPayment) -> bool:
        """Take the next step; False when nothing more can be done now."""
        payment, now = stored.payment, self._clock.now()
        step = machine.next_step(payment)
        if step is None or step == "watch_session":
            return await self._look_at_bill(tenant_id, stored)
        if step == "begin":
            return await self._save(tenant_id, stored, machine.begin(payment, now))
        if step == "start":
            return await self._database.tenant_unit(tenant_id, lambda conn: self._start(conn, tenant_id, stored, now))
        if step == "watch_start":
            return await self._watch_start(tenant_id, stored, now)
        return await self._save(tenant_id, stored, await self._ask(tenant_id, stored, step))

    # -- the provider

    async def _ask(self, tenant_id: int, stored: StoredPayment, step: Step) -> Payment:
        payment = stored.payment
        outcome = "unavailable"
        try:
            provider = self._providers.open(stored.circumstances.provider, tenant_id)
            with trio.move_on_after(PROVIDER_S) as limit:
                after = await self._call(tenant_id, provider, stored, step)
                outcome = "done"
                return after
            if limit.cancelled_caught:
                raise ProviderUnavailable(f"no answer within {PROVIDER_S:.0f} s")
        except Declined as error:
            outcome = "declined"
            return machine.declined(payment, str(error))
        except ProviderUnavailable as error:
            log.info("payments.provider_unavailable", tenant_id=tenant_id, payment_id=str(payment.payment_id), error=str(error))
            return machine.unavailable(payment, str(error), self._clock.now())
        except StoreUnavailable:
            raise
        except Exception:
            # a provider is a plug-in: what it does wrong must not make the payment come up again without a pause
            FAILED.inc()
            log.exception("payments.provider_failed", tenant_id=tenant_id, payment_id=str(payment.payment_id), step=step)
            return machine.unavailable(payment, "an internal error", self._clock.now())
        finally:
            CALLS.labels(step, outcome).inc()
        raise LookupError("a call ends in one of these ways")

    async def _call(self, tenant_id: int, provider: PaymentProvider, stored: StoredPayment, step: Step) -> Payment:
        payment = stored.payment
        key = machine.idempotency_key(payment, step)
        hold = Hold(reference_of(payment.payment_id), payment.provider_reference, payment.currency)
        if step == "authorize":
            return await self._authorize(tenant_id, provider, stored)
        if step == "capture" and payment.capturing is not None:
            await provider.capture(hold, payment.capturing, key)
            return machine.captured(payment)
        if step == "refund" and payment.refunding is not None:
            await provider.refund(hold, payment.refunding, key)
            return machine.refunded(payment)
        await provider.release(hold, key)
        return machine.released(payment)

    async def _authorize(self, tenant_id: int, provider: PaymentProvider, stored: StoredPayment) -> Payment:
        payment, sealed = stored.payment, stored.circumstances.method_sealed
        try:
            method = "" if sealed is None else self._sealer.open(tenant_id, _method_of(payment.payment_id), sealed)
        except Unreadable:
            raise Declined("the payment method cannot be read any more") from None
        found = await provider.authorize(
            payment.amount,
            payment.currency,
            reference_of(payment.payment_id),
            payment_method=method,
            return_url=stored.circumstances.return_url,
        )
        now = self._clock.now()
        if isinstance(found, Authorized):
            return machine.authorized(payment, found.provider_reference, now)
        if machine.is_over(payment, now):
            return machine.give_up(payment, "the payer did not confirm in time")
        return machine.pending(payment, found.redirect_url, found.provider_reference)

    # -- the station

    async def _start(self, conn: Connection, tenant_id: int, stored: StoredPayment, now: datetime) -> bool:
        """Make the token that the session will have, and note that the station is going to be told."""
        payment, place = stored.payment, stored.circumstances
        fields = IdTokenFields(
            kind=KIND,
            label=f"payment {payment.payment_id}",
            valid_until=now + machine.HOLD_FOR,
            whitelist="NEVER",
            restrictions=Restrictions(
                charge_points=(place.charge_point_id,), evse_ids=(place.evse_id,), max_amount_per_session=payment.amount
            ),
            single_use=True,
        )
        token = await insert_token(conn, tenant_id, self._ids.uuid7(), random_code(TOKEN_PREFIX, self._ids), TYPE, fields)
        if token is None:
            raise LookupError("a random token was drawn twice")
        after = machine.started(payment, token.token_id, token.id_token, self._ids.uuid7(), now)
        return await self._write(conn, tenant_id, stored, after, now)

    async def _watch_start(self, tenant_id: int, stored: StoredPayment, now: datetime) -> bool:
        payment = stored.payment
        token_id, command_id = payment.token_id, payment.command_id
        if token_id is None or command_id is None or payment.id_token is None:
            raise LookupError("a payment that is starting has a token and a command")
        refused: str | None = None
        command = await self._database.tenant_unit(tenant_id, lambda conn: command_queries.get_command(conn, tenant_id, command_id))
        if command is None:
            refused = await self._order(tenant_id, stored, payment.id_token, command_id)
        elif command.status not in OPEN and command.status not in _MAY_HAVE_STARTED:
            refused = f"the charge point did not start: {command.status}"
        if refused is None and machine.is_over(payment, now):
            refused = "no session began"

        async def look(conn: Connection) -> bool:
            use = await queries.look_at_token(conn, tenant_id, token_id, withdraw=refused is not None)
            if use.session_id is not None:
                after = machine.session_began(payment, use.session_id, now)
            elif use.withdrawn:
                after = machine.give_up(payment, refused or "its token was withdrawn")
            else:
                after = payment
            return await self._write(conn, tenant_id, stored, after, now)

        return await self._database.tenant_unit(tenant_id, look)

    async def _order(self, tenant_id: int, stored: StoredPayment, id_token: str, command_id: UUID) -> str | None:
        """Tell the station to start; gives why it cannot be told."""
        place = stored.circumstances
        start = RemoteStart(id_token=id_token, token_type=TYPE, evse_id=place.evse_id, connector_id=place.connector_id)
        try:
            await self._commands.submit(
                tenant_id, place.charge_point_id, DomainOrder(start), requested_by=BY, command_id=command_id
            )
        except tuple(_REFUSALS) as error:
            return _REFUSALS[type(error)]
        return None

    # -- the bill

    async def _look_at_bill(self, tenant_id: int, stored: StoredPayment) -> bool:
        payment, now = stored.payment, self._clock.now()
        session_id = payment.session_id
        if session_id is None:
            return await self._save(tenant_id, stored, payment)

        async def read(conn: Connection) -> SessionBill | None:
            return await queries.session_bill(conn, tenant_id, session_id)

        bill = await self._database.tenant_unit(tenant_id, read)
        overdue = bill is not None and bill.status != "active" and now - bill.changed_at > BILL_AFTER
        nothing_to_pay = False
        if payment.state == "charging" and bill is not None and bill.amount is None and overdue:
            await self._final.bill(tenant_id, session_id)
            bill = await self._database.tenant_unit(tenant_id, read)
            # billing has looked at it now: a session without a CDR costs nothing, unless it is held back
            nothing_to_pay = bill is not None and bill.amount is None and bill.held is None
        return await self._save(tenant_id, stored, _after_bill(payment, bill, now, nothing_to_pay=nothing_to_pay))

    # -- keeping what came of it

    async def _save(self, tenant_id: int, stored: StoredPayment, after: Payment) -> bool:
        now = self._clock.now()
        return await self._database.tenant_unit(tenant_id, lambda conn: self._write(conn, tenant_id, stored, after, now))

    async def _write(self, conn: Connection, tenant_id: int, stored: StoredPayment, after: Payment, now: datetime) -> bool:
        """Keep the payment with the events of its change. True when it has a step to take at once."""
        before = stored.payment
        due_at = machine.next_try(after, now)
        if after.state != before.state or (due_at is None and after != before):
            due_at = now  # at its end too: a bill may have come meanwhile
        forget = after.state not in ("created", "authorizing")
        if not await queries.save_payment(conn, tenant_id, after, stored.turn, due_at, forget_method=forget):
            if after.state == "starting" and before.state == "authorized":
                raise _Overtaken  # the token must not stay
            return False
        for type_ in _events(before, after):
            await _publish(conn, tenant_id, type_, after, stored.circumstances, now)
        if after.state != before.state and after.state in FINAL:
            ENDED.labels(after.state).inc()
            log.info("payments.ended", tenant_id=tenant_id, payment_id=str(after.payment_id), state=after.state)
        return due_at is not None and due_at <= now


class _Overtaken(Exception):
    """Somebody else has taken the payment up, so the transaction is void."""


def _after_bill(payment: Payment, bill: SessionBill | None, now: datetime, *, nothing_to_pay: bool) -> Payment:
    if bill is not None and bill.amount is not None:
        if bill.currency != payment.currency:
            flag = f"the bill is in {bill.currency}, the hold in {payment.currency}"
            changed = machine.give_up(payment, "the bill is in another currency", flag=flag)
            return changed if changed != payment or payment.flag is not None else msgspec.structs.replace(payment, flag=flag)
        return machine.billed(payment, bill.amount)
    if payment.state != "charging":
        return payment
    if nothing_to_pay:
        return machine.billed(payment, Decimal(0))
    if machine.is_over(payment, now):
        why = "the session has not ended" if bill is not None and bill.status == "active" else "its bill is held back"
        return machine.give_up(payment, f"no bill came in time: {why}", flag=f"no bill came in time: {why}")
    return payment


def _amount(new: NewPayment, settings: PaymentSettings) -> Decimal:
    """Raises NotTaken."""
    if new.currency is not None and new.currency != settings.currency:
        raise NotTaken(f"is not {settings.currency}, which this tenant takes payments in", "amount.currency")
    amount = settings.hold_amount if new.amount is None else new.amount
    if amount <= 0 or amount > settings.max_amount:
        raise NotTaken(f"is not more than 0 and at most {settings.max_amount}", "amount.amount")
    if amount != to_minor_unit(amount, settings.currency):
        raise NotTaken(f"has more decimals than {settings.currency}", "amount.amount")
    return to_minor_unit(amount, settings.currency)


def _events(before: Payment, after: Payment) -> list[str]:
    found = []
    if after.state != before.state:
        found.append(f"payment.{after.state}")
    if after.refunded != before.refunded:
        found.append("payment.refunded")
    if after.flag is not None and after.flag != before.flag:
        found.append("payment.flagged")
    return found


async def _publish(conn: Connection, tenant_id: int, type_: str, payment: Payment, place: Circumstances, now: datetime) -> None:
    await insert_event(
        conn,
        tenant_id,
        type_,
        encode(
            {
                "payment_id": payment.payment_id,
                "state": payment.state,
                "provider": place.provider,
                "evse_id": place.evse_id,
                "amount": _money(payment, payment.amount),
                "captured": _money(payment, payment.captured),
                "refunded": _money(payment, payment.refunded),
                "reason": payment.reason,
                "flag": payment.flag,
            }
        ),
        charge_point_id=place.charge_point_id,
        session_id=payment.session_id,
        occurred_at=now,
    )


def _money(payment: Payment, amount: Decimal) -> dict[str, str]:
    return money(to_minor_unit(amount, payment.currency), payment.currency)


def _method_of(payment_id: UUID) -> str:
    """What a payment method is sealed as."""
    return f"payment-method {payment_id}"
