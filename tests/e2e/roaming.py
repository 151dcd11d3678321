"""An installation that roams, as whoever runs it sets it up: a hub, a CPO and an eMSP as tenants, two platforms of others."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.sync.client import connect

from tests.e2e.running import _START, Api, RunningServer
from tests.ocpi import documents
from tests.ocpi.documents import Document
from tests.ocpi.process import PlatformProcess

HUB, OURS_CPO, OURS_EMSP = ("NL", "HUB"), ("NL", "BBB"), ("NL", "CCC")
A, X = ("DE", "AAA"), ("BE", "XXX")
"""An eMSP and a CPO whose platforms are not ours."""
PASSWORD: Final = "a-password-of-stations"
PRICE: Final = 0.5
VERSIONS: Final = {"1.6": "CP16", "2.0.1": "CP201"}
CAPABILITIES: Final = ["REMOTE_START_STOP_CAPABLE", "RESERVABLE", "UNLOCK_CAPABLE", "CHARGING_PROFILE_CAPABLE", "RFID_READER"]


@dataclass
class Network:
    """`cpo` and `emsp` are the API as administrators of these tenants; `a` and `x` the platforms of the others."""

    server: RunningServer
    hub: Api
    cpo: Api
    emsp: Api
    a: PlatformProcess
    x: PlatformProcess
    location_id: str = ""
    evses: dict[str, Document] = field(default_factory=dict)
    """By the version that the station speaks, as platform A knows them."""

    def wait(self, look: Callable[[], Any], what: str, seconds: float = 15.0) -> Any:
        until = time.monotonic() + seconds
        while True:
            if found := look():
                return found
            assert time.monotonic() < until, f"{what}: not within {seconds} s\n{self.server.tail(3000)}"
            time.sleep(0.05)

    def evse_of(self, version: str) -> Document:
        """Where a command for the station goes: location, EVSE and connector."""
        evse = self.evses[version]
        return {"location_id": self.location_id, "evse_uid": evse["uid"], "connector_id": evse["connectors"][0]["id"]}

    def session_at_a(self, identifier: str) -> Document:
        found: Document = next((one for one in self.a.received("sessions") if one["id"] == identifier), {})
        return found

    def check_ours(self) -> dict[str, Any]:
        """What `csms ocpi check` says of our hub, with the token of A."""
        token = self.a.do("state")["token"]
        url = f"{self.server.http_url}/ocpi/versions"
        ran = subprocess.run(
            [sys.executable, "-c", _START, "ocpi", "check", url, "-", "--from", "-".join(A), "--private", "--json"],
            input=f"{token}\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        report: dict[str, Any] = json.loads(ran.stdout)
        assert ran.returncode == (0 if report["passed"] else 1), ran.stderr
        return report


@contextmanager
def roaming_network(server: RunningServer) -> Iterator[Network]:
    """All of it, connected, with a 1.6 and a 2.0.1 station online and told to everybody."""
    with ExitStack() as stack:
        stack.callback(lambda: print(server.tail(12_000)))  # shown when the test fails
        admin = stack.enter_context(server.api())
        for slug in ("cpo", "emsp"):
            boss = {"email": f"boss@{slug}.example", "password": "a password of bosses"}
            admin.post("/tenants", {"id": slug, "name": slug.upper(), "admin": boss})
        names = {"business_details": {"name": "Ours"}}
        admin.put("/ocpi/hub", {"country_code": HUB[0], "party_id": HUB[1], **names})
        hub, cpo, emsp = (stack.enter_context(server.api(slug)) for slug in ("hub", "cpo", "emsp"))
        cpo.put(f"/ocpi/parties/{OURS_CPO[0]}/{OURS_CPO[1]}/CPO", names)
        emsp.put(f"/ocpi/parties/{OURS_EMSP[0]}/{OURS_EMSP[1]}/EMSP", names)
        a = stack.enter_context(PlatformProcess(f"EMSP:{A[0]}:{A[1]}"))
        x = stack.enter_context(PlatformProcess(f"CPO:{X[0]}:{X[1]}"))
        network = Network(server, hub, cpo, emsp, a, x)
        _connect(network)
        _build(network)
        for version, identity in VERSIONS.items():
            stack.enter_context(simulated_station(server, version, identity))
        _see_them(network)
        yield network


def _connect(network: Network) -> None:
    """A registers at our hub with a token of ours; we register at X with one of theirs."""
    invited = network.hub.post("/ocpi/partners", {"name": "A"})
    reply = network.a.do("register", versions_url=invited["versions_url"], token=invited["token"])
    assert reply["code"] == 1000, reply
    partner = network.hub.post("/ocpi/partners", {"name": "X"})["partner"]["partner_id"]
    order = {"versions_url": network.x.versions_url, "token": network.x.do("offer")}
    registered = network.hub.post(f"/ocpi/partners/{partner}/register", order)
    assert registered["status"] == "connected", registered
    network.x.do("set", drives=True)
    network.x.do("own", module="locations", documents=[documents.location(owner=X)])
    for module, document in (("locations", documents.location(owner=X)), ("tariffs", documents.tariff(owner=X))):
        reply = network.x.do("push", module=module, document=document, to=HUB)
        assert reply["code"] == 1000, reply


def _build(network: Network) -> None:
    """What the CPO has: a location, a tariff, two stations and one for cards."""
    cpo = network.cpo
    place = {"address": "Market 1", "city": "Delft", "country": "NL", "latitude": 52.0116, "longitude": 4.3571}
    network.location_id = cpo.post("/locations", {"name": "Market", "time_zone": "Europe/Amsterdam", **place})["location_id"]
    energy = {"type": "ENERGY", "price": str(PRICE), "vat": "21", "step_size": 1}
    tariff = {"id": "T", "currency": "EUR", "elements": [{"price_components": [energy]}]}
    cpo.post("/tariffs", {"name": "Energy", "tariff": tariff})
    cpo.post("/tariff-assignments", {"tariff_id": "T"})
    for identity in (*VERSIONS.values(), "CARDS"):
        identity = identity if identity == "CARDS" else f"{identity}-00001"
        connector = {"evse_id": 1, "connector_id": 1, "type": "cType2", "max_power_w": 22_000}
        station = {"charge_point_id": identity, "location_id": network.location_id, "password": PASSWORD}
        cpo.post("/chargepoints", station | {"connectors": [connector]})
        cpo.put(f"/chargepoints/{identity}/evses/1/roaming", {"capabilities": CAPABILITIES, "emi3_evse_id": evse_id_of(identity)})


def evse_id_of(identity: str) -> str:
    """The eMI3 id on the station."""
    return f"NL*BBB*E{identity.replace('-', '*')}"


def _see_them(network: Network) -> None:
    """A is told of the location, and of its EVSEs when they can be used."""

    def look() -> bool:
        told = next((one for one in network.a.received("locations") if one["id"] == network.location_id), None)
        if told is None:
            return False
        free = {evse["evse_id"]: evse for evse in told["evses"] if evse["status"] == "AVAILABLE"}
        names = {version: evse_id_of(f"{prefix}-00001") for version, prefix in VERSIONS.items()}
        network.evses = {version: free[name] for version, name in names.items() if name in free}
        return len(network.evses) == len(VERSIONS)

    network.wait(look, "the EVSEs of both stations are AVAILABLE at A", 20)


@contextmanager
def simulated_station(server: RunningServer, version: str, prefix: str) -> Iterator[None]:
    """`csms simulate` with one station that only does what it is ordered."""
    options = {"--url": f"{server.ws_url}/cpo", "--version": version, "--prefix": prefix, "--password": PASSWORD}
    options |= {
        "--stations": "1",
        "--connectors": "1",
        "--sessions-per-day": "0",
        "--offline-per-day": "0",
        "--meter-interval": "1",
    }
    given = [part for pair in options.items() for part in pair]
    process = subprocess.Popen(
        [sys.executable, "-c", _START, "simulate", *given], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def show_card(server: RunningServer, id_tag: str) -> str:
    """Hold a card to the reader of the station CARDS (OCPP 1.6): what the station is told of it."""
    secret = base64.b64encode(f"CARDS:{PASSWORD}".encode()).decode()
    url = f"{server.ws_url}/cpo/CARDS"
    with connect(url, subprotocols=["ocpp1.6"], additional_headers={"Authorization": f"Basic {secret}"}) as socket:  # type: ignore[list-item]
        for number, (action, payload) in enumerate(
            [
                ("BootNotification", {"chargePointModel": "M", "chargePointVendor": "V"}),
                ("Authorize", {"idTag": id_tag}),
            ]
        ):
            socket.send(json.dumps([2, str(number), action, payload]))
            while (answer := json.loads(socket.recv(timeout=15)))[1] != str(number):
                assert answer[0] == 2, answer
        told: str = answer[2]["idTagInfo"]["status"]
        return told
