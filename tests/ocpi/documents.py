"""Documents of OCPI 2.2.1 for tests, as a platform of somebody else writes them; every value can be given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

Document = dict[str, Any]
Owner = tuple[str, str]

CPO: Owner = ("NL", "XCP")
EMSP: Owner = ("DE", "ABC")


def instant(value: datetime | None = None, **later: float) -> str:
    """A time as OCPI writes it; by default now, `later` in the terms of timedelta."""
    return ((value or datetime.now(UTC)) + timedelta(**later)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _owned(owner: Owner) -> Document:
    return {"country_code": owner[0], "party_id": owner[1]}


def connector(**members: Any) -> Document:
    return {
        "id": "1",
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "last_updated": instant(),
    } | members


def evse(uid: str = "EVSE-1", **members: Any) -> Document:
    return {
        "uid": uid,
        "evse_id": f"NL*XCP*E{uid.replace('-', '*')}",
        "status": "AVAILABLE",
        "capabilities": ["REMOTE_START_STOP_CAPABLE", "RESERVABLE", "UNLOCK_CAPABLE", "CHARGING_PROFILE_CAPABLE"],
        "connectors": [connector()],
        "last_updated": instant(),
    } | members


def location(identifier: str = "LOC-1", owner: Owner = CPO, **members: Any) -> Document:
    return {
        **_owned(owner),
        "id": identifier,
        "publish": True,
        "name": "Market square",
        "address": "Markt 1",
        "city": "Delft",
        "postal_code": "2611 GP",
        "country": "NLD",
        "coordinates": {"latitude": "52.011577", "longitude": "4.357068"},
        "evses": [evse()],
        "time_zone": "Europe/Amsterdam",
        "last_updated": instant(),
    } | members


def tariff(identifier: str = "TARIFF-1", owner: Owner = CPO, **members: Any) -> Document:
    return {
        **_owned(owner),
        "id": identifier,
        "currency": "EUR",
        "elements": [{"price_components": [{"type": "ENERGY", "price": 0.4, "vat": 21.0, "step_size": 1}]}],
        "last_updated": instant(),
    } | members


def token(uid: str = "TOKEN-1", owner: Owner = EMSP, **members: Any) -> Document:
    return {
        **_owned(owner),
        "uid": uid,
        "type": "RFID",
        "contract_id": f"{owner[0]}{owner[1]}C{uid.replace('-', '')}",
        "issuer": "A driver's friend",
        "valid": True,
        "whitelist": "ALLOWED",
        "last_updated": instant(),
    } | members


def cdr_token(of: Document) -> Document:
    return {name: of[name] for name in ("country_code", "party_id", "uid", "type", "contract_id")}


def session(identifier: str = "SESSION-1", owner: Owner = CPO, *, driver: Document | None = None, **members: Any) -> Document:
    return {
        **_owned(owner),
        "id": identifier,
        "start_date_time": instant(minutes=-30),
        "kwh": 0.0,
        "cdr_token": cdr_token(driver or token()),
        "auth_method": "COMMAND",
        "location_id": "LOC-1",
        "evse_uid": "EVSE-1",
        "connector_id": "1",
        "currency": "EUR",
        "status": "ACTIVE",
        "last_updated": instant(),
    } | members


def cdr(identifier: str = "CDR-1", owner: Owner = CPO, *, driver: Document | None = None, **members: Any) -> Document:
    begun = instant(minutes=-30)
    return {
        **_owned(owner),
        "id": identifier,
        "start_date_time": begun,
        "end_date_time": instant(),
        "session_id": "SESSION-1",
        "cdr_token": cdr_token(driver or token()),
        "auth_method": "COMMAND",
        "cdr_location": {
            "id": "LOC-1",
            "address": "Markt 1",
            "city": "Delft",
            "country": "NLD",
            "coordinates": {"latitude": "52.011577", "longitude": "4.357068"},
            "evse_uid": "EVSE-1",
            "evse_id": "NL*XCP*E1",
            "connector_id": "1",
            "connector_standard": "IEC_62196_T2",
            "connector_format": "SOCKET",
            "connector_power_type": "AC_3_PHASE",
        },
        "currency": "EUR",
        "tariffs": [tariff(owner=owner)],
        "charging_periods": [
            {"start_date_time": begun, "dimensions": [{"type": "ENERGY", "volume": 10.0}, {"type": "TIME", "volume": 0.5}]}
        ],
        "total_cost": {"excl_vat": 4.0, "incl_vat": 4.84},
        "total_energy": 10.0,
        "total_time": 0.5,
        "total_energy_cost": {"excl_vat": 4.0, "incl_vat": 4.84},
        "last_updated": instant(),
    } | members


def invoice(identifier: str = "INV-1", owner: Owner = CPO, cdrs: tuple[str, ...] = ("CDR-1",), **members: Any) -> Document:
    """A record of an invoice (2.3.0)."""
    return {
        **_owned(owner),
        "id": identifier,
        "invoice_id": "2026/0001",
        "cdrs": list(cdrs),
        "last_updated": instant(),
    } | members
