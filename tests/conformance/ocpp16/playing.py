"""A charge point of OCPP 1.6 in the hand of a certification case. What it reports is looked up in the records at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.scene import DEFAULT, OCPP16, Order, Scene, at
from tests.conformance.wire import Station


@dataclass(slots=True)
class ChargePoint:
    """Connected and accepted."""

    scene: Scene
    station: Station
    tenant: str = DEFAULT
    _meter: int = field(default=1000)

    @property
    def identity(self) -> str:
        return self.station.identity

    @property
    def card(self) -> str:
        """A card of its own: a token that charges elsewhere at the same time would be ConcurrentTx."""
        return f"CARD-{self.identity}"

    def call(self, action: str, payload: dict[str, Any]) -> Any:
        return self.station.call(action, payload)

    def record(self) -> Any:
        return self.scene.apis[self.tenant].get(f"/chargepoints/{self.identity}")

    def session(self) -> Any:
        """The one session of the charge point."""
        (session,) = self.scene.apis[self.tenant].sessions(self.identity)
        return session

    def has_no_session(self) -> bool:
        return self.scene.apis[self.tenant].sessions(self.identity) == []

    def events(self, kind: str) -> list[Any]:
        """What the charge point told, of one kind, oldest first."""
        rows = self.scene.rows(
            "SELECT e.data FROM station_events e JOIN stations s USING (tenant_id, station_id)"
            " WHERE s.identity = $1 AND e.type = $2 ORDER BY e.event_id",
            self.identity,
            kind,
        )
        return [json.loads(row["data"]) for row in rows]

    # --- what the charge point says

    def status(self, connector: int, status: str, error_code: str = "NoError", **more: object) -> None:
        """Report a connector's status, and see it in the record."""
        now = {"connectorId": connector, "errorCode": error_code, "status": status, "timestamp": at(), **more}
        assert self.call("StatusNotification", now) == {}
        shown = self.record()
        if connector == 0:
            assert (shown["station_status"], shown["station_error_code"]) == (status, error_code)
            return
        (found,) = [c for c in shown["connectors"] if c["connector_id"] == connector]
        assert (found["status"], found["error_code"]) == (status, error_code)

    def authorize(self, tag: str) -> Any:
        """Show a card; gives the idTagInfo."""
        answer = self.call("Authorize", {"idTag": tag})
        assert answer.keys() == {"idTagInfo"}
        return answer["idTagInfo"]

    def start(self, tag: str, connector: int = 1, *, status: str = "Accepted", when: float = 0.0, **more: object) -> int:
        """Start a transaction; gives its id."""
        request = {"connectorId": connector, "idTag": tag, "meterStart": self._meter, "timestamp": at(when), **more}
        answer = self.call("StartTransaction", request)
        assert answer["idTagInfo"]["status"] == status
        transaction: int = answer["transactionId"]
        assert transaction > 0
        return transaction

    def meter(self, transaction: int, connector: int = 1, wh: int = 250) -> None:
        """Report a reading of the running transaction."""
        self._meter += wh
        value = {"value": str(self._meter), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        reading = {"timestamp": at(), "sampledValue": [value]}
        request = {"connectorId": connector, "transactionId": transaction, "meterValue": [reading]}
        assert self.call("MeterValues", request) == {}

    def stop(self, transaction: int, reason: str | None, tag: str | None = None, *, when: float = 0.0) -> None:
        """Stop a transaction, and see its session completed with the energy of the meter."""
        self._meter += 500
        request: dict[str, Any] = {"transactionId": transaction, "meterStop": self._meter, "timestamp": at(when)}
        if reason is not None:
            request["reason"] = reason
        if tag is not None:
            request["idTag"] = tag
        answer = self.call("StopTransaction", request)
        assert answer.keys() == ({"idTagInfo"} if tag is not None else set())
        (session,) = [s for s in self.scene.apis[self.tenant].sessions(self.identity) if s["transaction_id"] == str(transaction)]
        assert (session["status"], session["stop_reason"]) == ("completed", reason or "Local")
        assert session["stop_meter_wh"] == self._meter
        assert session["energy_wh"] == self._meter - session["start_meter_wh"]

    def charging(self, tag: str, connector: int = 1) -> int:
        """A session that begins with the cable and is charging; gives the transaction's id."""
        self.status(connector, "Preparing")
        assert self.authorize(tag)["status"] == "Accepted"
        transaction = self.start(tag, connector)
        self.status(connector, "Charging")
        self.meter(transaction, connector)
        session = self.session()
        assert (session["status"], session["transaction_id"], session["id_tag"]) == ("active", str(transaction), tag)
        return transaction

    def ended(self, transaction: int, reason: str | None, tag: str | None = None, connector: int = 1) -> None:
        """The end of a session: the stop, the cable, the free connector."""
        self.stop(transaction, reason, tag)
        self.status(connector, "Finishing")
        self.status(connector, "Available")

    def reboot(self) -> None:
        """Go away, come back and boot."""
        self.station.wire.close()
        self.station = self.scene.station(self.identity, tenant=self.tenant)

    # --- what the central system orders

    def ordered(self, action: str, payload: dict[str, Any], answer: dict[str, Any], outcome: str = "accepted") -> None:
        """A raw order arrives as it was given; the answer is what the API tells whoever gave it."""
        self.takes(self.scene.order(self.station, action, payload, tenant=self.tenant), action, payload, answer, outcome)

    def takes(self, order: Order, action: str, payload: dict[str, Any], answer: dict[str, Any], outcome: str = "accepted") -> None:
        """The CALL is this one; the answer is what the API tells whoever ordered it."""
        assert (order.action, order.payload) == (action, payload)
        command = order.answer(answer)
        assert (command["status"], command["result"]) == (outcome, answer)

    def order(self, command: str, **parameters: object) -> Order:
        """Order a command in the product's own terms."""
        return self.scene.command(self.station, command, tenant=self.tenant, **parameters)

    def token(self, tag: str, **facts: object) -> str:
        """Enter a token."""
        self.scene.apis[self.tenant].post("/id-tokens", {"id_token": tag, **facts})
        return tag


def charge_point(scene: Scene, tenant: str = DEFAULT) -> ChargePoint:
    """A new charge point with one free connector."""
    point = ChargePoint(scene, scene.station(tenant=tenant), tenant)
    point.status(0, "Available")
    point.status(1, "Available")
    return point


__all__ = ["OCPP16", "ChargePoint", "at", "charge_point"]
