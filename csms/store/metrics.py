"""Figures of the store's upkeep."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

DEFAULT_ROWS: Final = Gauge(
    "csms_default_partition_rows", "Rows that have no partition of their month (counted up to 100,000)", ["table"]
)
MONTHS_AHEAD: Final = Gauge("csms_partition_months_ahead", "Months after this one that have a partition", ["table"])
PARTITIONS_DROPPED: Final = Counter("csms_partitions_dropped_total", "Partitions that were dropped by retention", ["table"])
PARTITIONS_OVERDUE: Final = Gauge("csms_partitions_overdue", "Partitions that retention would have dropped and could not")
ROWS_DELETED: Final = Counter("csms_retention_rows_deleted_total", "Rows that were deleted by retention", ["table"])
