"""MeterValue of OCPP 1.6 to readings (rule X10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from csms.domain.metering import DEFAULT_LOCATION, DEFAULT_MEASURAND, DEFAULT_UNIT, Channel, Reading
from csms.domain.times import parse_station_time
from gateway.common.metered import Layout, MeteredPayloads
from gateway.common.readings import Group, decimal_text, group, reading, remember_layouts
from schemas.ocpp16.datatypes import MeterValue

Sample = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
"""context, measurand, phase, location, unit, format"""


def _channel(sample: Sample) -> Channel:
    _, measurand, phase, location, unit, value_format = sample
    measurand = measurand or DEFAULT_MEASURAND
    if unit is None:
        # the default unit is one of energy; other measurands without a unit (Frequency has none) stay without
        unit = DEFAULT_UNIT if measurand.startswith("Energy.") else ""
    return Channel(
        measurand=measurand,
        phase=phase or "",
        location=location or DEFAULT_LOCATION,
        unit="Celsius" if unit == "Celcius" else unit,
        format=value_format or "Raw",
    )


@remember_layouts
def _layout(samples: tuple[Sample, ...]) -> tuple[Group, ...]:
    return group([(sample[0], _channel(sample)) for sample in samples])


def read_meter_values(meter_values: Sequence[MeterValue], payload: bytes, layouts: list[Layout]) -> tuple[list[Reading], bool]:
    """One reading per meterValue and context, and whether one of the times is suspect. Adds to `layouts`, one per meterValue.

    SignedData and whatever is no finite decimal of sane size is kept as text, exactly as sent.
    """
    readings: list[Reading] = []
    suspect = False
    for meter_value in meter_values:
        time = parse_station_time(meter_value.timestamp)
        suspect = suspect or time.suspect
        samples = meter_value.sampled_value
        values: list[str] = []
        texts: list[str | None] | None = None
        for position, sample in enumerate(samples):
            number = None if sample.format == "SignedData" else decimal_text(sample.value)
            if number is not None:
                values.append(number)
                continue
            values.append("")
            if texts is None:
                texts = [None] * len(samples)
            texts[position] = sample.value
        key = tuple([(s.context, s.measurand, s.phase, s.location, s.unit, s.format) for s in samples])
        layout = _layout(key)
        layouts.append(layout)
        readings.extend([reading(time, found, values, texts) for found in layout])
    return readings, suspect


METERED: Final = MeteredPayloads(read_meter_values)
