"""MeterValueType of OCPP 2.x to readings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from csms.domain.metering import DEFAULT_LOCATION, DEFAULT_MEASURAND, DEFAULT_UNIT, Channel, Reading
from csms.domain.times import parse_station_time
from gateway.common.metered import Layout, MeteredPayloads
from gateway.common.readings import MAX_EXPONENT, Group, decimal_text, group, reading, remember_layouts
from schemas.ocpp21 import datatypes as ocpp21
from schemas.ocpp201 import datatypes as ocpp201

Sample = tuple[str | None, str | None, str | None, str | None, str | None, int]
"""context, measurand, phase, location, unit, multiplier"""


class _SignedSample(msgspec.Struct, gc=False, rename="camel"):
    signed_meter_value: msgspec.Raw = msgspec.Raw()


class _SignedMeterValue(msgspec.Struct, gc=False, rename="camel"):
    sampled_value: list[_SignedSample]


class _Signed(msgspec.Struct, gc=False, rename="camel"):
    meter_value: list[_SignedMeterValue]


_signed: Final = msgspec.json.Decoder(_Signed).decode


def _channel(sample: Sample) -> Channel:
    _, measurand, phase, location, unit, multiplier = sample
    measurand = measurand or DEFAULT_MEASURAND
    if unit is None:
        # the default unit is one of energy; other measurands without a unit stay without
        unit = DEFAULT_UNIT if measurand.startswith("Energy.") else ""
    return Channel(
        measurand=measurand,
        phase=phase or "",
        location=location or DEFAULT_LOCATION,
        unit=unit,
        multiplier=multiplier,
    )


@remember_layouts
def _layout(samples: tuple[Sample, ...]) -> tuple[Group, ...]:
    return group([(sample[0], _channel(sample)) for sample in samples])


def read_meter_values(
    meter_values: Sequence[ocpp201.MeterValueType | ocpp21.MeterValueType], payload: bytes, layouts: list[Layout]
) -> tuple[list[Reading], bool]:
    """One reading per meterValue and context, and whether one of the times is suspect. Adds to `layouts`, one per meterValue.

    `payload` is the message the values came in: the signed form of a value is kept from it byte-exact, as text beside
    the number. A number of insane size, also by its multiplier, is kept as text.
    """
    readings: list[Reading] = []
    suspect = False
    signed: list[_SignedMeterValue] | None = None
    for index, meter_value in enumerate(meter_values):
        time = parse_station_time(meter_value.timestamp)
        suspect = suspect or time.suspect
        samples: Sequence[ocpp201.SampledValueType | ocpp21.SampledValueType] = meter_value.sampled_value
        values: list[str] = []
        texts: list[str | None] | None = None
        key: list[Sample] = []
        for position, sample in enumerate(samples):
            measure = sample.unit_of_measure
            unit, multiplier = (None, 0) if measure is None else (measure.unit, measure.multiplier or 0)
            key.append((sample.context, sample.measurand, sample.phase, sample.location, unit, multiplier))
            as_sent = str(sample.value)
            number = decimal_text(as_sent) if -MAX_EXPONENT <= multiplier <= MAX_EXPONENT else None
            values.append(number or "")
            if sample.signed_meter_value is not None:
                if signed is None:
                    signed = _signed(payload).meter_value
                text = bytes(signed[index].sampled_value[position].signed_meter_value).decode()
            elif number is None:
                text = as_sent
            else:
                continue
            if texts is None:
                texts = [None] * len(samples)
            texts[position] = text
        layout = _layout(tuple(key))
        layouts.append(layout)
        readings.extend([reading(time, found, values, texts) for found in layout])
    return readings, suspect


METERED: Final = MeteredPayloads(read_meter_values)
