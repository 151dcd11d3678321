"""Charging stations that repeat as real ones do, and keep account of what they sent and what was acknowledged."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any

import trio

from csms.simulate.link import Answer, CallRefused, CallTimedOut, Link, LinkLost, LinkRefused, open_link
from csms.simulate.report import Ledger

READINGS = 5  # in a transaction, between its start and its end
STEP_WH = 11
ANSWER_TIMEOUT = 35.0  # seconds; longer than the server holds answers
Message = tuple[str, dict[str, Any]]
Script = Generator[Message, dict[str, Any], None]


@dataclass(slots=True)
class Transaction:
    """One real charge. The numbers are what must be found afterwards, once."""

    start_wh: int
    stop_wh: int = 0
    transaction_id: str | None = None
    readings: list[tuple[str, int]] = field(default_factory=list)
    complete: bool = False  # its last message was acknowledged


@dataclass(slots=True)
class Station:
    """Charges without end; a message that got no answer is sent again on the next connection, until it is answered."""

    identity: str
    version: str
    chance: Random
    pause: float  # seconds between two messages
    transactions: list[Transaction] = field(default_factory=list)
    connections: int = 0
    repeated: int = 0  # messages that were sent again because the first one got no answer
    refused: list[str] = field(default_factory=list)
    acknowledged_at: list[float] = field(default_factory=list)
    stopping: bool = False

    async def run(self, url: str) -> None:
        """Until `stopping`; a transaction that runs is finished first."""
        script = self._script()
        try:
            unanswered: Message | None = next(script)
            while unanswered is not None:
                try:
                    async with open_link(url, self.identity, self.version, None, Ledger()) as link:
                        self.connections += 1
                        unanswered = await self._charge_on(link, script, unanswered)
                except LinkRefused:
                    pass  # the server is down, or says that it cannot serve now
                await trio.sleep(self.chance.uniform(0.1, 0.6))
        finally:
            script.close()

    async def _charge_on(self, link: Link, script: Script, unanswered: Message | None) -> Message | None:
        """Send message after message until the link is lost; gives the one without an answer, None at the end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.serve, _obey_nothing)
            try:
                while unanswered is not None:
                    answer = await self._call(link, unanswered)
                    unanswered = _following(script, answer)
                    await trio.sleep(self.pause * self.chance.uniform(0.5, 1.5))
            except (LinkLost, CallTimedOut):
                self.repeated += 1
            except CallRefused as refused:
                self.refused.append(str(refused))
            nursery.cancel_scope.cancel()
        return unanswered

    async def _call(self, link: Link, message: Message) -> dict[str, Any]:
        action, payload = message
        # a repeat comes with the same id from some stations and with a new one from others (ocpp-j-rules section 4)
        stable = f"{len(self.transactions)}-{len(self.acknowledged_at)}"
        message_id = stable if self.chance.random() < 0.5 else f"{stable}-{self.chance.randrange(10**9)}"
        answer = await link.call(message_id, action, json.dumps(payload).encode(), ANSWER_TIMEOUT)
        self.acknowledged_at.append(trio.current_time())
        content: dict[str, Any] = json.loads(answer)
        return content

    def _script(self) -> Script:
        yield self._boot()
        register = self.chance.randrange(1_000_000)
        for number in count(1):
            if self.stopping:
                return
            transaction = Transaction(register)
            self.transactions.append(transaction)
            charge = self._charge16 if self.version == "ocpp1.6" else self._charge2x
            yield from charge(transaction, f"{self.identity}-{number}")
            transaction.complete = True
            register = transaction.stop_wh + 1

    def _boot(self) -> Message:
        if self.version == "ocpp1.6":
            return "BootNotification", {"chargePointVendor": "Crash", "chargePointModel": "C"}
        return "BootNotification", {"chargingStation": {"vendorName": "Crash", "model": "C"}, "reason": "PowerUp"}

    def _charge16(self, transaction: Transaction, name: str) -> Script:
        start = {"connectorId": 1, "idTag": "CRASH", "meterStart": transaction.start_wh, "timestamp": now()}
        answer = yield "StartTransaction", start
        transaction.transaction_id = str(answer["transactionId"])
        for _ in range(READINGS):
            timestamp, register = self._read(transaction)
            yield (
                "MeterValues",
                {
                    "connectorId": 1,
                    "transactionId": answer["transactionId"],
                    "meterValue": [{"timestamp": timestamp, "sampledValue": [{"value": str(register)}]}],
                },
            )
        transaction.stop_wh = transaction.readings[-1][1]
        stop = {"transactionId": answer["transactionId"], "meterStop": transaction.stop_wh, "timestamp": now()}
        yield "StopTransaction", stop

    def _charge2x(self, transaction: Transaction, name: str) -> Script:
        transaction.transaction_id = name
        transaction.readings.append((now(), transaction.start_wh))
        token = {"idToken": "CRASH", "type": "ISO14443"}
        yield self._event("Started", "Authorized", 0, transaction, idToken=token, evse={"id": 1, "connectorId": 1})
        for seq_no in range(1, READINGS):
            self._read(transaction)
            yield self._event("Updated", "MeterValuePeriodic", seq_no, transaction)
        self._read(transaction)
        transaction.stop_wh = transaction.readings[-1][1]
        yield self._event("Ended", "EVDeparted", READINGS, transaction)

    def _read(self, transaction: Transaction) -> tuple[str, int]:
        last = transaction.readings[-1][1] if transaction.readings else transaction.start_wh
        transaction.readings.append((now(), last + STEP_WH))
        return transaction.readings[-1]

    @staticmethod
    def _event(kind: str, trigger: str, seq_no: int, transaction: Transaction, **more: Any) -> Message:
        timestamp, register = transaction.readings[-1]
        return "TransactionEvent", {
            "eventType": kind,
            "timestamp": timestamp,
            "triggerReason": trigger,
            "seqNo": seq_no,
            "transactionInfo": {"transactionId": transaction.transaction_id},
            "meterValue": [{"timestamp": timestamp, "sampledValue": [{"value": register}]}],
            **more,
        }


def _following(script: Script, answer: dict[str, Any]) -> Message | None:
    try:
        return script.send(answer)
    except StopIteration:
        return None


VERSIONS = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")


def _obey_nothing(action: str, payload: bytes) -> Answer:
    return Answer(error="NotSupported")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def fleet(size: int, seed: int, *, pause: float) -> list[Station]:
    """Stations of all versions, in turns."""
    return [
        Station(f"CRASH-{number:03d}", VERSIONS[number % len(VERSIONS)], Random(f"{seed}/{number}"), pause)
        for number in range(1, size + 1)
    ]
