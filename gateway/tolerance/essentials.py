"""Messages that carry money, and what of them must be readable."""

from __future__ import annotations

from typing import Final

from schemas.versions import VERSIONS

BILLING: Final = {
    name: frozenset(action.name for action in version.actions.values() if action.billing) for name, version in VERSIONS.items()
}
"""Actions whose frame is stored durably before any CALLERROR leaves, by version."""

ESSENTIAL: Final = {
    "StartTransaction": ("/connectorId", "/idTag", "/meterStart", "/timestamp"),
    "StopTransaction": ("/transactionId", "/meterStop", "/timestamp"),
    "MeterValues": ("/connectorId", "/evseId", "/transactionId", "/meterValue"),
    "TransactionEvent": ("/eventType", "/seqNo", "/timestamp", "/transactionInfo/transactionId"),
}
"""What must be readable, by action: none of it, nor what holds it, is ever taken out."""
