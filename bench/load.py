"""The load generator: many stations on raw sockets in one process, as cheap as Python gets, so that it is not the bottleneck.

A process of its own: `python -m bench.load {closed-loop|open-loop|idle} …`. It connects and boots its stations, writes a line
`{"ready": …}`, waits for a line on its standard input, works, and writes a line with its result. Standard input closed:
it ends.
"""

from __future__ import annotations

import argparse
import json
import resource
import select
import socket
import sys
import time
from array import array
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from bench.frames import MeterValuesTemplate, frame

_STARTED_AT: Final = "2026-07-01T00:00:00.000Z"
_AT_ONCE: Final = 64  # stations that connect at the same time
_RECEIVE: Final = 65_536

BOOT: Final = '[2,"boot","BootNotification",{"chargePointVendor":"Bench","chargePointModel":"B"}]'
HEARTBEAT: Final = '[2,"heartbeat","Heartbeat",{}]'
START: Final = f'[2,"start","StartTransaction",{{"connectorId":1,"idTag":"BENCH","meterStart":0,"timestamp":"{_STARTED_AT}"}}]'


class Station:
    """One connection; `step` says what an arriving message means. The answer to the upgrade is the first of them."""

    __slots__ = ("buffer", "late", "number", "sent_at", "sequence", "socket", "step", "template", "upgraded")

    def __init__(self, connection: socket.socket, step: Callable[[Station, bytes], None]) -> None:
        self.socket = connection
        self.buffer = b""
        self.step = step
        self.template: MeterValuesTemplate | None = None
        self.sequence = 0
        self.sent_at = 0.0
        self.late: deque[float] = deque()
        """When the messages were due that wait for the answer to the one before them."""
        self.number = connection.fileno()
        self.upgraded = False

    def send(self, text: str) -> None:
        self.socket.send(frame(text.encode()))

    def received(self) -> Iterator[bytes]:
        """The text messages that have arrived; pings are answered."""
        data = self.buffer + self.socket.recv(_RECEIVE)
        if not data:
            raise ConnectionError("the server closed a connection")
        if not self.upgraded:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self.buffer = head
                return
            self.upgraded = True
            yield head
        while len(data) >= 2:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4]), 4
            if len(data) < start + length:
                break
            opcode, payload, data = data[0] & 0x0F, data[start : start + length], data[start + length :]
            if opcode == 1:
                yield payload
            elif opcode == 9:
                self.socket.send(frame(payload, opcode=10))
            elif opcode == 8:
                raise ConnectionError(f"the server closed a connection: {payload!r}")
        self.buffer = data


