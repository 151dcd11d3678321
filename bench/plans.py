"""From a case to the plans of its fleet processes (bench/fleet/README.md)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from bench.scenario import Case, Group, behaviour

PREFIX: Final = "BENCH-"
PASSWORD: Final = "bench-password-of-all-stations"
CERTIFICATE_NAME: Final = "bench-station"
_STATIONS_PER_SOURCE: Final = 10_000


class Target(NamedTuple):
    """Where stations connect to, and what they need for it."""

    url: str
    password: str | None = None
    authority: Path | None = None
    certificate: tuple[Path, Path] | None = None
    http_url: str | None = None
    api_key: str | None = None


def plans(case: Case, seed: int, target: Target) -> list[dict[str, Any]]:
    """One plan for each process: its part of every group, of the connect rate and of the HTTP load."""
    fleet = case.fleet
    return [
        {
            "url": target.url,
            "seed": seed * 1000 + process,
            "sources": list(_sources(process, -(-fleet.stations // fleet.processes))),
            "tls": _tls(target),
            "connect": {
                **msgspec.to_builtins(fleet.connect),
                "per_second": None if fleet.connect.per_second is None else fleet.connect.per_second / fleet.processes,
                "at_once": max(1, fleet.connect.at_once // fleet.processes),
            },
            "groups": list(_groups(case, process, target)),
            "http": _http(case, target) if process == 0 else [],
        }
        for process in range(fleet.processes)
    ]


def group_sizes(groups: list[Group], stations: int) -> list[int]:
    """How many stations each group has; together exactly `stations`."""
    total = sum(group.share for group in groups)
    sizes, before, shares = [], 0, 0.0
    for group in groups:
        shares += group.share
        upto = round(stations * shares / total)
        sizes.append(upto - before)
        before = upto
    return sizes


def id_tokens(case: Case) -> Iterator[str]:
    """What the connectors of all stations charge with."""
    numbers = count(1)
    for group, size in zip(case.fleet.groups, group_sizes(case.fleet.groups, case.fleet.stations), strict=True):
        own = behaviour(group)
        for station in islice(numbers, size):
            for connector in range(1, own.connectors + 1):
                yield f"{own.id_token}{station:06}-{connector}"


def _groups(case: Case, process: int, target: Target) -> Iterator[dict[str, Any]]:
    fleet = case.fleet
    sizes = group_sizes(fleet.groups, fleet.stations)
    charging = 0.0
    for group, size in zip(fleet.groups, sizes, strict=True):
        if group.fault is None:
            charging += size * behaviour(group).charging * behaviour(group).connectors
    first = 1
    for group, size in zip(fleet.groups, sizes, strict=True):
        own = behaviour(group)
        if fleet.meter_values_per_second is not None and charging:
            own.meter_values_s = charging / fleet.meter_values_per_second
        begin, end = size * process // fleet.processes, size * (process + 1) // fleet.processes
        if end > begin:
            yield {
                "name": group.name,
                "prefix": PREFIX,
                "first": first + begin,
                "stations": end - begin,
                "password": target.password,
                "version": group.version,
                "behaviour": msgspec.to_builtins(own),
                "fault": msgspec.to_builtins(group.fault),
                "serial_number": CERTIFICATE_NAME if target.certificate else None,
            }
        first += size


def _sources(process: int, stations: int) -> Iterator[str]:
    """Addresses of the loopback network of this process's own: each has its own ports."""
    for number in range(-(-stations // _STATIONS_PER_SOURCE)):
        yield f"127.0.{process + 1}.{number + 1}"


def _tls(target: Target) -> dict[str, Any] | None:
    if target.authority is None:
        return None
    certificate, key = target.certificate or (None, None)
    return {
        "ca": str(target.authority),
        "server_name": "localhost",
        "certificate": certificate and str(certificate),
        "key": key and str(key),
    }


def _http(case: Case, target: Target) -> list[dict[str, Any]]:
    headers = {"content-type": "application/json"}
    if target.api_key is not None:
        headers["x-api-key"] = target.api_key
    return [
        {**msgspec.to_builtins(load), "url": target.http_url, "headers": headers}
        for load in case.fleet.http
        if target.http_url is not None
    ]
