"""Scenarios: files that say which system is put under which load, and what is asked of it.

A scenario is a TOML file in `bench/scenarios`. What stands in it directly holds for every case; a case overrides parts of it by
name. `Scenario.load` gives every case in full. Behaviours of stations are files of their own in `bench/behaviours`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from bench.processes import BenchError

SCENARIOS: Final = Path(__file__).parent / "scenarios"
BEHAVIOURS: Final = Path(__file__).parent / "behaviours"

Version = Literal["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    """A table of a scenario file: what it does not know is an error."""


class System(_Table, kw_only=True):
    """What is measured. `product`: `csms`, or the name of a peer of `bench.peers`."""

    product: str = "csms"
    gateways: int = 1
    hub: bool = False
    redis: bool = False
    tls: Literal["none", "server", "mutual"] = "none"
    password: bool = False
    """Stations have passwords (Basic authentication), made by the machine."""
    tokens: Literal["known", "unknown"] = "known"
    """Whether the id tokens of all connectors are entered before. Otherwise they are taken all the same, and kept as unknown."""
    prices: bool = False
    """Every session has a tariff; needs the hub."""
    partners: int = 0
    """So many roaming partners, each entitled to 1 to 2 % of the EVSEs, one of them stalled; needs the hub."""
    settings: dict[str, str] = {}
    """CSMS_… variables of every process."""


class Behaviour(_Table, kw_only=True):
    """What a station does; all times in seconds (bench/fleet/README.md)."""

    heartbeat_s: float | None = 300.0
    status_s: float | None = None
    status_at_start: bool = True
    connectors: int = 1
    charging: float = 0.0
    session_s: float | None = None
    pause_s: float | None = None
    meter_values_s: float = 60.0
    samples: int = 5
    id_token: str = "BENCH"
    command_delay_ms: int = 0


class Fault(_Table, kw_only=True):
    """What a bad station does to the server, and how often."""

    kind: Literal["garbage", "wrong_schema", "flood", "not_reading", "slow_handshake", "no_pong", "reconnecting"]
    every_s: float = 5.0


class Group(_Table, kw_only=True):
    """Stations that are alike. `share`: its part of all stations, in proportion to the other groups."""

    name: str
    share: float = 1.0
    version: Version = "ocpp1.6"
    behaviour: str = "idle"
    """A file of `bench/behaviours`."""
    changes: dict[str, Any] = {}
    """Fields of the behaviour that differ here."""
    fault: Fault | None = None


class HttpLoad(_Table, kw_only=True):
    """Requests to the hub at a fixed rate while a run lasts."""

    name: str
    path: str
    method: Literal["GET", "POST", "PUT", "DELETE"] = "GET"
    body: str | None = None
    per_second: float = 10.0
    connections: int = 32
    timeout_s: float = 30.0
    expect: list[int] = msgspec.field(default_factory=lambda: [200])


class Connect(_Table, kw_only=True):
    """How stations come: at most so many a second (none: as fast as they can) and so many at once."""

    per_second: float | None = None
    at_once: int = 200
    timeout_s: float = 30.0
    retry_first_s: float = 1.0
    retry_longest_s: float = 30.0


class Fleet(_Table, kw_only=True):
    stations: int = 1000
    processes: int = 1
    connect: Connect = msgspec.field(default_factory=Connect)
    groups: list[Group] = msgspec.field(default_factory=lambda: [Group(name="all")])
    http: list[HttpLoad] = []
    meter_values_per_second: float | None = None
    """All charging stations together send so many messages with readings: sets `meter_values_s` of every group."""


class Event(_Table, kw_only=True):
    """Something that happens in the midst of a run, at a time after its beginning."""

    at_s: float
    do: Literal[
        "cut", "kill-gateway", "start-gateways", "restart-gateways", "kill-hub", "start-hub", "stop-redis", "start-redis", "stall"
    ]
    fraction: float = 1.0
    """For `cut`: this share of the connections."""
    what: Literal["postgresql", "redis"] = "postgresql"
    """For `stall`: whom."""
    for_s: float = 1.0
    """For `stall`: how long it stands still each time."""
    every_s: float = 2.0
    times: int = 1


class Step(_Table, kw_only=True):
    """`hold`: nothing is sent but heartbeats. `run`: the stations behave as they should. `ramp`: runs of growing speed."""

    do: Literal["hold", "run", "ramp"]
    name: str = ""
    seconds: float = 10.0
    speed: float = 1.0
    speeds: list[float] = []
    warm_up_s: float = 0.0
    """A run of this length before, which is not counted."""
    events: list[Event] = []


class Aim(_Table, kw_only=True):
    """What is asked of a figure: `most` or `least`. The figure's name is `case/step/figure`, with `*` for any case."""

    figure: str
    most: float | None = None
    least: float | None = None
    text: str = ""


