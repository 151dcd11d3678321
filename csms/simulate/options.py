"""What a simulation is asked to do, checked before anything starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

Version = Literal["1.6", "2.0.1", "2.1"]
Versions = Version | Literal["mix"]

VERSIONS: Final[tuple[Version, ...]] = get_args(Version)

_IDENTITY: Final = re.compile(r"[A-Za-z0-9*\-_=+|@.]{1,48}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,20}")
_MAX_STATIONS: Final = 20_000
_MAX_CONNECTORS: Final = 32


class OptionsError(ValueError):
    """An option has a value the simulation cannot work with; the text names the option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """One simulation.

    `url` is the endpoint of the CSMS; the identity of each station is appended as the last path segment (rule C1).
    The driver's day and the meter run `speed` times as fast as the real clock; the simulated clock then begins in the
    past and meets the real one at the end, so that no station sends times from the future. What the CSMS times
    (heartbeats, retries, answers, back-off) runs in real seconds.
    """

    url: str
    stations: int = 10
    version: Versions = "mix"
    prefix: str = "SIM"
    password: str | None = None  # one for all stations (Basic authentication)
    passwords: Mapping[str, str] = field(default_factory=dict)  # by identity; goes before `password`
    speed: float = 1.0  # simulated seconds per real second
    duration: float | None = None  # real seconds; None: until stopped
    connectors: int = 2  # per station
    seed: int = 1
    id_tokens: tuple[str, ...] = ()  # none: each connector has a token of its own, named after it
    meter_interval: float = 60.0  # simulated seconds between meter values of a transaction
    sessions_per_day: float = 6.0  # mean per connector and simulated day
    even: bool = False  # drivers come at the same rate at all hours; otherwise nights are quiet and evenings busy
    offline_spells_per_day: float = 1.0  # mean per station and simulated day; 0: never
    answer_timeout: float = 30.0  # real seconds to wait for an answer
    attempts: int = 3  # transmissions of one transaction message before it is thrown away
    retry_interval: float = 60.0  # real seconds; the wait before repeat n is n times this
    backoff_minimum: float = 1.0  # real seconds before the first reconnect
    backoff_random: float = 2.0  # real seconds, at most, added to each wait
    backoff_doublings: int = 5
    connect_rate: float = 50.0  # first connections per real second
    drain: float = 30.0  # real seconds to deliver what is queued at the end

    def __post_init__(self) -> None:
        url = urlsplit(self.url)
        if url.scheme not in ("ws", "wss") or not url.hostname or url.query or url.fragment:
            raise OptionsError(f"url: {self.url!r} is not the ws:// or wss:// URL of an OCPP endpoint")
        if self.version not in (*VERSIONS, "mix"):
            raise OptionsError(f"version: {self.version!r} is none of {', '.join(VERSIONS)}, mix")
        _between("stations", self.stations, 1, _MAX_STATIONS)
        _between("connectors", self.connectors, 1, _MAX_CONNECTORS)
        _between("speed", self.speed, 0.01, 100_000)
        if self.duration is not None:
            _between("duration", self.duration, 0.1, 31 * 86_400)
        elif self.speed > 1:
            raise OptionsError("speed: an accelerated simulation needs a duration, or its clock would run into the future")
        _between("meter-interval", self.meter_interval, 1, 86_400)
        _between("sessions-per-day", self.sessions_per_day, 0, 10_000)
        _between("offline-spells-per-day", self.offline_spells_per_day, 0, 10_000)
        _between("answer-timeout", self.answer_timeout, 0.1, 600)
        _between("attempts", self.attempts, 1, 100)
        _between("retry-interval", self.retry_interval, 0, 3600)
        _between("backoff-minimum", self.backoff_minimum, 0.01, 3600)
        _between("backoff-random", self.backoff_random, 0, 3600)
        _between("backoff-doublings", self.backoff_doublings, 0, 16)
        _between("connect-rate", self.connect_rate, 0.1, 10_000)
        _between("drain", self.drain, 0, 3600)
        if not _IDENTITY.fullmatch(self.identity(self.stations)):
            raise OptionsError(
                f"prefix: {self.identity(self.stations)!r} is no OCPP identity (at most 48 of A-Z a-z 0-9 * - _ = + | @ .)"
            )
        for token in self.id_tokens:
            if not _TOKEN.fullmatch(token):
                raise OptionsError(f"id-token: {token!r} is not 1 to 20 printable characters")

    def identity(self, number: int) -> str:
        """The identity of station `number`, counted from 1."""
        return f"{self.prefix}-{number:05d}"

    def version_of(self, number: int) -> Version:
        """What station `number` speaks; in a mix all versions take turns."""
        return VERSIONS[(number - 1) % len(VERSIONS)] if self.version == "mix" else self.version

    def password_of(self, identity: str) -> str | None:
        return self.passwords.get(identity, self.password)


def _between(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise OptionsError(f"{name}: {value} is not within {least} to {most}")
