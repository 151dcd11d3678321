"""Virtual charging stations that follow the retry rules of the standards (ocpp-j-rules section 8), honest but of many habits."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from typing import Any, Literal

import trio

from tests.simulation.network import Line, LineLost, Network, Refused
from tests.simulation.timing import EPOCH
from tests.simulation.truth import Message, Transaction

MESSAGE_TIMEOUT_S = 35.0
"""Longer than the server holds an answer."""
STEP_WH = 7


class Unanswered(Exception):
    """No answer in time, or an error."""


@dataclass(frozen=True)
class Habits:
    """How one make of station behaves where the standards leave it a choice."""

    version: str
    ids: Literal["fresh", "same", "counter"]
    """Message ids: a new one for each attempt, the same for a repeat, or a counter that begins anew at each boot."""
    connectors: int
    skew_s: float
    """How far its clock is ahead."""
    boots_on_reconnect: bool
    overtakes: bool
    """A message that got no answer waits behind the next one (2.x)."""
    forgetful: bool
    """A power loss takes the running transaction and what was not sent of it."""
    drops_start_after: int | None
    """OCPP 1.6: attempts after which an unanswered start is given up; its stop has transaction id -1."""
    thins_out: bool
    """Drops every second Updated event while offline (rule Y9)."""
    confused: bool
    """Now and then it stops a transaction that is not its own."""

    @staticmethod
    def draw(chance: Random) -> Habits:
        version = chance.choice(("ocpp1.6", "ocpp1.6", "ocpp2.0.1", "ocpp2.1"))
        connectors = chance.choice((1, 1, 2))
        forgetful = chance.random() < 0.25
        # transaction id -1 is understood where only one transaction can be meant (rule X5)
        impatient = version == "ocpp1.6" and connectors == 1 and not forgetful and chance.random() < 0.3
        return Habits(
            version=version,
            ids=chance.choice(("fresh", "same", "counter")),
            connectors=connectors,
            skew_s=chance.choice((0.0, 0.0, 0.0, 3600.0, -3600.0, 86_400.0)),
            boots_on_reconnect=chance.random() < 0.2,
            overtakes=version != "ocpp1.6" and chance.random() < 0.4,
            forgetful=forgetful,
            drops_start_after=3 if impatient else None,
            thins_out=version != "ocpp1.6" and chance.random() < 0.2,
            confused=version == "ocpp1.6" and chance.random() < 0.25,
        )


class Station:
    """One station: its meter, its queue of messages, its connection."""

    def __init__(
        self,
        tenant: str,
        identity: str,
        habits: Habits,
        network: Network,
        chance: Random,
        foreign: Callable[[], list[Transaction]],
        note: Callable[..., None],
    ) -> None:
        self.tenant = tenant
        self.identity = identity
        self.habits = habits
        self.transactions: list[Transaction] = []
        self.faults: list[str] = []
        """What the server did that it must not do."""
        self.errors: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()
        """CALLs that came, by message id."""
        self.stopping = False
        self.line: Line | None = None
        self._network = network
        self._chance = chance
        self._foreign = foreign
        self._note = note
        self._queue: deque[Message] = deque()
        self._notices: deque[tuple[str, dict[str, Any]]] = deque()
        self._more = trio.Event()
        self._counter = count(1)
        self._names = count(1)
        self._sequence: Counter[int] = Counter()
        self._registers = {connector: chance.randrange(1_000_000) for connector in range(1, habits.connectors + 1)}
        self._running: dict[int, Transaction] = {}
        self._stop_now: dict[int, trio.Event] = {}
        self._remote: dict[int, str] = {}
        self._booted = False
        self._pending: dict[str, tuple[trio.Event, list[Any]]] = {}
        self._silence = 0
        self._answered: dict[str, Message] = {}
        """Messages by the id they were last sent with: a repeated answer must be the same."""

    # -- what the plan and the oracle ask

    @property
    def idle(self) -> bool:
        return not self._queue and not self._running and not self._notices

    @property
    def reachable(self) -> bool:
        """Connected, and so is the gateway with it."""
        return self.line is not None and self.line.open

    @property
    def queued(self) -> int:
        return len(self._queue)

    def lose_power(self) -> None:
        """All that is not in flash is gone; a transaction that runs is ended at the next boot, or forgotten."""
        self._note("power_loss", self.identity)
        self._booted = False
        self._counter = count(1)
        self._notices.clear()
        for connector, transaction in list(self._running.items()):
            if self.habits.forgetful:
                transaction.abandoned = True
                for message in transaction.messages:
                    message.dropped = message.dropped or not message.acknowledged
                self._queue = deque(m for m in self._queue if m.transaction is not transaction)
                self._running.pop(connector)
            self._stop_now[connector].set()
        if self.line is not None:
            self.line.cut()

    # -- charging

    async def run(self) -> None:
        """Until cancelled. Once `stopping`, no transaction begins any more, and what runs is ended and told."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._communicate)
            for connector in self._registers:
                nursery.start_soon(self._charge, connector)
            if self.habits.confused:
                nursery.start_soon(self._confuse)

    async def _charge(self, connector: int) -> None:
        pause = self._chance.uniform(1, 20)
        while not self.stopping:
            stop = self._stop_now[connector] = trio.Event()
            with trio.move_on_after(pause):
                await stop.wait()
            pause = self._chance.uniform(2, 60)
            if self.stopping:
                return
            transaction = self._begin(connector)
            stop = self._stop_now[connector] = trio.Event()
            for _ in range(self._chance.randrange(1, 9)):
                with trio.move_on_after(self._chance.uniform(1, 12)):
                    await stop.wait()
                if stop.is_set() or transaction.abandoned:
                    break
                self._meter(transaction)
            if not transaction.abandoned:
                self._finish(transaction, "PowerLoss" if stop.is_set() and not self._booted else "Local")

    def _begin(self, connector: int) -> Transaction:
        transaction = Transaction(
            self.tenant,
            self.identity,
            self.habits.version,
            connector,
            f"{self.tenant}-TAG-{self._chance.randrange(4)}",
            self._registers[connector],
            remote=self._remote.pop(connector, None),
        )
        self.transactions.append(transaction)
        self._running[connector] = transaction
        timestamp = self._now()
        if self.habits.version == "ocpp1.6":
            body = {
                "connectorId": connector,
                "idTag": transaction.token,
                "meterStart": transaction.start_wh,
                "timestamp": timestamp,
            }
            self._keep(Message("start", "StartTransaction", transaction, lambda: body, transaction.start_wh, timestamp))
            self._tell_status(connector, "Charging")
        else:
            # numbered by each station for itself: others use the same ids
            transaction.ref = f"tx-{next(self._names)}"
            self._event(transaction, "Started", "Authorized", timestamp, transaction.start_wh, idToken=self._token(transaction))
        return transaction

    def _meter(self, transaction: Transaction) -> None:
        connector = transaction.connector_id
        self._registers[connector] += STEP_WH
        register, timestamp = self._registers[connector], self._now()
        transaction.readings.append((timestamp, register))
        if self.habits.version == "ocpp1.6":
            value = [{"timestamp": timestamp, "sampledValue": [{"value": str(register)}]}]
            self._keep(
                Message(
                    "meter",
                    "MeterValues",
                    transaction,
                    lambda: {"connectorId": connector, "transactionId": self._id_of(transaction), "meterValue": value},
                    register,
                    timestamp,
                )
            )
        else:
            self._event(transaction, "Updated", "MeterValuePeriodic", timestamp, register)

    def _finish(self, transaction: Transaction, reason: str) -> None:
        connector = transaction.connector_id
        self._registers[connector] += STEP_WH
        transaction.stop_wh = self._registers[connector]
        self._running.pop(connector)
        timestamp = self._now()
        if self.habits.version == "ocpp1.6":
            stop_wh = transaction.stop_wh
            self._keep(
                Message(
                    "stop",
                    "StopTransaction",
                    transaction,
                    lambda: {
                        "transactionId": self._id_of(transaction),
                        "meterStop": stop_wh,
                        "timestamp": timestamp,
                        "reason": reason,
                        "idTag": transaction.token,
                    },
                    stop_wh,
                    timestamp,
                )
            )
            self._tell_status(connector, "Available")
        else:
            trigger = "AbnormalCondition" if reason == "PowerLoss" else "EVDeparted"
            self._event(transaction, "Ended", trigger, timestamp, transaction.stop_wh, stopped=reason)

    def _event(
        self,
        transaction: Transaction,
        kind: str,
        trigger: str,
        timestamp: str,
        register: int,
        *,
        stopped: str | None = None,
        **more: Any,
    ) -> None:
        seq_no = self._sequence[transaction.connector_id]
        self._sequence[transaction.connector_id] += 1
        info: dict[str, Any] = {"transactionId": transaction.ref}
        if stopped is not None:
            info["stoppedReason"] = stopped
        body: dict[str, Any] = {
            "eventType": kind,
            "timestamp": timestamp,
            "triggerReason": trigger,
            "seqNo": seq_no,
            "transactionInfo": info,
            "meterValue": [{"timestamp": timestamp, "sampledValue": [{"value": register}]}],
            **more,
        }
        if kind == "Started":
            body["evse"] = {"id": transaction.connector_id, "connectorId": 1}
            if transaction.remote is not None:
                info["remoteStartId"] = int(transaction.remote)
                body["triggerReason"] = "RemoteStart"
        if self.line is None:
            body["offline"] = True
        self._keep(Message("event", "TransactionEvent", transaction, lambda: body, register, timestamp, seq_no))

    def _keep(self, message: Message) -> None:
        message.stable_id = f"{self.identity}-{self._chance.getrandbits(64):016x}"
        message.transaction.messages.append(message)
        self._queue.append(message)
        if self.habits.thins_out and self.line is None and len(self._queue) > 12:
            self._thin_out()
        self._more.set()

    def _thin_out(self) -> None:
        kept: deque[Message] = deque()
        for number, message in enumerate(self._queue):
            updated = message.kind == "event" and message.payload()["eventType"] == "Updated"
            if updated and number % 2 and not message.attempts:
                message.dropped = True
            else:
                kept.append(message)
        self._queue = kept

    def _id_of(self, transaction: Transaction) -> int:
        return -1 if transaction.ref is None else int(transaction.ref)

    def _token(self, transaction: Transaction) -> dict[str, str]:
        return {"idToken": transaction.token, "type": "ISO14443"}

    def _now(self) -> str:
        moment: datetime = EPOCH + timedelta(seconds=trio.current_time() + self.habits.skew_s)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    async def _confuse(self) -> None:
        while not self.stopping:
            await trio.sleep(self._chance.uniform(5, 40))
            others = [t for t in self._foreign() if t.identity != self.identity or t.tenant != self.tenant]
            if not others or self.stopping:
                continue
            victim = self._chance.choice(others)
            timestamp, register = self._now(), self._chance.randrange(10**6, 2 * 10**6)
            body = {"transactionId": int(victim.ref or 0), "meterStop": register, "timestamp": timestamp}
            nobodys = Transaction(self.tenant, self.identity, "ocpp1.6", 0, "", 0)
            self._keep(Message("foreign", "StopTransaction", nobodys, partial(dict, body), register, timestamp))

    # -- talking

    async def _communicate(self) -> None:
        wait = self._chance.uniform(0, 5)
        while True:
            await trio.sleep(wait)
            try:
                self.line = line = self._network.connect()
                await line.shake_hands(f"/ocpp/{self.tenant}/{self.identity}", self.habits.version)
            except Refused:
                self.line = None
                wait = min(20.0, max(1.0, wait * 2)) * self._chance.uniform(0.5, 1.0)
                continue
            wait = self._chance.uniform(0.2, 3.0)
            try:
                await self._use(line)
            finally:
                self.line = None

    async def _use(self, line: Line) -> None:
        async with trio.open_nursery() as nursery:
            self._pending = {}
            nursery.start_soon(self._listen, line, nursery.cancel_scope)
            try:
                if not self._booted or self.habits.boots_on_reconnect:
                    await self._boot(line)
                while True:
                    await self._send_next(line)
            except LineLost:
                pass
            nursery.cancel_scope.cancel()

    async def _boot(self, line: Line) -> None:
        if self.habits.version == "ocpp1.6":
            body: dict[str, Any] = {"chargePointVendor": "Sim", "chargePointModel": "S"}
        else:
            body = {"chargingStation": {"vendorName": "Sim", "model": "S"}, "reason": "PowerUp"}
        while True:
            try:
                answer = await self._call(line, self._fresh_id(), "BootNotification", body)
            except Unanswered:
                if line.lost:
                    raise LineLost from None
                continue
            if answer.get("status") == "Accepted":
                break
            await trio.sleep(min(float(answer.get("interval", 5)), 10.0))
        self._booted = True
        for connector in self._registers:
            self._tell_status(connector, "Charging" if connector in self._running else "Available")

    async def _send_next(self, line: Line) -> None:
        if self._notices and (not self._queue or self._chance.random() < 0.3):
            action, body = self._notices.popleft()
            try:
                await self._call(line, self._fresh_id(), action, body)
            except Unanswered:
                self._note("notice_unanswered", self.identity, action)
            return
        if not self._queue:
            self._more = trio.Event()
            with trio.move_on_after(self._chance.uniform(20, 60)) as quiet:
                await self._more.wait()
            if quiet.cancelled_caught and not line.lost:
                self._notices.append(("Heartbeat", {}))
            if line.lost:
                raise LineLost
            return
        message = self._queue[0]
        message.attempts += 1
        if message.transaction.ref is None and message.kind in ("meter", "stop"):
            # its start was given up
            message.transaction.messages[0].dropped = True
        try:
            answer = await self._call(line, self._id_for(message), message.action, message.payload(), message)
        except Unanswered as error:
            self.errors[str(error)] += 1
            self._after_failure(message)
            if not line.lost:
                await trio.sleep(self._chance.uniform(0.5, 5.0))
            return
        self._told(message, answer)

    def _told(self, message: Message, answer: dict[str, Any]) -> None:
        if message.kind == "start" and not message.dropped:
            message.transaction.ref = str(answer["transactionId"])
        if self._queue and self._queue[0] is message:
            self._queue.popleft()
        elif message in self._queue:
            self._queue.remove(message)

    def _after_failure(self, message: Message) -> None:
        patience = self.habits.drops_start_after
        if message not in self._queue:
            return
        if message.kind == "start" and patience is not None and message.attempts >= patience:
            message.dropped = True
            self._queue.remove(message)
        elif self.habits.overtakes and len(self._queue) > 1 and self._queue[0] is message and self._chance.random() < 0.5:
            self._queue.popleft()
            self._queue.insert(1, message)

    def _id_for(self, message: Message) -> str:
        if self.habits.ids == "same":
            return message.stable_id
        return self._fresh_id()

    def _fresh_id(self) -> str:
        if self.habits.ids == "counter":
            return str(next(self._counter))
        return f"{self._chance.getrandbits(96):024x}"

    async def _call(
        self, line: Line, message_id: str, action: str, body: dict[str, Any], message: Message | None = None
    ) -> dict[str, Any]:
        """The answer. Raises Unanswered, LineLost."""
        arrived, answer = trio.Event(), list[Any]()
        self._pending[message_id] = (arrived, answer)
        self._answered.pop(message_id, None)
        self._note("call", self.identity, action, message_id)
        line.send(json.dumps([2, message_id, action, body]).encode())
        with trio.move_on_after(MESSAGE_TIMEOUT_S):
            await arrived.wait()
        self._pending.pop(message_id, None)
        if not answer:
            self._silence += 1
            if self._silence > 1:
                # its own pings get no answer either: the line is dead, and only one end knows
                line.half_open(self._chance.uniform(0.5, 90))
            raise Unanswered("timeout")
        self._silence = 0
        if answer[0] == 4:
            self.errors[f"{action}: {answer[2]}"] += 1
            raise Unanswered(str(answer[2]))
        if message is not None:
            message.answers.append(answer[2])
            self._answered[message_id] = message
        content: dict[str, Any] = answer[2]
        return content

    async def _listen(self, line: Line, scope: trio.CancelScope) -> None:
        try:
            while True:
                frame = json.loads(await line.receive())
                if frame[0] == 2:
                    self._obey(line, frame[1], frame[2], frame[3])
                    continue
                waiting = self._pending.get(frame[1])
                if waiting is not None:
                    waiting[1].extend(frame)
                    waiting[0].set()
                elif frame[0] == 3 and frame[1] in self._answered:
                    # the message came there twice
                    self._answered[frame[1]].answers.append(frame[2])
        except LineLost:
            scope.cancel()

    # -- obeying

    def _obey(self, line: Line, message_id: str, action: str, body: dict[str, Any]) -> None:
        self.commands[message_id] += 1
        self._note("command", self.identity, action, message_id)
        answer = self._answer_to(action, body)
        if line.lost:
            return
        frame = [4, message_id, "NotImplemented", "", {}] if answer is None else [3, message_id, answer]
        line.send(json.dumps(frame).encode())

    def _answer_to(self, action: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if action == "TriggerMessage":
            return self._trigger(body)
        if action == "GetTransactionStatus":
            ref = body.get("transactionId")
            return {
                "ongoingIndicator": any(t.ref == ref for t in self._running.values()),
                "messagesInQueue": any(m.transaction.ref == ref for m in self._queue),
            }
        if action in ("RemoteStartTransaction", "RequestStartTransaction"):
            connector = int(body.get("connectorId") or body.get("evseId") or 1)
            if connector in self._running or connector not in self._stop_now or self.stopping:
                return {"status": "Rejected"}
            self._remote[connector] = str(body.get("remoteStartId", 0))
            self._stop_now[connector].set()
            return {"status": "Accepted"}
        if action in ("RemoteStopTransaction", "RequestStopTransaction"):
            for connector, transaction in self._running.items():
                if transaction.ref == str(body["transactionId"]):
                    self._stop_now[connector].set()
                    return {"status": "Accepted"}
            return {"status": "Rejected"}
        if action == "GetConfiguration":
            return {"configurationKey": [], "unknownKey": body.get("key", [])}
        if action == "ClearCache":
            return {"status": "Accepted"}
        return None

    def _trigger(self, body: dict[str, Any]) -> dict[str, Any]:
        connector = int(body.get("connectorId") or 0)
        if body["requestedMessage"] == "StatusNotification":
            self._tell_status(connector, "Charging" if connector in self._running else "Available")
        elif body["requestedMessage"] == "MeterValues":
            transaction = self._running.get(connector)
            if transaction is not None and transaction.ref is not None:
                self._meter(transaction)
        else:
            return {"status": "NotImplemented"}
        return {"status": "Accepted"}

    def _tell_status(self, connector: int, status: str) -> None:
        if self.habits.version == "ocpp1.6":
            body = {"connectorId": connector, "errorCode": "NoError", "status": status}
        else:
            occupied = "Occupied" if status == "Charging" else "Available"
            body = {"timestamp": self._now(), "connectorStatus": occupied, "evseId": connector, "connectorId": 1}
        self._notices.append(("StatusNotification", body))
        self._more.set()
