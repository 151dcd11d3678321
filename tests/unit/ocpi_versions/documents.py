"""Documents of OCPI 2.2.1 and 2.1.1 for the tables of the tests, as `parse` gives them."""

from typing import Any

from schemas.ocpi221.reading import parse
from schemas.ocpi221.writing import encode
from schemas.ocpi_versions.port import Document
from tests.unit.ocpi221 import documents
from tests.unit.ocpi221.documents import NOON

CONNECTOR: Document = {**documents.CONNECTOR, "tariff_ids": ["12"]}
EVSE_: Document = {**documents.EVSE_, "evse_id": "BE*BEC*E1", "connectors": [CONNECTOR]}
LOCATION: Document = {**documents.LOCATION, "postal_code": "9000", "parking_type": "ON_STREET", "evses": [EVSE_]}
CDR_TOKEN: Document = {"country_code": "NL", "party_id": "TNM", "uid": "0123", "type": "RFID", "contract_id": "NL-TNM-1"}
TOKEN: Document = {**CDR_TOKEN, "issuer": "Issuer", "valid": True, "whitelist": "ALLOWED", "last_updated": NOON}
SESSION: Document = {
    **documents.SESSION,
    "kwh": 1.5,
    "cdr_token": CDR_TOKEN,
    "total_cost": {"excl_vat": 4},
    "status": "ACTIVE",
}
PERIOD: Document = {name: value for name, value in documents.PERIOD.items() if name != "tariff_id"}
TARIFF: Document = {
    "country_code": "BE",
    "party_id": "BEC",
    "id": "12",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "TIME", "price": 2, "step_size": 300}]}],
    "last_updated": NOON,
}
CDR_: Document = {
    **documents.CDR_,
    "cdr_token": CDR_TOKEN,
    "cdr_location": {
        **documents.CDR_["cdr_location"],
        "postal_code": "9000",
        "coordinates": LOCATION["coordinates"],
        "evse_id": "BE*BEC*E1",
        "connector_format": "CABLE",
        "connector_power_type": "AC_3_PHASE",
    },
    "tariffs": [TARIFF],
    "charging_periods": [PERIOD],
    "total_cost": {"excl_vat": 4},
}
START: Document = {"response_url": "https://example.com/1", "token": TOKEN, "location_id": "LOC1", "evse_uid": "3256"}
RESERVE: Document = {**START, "expiry_date": NOON, "reservation_id": "17"}

LOCATION_211: Document = {
    "id": "LOC1",
    "type": "ON_STREET",
    "address": "Street 1",
    "city": "Gent",
    "postal_code": "9000",
    "country": "BEL",
    "coordinates": {"latitude": "51.047599", "longitude": "3.729944"},
    "evses": [
        {
            "uid": "3256",
            "evse_id": "BE*BEC*E1",
            "status": "AVAILABLE",
            "connectors": [
                {
                    "id": "1",
                    "standard": "IEC_62196_T2",
                    "format": "CABLE",
                    "power_type": "AC_3_PHASE",
                    "voltage": 230,
                    "amperage": 32,
                    "tariff_id": "12",
                    "last_updated": NOON,
                }
            ],
            "last_updated": NOON,
        }
    ],
    "time_zone": "Europe/Brussels",
    "last_updated": NOON,
}
"""LOCATION in 2.1.1."""
SESSION_211: Document = {
    "id": "101",
    "start_datetime": NOON,
    "kwh": 1.5,
    "auth_id": "NL-TNM-1",
    "auth_method": "WHITELIST",
    "location": LOCATION_211,
    "currency": "EUR",
    "total_cost": 4,
    "status": "ACTIVE",
    "last_updated": NOON,
}
"""SESSION in 2.1.1."""
TARIFF_211: Document = {
    "id": "12",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "TIME", "price": 2, "step_size": 300}]}],
    "last_updated": NOON,
}
"""TARIFF in 2.1.1."""
CDR_211: Document = {
    "id": "12345",
    "start_date_time": NOON,
    "stop_date_time": NOON,
    "auth_id": "NL-TNM-1",
    "auth_method": "WHITELIST",
    "location": LOCATION_211,
    "currency": "EUR",
    "tariffs": [TARIFF_211],
    "charging_periods": [PERIOD],
    "total_cost": 4,
    "total_energy": 15.342,
    "total_time": 1.973,
    "last_updated": NOON,
}
"""CDR_ in 2.1.1."""
TOKEN_211: Document = {
    "uid": "0123",
    "type": "RFID",
    "auth_id": "NL-TNM-1",
    "issuer": "Issuer",
    "valid": True,
    "whitelist": "ALLOWED",
    "last_updated": NOON,
}
"""TOKEN in 2.1.1."""


def parsed(value: Any) -> Any:
    """`value` as it comes out of a body: numbers with a fraction are Decimals."""
    return parse(encode(value))
