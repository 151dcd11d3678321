"""Connector types of OCPP as OCPI has them, what they are rated for, and statuses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, get_args

from csms.roaming.details import ConnectorDetails
from schemas.ocpi221.locations import ConnectorFormat, ConnectorType, PowerType, Status


class Rating(NamedTuple):
    """What a kind of connector is rated for: volts (to neutral with three phases) and amperes of a phase at most."""

    standard: ConnectorType
    format: ConnectorFormat
    power_type: PowerType
    voltage: int
    amperage: int


RATINGS: Final[dict[str, Rating]] = {
    "cCCS1": Rating("IEC_62196_T1_COMBO", "CABLE", "DC", 920, 500),
    "cCCS2": Rating("IEC_62196_T2_COMBO", "CABLE", "DC", 920, 500),
    "cChaoJi": Rating("CHAOJI", "CABLE", "DC", 1500, 600),
    "cG105": Rating("CHADEMO", "CABLE", "DC", 500, 125),
    "cGBT-DC": Rating("GBT_DC", "CABLE", "DC", 750, 250),
    # the North American connector is Tesla's "Model S" type under another name; OCPI 2.2.1 has no other
    "cNACS": Rating("TESLA_S", "CABLE", "DC", 500, 400),
    "cTesla": Rating("TESLA_S", "CABLE", "DC", 500, 400),
    "cType1": Rating("IEC_62196_T1", "CABLE", "AC_1_PHASE", 230, 32),
    "cType2": Rating("IEC_62196_T2", "CABLE", "AC_3_PHASE", 230, 32),
    "s309-1P-16A": Rating("IEC_60309_2_single_16", "SOCKET", "AC_1_PHASE", 230, 16),
    "s309-3P-16A": Rating("IEC_60309_2_three_16", "SOCKET", "AC_3_PHASE", 230, 16),
    "s309-3P-32A": Rating("IEC_60309_2_three_32", "SOCKET", "AC_3_PHASE", 230, 32),
    "sBS1361": Rating("DOMESTIC_G", "SOCKET", "AC_1_PHASE", 230, 13),
    "sCEE-7-7": Rating("DOMESTIC_F", "SOCKET", "AC_1_PHASE", 230, 16),
    "sType1": Rating("IEC_62196_T1", "SOCKET", "AC_1_PHASE", 230, 32),
    "sType2": Rating("IEC_62196_T2", "SOCKET", "AC_3_PHASE", 230, 32),
    "sType3": Rating("IEC_62196_T3C", "SOCKET", "AC_3_PHASE", 230, 32),
}
"""By OCPP's name (ConnectorEnumType). s309-1P-32A has no name in OCPI 2.2.1; of the others that are missing (Pan, wInductive,
Undetermined ...) OCPP does not say enough."""

_OF_STANDARD: Final = {rating.standard.casefold(): rating for rating in RATINGS.values()}
_BY_NAME: Final = {name.casefold(): rating for name, rating in RATINGS.items()}
_STANDARDS: Final[dict[str, ConnectorType]] = {name.casefold(): name for name in get_args(ConnectorType)}

PHASES: Final[dict[str, int]] = {"AC_1_PHASE": 1, "AC_2_PHASE": 2, "AC_2_PHASE_SPLIT": 2, "AC_3_PHASE": 3, "DC": 1}

_AMPERES: Final = (6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 63, 80, 100, 125)
"""Usual sizes of AC supplies."""
_ONE_PHASE_W: Final = 7_400
"""Up to here a connector that could have three phases has one."""
_NOMINAL_DC_V: Final = 400
"""At which a DC charger gives its highest current."""
_TOLERANCE: Final = 0.98
"""Powers are told in round figures: 7.4 kW are 32 A."""


class Electrics(NamedTuple):
    """The electrical side of a connector as OCPI tells it; `assumed` names the members that nobody entered."""

    standard: ConnectorType
    format: ConnectorFormat
    power_type: PowerType
    max_voltage: int
    max_amperage: int
    max_electric_power: int | None
    assumed: tuple[str, ...]


def electrics(connector_type: str | None, max_power_w: int | None, details: ConnectorDetails) -> Electrics | None:
    """What follows from a connector's type and highest power and from what people entered; None: the type says too little, and
    `standard` was not entered either."""
    rating = _rating(connector_type, details)
    if rating is None:
        return None
    power_w = details.max_electric_power or max_power_w
    power_type = details.power_type or _power_type(rating, power_w)
    voltage = details.max_voltage or (
        rating.voltage if (power_type == "DC") == (rating.power_type == "DC") else _voltage(power_type)
    )
    amperage = details.max_amperage or _amperage(rating, power_type, voltage, power_w)
    most = voltage * amperage * PHASES[power_type]
    assumed = []
    if power_w is None and details.max_amperage is None:
        assumed.append("max_power_w")
    if details.format is None and connector_type is not None and connector_type.casefold() not in _BY_NAME:
        assumed.append("roaming.format")
    return Electrics(
        rating.standard,
        details.format or rating.format,
        power_type,
        voltage,
        amperage,
        power_w if power_w is not None and power_w < most else None,
        tuple(assumed),
    )


def _rating(connector_type: str | None, details: ConnectorDetails) -> Rating | None:
    """A type may also be given by OCPI's own name."""
    named = None if connector_type is None else _BY_NAME.get(connector_type.casefold())
    standard = details.standard or (None if connector_type is None else _STANDARDS.get(connector_type.casefold()))
    if standard is None or (named is not None and named.standard == standard):
        return named
    known = _OF_STANDARD.get(standard.casefold())
    if known is not None:
        return known
    if standard.startswith("PANTOGRAPH"):
        return Rating(standard, "CABLE", "DC", 1000, 500)
    if standard == "GBT_AC":
        return Rating(standard, "CABLE", "AC_3_PHASE", 230, 32)
    if standard == "IEC_62196_T3A":
        return Rating(standard, "SOCKET", "AC_1_PHASE", 230, 16)
    if standard == "IEC_60309_2_three_64":
        return Rating(standard, "SOCKET", "AC_3_PHASE", 230, 63)
    if standard == "TESLA_R":
        return Rating(standard, "CABLE", "AC_1_PHASE", 230, 32)
    return Rating(standard, "SOCKET", "AC_1_PHASE", 230, 16)  # what is left are sockets of households


