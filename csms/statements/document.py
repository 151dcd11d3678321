"""What a statement says. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from csms.billing.cdr import Tax
from csms.pricing.tariff import Price

VERSION: Final = 1
"""Of the document's form."""

Kind: TypeAlias = Literal["contract", "token_group", "tenant", "partner"]
"""What the CDRs are put together by: contract id, token group, the whole tenant, or the partner: the party of the tokens, such as
DE-ABC, or of the tenant's own tokens their issuer."""

_ZERO: Final = Decimal(0)


class Totals(msgspec.Struct, frozen=True):
    """What the CDRs of one subject, currency and manner of stating VAT come to; credits are taken off.

    `total`: the sum of their amount_due; without incl_vat they state no VAT. `taxes`: the sums of their taxes by rate, the lowest
    first, with the four decimals of CDRs. `late_count`: those whose session ended before the month.
    """

    subject: str
    currency: str
    total: Price
    taxes: list[Tax]
    energy_kwh: Decimal
    cdr_count: int
    credit_count: int
    late_count: int

    @property
    def rounding(self) -> Price:
        """What the amounts due are above the taxed amounts, because each CDR is rounded to the smallest unit of its currency."""
        if self.total.incl_vat is None:
            return Price(_ZERO)
        excl = self.total.excl_vat - sum((tax.excl_vat for tax in self.taxes), _ZERO)
        return Price(excl, self.total.incl_vat - sum((tax.excl_vat + tax.amount for tax in self.taxes), _ZERO))


class StatementDocument(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A statement, made once and never changed. `period_start` (inclusive) and `period_end` (exclusive) are the month in the
    tenant's time zone. `subject` is empty for the whole tenant, and for CDRs that name none of the kind."""

    id: UUID
    number: int
    tenant: str
    tenant_name: str
    period: str
    period_start: datetime
    period_end: datetime
    time_zone: str
    kind: Kind
    subject: str
    subject_name: str | None = None
    currency: str
    total: Price
    taxes: list[Tax]
    rounding: Price
    energy_kwh: Decimal
    cdr_count: int
    credit_count: int
    late_count: int
    made_at: datetime
    version: int = VERSION
