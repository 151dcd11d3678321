"""A charging station of OCPP 2.0.1 in the hand of a certification case. What it reports is looked up in the records at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.conformance.scene import DEFAULT, OCPP201, Order, Scene, at
from tests.conformance.wire import Station

ACCEPTED = {"status": "Accepted"}
REJECTED = {"status": "Rejected"}
_numbers = count(1)


@dataclass(slots=True)
class ChargingStation:
    """Connected and accepted."""

    scene: Scene
    station: Station
    tenant: str = DEFAULT

    @property
    def identity(self) -> str:
        return self.station.identity

    @property
    def card(self) -> str:
        """A card of its own: a token that charges elsewhere at the same time would be ConcurrentTx."""
        return f"CARD-{self.identity}"

    @property
    def api(self) -> Any:
        return self.scene.apis[self.tenant]

    def call(self, action: str, payload: dict[str, Any]) -> Any:
        return self.station.call(action, payload)

    def tells(self, action: str, payload: dict[str, Any]) -> None:
        """Send a message that is only taken note of."""
        assert self.call(action, payload) == {}

    def record(self) -> Any:
        return self.api.get(f"/chargepoints/{self.identity}")

    def session(self) -> Any:
        """The one session of the charging station."""
        (session,) = self.api.sessions(self.identity)
        return session

    def has_no_session(self) -> bool:
        return not self.api.sessions(self.identity)

    def events(self, kind: str, command: Any = None) -> list[Any]:
        """What the station told, of one kind, oldest first; with a command: what followed it."""
        rows = self.scene.rows(
            "SELECT e.data FROM station_events e JOIN stations s USING (tenant_id, station_id)"
            " WHERE s.identity = $1 AND e.type = $2 AND ($3::text IS NULL OR e.command_id::text = $3) ORDER BY e.event_id",
            self.identity,
            kind,
            None if command is None else command["command_id"],
        )
        return [json.loads(row["data"]) for row in rows]

    def variables(self) -> dict[tuple[str, str], Any]:
        """The values of the device model as recorded, by component and variable."""
        rows = self.scene.rows(
            "SELECT component, variable, value FROM device_variables JOIN stations USING (tenant_id, station_id)"
            " WHERE identity = $1",
            self.identity,
        )
        return {(row["component"], row["variable"]): row["value"] for row in rows}

    # --- what the station says

    def status(self, status: str, evse: int = 1, connector: int = 1) -> None:
        """Report a connector's status, and see it in the record."""
        self.tells("StatusNotification", {"timestamp": at(), "connectorStatus": status, "evseId": evse, "connectorId": connector})
        (found,) = [c for c in self.record()["connectors"] if (c["evse_id"], c["connector_id"]) == (evse, connector)]
        assert found["status"] == status

    def authorize(self, token: str, kind: str = "ISO14443") -> Any:
        """Show a card; gives the idTokenInfo."""
        answer = self.call("Authorize", {"idToken": {"idToken": token, "type": kind}})
        assert answer.keys() == {"idTokenInfo"}
        return answer["idTokenInfo"]

    def transaction(self, evse: int = 1) -> Transaction:
        return Transaction(self, f"TX-{next(_numbers)}", evse)

    def charging(self, card: str | None = None, evse: int = 1) -> Transaction:
        """A transaction that was started with a card and charges."""
        card = card or self.card
        self.status("Occupied", evse)
        transaction = self.transaction(evse)
        transaction.started("CablePluggedIn", state="EVConnected")
        transaction.updated("Authorized", token=card)
        transaction.updated("ChargingStateChanged", state="Charging")
        return transaction

    def reboot(self, reason: str = "RemoteReset", **facts: str) -> None:
        """Go away, come back and boot, with these facts of the charging station beside its model."""
        self.station.wire.close()
        self.station = self.scene.connect(self.identity, tenant=self.tenant)
        itself = {"model": "V", "vendorName": "Vectors", **facts}
        booted = self.call("BootNotification", {"reason": reason, "chargingStation": itself})
        assert booted["status"] == "Accepted"
        assert self.record()["boot_reason"] == reason

    # --- what the CSMS orders

    def ordered(self, action: str, payload: dict[str, Any], answer: dict[str, Any], outcome: str = "accepted") -> Any:
        """A raw order arrives as it was given; the answer is what the API tells whoever gave it. Gives the command."""
        return self.takes(self.scene.order(self.station, action, payload, tenant=self.tenant), action, payload, answer, outcome)

    def takes(self, order: Order, action: str, payload: dict[str, Any], answer: dict[str, Any], outcome: str = "accepted") -> Any:
        """The CALL is this one; the answer is what the API tells whoever ordered it. Gives the command."""
        assert (order.action, order.payload) == (action, payload)
        command = order.answer(answer)
        assert (command["status"], command["result"]) == (outcome, answer)
        return command

    def order(self, command: str, **parameters: object) -> Order:
        """Order a command in the product's own terms."""
        return self.scene.command(self.station, command, tenant=self.tenant, **parameters)

    def token(self, token: str, **facts: object) -> str:
        """Enter a token."""
        self.api.post("/id-tokens", {"id_token": token, **facts})
        return token


