"""Figures of the ledger."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

QUEUED: Final = Gauge("csms_ledger_queued", "Operations that have not committed yet")
RETRIES: Final = Counter("csms_ledger_retries_total", "Group commits that were tried again because the store was away")
POISONED: Final = Counter(
    "csms_ledger_poisoned_total", "Operations that could not be committed although the store works", ["operation"]
)
QUARANTINE_FULL: Final = Counter(
    "csms_ledger_quarantine_full_total", "Messages that were counted but not kept, because the quarantine of their station is full"
)
COMMIT_SECONDS: Final = Histogram(
    "csms_ledger_commit_seconds",
    "Duration of a group commit",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
BATCH_SIZE: Final = Histogram("csms_ledger_batch_size", "Operations per group commit", buckets=(1, 2, 5, 10, 20, 50, 100, 200))