def _power_type(rating: Rating, power_w: int | None) -> PowerType:
    if rating.power_type == "AC_3_PHASE" and power_w is not None and power_w <= _ONE_PHASE_W:
        return "AC_1_PHASE"
    return rating.power_type


def _voltage(power_type: PowerType) -> int:
    return 920 if power_type == "DC" else 230


def _amperage(rating: Rating, power_type: PowerType, voltage: int, power_w: int | None) -> int:
    if power_w is None:
        return rating.amperage
    if power_type == "DC":
        return max(1, min(rating.amperage, -(-power_w // min(voltage, _NOMINAL_DC_V))))
    needed = power_w / (voltage * PHASES[power_type])
    return next((size for size in _AMPERES if size >= needed * _TOLERANCE), int(-(-needed // 1)))


_STATUS: Final[dict[str, Status]] = {
    "Available": "AVAILABLE",
    "Preparing": "CHARGING",
    "Charging": "CHARGING",
    "SuspendedEV": "CHARGING",
    "SuspendedEVSE": "CHARGING",
    "Finishing": "CHARGING",
    "Occupied": "CHARGING",
    "Reserved": "RESERVED",
    "Unavailable": "INOPERATIVE",
    "Faulted": "OUTOFORDER",
}

_MOST_TELLING: Final[tuple[Status, ...]] = ("CHARGING", "RESERVED", "AVAILABLE", "OUTOFORDER", "INOPERATIVE", "UNKNOWN")
"""An EVSE charges one vehicle at a time: taken at one connector it is taken. With one good connector it can be used."""


def evse_status(connectors: Iterable[str | None], station_status: str | None) -> Status:
    """The status of an EVSE whose station is there, from those of its connectors and of the station as a whole (digest 9)."""
    found = {_STATUS.get(status or "", "UNKNOWN") for status in connectors}
    status: Status = next((one for one in _MOST_TELLING if one in found), "UNKNOWN")
    if status == "AVAILABLE" and station_status in ("Unavailable", "Faulted"):
        return "INOPERATIVE" if station_status == "Unavailable" else "OUTOFORDER"
    return status