@dataclass(slots=True)
class Transaction:
    """A transaction of the station: every event is answered as the standard says and recorded in one session."""

    station: ChargingStation
    id: str
    evse: int = 1
    meter: int = 1000
    events: int = 0
    _told: set[str] = field(default_factory=set)

    def event(
        self,
        kind: str,
        trigger: str,
        *,
        token: str | None = None,
        info: str = "Accepted",
        evse: bool = True,
        samples: list[dict[str, Any]] | None = None,
        when: float = 0.0,
        offline: bool = False,
        priced: bool = False,
        **transaction: object,
    ) -> Any:
        """Send one event; gives the answer. `info` is the status that the token must be answered with; `priced`: a cost is told."""
        request: dict[str, Any] = {
            "eventType": kind,
            "timestamp": at(when),
            "triggerReason": trigger,
            "seqNo": self.events,
            "transactionInfo": {"transactionId": self.id, **transaction},
        }
        if evse and "evse" not in self._told:
            self._told.add("evse")
            request["evse"] = {"id": self.evse, "connectorId": 1}
        if token is not None:
            request["idToken"] = {"idToken": token, "type": "ISO14443"}
        if samples is not None:
            request["meterValue"] = [{"timestamp": at(when), "sampledValue": samples}]
        if offline:
            request["offline"] = True
        self.events += 1
        answer = self.station.call("TransactionEvent", request)
        assert answer.keys() == ({"idTokenInfo"} if token is not None else set()) | ({"totalCost"} if priced else set())
        if token is not None:
            assert answer["idTokenInfo"]["status"] == info
        return answer

    def register(self, context: str, wh: int = 250) -> list[dict[str, Any]]:
        """A reading of the energy register, which has moved on."""
        self.meter += wh
        value = {"value": self.meter, "measurand": "Energy.Active.Import.Register", "context": context}
        return [{**value, "unitOfMeasure": {"unit": "Wh"}}]

    def started(self, trigger: str, *, state: str | None = None, token: str | None = None, **more: Any) -> Any:
        samples = self.register("Transaction.Begin", 0)
        answer = self.event("Started", trigger, token=token, samples=samples, **_state(state), **more)
        assert self.session()["status"] == "active"
        return answer

    def updated(self, trigger: str, *, state: str | None = None, token: str | None = None, **more: Any) -> Any:
        answer = self.event("Updated", trigger, token=token, **_state(state), **more)
        if state is not None:
            assert self.session()["charging_state"] == state
        return answer

    def ended(self, trigger: str, reason: str | None = None, *, token: str | None = None, **more: Any) -> None:
        """The end; the session is completed with the energy of the meter."""
        stopped: dict[str, Any] = {} if reason is None else {"stoppedReason": reason}
        begun = self.session()["start_meter_wh"]
        self.event("Ended", trigger, token=token, samples=self.register("Transaction.End"), **stopped, **more)
        session = self.session()
        assert (session["status"], session["stop_reason"]) == ("completed", reason or "Local")
        assert session["energy_wh"] == self.meter - begun
        assert session["event_count"] == self.events

    def session(self) -> Any:
        (session,) = [s for s in self.station.api.sessions(self.station.identity) if s["transaction_id"] == self.id]
        return session


def _state(state: str | None) -> dict[str, Any]:
    return {} if state is None else {"chargingState": state}


def charging_station(scene: Scene, tenant: str = DEFAULT) -> ChargingStation:
    """A new charging station with one free EVSE."""
    station = ChargingStation(scene, scene.station(tenant=tenant), tenant)
    station.status("Available")
    return station


__all__ = ["ACCEPTED", "OCPP201", "REJECTED", "ChargingStation", "Transaction", "charging_station"]
