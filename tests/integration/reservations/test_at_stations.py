"""Reservations and limits down to simulated stations of every version, over a gateway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import trio

from csms.commands import CommandService
from csms.reservations import service
from csms.reservations.service import ReservationService, Token
from csms.simulate.options import Version
from csms.store import Connection
from csms.store.queries.reservations import OcpiKey, settle
from tests.integration.local_lists.harness import Network

PLACES = "/api/v1/reservations"


class Site:
    """One station, and what somebody does with it over the API."""

    def __init__(self, network: Network, identity: str) -> None:
        self.network = network
        self.identity = identity

    @property
    def holder(self) -> str:
        return f"H-{self.identity}"

    async def reserve(self, evse_id: int | None, *, token: str | None = None, seconds: float = 3600) -> httpx.Response:
        return await self.network.boss.post(
            PLACES,
            {
                "charge_point_id": self.identity,
                "id_token": token or self.holder,
                "expires_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(),
                **({} if evse_id is None else {"evse_id": evse_id}),
            },
        )

    async def kept(self, evse_id: int | None, **more: Any) -> int:
        """The number of a reservation that is made."""
        answer = await self.reserve(evse_id, **more)
        assert answer.status_code == 201, answer.text
        assert answer.json()["status"] == "active"
        return int(answer.json()["reservation_id"])

    async def refused(self, evse_id: int | None) -> str:
        answer = await self.reserve(evse_id)
        assert answer.status_code == 409, answer.text
        return str(answer.json()["type"]).removeprefix("urn:open-csms:problem:reservation-")

    async def order(self, command: str, **parameters: Any) -> dict[str, Any]:
        answer = await self.network.boss.post(
            f"/api/v1/chargepoints/{self.identity}/commands", {"command": command, "parameters": parameters}
        )
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    async def until_over(self, number: int, status: str) -> dict[str, Any]:
        """The reservation once it is no longer active; what nobody tells is found as the upkeep finds it."""

        async def look() -> dict[str, Any]:
            await self.network.hub.store.gateway.unit(lambda conn: settle(conn, 100))
            found: dict[str, Any] = (await self.network.boss.get(f"{PLACES}/{number}")).json()
            return found

        found: dict[str, Any] = await self.network.until(look, lambda view: view["status"] not in ("requested", "active"))
        assert found["status"] == status, found
        return found

    async def until_shown(self, evse_id: int, fits: Callable[[str], bool]) -> None:
        await self.network.until(
            lambda: self.network.sql(
                "SELECT k.status FROM connectors k JOIN stations s USING (tenant_id, station_id) "
                "WHERE s.identity = $1 AND k.evse_id = $2",
                self.identity,
                evse_id,
            ),
            lambda rows: bool(rows) and fits(rows[0]["status"]),
        )

    async def limit(self, evse_id: int, unit: str = "W") -> list[tuple[int, float]]:
        """What the station says that it will offer."""
        answer = await self.order("get_composite_schedule", evse_id=evse_id, duration_s=600, unit=unit)
        assert answer["status"] == "accepted", answer
        result = answer["result"]
        periods = (result.get("schedule") or result.get("chargingSchedule"))["chargingSchedulePeriod"]
        return [(period["startPeriod"], period["limit"]) for period in periods]


@pytest.fixture
async def sites(network: Network) -> list[Site]:
    """A station of each version, of two EVSEs."""
    found = []
    versions: tuple[tuple[str, Version], ...] = (("OLD", "1.6"), ("NEW", "2.0.1"), ("LAST", "2.1"))
    for prefix, version in versions:
        station = await network.station(prefix, version)
        site = Site(network, station.identity)
        await network.token(site.holder)
        for evse_id in (1, 2):
            await site.until_shown(evse_id, lambda status: status == "Available")
        found.append(site)
    return found


async def on_all(sites: list[Site], work: Callable[[Site], Any]) -> None:
    async with trio.open_nursery() as nursery:
        for site in sites:
            nursery.start_soon(work, site)


async def test_a_place_is_kept_and_used(network: Network, sites: list[Site]) -> None:
    async def keep_and_use(site: Site) -> None:
        first = await site.kept(1)
        await site.until_shown(1, lambda status: status == "Reserved")
        assert await site.refused(1) == "reserved"
        any_other = await site.kept(None)
        assert (await network.boss.get(f"{PLACES}/{any_other}")).json()["evse_id"] == 2
        assert await site.refused(None) == "reserved"
        # the place is for its holder alone, and his session tells that it was his
        assert (await site.order("remote_start", id_token="SOMEBODY", evse_id=1))["status"] == "rejected"
        assert (await site.order("remote_start", id_token=site.holder, evse_id=1))["status"] == "accepted"
        used = await site.until_over(first, "used")
        session = (await network.boss.get(f"/api/v1/sessions/{used['session_id']}")).json()
        assert (session["id_tag"], session["reservation_id"]) == (site.holder, first)
        # a station of 1.6 says that the place is taken after it said that the transaction began
        await site.until_shown(1, lambda status: status != "Reserved")
        assert await site.refused(1) == "occupied"
        assert (await network.boss.delete(f"{PLACES}/{first}")).status_code == 409
        cancelled = await network.boss.delete(f"{PLACES}/{any_other}")
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled"), cancelled.text
        await site.until_shown(2, lambda status: status == "Available")
        await limit(site, session)

    async def limit(site: Site, session: dict[str, Any]) -> None:
        """The limit lowers what this transaction draws, and that alone."""
        connector, other = network.stations[site.identity]._connectors
        own = connector.allowed_w(datetime.now(UTC))
        steps = [{"start": 0, "limit": 2000.5}, {"start": 300, "limit": 1000}]
        about = {"transaction_id": session["transaction_id"], "evse_id": 1, "unit": "W"}
        assert (await site.order("set_charging_profile", **about, periods=[{"start": 0, "limit": 500}]))["status"] == "accepted"
        # again: it takes the place of the other
        assert (await site.order("set_charging_profile", **about, periods=steps))["status"] == "accepted"
        schedule = await site.limit(1)
        assert [watts for _, watts in schedule] == [2000.5, 1000]
        assert (schedule[0][0], 290 <= schedule[1][0] <= 300) == (0, True)
        assert connector.sample().power_w <= 2001 < own <= other.allowed_w(datetime.now(UTC)) + own
        assert (await site.limit(1, "A"))[0][1] < 10
        await network.until(lambda: _power_of(network, session["session_id"]), lambda watts: watts is not None and watts <= 2001)
        assert (await site.order("clear_charging_profile", transaction_id=about["transaction_id"]))["status"] == "accepted"
        assert (await site.order("clear_charging_profile", transaction_id=about["transaction_id"]))["status"] == "rejected"
        assert await site.limit(1) == [(0, own)]
        everything = {"purpose": "ChargePointMaxProfile", "unit": "W", "start": datetime.now(UTC).isoformat()}
        answer = await site.order("set_charging_profile", **everything, periods=[{"start": 0, "limit": 0}])
        assert answer["status"] == "accepted", answer
        assert await site.limit(0) == [(0, 0)]
        if site.identity.startswith("OLD"):
            await site.until_shown(1, lambda status: status == "SuspendedEVSE")
        nothing = await site.order("set_charging_profile", **{**about, "transaction_id": "4711"}, periods=steps)
        assert nothing["status"] == "rejected"

    await on_all(sites, keep_and_use)
    told = await network.sql("SELECT type, count(*) FROM outbox WHERE type LIKE 'reservation.%' GROUP BY 1 ORDER BY 1")
    assert [tuple(row.values()) for row in told] == [
        ("reservation.cancelled", 3),
        ("reservation.made", 6),
        ("reservation.used", 3),
    ]


async def _power_of(network: Network, session_id: str) -> float | None:
    """The newest reading of power; the station is asked for one."""
    (session,) = await network.sql(
        "SELECT s.identity FROM sessions x JOIN stations s USING (tenant_id, station_id) WHERE session_id = $1::text::uuid",
        session_id,
    )
    message = "MeterValues" if session["identity"].startswith("OLD") else "TransactionEvent"
    await Site(network, session["identity"]).order("trigger_message", message=message, evse_id=1)
    samples = (await network.boss.get(f"/api/v1/sessions/{session_id}/samples")).json()["items"]
    powers = [(value["timestamp"], float(value["value"])) for value in samples if value["measurand"] == "Power.Active.Import"]
    return max(powers)[1] if powers else None


async def test_a_place_is_lost(network: Network, sites: list[Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SHORTEST", timedelta(seconds=0))

    async def lose(site: Site) -> None:
        expiring = await site.kept(1, seconds=1.5)
        removed = await site.kept(2)
        await site.until_shown(2, lambda status: status == "Reserved")
        await site.order("change_availability", type="inoperative", evse_id=2)
        assert (await site.until_over(removed, "cancelled"))["status_reason"] == "removed"
        await site.until_shown(2, lambda status: status == "Unavailable")
        assert await site.refused(2) == "unavailable"
        assert (await site.until_over(expiring, "expired"))["session_id"] is None
        await site.until_shown(1, lambda status: status == "Available")
        # cancelled at the station itself: it knows of no reservation any more
        gone = await site.kept(1)
        assert network.stations[site.identity].cancel_reservation(gone)
        answer = await network.boss.delete(f"{PLACES}/{gone}")
        assert (answer.status_code, answer.json()["status_reason"]) == (200, "unknown_to_station"), answer.text

    await on_all(sites, lose)
    await sites[0].network.sql("UPDATE stations SET connected_process = NULL WHERE identity = $1", sites[0].identity)
    assert await sites[0].refused(1) == "not-connected"


async def test_a_partner_replaces_his_reservation(network: Network, sites: list[Site]) -> None:
    hub = network.hub
    commands = CommandService(hub.store.hub, network.site.bus, hub.services.clock, hub.services.ids)
    network.nursery.start_soon(commands.run)
    places = ReservationService(hub.store.hub, commands, hub.services.clock, hub.services.ids)
    ((tenant,),) = [tuple(row.values()) for row in await network.sql("SELECT tenant_id FROM tenants WHERE slug = 'default'")]
    expires = datetime.now(UTC) + timedelta(minutes=30)

    async def replace(site: Site) -> None:
        key = OcpiKey(f"res-{site.identity}", "NL", "MSP")
        same = OcpiKey(key.reservation_id.upper(), "NL", "MSP")

        async def reserve(evse_id: int | None, ocpi: OcpiKey = key, identity: str = site.identity) -> service.Outcome:
            token = Token("NL-TNM-C00122045", "Central") if "OLD" not in site.identity else Token("TAG")
            return await places.reserve(tenant, identity, evse_id, token, expires, requested_by="ocpi", ocpi=ocpi)

        first = await reserve(1)
        assert first.reservation is not None
        assert (first.refused, first.reservation.status, first.reservation.evse_id) == (None, "active", 1)
        second = await reserve(2, same)
        assert second.reservation is not None
        assert second.reservation.reservation_id == first.reservation.reservation_id
        assert (second.reservation.evse_id, second.reservation.replacing) == (2, False)
        await site.until_shown(1, lambda status: status == "Available")
        assert (await reserve(7)).refused == "unknown_evse"
        assert (await reserve(2, OcpiKey("other", "NL", "MSP"))).refused == "reserved"
        found = await places.find(tenant, key)
        assert found is not None
        assert (found.status, found.evse_id) == ("active", 2)
        ended = await places.cancel(tenant, same, requested_by="ocpi")
        assert ended.reservation is not None
        assert (ended.refused, ended.reservation.status_reason, ended.reservation.cancelled_by) == (None, "ordered", "ocpi")
        assert (await places.cancel(tenant, key, requested_by="ocpi")).refused == "over"
        assert (await places.cancel(tenant, OcpiKey("none", "NL", "MSP"), requested_by="ocpi")).refused == "unknown_reservation"

    await on_all(sites, replace)
    # to another station of the place: it is given up at the first
    moving = OcpiKey("moving", "NL", "MSP")
    for site in sites[:2]:
        outcome = await places.reserve(tenant, site.identity, 1, Token("TAG"), expires, requested_by="ocpi", ocpi=moving)
        assert outcome.reservation is not None
        assert (outcome.refused, outcome.reservation.charge_point_id) == (None, site.identity)
    await sites[0].until_shown(1, lambda status: status == "Available")

    # a station whose EVSEs are taken without our knowing of it is asked for the next one
    station = network.stations[sites[2].identity]
    await network.sql("UPDATE connectors SET status = 'Available'")
    station._connectors[0].state = "finishing"
    outcome = await places.reserve(tenant, sites[2].identity, None, Token("TAG", "Central"), expires, requested_by="ocpi")
    assert outcome.reservation is not None
    assert (outcome.refused, outcome.reservation.evse_id) == (None, 2)

    async def count(conn: Connection) -> int:
        return int(await conn.fetchval("SELECT count(*) FROM commands WHERE status <> 'accepted'"))

    assert await hub.store.gateway.unit(count) == 1
