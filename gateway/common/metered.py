"""The meter values of a payload: ordinary ones as the codec reads them, all others by the rules of the version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from csms.domain.metering import Reading
from csms.domain.times import parse_station_time
from gateway import _native
from gateway.common.readings import Group, reading

MeterValue = TypeVar("MeterValue")

Layout = tuple[Group, ...]
ReadMeterValues = Callable[[Sequence[MeterValue], bytes, list[Layout]], tuple[list[Reading], bool]]
"""(meterValue, the payload, the layouts found so far) to readings, and whether one of the times is suspect."""

_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text: Final = msgspec.json.Encoder().encode


class Metered(NamedTuple):
    """What a payload measures. `text` is its meterValue as it stands, `rest` the payload without it."""

    readings: list[Reading]
    suspect: bool
    text: bytes
    rest: bytes


class MeteredPayloads(Generic[MeterValue]):
    """Reads the meter values of one version's payloads."""

    def __init__(self, read: ReadMeterValues[MeterValue]) -> None:
        self._read = read
        self._ordinary = _native.MeterReader()

    def take(self, meter_values: Sequence[MeterValue], payload: bytes) -> Metered:
        """`meter_values` are those of `payload`, whose schema was checked."""
        ordinary = self._ordinary.read(payload)
        if ordinary is None:
            return self._take_all(meter_values, payload)
        found, text, rest = ordinary
        readings: list[Reading] = []
        suspect = False
        for timestamp, layout, values in found:
            time = parse_station_time(timestamp)
            suspect = suspect or time.suspect
            readings.extend([reading(time, group, values, None) for group in layout])
        return Metered(readings, suspect, text, rest)

    def _take_all(self, meter_values: Sequence[MeterValue], payload: bytes) -> Metered:
        layouts: list[Layout] = []
        readings, suspect = self._read(meter_values, payload, layouts)
        # a layout under which anything was kept as text says that its numbers may be none
        if all(one.texts is None for one in readings):
            self._ordinary.learn(payload, layouts)
        members = _members(payload)
        text = bytes(members.pop("meterValue"))
        return Metered(readings, suspect, text, _text(members))
