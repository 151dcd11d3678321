"""Figures about third parties that are asked. Labels never hold tenants."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

QUESTIONS = Counter("csms_external_authorization_questions_total", "Questions of gateways by what became of them", ["outcome"])
CIRCUITS_OPEN = Gauge("csms_external_authorization_circuits_open", "Third parties that are left alone after failures")
SECONDS = Histogram(
    "csms_external_authorization_seconds",
    "How long third parties took to answer, or to fail",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4),
)
