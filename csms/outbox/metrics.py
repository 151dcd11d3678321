"""Figures of the outbox."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

AGE: Final = Gauge("csms_outbox_age_seconds", "Age of the oldest event that a sink has not taken yet", ["sink"])
HELD_BACK: Final = Gauge(
    "csms_outbox_held_back_seconds",
    "Age of the oldest event that an open transaction somewhere in the cluster keeps from being read",
)
PUBLISHED: Final = Counter("csms_outbox_published_total", "Events that a sink has taken", ["sink"])
FAILURES: Final = Counter("csms_outbox_failures_total", "Times that a sink did not take what it was offered", ["sink"])
