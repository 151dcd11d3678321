"""Making the statements of a month: once for every subject, whoever asks and however often."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from csms.clock import Clock, Ids
from csms.statements.document import Kind, StatementDocument, Totals
from csms.statements.period import Period, month
from csms.store import Connection, Database
from csms.store.queries import statements as queries
from csms.store.queries.statements import Group, Scope, TenantFacts

_SUBJECTS_AT_ONCE: Final = 20_000
"""In one transaction: each looks through all records of the month."""
_TIMEOUT_S: Final = 300.0
"""Of one transaction: a month of a large network is summed in it."""
MOST_SHOWN: Final = 500
"""Statements that an answer has; all of them are in the list."""


class NotOver(Exception):
    """The month is not over in the tenant's time zone."""


class Made(msgspec.Struct, frozen=True):
    """`count` statements were made, of which the first are in `statements`; `existing` ones were there before."""

    period: Period
    existing: int
    count: int
    statements: list[StatementDocument]


class Preview(msgspec.Struct, frozen=True):
    """What statements made now would come to: the first of them."""

    period: Period
    existing: int
    totals: list[Totals]


class StatementService:
    """`database` is the hub role's."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def make(self, tenant_id: int, name: str, kind: Kind, subject: str | None, by: str) -> Made:
        """Make the statements of a month that are not made yet, those of some subjects at a time. If it ends in the midst, those
        that are made stay, and the next call goes on. Raises BadPeriod, NotOver, BeingMade, StoreUnavailable."""
        tenant = await self._database.tenant_unit(tenant_id, lambda conn: queries.tenant_facts(conn, tenant_id))
        scope = Scope(month(name, tenant.time_zone), kind, subject)
        if self._clock.now() < scope.period.end:
            raise NotOver
        existing = await self._database.tenant_unit(tenant_id, lambda conn: queries.count_existing(conn, tenant_id, scope))
        made: list[StatementDocument] = []
        count, after = 0, None
        while True:
            last = after

            async def work(conn: Connection, last: str | None = last) -> tuple[str | None, list[StatementDocument]]:
                return await self._make_some(conn, tenant_id, tenant, scope, last, by)

            after, some = await self._database.tenant_unit(tenant_id, work, timeout=_TIMEOUT_S)
            count += len(some)
            made += some[: MOST_SHOWN - len(made)]
            if after is None:
                return Made(scope.period, existing, count, made)

    async def preview(self, tenant_id: int, name: str, kind: Kind, subject: str | None) -> Preview:
        """What statements of a month would come to, be it over or not; nothing is stored. Raises BadPeriod, StoreUnavailable."""

        async def work(conn: Connection) -> Preview:
            await queries.prepare(conn)
            tenant = await queries.tenant_facts(conn, tenant_id)
            scope = Scope(month(name, tenant.time_zone), kind, subject)
            subjects = await queries.due_subjects(conn, tenant_id, scope, None, MOST_SHOWN)
            totals = await queries.preview_totals(conn, tenant_id, scope, subjects)
            existing = await queries.count_existing(conn, tenant_id, scope)
            return Preview(scope.period, existing, list(totals.values()))

        return await self._database.tenant_unit(tenant_id, work, timeout=_TIMEOUT_S)

    async def _make_some(
        self, conn: Connection, tenant_id: int, tenant: TenantFacts, scope: Scope, after: str | None, by: str
    ) -> tuple[str | None, list[StatementDocument]]:
        """The statements of the next subjects, and the last of these; None when there are no more."""
        await queries.begin_making(conn, tenant_id)
        subjects = await queries.due_subjects(conn, tenant_id, scope, after, _SUBJECTS_AT_ONCE)
        if not subjects:
            return None, []
        ids: dict[Group, UUID] = {}
        for group in await queries.due_groups(conn, tenant_id, scope, subjects):
            ids[group] = self._ids.uuid7()
        totals = await queries.collect(conn, tenant_id, scope, ids)
        names = await queries.group_names(conn, tenant_id, subjects) if scope.kind == "token_group" else {}
        number = await queries.take_numbers(conn, tenant_id, len(ids))
        made = [
            self._document(ids[group], number + place, tenant, scope, totals[group], names.get(group.subject))
            for place, group in enumerate(ids)
        ]
        await queries.insert_statements(conn, tenant_id, made, by)
        return (subjects[-1] if len(subjects) == _SUBJECTS_AT_ONCE else None), made

    def _document(
        self, statement_id: UUID, number: int, tenant: TenantFacts, scope: Scope, totals: Totals, subject_name: str | None
    ) -> StatementDocument:
        return StatementDocument(
            id=statement_id,
            number=number,
            tenant=tenant.slug,
            tenant_name=tenant.name,
            period=scope.period.name,
            period_start=scope.period.start,
            period_end=scope.period.end,
            time_zone=tenant.time_zone,
            kind=scope.kind,
            subject=totals.subject,
            subject_name=subject_name,
            currency=totals.currency,
            total=totals.total,
            taxes=totals.taxes,
            rounding=totals.rounding,
            energy_kwh=totals.energy_kwh,
            cdr_count=totals.cdr_count,
            credit_count=totals.credit_count,
            late_count=totals.late_count,
            made_at=self._clock.now(),
        )