class Ratio(_Table, kw_only=True):
    """A figure of one case divided by that of another, in the same run: its name is `ratio/NAME`."""

    name: str
    of: str
    to: str


class Chart(_Table, kw_only=True):
    """A picture over the cases or steps of this scenario (bench/plots.py)."""

    kind: Literal["bars", "over-load", "over-connections", "over-time"]
    title: str
    figures: list[str] = []
    unit: str = ""


class Case(_Table, kw_only=True):
    """One system under one load, in full. `note` is what a reader of its bar should know."""

    name: str
    note: str = ""
    system: System = msgspec.field(default_factory=System)
    fleet: Fleet = msgspec.field(default_factory=Fleet)
    steps: list[Step] = []


class Scenario(_Table, kw_only=True):
    """Everything that one result holds."""

    name: str
    title: str
    about: str
    seed: int = 1
    cases: list[Case]
    by_hand: bool = False
    """Too long or too large to run along with the others."""
    aims: list[Aim] = []
    ratios: list[Ratio] = []
    charts: list[Chart] = []


def load(name: str, changes: Mapping[str, Any] | None = None) -> Scenario:
    """Read a scenario by its name in `bench/scenarios` or by its path; `changes` override every case. Raises BenchError."""
    path = Path(name) if name.endswith(".toml") else SCENARIOS / f"{name}.toml"
    try:
        return parse(path.stem, path.read_text(), changes or {})
    except FileNotFoundError:
        known = ", ".join(names())
        raise BenchError(f"there is no scenario {name}; there are {known}") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BenchError(f"{path.name}: {error}") from None


def names() -> list[str]:
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def parse(name: str, text: str, changes: Mapping[str, Any]) -> Scenario:
    """Raises TOMLDecodeError and ValidationError."""
    document = tomllib.loads(text)
    common: dict[str, Any] = {part: document.pop(part) for part in ("system", "fleet", "steps") if part in document}
    cases = document.pop("cases", [{"name": "all"}])
    document["cases"] = [_merged(_merged(common, case), changes) for case in cases]
    scenario = msgspec.convert({"name": name, **document}, Scenario)
    for case in scenario.cases:
        case.steps = [run for step in case.steps for run in _runs(step)]
        for group in case.fleet.groups:
            behaviour(group)
    return scenario


def behaviour(group: Group) -> Behaviour:
    """What the stations of a group do. Raises ValidationError."""
    path = BEHAVIOURS / f"{group.behaviour}.toml"
    if not path.exists():
        known = ", ".join(sorted(found.stem for found in BEHAVIOURS.glob("*.toml")))
        raise msgspec.ValidationError(f"group {group.name}: there is no behaviour {group.behaviour}; there are {known}")
    return msgspec.convert({**tomllib.loads(path.read_text()), **group.changes}, Behaviour)


def _runs(step: Step) -> list[Step]:
    """A ramp as its runs."""
    if step.do != "ramp":
        return [msgspec.structs.replace(step, name=step.name or step.do)]
    name = step.name or "load"
    return [msgspec.structs.replace(step, do="run", speed=speed, speeds=[], name=f"{name} x{speed:g}") for speed in step.speeds]


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` wins; tables are merged, anything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        known = result.get(key)
        result[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result
