"""The meter values of a payload: ordinary ones as the codec reads them, all others by the rules of the version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from csms.domain.metering import Reading
from csms.domain.times import parse_station_time
from gateway import _native
from gateway.common.readings import Group, reading

MeterValue = TypeVar("MeterValue")
MeterValue_co = TypeVar("MeterValue_co", covariant=True)


class MeteredRequest(Protocol[MeterValue_co]):
    """A request that may measure something."""

    @property
    def meter_value(self) -> Sequence[MeterValue_co] | None: ...


Request = TypeVar("Request", bound=MeteredRequest[Any])

Layout = tuple[Group, ...]
ReadMeterValues = Callable[[Sequence[MeterValue], bytes, list[Layout]], tuple[list[Reading], bool]]
"""(meterValue, the payload, the layouts found so far) to readings, and whether one of the times is suspect."""

_NAME: Final = b'"meterValue"'
_NONE: Final = b',"meterValue":[]}'

_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text: Final = msgspec.json.Encoder().encode


class Metered(msgspec.Struct, frozen=True, gc=False):
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

    def take(self, decode: Callable[[bytes], Request], payload: bytes) -> tuple[Request, Metered]:
        """The request and what it measures, of a payload whose schema was checked. An ordinary request comes without its
        meterValue, which is most of it and was read already. Raises msgspec.DecodeError."""
        ordinary = self._ordinary.read(payload) if _NAME in payload else None
        if ordinary is None:
            request = decode(payload)
            if request.meter_value is None:
                return request, Metered([], False, b"", payload)
            return request, self._take_all(request.meter_value, payload)
        found, text, rest = ordinary
        request = decode(rest[:-1] + _NONE)
        readings: list[Reading] = []
        suspect = False
        for timestamp, layout, values in found:
            time = parse_station_time(timestamp)
            suspect = suspect or time.suspect
            readings.extend([reading(time, group, values, None) for group in layout])
        return request, Metered(readings, suspect, text, rest)

    def _take_all(self, meter_values: Sequence[MeterValue], payload: bytes) -> Metered:
        layouts: list[Layout] = []
        readings, suspect = self._read(meter_values, payload, layouts)
        # a layout under which anything was kept as text says that its numbers may be none
        if all(one.texts is None for one in readings):
            self._ordinary.learn(payload, layouts)
        members = _members(payload)
        text = bytes(members.pop("meterValue"))
        return Metered(readings, suspect, text, _text(members))
