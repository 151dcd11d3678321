"""Documents of OCPI 2.2.1 for the tables of the tests, with facts of the published examples (digest, 19)."""

from typing import Any

Document = dict[str, Any]

NOON = "2020-05-01T12:00:00Z"
CONNECTOR: Document = {
    "id": "1",
    "standard": "IEC_62196_T2",
    "format": "CABLE",
    "power_type": "AC_3_PHASE",
    "max_voltage": 230,
    "max_amperage": 32,
    "last_updated": NOON,
}
EVSE_: Document = {"uid": "3256", "status": "AVAILABLE", "connectors": [CONNECTOR], "last_updated": NOON}
LOCATION: Document = {
    "country_code": "BE",
    "party_id": "BEC",
    "id": "LOC1",
    "publish": True,
    "address": "Street 1",
    "city": "Gent",
    "country": "BEL",
    "coordinates": {"latitude": "51.047599", "longitude": "3.729944"},
    "evses": [EVSE_],
    "time_zone": "Europe/Brussels",
    "last_updated": NOON,
}
CDR_TOKEN: Document = {"country_code": "DE", "party_id": "TNM", "uid": "012345678", "type": "RFID", "contract_id": "DE8ACC12E46L89"}
SESSION: Document = {
    "country_code": "BE",
    "party_id": "BEC",
    "id": "101",
    "start_date_time": NOON,
    "kwh": 0,
    "cdr_token": CDR_TOKEN,
    "auth_method": "WHITELIST",
    "location_id": "LOC1",
    "evse_uid": "3256",
    "connector_id": "1",
    "currency": "EUR",
    "status": "PENDING",
    "last_updated": NOON,
}
PERIOD: Document = {"start_date_time": NOON, "dimensions": [{"type": "TIME", "volume": 1.973}], "tariff_id": "12"}
CDR_: Document = {
    "country_code": "BE",
    "party_id": "BEC",
    "id": "12345",
    "start_date_time": NOON,
    "end_date_time": NOON,
    "cdr_token": CDR_TOKEN,
    "auth_method": "WHITELIST",
    "cdr_location": {
        "id": "LOC1",
        "address": "Street 1",
        "city": "Gent",
        "country": "BEL",
        "coordinates": {"latitude": "3.729944", "longitude": "51.047599"},
        "evse_uid": "3256",
        "evse_id": "BE*BEC*E041503003",
        "connector_id": "1",
        "connector_standard": "IEC_62196_T2",
        "connector_format": "SOCKET",
        "connector_power_type": "AC_1_PHASE",
    },
    "currency": "EUR",
    "charging_periods": [PERIOD],
    "total_cost": {"excl_vat": 4.00, "incl_vat": 4.40},
    "total_energy": 15.342,
    "total_time": 1.973,
    "last_updated": NOON,
}
"""With the coordinates swapped, as in the published example (digest, 19): formally valid."""
