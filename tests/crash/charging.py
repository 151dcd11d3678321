"""Charging stations that measure, queue and repeat as real ones do, and keep account of what was acknowledged."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import trio

from tests.crash.wire import Closed, Refused, Wire

VERSIONS = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
READINGS = (2, 8)  # in a transaction, between its start and its end: least and most
STEP_WH = 11
CONNECT_TIMEOUT = 15.0
BACK_OFF = (0.1, 0.5)  # seconds before the next connection: the least, and a random share of the most
LONGEST_BACK_OFF = 3.0
SHARED_BY = 10  # stations that the same token is used at

_numbers = count(1)

Kind = Literal["boot", "authorize", "status", "security", "start", "reading", "stop"]


@dataclass(slots=True, eq=False)
class Transaction:
    """One real charge. The numbers are what must be found afterwards, once."""

    start_wh: int
    began: datetime
    stop_wh: int = 0
    transaction_id: str | None = None
    readings: list[tuple[str, int]] = field(default_factory=list)
    """Time and register of what was acknowledged."""
    acknowledged_events: int = 0
    """Of those that a session keeps: 1.6 its start and stop, 2.x every one."""
    started: bool = False
    complete: bool = False


@dataclass(slots=True, eq=False)
class Message:
    """What a station has to tell, until it is answered; `reading` is the meter's register that it carries."""

    kind: Kind
    action: str
    payload: dict[str, Any]
    transaction: Transaction | None = None
    reading: tuple[str, int] | None = None
    number: int = field(default_factory=lambda: next(_numbers))
    sent: int = 0
    answer: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Counts:
    """What a station saw; `times` are those of its Trio clock."""

    sent: int = 0
    acknowledged: int = 0
    repeated: int = 0
    """Frames that were sent again because the one before got no answer."""
    timed_out: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    """HTTP statuses of handshakes."""
    closed: list[tuple[float, int]] = field(default_factory=list)
    """When, and the close code, that connections were ended by the other side."""
    acknowledged_at: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """CALLERRORs, but for Authorize: the store may be away (rule D2)."""
    unequal: list[str] = field(default_factory=list)
    """Repeats that were answered otherwise than the first time (rules D4, X3, Y6)."""


