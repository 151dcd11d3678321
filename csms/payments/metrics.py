"""Figures of ad-hoc payments. Labels never hold tenants."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

CALLS: Final = Counter("csms_payment_provider_calls_total", "Calls of payment providers by what came of them", ["step", "outcome"])
ENDED: Final = Counter("csms_payments_total", "Payments that came to their end", ["state"])
FAILED: Final = Counter("csms_payment_failures_total", "Steps of payments that failed for a reason of our own")
