"""What happened: counters while it runs, and the account of every session for comparison with the CSMS."""

from __future__ import annotations

import msgspec


class SessionRecord(msgspec.Struct, kw_only=True):
    """A transaction as the station saw it. Times RFC 3339; energy in Wh, exactly as the registers were sent."""

    charge_point_id: str
    ocpp_version: str
    connector_id: int  # 2.0.1: the EVSE
    id_token: str
    transaction_id: str | None = None  # None: the CSMS never answered the start (1.6)
    start_time: str
    stop_time: str | None = None
    start_meter_wh: int
    stop_meter_wh: int | None = None
    energy_wh: int | None = None
    stop_reason: str | None = None
    samples: int = 0  # meter values sent and acknowledged, those in start and end events included
    messages: int = 0  # transaction messages made
    acknowledged: int = 0
    discarded: int = 0  # thrown away after the last attempt


class Counters(msgspec.Struct, kw_only=True):
    """Totals of all stations. Every sent CALL ends as answered, refused (CALLERROR), timed_out or cut."""

    sent: int = 0
    answered: int = 0
    refused: int = 0
    timed_out: int = 0
    cut: int = 0  # the connection was lost before the answer
    received: int = 0  # CALLs of the CSMS
    connections: int = 0
    connection_failures: int = 0
    tokens_refused: int = 0
    station_failures: int = 0  # a station's program failed and was started again


class SimulateReport(msgspec.Struct, kw_only=True):
    """The result of a simulation."""

    stations: int
    seconds: float  # real
    counters: Counters
    errors: dict[str, int]  # by kind, the most frequent first
    undelivered: int  # transaction messages still queued at the end
    sessions: list[SessionRecord]

    @property
    def complete(self) -> list[SessionRecord]:
        """Sessions that ended and whose every message was acknowledged."""
        return [s for s in self.sessions if s.energy_wh is not None and s.acknowledged == s.messages]

    @property
    def energy_wh(self) -> int:
        return sum(session.energy_wh or 0 for session in self.complete)

    def text(self) -> str:
        """The report for a person."""
        counters = self.counters
        ended = sum(session.energy_wh is not None for session in self.sessions)
        lines = [
            f"{self.stations} stations for {self.seconds:.1f} s",
            (
                f"messages  {counters.sent} sent, {counters.answered} answered, {counters.refused} refused, "
                f"{counters.timed_out} timed out, {counters.cut} cut; {counters.received} received"
            ),
            f"sessions  {len(self.sessions)} begun, {ended} ended, {len(self.complete)} ended and fully acknowledged",
            f"energy    {self.energy_wh / 1000:.3f} kWh in fully acknowledged sessions",
        ]
        if self.undelivered:
            lines.append(f"queued    {self.undelivered} transaction messages were not delivered")
        lines += [f"error     {times} x {kind}" for kind, times in self.errors.items()]
        return "\n".join(lines)

    def json(self) -> str:
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()


class Ledger:
    """Collects what the stations report while the simulation runs."""

    _MAX_KINDS = 100

    def __init__(self) -> None:
        self.counters = Counters()
        self.sessions: list[SessionRecord] = []
        self.online = 0
        self.charging = 0
        self.queued = 0
        self._errors: dict[str, int] = {}

    def error(self, kind: str) -> None:
        """Count an error; beyond a hundred kinds they are counted together."""
        kind = kind[:200]
        if kind not in self._errors and len(self._errors) >= self._MAX_KINDS:
            kind = "other errors"
        self._errors[kind] = self._errors.get(kind, 0) + 1

    def progress(self, stations: int) -> str:
        counters = self.counters
        return (
            f"{self.online}/{stations} stations online · {self.charging} charging · {len(self.sessions)} sessions begun"
            f" · {counters.sent} sent, {counters.answered} answered, {counters.refused + counters.timed_out} errors"
            f" · {self.queued} queued"
        )

    def report(self, stations: int, seconds: float) -> SimulateReport:
        return SimulateReport(
            stations=stations,
            seconds=round(seconds, 3),
            counters=self.counters,
            errors=dict(sorted(self._errors.items(), key=lambda item: -item[1])),
            undelivered=self.queued,
            sessions=self.sessions,
        )
