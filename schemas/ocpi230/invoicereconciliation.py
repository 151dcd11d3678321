"""OCPI 2.3.0, module InvoiceReconciliation: which CDRs an invoice is about. Owner: the party that writes the invoice."""

from typing import Annotated, ClassVar, Final

from schemas.ocpi221.base import AtLeastOne, CountryCode, DateTime, Id, LongId, OcpiObject, PartyId, ci
from schemas.ocpi221.interfaces import PAGE_QUERY, Operation

MODULE: Final = "invoicereconciliation"


class InvoiceReconciliationRecord(OcpiObject, frozen=True, kw_only=True):
    """The CDRs of one invoice, by their ids. GAP: the standard leaves 36 characters for an id, and ids of credits may have 39 (D3).
    DECISION: so may these, as credits are on invoices."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("country_code", "party_id", "id")

    country_code: CountryCode
    party_id: PartyId
    id: Id
    invoice_id: Annotated[str, ci(255)]
    cdrs: Annotated[tuple[LongId, ...], AtLeastOne()]
    last_updated: DateTime


_OWNED: Final = ("/{country_code}/{party_id}/{record_id}",)
_RECORD: Final = (InvoiceReconciliationRecord,)

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(number=39, module=MODULE, role="SENDER", method="GET", query=PAGE_QUERY, data=_RECORD, listed=True, paged=True),
    Operation(number=40, module=MODULE, role="RECEIVER", method="GET", paths=_OWNED, data=_RECORD),
    Operation(number=41, module=MODULE, role="RECEIVER", method="POST", paths=_OWNED, body=_RECORD),
    Operation(number=42, module=MODULE, role="RECEIVER", method="PUT", paths=_OWNED, body=_RECORD),
    Operation(number=43, module=MODULE, role="RECEIVER", method="DELETE", paths=_OWNED),
)
"""What this module offers, numbered on from the endpoint table of 2.2.1; functional, so with routing headers."""