@dataclass(slots=True, eq=False)
class Station:
    """Charges without end. The meter goes on whatever the network does; each message is sent until it is answered, in order."""

    identity: str
    version: str
    chance: Random
    pause: float  # seconds between two messages
    token: str
    patience: float  # seconds until an answer is given up
    transactions: list[Transaction] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    security_events: set[str] = field(default_factory=set)
    status: tuple[str, str] | None = None
    """The last acknowledged StatusNotification: its time and status."""
    _paused: bool = False
    _queue: deque[Message] = field(default_factory=deque)
    _next_due: float = 0.0
    _calling: bool = False
    _last_acknowledged: Message | None = None

    async def run(self, url: str) -> None:
        """Until cancelled."""
        address = urlsplit(url)
        assert address.port is not None
        path = f"{address.path.rstrip('/')}/{quote(self.identity, safe='')}"
        script = self._script()
        self._queue.append(self._boot())
        self._next_due = trio.current_time() + self.pause * self.chance.random()
        failures = 0
        while True:
            try:
                wire = await Wire.connect(address.port, path, self.version, timeout=CONNECT_TIMEOUT)
            except Refused as refused:
                self.counts.refused[refused.status] += 1
                failures += 1
            else:
                failures = 0
                try:
                    await self._charge_on(wire, script)
                except Closed as closed:
                    self.counts.closed.append((trio.current_time(), closed.code))
                except trio.TooSlowError:
                    self.counts.timed_out += 1
                finally:
                    wire.abort()
            least, more = BACK_OFF
            await trio.sleep(min(LONGEST_BACK_OFF, (least + more * self.chance.random()) * 2**failures))

    def pause_meter(self) -> None:
        """Measure nothing more; what is queued is still told."""
        self._paused = True

    def resume_meter(self) -> None:
        if self._paused:
            self._paused = False
            self._next_due = trio.current_time() + self.pause * self.chance.random()

    @property
    def idle(self) -> bool:
        """Paused, and all it had to tell is acknowledged."""
        return self._paused and not self._queue and not self._calling

    async def _charge_on(self, wire: Wire, script: Iterator[Message]) -> None:
        """Tell what there is to tell. Raises Closed; TooSlowError when an answer does not come."""
        if self.chance.random() < 0.1:
            await self._exchange(wire, self._boot())
        if self.chance.random() < 0.5:
            await self._repeat(wire)
        while True:
            self._measure(script)
            if self._queue:
                await self._deliver(wire, self._queue[0])
                self._queue.popleft()
            else:
                wait = 0.5 if self._paused else max(0.0, self._next_due - trio.current_time())
                await self._listen(wire, wait)

    def _measure(self, script: Iterator[Message]) -> None:
        while not self._paused and trio.current_time() >= self._next_due:
            self._next_due += self.pause * self.chance.uniform(0.5, 1.5)
            self._queue.append(next(script))

    async def _deliver(self, wire: Wire, message: Message) -> None:
        """Send a message of the queue and note what its answer means."""
        message.answer = await self._exchange(wire, message)
        transaction = message.transaction
        if message.kind == "status":
            self.status = (message.payload["timestamp"], message.payload.get("status") or message.payload["connectorStatus"])
        elif message.kind == "security":
            self.security_events.add(message.payload["techInfo"])
        if transaction is None:
            return
        self._last_acknowledged = message
        if message.kind == "start":
            transaction.started = True
            if self.version == "ocpp1.6":
                transaction.transaction_id = str(message.answer["transactionId"])
        if message.reading is not None:
            transaction.readings.append(message.reading)
        if self.version != "ocpp1.6" or message.kind != "reading":
            transaction.acknowledged_events += 1
        if message.kind == "stop":
            transaction.complete = True

    async def _repeat(self, wire: Wire) -> None:
        """Send what was acknowledged before once more, as a station that lost the answer with its power."""
        message = self._last_acknowledged
        if message is None:
            return
        again = await self._exchange(wire, message)
        if again != message.answer:
            self.counts.unequal.append(f"{self.identity} {message.action}: {message.answer}, repeated: {again}")

    async def _exchange(self, wire: Wire, message: Message) -> dict[str, Any]:
        """One CALL. Raises Closed, TooSlowError; a CALLERROR is noted, and the message comes again on the next connection."""
        counts = self.counts
        payload = message.payload
        if "transactionId" in payload and message.transaction is not None and message.transaction.transaction_id is not None:
            payload = {**payload, "transactionId": int(message.transaction.transaction_id)}
        # a repeat comes with the same id from some stations and with a new one from others (ocpp-j-rules section 4)
        if message.sent:
            counts.repeated += 1
        attempt = self.chance.randrange(10**9) if self.chance.random() < 0.5 else 0
        message_id = f"{message.number}-{attempt}"
        message.sent += 1
        counts.sent += 1
        self._calling = True
        try:
            with trio.fail_after(self.patience):
                await wire.send(json.dumps([2, message_id, message.action, payload], separators=(",", ":")).encode())
                while True:
                    frame = json.loads(await wire.receive())
                    if frame[0] == 2:
                        await self._obey(wire, frame)
                    elif frame[1] == message_id:
                        break
        finally:
            self._calling = False
        if frame[0] == 4:
            if message.kind == "authorize":
                return {}  # the station decides by itself
            counts.errors.append(f"{self.identity} {message.action}: {frame[2:4]}")
            raise Closed(0)
        counts.acknowledged += 1
        counts.acknowledged_at.append(trio.current_time())
        answer: dict[str, Any] = frame[2]
        return answer

    async def _listen(self, wire: Wire, seconds: float) -> None:
        with trio.move_on_after(seconds):
            while True:
                frame = json.loads(await wire.receive())
                if frame[0] == 2:
                    await self._obey(wire, frame)

    async def _obey(self, wire: Wire, call: list[Any]) -> None:
        """Answer the questions about sessions in doubt truly (rule Y8), and refuse anything else."""
        _, message_id, action, payload = call
        if action != "GetTransactionStatus":
            await wire.send(json.dumps([4, message_id, "NotSupported", "", {}]).encode())
            return
        asked = payload.get("transactionId")
        running = any(t.transaction_id == asked and not t.complete for t in self.transactions)
        status = {"messagesInQueue": bool(self._queue), "ongoingIndicator": running}
        await wire.send(json.dumps([3, message_id, status]).encode())

    def _script(self) -> Iterator[Message]:
        register = self.chance.randrange(1_000_000)
        for number in count(1):
            transaction = Transaction(register, datetime.now(UTC))
            self.transactions.append(transaction)
            if self.version == "ocpp1.6":
                yield from self._charge16(transaction)
            else:
                yield from self._charge2x(transaction, f"{self.identity}-{number}")
            register = transaction.stop_wh + 1

    def _boot(self) -> Message:
        if self.version == "ocpp1.6":
            return Message("boot", "BootNotification", {"chargePointVendor": "Crash", "chargePointModel": "C"})
        station = {"vendorName": "Crash", "model": "C"}
        return Message("boot", "BootNotification", {"chargingStation": station, "reason": "PowerUp"})

    def _charge16(self, transaction: Transaction) -> Iterator[Message]:
        if self.chance.random() < 0.3:
            yield Message("authorize", "Authorize", {"idTag": self.token})
        yield self._status16("Charging")
        start = {"connectorId": 1, "idTag": self.token, "meterStart": transaction.start_wh, "timestamp": now()}
        yield Message("start", "StartTransaction", start, transaction)
        register = transaction.start_wh
        for _ in range(self.chance.randint(*READINGS)):
            timestamp, register = now(), register + STEP_WH
            payload = {
                "connectorId": 1,
                "transactionId": None,  # known once the start was answered
                "meterValue": [{"timestamp": timestamp, "sampledValue": [{"value": str(register)}]}],
            }
            yield Message("reading", "MeterValues", payload, transaction, (timestamp, register))
        transaction.stop_wh = register
        stop = {"transactionId": None, "meterStop": register, "timestamp": now()}
        yield Message("stop", "StopTransaction", stop, transaction)
        yield self._status16("Available")

    def _charge2x(self, transaction: Transaction, name: str) -> Iterator[Message]:
        transaction.transaction_id = name
        if self.chance.random() < 0.3:
            yield Message("authorize", "Authorize", {"idToken": {"idToken": self.token, "type": "ISO14443"}})
        if self.chance.random() < 0.3:
            event = {"type": "SettingSystemTime", "timestamp": now(), "techInfo": f"{name}: time set"}
            yield Message("security", "SecurityEventNotification", event)
        yield self._status2x("Occupied")
        started = {"idToken": {"idToken": self.token, "type": "ISO14443"}, "evse": {"id": 1, "connectorId": 1}}
        register = transaction.start_wh
        yield self._event("start", "Started", "Authorized", 0, transaction, register, **started)
        readings = self.chance.randint(*READINGS)
        for seq_no in range(1, readings):
            register += STEP_WH
            yield self._event("reading", "Updated", "MeterValuePeriodic", seq_no, transaction, register)
        register += STEP_WH
        transaction.stop_wh = register
        yield self._event("stop", "Ended", "EVDeparted", readings, transaction, register)
        yield self._status2x("Available")

    def _status16(self, status: str) -> Message:
        payload = {"connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": now()}
        return Message("status", "StatusNotification", payload)

    def _status2x(self, status: str) -> Message:
        payload = {"timestamp": now(), "connectorStatus": status, "evseId": 1, "connectorId": 1}
        return Message("status", "StatusNotification", payload)

    @staticmethod
    def _event(
        kind: Kind, event_type: str, trigger: str, seq_no: int, transaction: Transaction, register: int, **more: Any
    ) -> Message:
        timestamp = now()
        payload = {
            "eventType": event_type,
            "timestamp": timestamp,
            "triggerReason": trigger,
            "seqNo": seq_no,
            "transactionInfo": {"transactionId": transaction.transaction_id},
            "meterValue": [{"timestamp": timestamp, "sampledValue": [{"value": register}]}],
            **more,
        }
        return Message(kind, "TransactionEvent", payload, transaction, (timestamp, register))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def fleet(size: int, seed: int, *, pause: float, patience: float = 35.0) -> list[Station]:
    """Stations of all versions, in turns."""
    return [
        Station(
            f"CRASH-{number:04d}",
            VERSIONS[number % len(VERSIONS)],
            Random(f"{seed}/{number}"),
            pause,
            f"CRASH-{number // SHARED_BY}",
            patience,
        )
        for number in range(1, size + 1)
    ]
