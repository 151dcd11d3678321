"""Invoices to roaming partners, told by the module InvoiceReconciliation of OCPI 2.3.0 (digest, 20): which CDRs each is about.

An invoice is about one statement of a partner, which has fixed its CDRs, credits among them, for good. It is the CPO who writes it
(direct billing). Writing and paying invoices is done elsewhere: partners are only told what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from csms.bus import Bus
from csms.clock import Clock, Ids
from csms.roaming.parties import Folded, OwnParty
from csms.roaming.publication import saving
from csms.roaming.publication.saving import Made
from csms.roaming.topics import tell_of_pushes
from csms.store import Connection, Database
from csms.store.queries import ocpi_invoices as queries
from csms.store.queries import ocpi_parties
from csms.store.queries.ocpi_agreements import load_agreements
from csms.store.queries.ocpi_invoices import MODULE, InvoiceRecord, StatedCdr
from schemas.ocpi221.base import fold
from schemas.ocpi221.objects import MOST_ITEMS
from schemas.ocpi221.writing import document
from schemas.ocpi230.invoicereconciliation import InvoiceReconciliationRecord

MOST_CDRS: Final = 250_000
"""Of one invoice."""
CDRS_OF_A_RECORD: Final = MOST_ITEMS
"""More than those are in several records with the same invoice_id: receivers have limits, too."""
_TIMEOUT_S: Final = 60.0
"""A large statement is gone through in one unit of work."""

_PARTNER: Final = re.compile(r"(?P<country>[A-Za-z]{2})-(?P<party>[!-~]{1,3})")


class NotInvoiced(Exception):
    """There can be no such invoice now. `field` of the order: what is wrong; None: it is what there is that stands against it."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class Invoicing:
    """`database` is the hub role's."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def make(self, tenant_id: int, statement_id: UUID, invoice_id: str, by: str) -> UUID:
        """Fix which CDRs an invoice is about, and have its partner told; gives its key. Raises NotInvoiced, StoreUnavailable."""
        key, now = self._ids.uuid7(), self._clock.now()

        async def work(conn: Connection) -> None:
            payer = await _payer(conn, tenant_id, statement_id)
            parties = [party for party in await ocpi_parties.list_parties(conn, tenant_id) if party.role == "CPO"]
            if not parties:
                raise NotInvoiced("the tenant is no CPO: give it a party of this role first")
            if not await queries.insert_invoice(conn, tenant_id, key, invoice_id, statement_id, payer, by, now):
                other = await queries.invoice_of(conn, tenant_id, statement_id)
                if other is None:
                    raise NotInvoiced("there is an invoice of this number already")
                raise NotInvoiced(f"the statement is in the invoice {other}")
            stated = await queries.stated_cdrs(conn, tenant_id, statement_id, payer)
            parts = shared_out(stated, parties, CDRS_OF_A_RECORD)
            await self._write(conn, tenant_id, key, invoice_id, payer, parts, now)

        await self._database.tenant_unit(tenant_id, work, timeout=_TIMEOUT_S)
        await tell_of_pushes(self._bus, tenant_id)
        return key

    async def withdraw(self, tenant_id: int, invoice_key: UUID, by: str) -> bool:
        """Have the partner told that its records are gone; the statement may be invoiced again. False: there is no such invoice, or
        it was withdrawn before. Raises StoreUnavailable."""
        now = self._clock.now()

        async def work(conn: Connection) -> bool:
            payer = await queries.withdraw(conn, tenant_id, invoice_key, by, now)
            if payer is None:
                return False
            for record in await queries.records_of(conn, tenant_id, invoice_key):
                await saving.delete(conn, tenant_id, record.key, [payer], now)
            return True

        done = await self._database.tenant_unit(tenant_id, work, timeout=_TIMEOUT_S)
        if done:
            await tell_of_pushes(self._bus, tenant_id)
        return done

    async def _write(
        self,
        conn: Connection,
        tenant_id: int,
        key: UUID,
        invoice_id: str,
        payer: Folded,
        parts: Sequence[tuple[OwnParty, list[str]]],
        now: datetime,
    ) -> None:
        agreements = await load_agreements(conn, tenant_id)
        records: list[InvoiceRecord] = []
        made: list[Made] = []
        for party, cdr_ids in parts:
            owner = party.party.folded
            thing = InvoiceReconciliationRecord(
                country_code=party.country_code,
                party_id=party.party_id,
                id=str(self._ids.uuid7()),
                invoice_id=invoice_id,
                cdrs=tuple(cdr_ids),
                last_updated=now,
            )
            record = InvoiceRecord(owner, fold(thing.id), len(cdr_ids))
            records.append(record)
            # its own business, unless an agreement refuses it: as in the lists
            allowed = agreements.scope(payer, owner, MODULE, otherwise=True).allows()
            made.append(Made(key=record.key, document=document(thing), receivers=[payer] if allowed else [], with_party=payer))
        await queries.insert_records(conn, tenant_id, key, records)
        await saving.save(conn, tenant_id, made, now)


def shared_out(stated: Sequence[StatedCdr], parties: Sequence[OwnParty], most: int) -> list[tuple[OwnParty, list[str]]]:
    """The CDRs of each record, `most` at most, with our party that has told them. The first party has those that nobody has told
    yet, or one that is no party of ours any more. Pure."""
    by_party: dict[Folded, list[str]] = {}
    known = {party.party.folded: party for party in parties}
    first = parties[0].party.folded
    for cdr in stated:
        owner = first if cdr.owner is None or cdr.owner not in known else cdr.owner
        by_party.setdefault(owner, []).append(cdr.cdr_id)
    return [
        (known[owner], cdr_ids[start : start + most])
        for owner, cdr_ids in by_party.items()
        for start in range(0, len(cdr_ids), most)
    ]


async def _payer(conn: Connection, tenant_id: int, statement_id: UUID) -> Folded:
    """The partner that a statement is about, folded. Raises NotInvoiced."""
    facts = await queries.statement_facts(conn, tenant_id, statement_id)
    if facts is None:
        raise NotInvoiced("is no statement of this tenant", "statement_id")
    match = _PARTNER.fullmatch(facts.subject) if facts.kind == "partner" else None
    if match is None:
        raise NotInvoiced("is no statement of a roaming partner: only those are of kind `partner`, about a party", "statement_id")
    if facts.cdr_count > MOST_CDRS:
        raise NotInvoiced(f"has more than {MOST_CDRS} records", "statement_id")
    return fold(match["country"]), fold(match["party"])
