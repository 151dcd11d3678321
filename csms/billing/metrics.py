"""Figures of billing."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

MADE: Final = Counter("csms_cdrs_total", "Charge detail records made", ["kind"])
LOOKED_AT: Final = Counter("csms_running_costs_total", "Running sessions whose cost was brought up to date")
FAILED: Final = Counter("csms_billing_failures_total", "Sessions, or looks at running ones, that could not be priced")
