"""What answers the modules that are not routed (R17)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hub.ocpi.entry import Configure
from hub.ocpi.registration.serving import serve_credentials, serve_details, serve_versions
from hub.ocpi.routing.client_info import MODULE as HUB_CLIENT_INFO
from hub.ocpi.routing.client_info import serve_client_info
from hub.ocpi.urls import CREDENTIALS

CONFIGURATION: Final[Mapping[str, Configure]] = {
    "versions": serve_versions,
    "details": serve_details,
    CREDENTIALS: serve_credentials,
    HUB_CLIENT_INFO: serve_client_info,
}
"""By module; `versions` and `details` for the two version endpoints."""
