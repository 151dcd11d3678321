"""Metrics of publication."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

CHANGED: Final = Counter(
    "csms_ocpi_published_objects", "Own OCPI objects that were stored anew, because something of them had changed"
)
FAILED: Final = Counter(
    "csms_ocpi_publication_failures", "Own things that could not be published for a fault of ours; the log names them", ["what"]
)
