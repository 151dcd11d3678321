"""A CPO tenant with real stations on a gateway, its hub, and platforms of partners, all on one bus and one database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import trio
from trio_websocket import ConnectionClosed

from csms.secret import RootSecret
from csms.store.tenants import refresh_tenants
from tests.integration.gateway.site import Site, Station, running
from tests.integration.hub.harness import Person, RunningHub, running_hub
from tests.ocpi.documents import Document
from tests.ocpi.platform import Platform, running_platform

OWN: Final = ("NL", "OWN")
CAPABILITIES: Final = ("REMOTE_START_STOP_CAPABLE", "RESERVABLE", "UNLOCK_CAPABLE", "CHARGING_PROFILE_CAPABLE")
VERSIONS: Final = ("ocpp1.6", "ocpp2.0.1")


class LiveStation:
    """A station that answers what it is told as `answers` has it, by action; otherwise it accepts. None: it says nothing."""

    def __init__(self, station: Station) -> None:
        self.behind = station
        self.orders: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, dict[str, Any] | None] = {"UnlockConnector": {"status": "Unlocked"}}
        self.unanswered: dict[str, str] = {}
        """The message ids of orders that it has said nothing to, by action."""
        self._waiting: dict[str, trio.MemorySendChannel[Any]] = {}
        self._changed = trio.Event()
        self._number = 0

    @property
    def is_16(self) -> bool:
        return self.behind.socket.subprotocol == "ocpp1.6"

    async def run(self) -> None:
        while True:
            frame = json.loads(await self.behind.socket.get_message())
            if frame[0] != 2:
                await self._waiting[frame[1]].send(frame)
                continue
            self.orders.append((frame[2], frame[3]))
            answer = self.answers.get(frame[2], {"status": "Accepted"})
            if answer is None:
                self.unanswered[frame[2]] = frame[1]
            else:
                await self.behind.send([3, frame[1], answer])
            self._changed.set()
            self._changed = trio.Event()

    async def call(self, action: str, payload: dict[str, Any], *, seconds: float = 8.0) -> dict[str, Any]:
        self._number += 1
        key = f"s{self._number}"
        send, receive = trio.open_memory_channel[Any](1)
        self._waiting[key] = send
        await self.behind.send([2, key, action, payload])
        with trio.fail_after(seconds):
            frame = await receive.receive()
        assert frame[0] == 3, frame
        answer: dict[str, Any] = frame[2]
        return answer

    async def ordered(self, action: str, count: int = 1, *, seconds: float = 8.0) -> dict[str, Any]:
        """The payload of the newest order of this kind, once there were so many."""
        with trio.fail_after(seconds):
            while True:
                changed = self._changed
                found = [payload for name, payload in self.orders if name == action]
                if len(found) >= count:
                    return found[-1]
                await changed.wait()

    def count(self, action: str) -> int:
        return sum(name == action for name, _ in self.orders)

    async def boot(self) -> None:
        if self.is_16:
            await self.call("BootNotification", {"chargePointVendor": "Vendor", "chargePointModel": "Model"})
            await self.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
        else:
            station = {"vendorName": "Vendor", "model": "Model"}
            await self.call("BootNotification", {"chargingStation": station, "reason": "PowerUp"})
            status = {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
            await self.call("StatusNotification", status)

    async def authorize(self, token: str, kind: str = "ISO14443") -> str:
        if self.is_16:
            return str((await self.call("Authorize", {"idTag": token}))["idTagInfo"]["status"])
        answer = await self.call("Authorize", {"idToken": {"idToken": token, "type": kind}})
        return str(answer["idTokenInfo"]["status"])

    async def start(self, token: str, kind: str = "ISO14443", **members: Any) -> str:
        """Begin a transaction; gives what is said of the token."""
        now = members.pop("at", None) or _now()
        if self.is_16:
            payload = {"connectorId": 1, "idTag": token, "meterStart": 100, "timestamp": now, **members}
            return str((await self.call("StartTransaction", payload))["idTagInfo"]["status"])
        payload = {
            "eventType": "Started",
            "timestamp": now,
            "triggerReason": "RemoteStart",
            "seqNo": 0,
            "transactionInfo": {"transactionId": f"T-{uuid4().hex[:8]}", "chargingState": "Charging"},
            "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": token, "type": kind},
            **members,
        }
        return str((await self.call("TransactionEvent", payload))["idTokenInfo"]["status"])


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass
class Street:
    """`admin` is signed in at the tenant `default`, which is the CPO and eMSP NL-OWN and has a location."""

    site: Site
    hub: RunningHub
    admin: Person
    nursery: trio.Nursery
    location_id: str = ""
    evse_uids: dict[str, str] = field(default_factory=dict)

    async def connected(self, *roles: str, **settings: Any) -> Platform:
        """A platform of a partner that has registered here."""
        platform: Platform = await self.nursery.start(_held, running_platform(*roles))
        made = await self.admin.post("/api/v1/ocpi/partners", {"name": roles[0], "settings": settings})
        assert made.status_code == 201, made.text
        reply = await platform.register(made.json()["versions_url"], made.json()["token"])
        assert reply.ok, reply
        return platform

    async def add(self, identity: str, *, capabilities: tuple[str, ...] = CAPABILITIES) -> str:
        """A station with one EVSE at the location; gives the uid of the EVSE."""
        await self.site.add_station(identity)
        details = json.dumps({"capabilities": list(capabilities)})
        rows = await self.sql(
            "WITH s AS (UPDATE stations SET location_id = $2 WHERE identity = $1 RETURNING tenant_id, station_id), "
            "e AS (INSERT INTO evses (tenant_id, station_id, evse_id, roaming) SELECT tenant_id, station_id, 1, $3::json FROM s "
            "RETURNING tenant_id, station_id, evse_uid), "
            "c AS (INSERT INTO connectors (tenant_id, station_id, evse_id, connector_id) "
            "SELECT tenant_id, station_id, 1, 1 FROM e) "
            "SELECT evse_uid::text FROM e",
            identity,
            UUID(self.location_id),
            details,
        )
        self.evse_uids[identity] = rows[0]["evse_uid"]
        return self.evse_uids[identity]

    async def station(self, identity: str, version: str, *, boot: bool = True) -> LiveStation:
        """The station, connected until the end of the test."""
        behind: Station = await self.nursery.start(_held, self.site.station(identity, versions=[version]))
        station = LiveStation(behind)
        self.nursery.start_soon(_until_closed, station)
        if boot:
            await station.boot()
        return station

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return await self.hub.sql(statement, *arguments)

    async def commands(self, **fields: str) -> list[dict[str, Any]]:
        """Rows of ocpi_commands with these values, the oldest first."""
        rows = await self.sql("SELECT * FROM ocpi_commands ORDER BY ocpi_command_id")
        return [row for row in rows if all(row[name] == value for name, value in fields.items())]

    async def settled(self) -> None:
        """Until nothing is to be done for any command over OCPI."""

        async def look() -> bool:
            return not [row for row in await self.commands() if row["status"] in ("asked", "waiting", "delivering")]

        await self.until(look, "nothing is open")

    async def until(self, look: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
        """Until the asynchronous `look` gives something true."""
        with trio.move_on_after(seconds):
            while True:
                if found := await look():
                    return found
                await trio.sleep(0.03)
        raise AssertionError(f"not within {seconds} s: {what}")

    async def switch_on(self, **settings: Any) -> None:
        """Have parties asked about tokens."""
        answer = await self.admin.put("/api/v1/external-authorization", {"via": "ocpi", **settings})
        assert answer.status_code == 200, answer.text
        await self.refresh()

    async def refresh(self) -> None:
        await refresh_tenants(self.site.store.gateway, self.site.services.tenants)
        await refresh_tenants(self.hub.store.gateway, self.hub.services.tenants)

    async def session_of(self, token: str) -> dict[str, Any]:
        async def look() -> list[dict[str, Any]]:
            return await self.sql("SELECT * FROM sessions WHERE lower(id_token) = lower($1) ORDER BY session_id DESC", token)

        found: list[dict[str, Any]] = await self.until(look, f"a session of {token}")
        return found[0]

    def start_body(self, token: Document, **members: Any) -> Document:
        return {"token": token, "location_id": self.location_id, **members}


async def _held(context: AbstractAsyncContextManager[Any], *, task_status: trio.TaskStatus[Any]) -> None:
    """Fixtures and tests are different tasks: what a test opens is kept open by a task of its own."""
    async with context as opened:
        task_status.started(opened)
        await trio.sleep_forever()


async def _until_closed(station: LiveStation) -> None:
    try:
        await station.run()
    except ConnectionClosed:
        pass


@asynccontextmanager
async def open_street(dsn: str, secret: RootSecret, nursery: trio.Nursery) -> AsyncIterator[Street]:
    async with (
        running(dsn) as site,
        running_hub(dsn, secret, nursery, bus=site.bus, CSMS_OUTGOING_PRIVATE="1") as hub,
        trio.open_nursery() as stations,
    ):
        street = Street(site, hub, await hub.admin(), stations)
        for role in ("cpo", "emsp"):
            made = await street.admin.put(f"/api/v1/ocpi/parties/nl/own/{role}", {"business_details": {"name": "Own"}})
            assert made.status_code == 200, made.text
        place = {"name": "Street", "address": "Way 1", "city": "Delft", "country": "NL", "latitude": 52.0, "longitude": 4.3}
        location = await street.admin.post("/api/v1/locations", place)
        assert location.status_code == 201, location.text
        street.location_id = location.json()["location_id"]
        yield street
        stations.cancel_scope.cancel()
