"""Figures about the hub's own requests. Labels never hold tenants, stations or people."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("csms_http_requests_total", "HTTP requests by route and status", ["method", "route", "status"])
DURATION = Histogram(
    "csms_http_request_seconds",
    "Time from the whole request to the answer",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 5, 30, 120),
)
CONNECTIONS = Gauge("csms_http_connections", "Open HTTP connections")
CONNECTION_FAILURES = Counter("csms_http_connection_failures_total", "HTTP connections ended by an error of the server")
RESTARTS = Counter("csms_http_server_restarts_total", "Times the HTTP server was started again after a failure")
