"""Figures of local lists."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

VISITS: Final = Counter("csms_local_list_visits_total", "Stations that were brought up to date, or tried to be")
REFRESHES: Final = Counter("csms_local_list_refreshes_total", "Times that it was worked out what the lists of a tenant ought to be")
FAILED: Final = Counter("csms_local_list_failures_total", "Visits and refreshes that ended with an error of this system")
