"""The gateway, the hub and a third party together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import trio

from csms.bus import Bus
from csms.secret import RootSecret
from csms.store.tenants import refresh_tenants
from tests.integration.external_authorization.third_party import ThirdPartyServer
from tests.integration.gateway.site import Site, Station, running
from tests.integration.hub.harness import Person, RunningHub, running_hub

PATH = "/api/v1/external-authorization"


@dataclass
class Network:
    """`admin` is signed in at the tenant of the stations, which refuses tokens that it does not know."""

    site: Site
    hub: RunningHub
    admin: Person
    server: ThirdPartyServer

    async def switch_on(self, **settings: Any) -> dict[str, Any]:
        """Have the third party asked; every process knows it at once."""
        answer = await self.admin.put(PATH, {"url": self.server.url} | settings)
        assert answer.status_code == 200, answer.text
        await self.refresh()
        shown: dict[str, Any] = answer.json()
        return shown

    async def refresh(self) -> None:
        await refresh_tenants(self.site.store.gateway, self.site.services.tenants)
        await refresh_tenants(self.hub.store.gateway, self.hub.services.tenants)

    async def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.admin.get(PATH)).json()
        return found

    async def sessions(self) -> list[dict[str, Any]]:
        return await self.site.rows("SELECT * FROM sessions ORDER BY session_id")


async def authorize(station: Station, token: str = "CARD", *, timeout: float = 6.0) -> str:
    """The status that the station is told."""
    if station.socket.subprotocol == "ocpp1.6":
        frame = await station.call("Authorize", {"idTag": token}, timeout=timeout)
        return str(frame[2]["idTagInfo"]["status"])
    frame = await station.call("Authorize", {"idToken": {"idToken": token, "type": "ISO14443"}}, timeout=timeout)
    return str(frame[2]["idTokenInfo"]["status"])


def start(station: Station, token: str = "CARD", *, at: datetime | None = None, **members: Any) -> tuple[str, dict[str, Any]]:
    """The action and payload that begin a transaction."""
    time = (at or datetime.now(UTC)).isoformat()
    if station.socket.subprotocol == "ocpp1.6":
        return "StartTransaction", {"connectorId": 1, "idTag": token, "meterStart": 100, "timestamp": time, **members}
    return "TransactionEvent", {
        "eventType": "Started",
        "timestamp": time,
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": f"T-{token}"},
        "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": token, "type": "ISO14443"},
        **members,
    }


def told(frame: Any) -> str:
    """The status of the token in the answer to a start or a stop."""
    info = frame[2].get("idTagInfo") or frame[2]["idTokenInfo"]
    return str(info["status"])


@asynccontextmanager
async def network(
    dsn: str, secret: RootSecret, server: ThirdPartyServer, nursery: trio.Nursery, *, hub_bus: Bus | None = None
) -> AsyncIterator[Network]:
    async with (
        running(dsn) as site,
        running_hub(dsn, secret, nursery, bus=hub_bus or site.bus, CSMS_OUTGOING_PRIVATE="1") as hub,
    ):
        yield Network(site, hub, await hub.admin(), server)