class Fleet:
    """All stations of this process, driven by one epoll loop."""

    def __init__(self, port: int, path: str, prefix: str, stations: int) -> None:
        self._address = ("127.0.0.1", port)
        self._path = path
        self._prefix = prefix
        self._wanted = stations
        self._epoll = select.epoll()
        self._stations: dict[int, Station] = {}
        self._prepared = 0
        self.answered = 0
        self.latencies = array("d")

    def prepare(self, *, charging: bool) -> None:
        """Connect and boot all; then start a transaction each, or send one Heartbeat each."""
        begun = 0
        last = self._started if charging else self._heartbeat_answered

        def upgraded(station: Station, head: bytes) -> None:
            if not head.startswith(b"HTTP/1.1 101 "):
                raise ConnectionError(f"not upgraded: {head[:200]!r}")
            station.step = booted
            station.send(BOOT)

        def booted(station: Station, message: bytes) -> None:
            if b'"Accepted"' not in message:
                raise ConnectionError(f"not accepted: {message!r}")
            station.step = last
            station.send(START if charging else HEARTBEAT)

        while self._prepared < self._wanted:
            while begun < self._wanted and begun - self._prepared < _AT_ONCE:
                begun += 1
                self._connect(begun, upgraded)
            self._turn(10.0)

    def run(self, seconds: float) -> float:
        """Keep one MeterValues of every station in flight for so long. Gives the seconds until the last answer."""
        began = time.perf_counter()
        end = began + seconds
        for station in self._stations.values():
            station.step = self._meter_values_answered
            self._send_meter_values(station)
        while time.perf_counter() < end:
            self._turn(1.0)
        in_flight = len(self._stations)

        def last_answer(station: Station, message: bytes) -> None:
            nonlocal in_flight
            in_flight -= 1
            self._account(station, message)

        for station in self._stations.values():
            station.step = last_answer
        while in_flight:
            self._turn(10.0)
        return time.perf_counter() - began

    def run_at(self, rate: float, seconds: float) -> float:
        """Send so many MeterValues a second, the stations in turn, whether answers come or not; gives the seconds until the
        last answer. A message's time counts from when it was due, so that a pause of the server is not hidden."""
        stations = list(self._stations.values())
        began = time.perf_counter()
        sent, wanted = 0, int(rate * seconds)
        for station in stations:
            station.step = self._account
        while self.answered < wanted:
            now = time.perf_counter()
            while sent < wanted and (due := began + sent / rate) <= now:
                station = stations[sent % len(stations)]
                # one CALL at a time (rule T1): a station whose answer is late takes its turn again when it has come
                if station.sent_at:
                    station.late.append(due)
                else:
                    self._send_meter_values(station)
                    station.sent_at = due
                sent += 1
            if sent < wanted:
                self._turn_until(began + sent / rate)
            else:
                self._turn(10.0)
        return time.perf_counter() - began

    def _turn_until(self, due: float) -> None:
        wait = due - time.perf_counter()
        if wait > 0:
            for number, _ in self._epoll.poll(wait):
                self._read(self._stations[number])

    def wait_for_order(self) -> bool:
        """Answer pings until a line comes on standard input; False when it was closed."""
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        try:
            while not self._turn(None):
                pass
        finally:
            self._epoll.unregister(sys.stdin.fileno())
        return bool(sys.stdin.readline())

    def _turn(self, timeout: float | None) -> bool:
        """Handle what has arrived; True when standard input is readable. Nothing within `timeout`: an error."""
        events = self._epoll.poll(timeout)
        if not events:
            raise TimeoutError(f"no answer for {timeout} s ({self._prepared} of {self._wanted} stations ready)")
        stations = self._stations
        ordered = False
        for number, _ in events:
            station = stations.get(number)
            if station is None:
                ordered = True
                continue
            self._read(station)
        return ordered

    @staticmethod
    def _read(station: Station) -> None:
        for message in station.received():
            station.step(station, message)

    def _connect(self, number: int, step: Callable[[Station, bytes], None]) -> None:
        connection = socket.create_connection(self._address, timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = b64encode(number.to_bytes(16)).decode()
        connection.send(
            f"GET {self._path}/{self._prefix}{number:06d} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
        )
        connection.setblocking(False)
        station = Station(connection, step)
        self._stations[station.number] = station
        self._epoll.register(station.number, select.EPOLLIN)

    def _heartbeat_answered(self, station: Station, message: bytes) -> None:
        if b"currentTime" not in message:
            raise ConnectionError(f"not the answer to a Heartbeat: {message!r}")
        self._prepared += 1

    def _started(self, station: Station, message: bytes) -> None:
        answer = json.loads(message)
        if answer[0] != 3:
            raise ConnectionError(f"no transaction: {message!r}")
        station.template = MeterValuesTemplate(answer[2]["transactionId"])
        self._prepared += 1

    def _send_meter_values(self, station: Station) -> None:
        if station.template is None:
            raise ValueError("the station has no transaction")
        station.sequence += 1
        station.sent_at = time.perf_counter()
        # a loopback socket with one frame in flight always takes it whole
        station.socket.send(station.template.frame(station.sequence))

    def _meter_values_answered(self, station: Station, message: bytes) -> None:
        self._account(station, message)
        self._send_meter_values(station)

    def _account(self, station: Station, message: bytes) -> None:
        if not message.startswith(b"[3,"):
            raise ConnectionError(f"refused: {message!r}")
        self.answered += 1
        self.latencies.append(time.perf_counter() - station.sent_at)
        station.sent_at = 0.0
        if station.late:
            due = station.late.popleft()
            self._send_meter_values(station)
            station.sent_at = due


def _tell(**result: Any) -> None:
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("closed-loop", "open-loop", "idle"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--prefix", default="BENCH-")
    parser.add_argument("--stations", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=1700.0, help="messages a second of the open loop")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    fleet = Fleet(arguments.port, arguments.path, arguments.prefix, arguments.stations)
    began = time.perf_counter()
    try:
        fleet.prepare(charging=arguments.mode != "idle")
        _tell(ready=arguments.stations, seconds=round(time.perf_counter() - began, 3))
        while fleet.wait_for_order():
            if arguments.mode == "idle":
                continue
            if arguments.mode == "open-loop":
                seconds = fleet.run_at(arguments.rate, arguments.seconds)
            else:
                seconds = fleet.run(arguments.seconds)
            ordered = sorted(fleet.latencies)
            _tell(
                messages=fleet.answered,
                seconds=seconds,
                p50_ms=1000 * _quantile(ordered, 0.5),
                p99_ms=1000 * _quantile(ordered, 0.99),
                longest_ms=1000 * ordered[-1],
                cpu_seconds=time.process_time(),
            )
    except (OSError, ValueError) as error:
        _tell(error=f"{type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
