"""Tariffs, tokens, sessions and CDRs as OCPI has them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from csms.billing.cdr import Cdr, CdrLocation, credit
from csms.pricing.cost import CdrDimension, ChargingPeriod
from csms.pricing.tariff import Price
from csms.pricing.tariff_check import read_tariff
from csms.roaming.details import ConnectorDetails, LocationDetails
from csms.roaming.mapping.cdrs import map_cdr
from csms.roaming.mapping.sessions import map_session
from csms.roaming.mapping.tariffs import map_tariff
from csms.roaming.mapping.tokens import cdr_token, map_token, owner_of_token, token_type
from csms.roaming.sources import ForeignToken, LocationSource, SessionSource, TokenSource, Vouching
from csms.signed_metering import SignedValue
from schemas.ocpi221.headers import Party
from schemas.ocpi221.writing import check, document

OWNER = Party("DE", "ABC")
START = datetime(2026, 3, 1, 10, tzinfo=UTC)
NOW = START + timedelta(hours=2)
CARD = ForeignToken(
    country_code="NL", party_id="EMP", id_token="CARD1", ocpi_type="RFID", type="ISO14443", kind=None, contract_id=None
)
TARIFF = {
    "id": "complex",
    "currency": "EUR",
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": "0.25", "vat": "19", "step_size": 1}],
            "restrictions": {"start_time": "08:00", "end_time": "20:00", "day_of_week": ["MONDAY"]},
        },
        {"price_components": [{"type": "FLAT", "price": "1", "step_size": 0}]},
    ],
    "min_price": {"excl_vat": "1", "incl_vat": "1.19"},
    "energy_mix": {"is_green_energy": True, "energy_sources": [{"source": "SOLAR", "percentage": "100"}]},
}
EXTENDED = {
    **TARIFF,
    "extensions": {
        "peak_power": {"price": "2.50", "window": 900, "vat": "19"},
        "dynamic_energy": {"series": "spot", "elements": [0], "factor": "1.1", "markup": "0.02"},
    },
}
PERIODS = [ChargingPeriod(START, [CdrDimension("TIME", Decimal("1")), CdrDimension("ENERGY", Decimal("4"))], "complex")]


def tariff(text: dict[str, Any]) -> Any:
    return read_tariff(msgspec.json.encode(text))


def test_a_tariff_says_the_same_in_the_words_of_ocpi() -> None:
    mapped = map_tariff(tariff(TARIFF), OWNER, NOW)
    assert (mapped.findings, mapped.thing is None) == ((), False)
    assert mapped.thing is not None
    told = document(mapped.thing)
    assert (told["country_code"], told["party_id"], told["min_price"]) == (
        "DE",
        "ABC",
        {"excl_vat": Decimal(1), "incl_vat": Decimal("1.19")},
    )
    assert told["elements"][0]["restrictions"] == {"start_time": "08:00", "end_time": "20:00", "day_of_week": ["MONDAY"]}
    assert told["energy_mix"]["energy_sources"] == [{"source": "SOLAR", "percentage": Decimal(100)}]
    assert "tariff_alt_text" not in told


def test_prices_that_ocpi_does_not_know_are_told_in_words() -> None:
    """F5."""
    mapped = map_tariff(tariff(EXTENDED), OWNER, NOW)
    assert mapped.thing is not None
    assert [text.text for text in mapped.thing.tariff_alt_text] == [
        "In addition 2.5 EUR per kW of the highest average power in 15 minutes without VAT (19 %).",
        (
            "The price of energy changes with time: the price series spot times 1.1 plus 0.02 EUR per kWh without VAT. "
            "The price of energy given here holds where the series has none."
        ),
    ]
    assert [finding.weight for finding in mapped.findings] == ["assumed"]


@pytest.mark.parametrize(
    ("ocpi_type", "type_", "kind", "expected"),
    [
        ("RFID", "Central", None, "RFID"),
        ("EMAID", "eMAID", None, "OTHER"),
        (None, "ISO14443", None, "RFID"),
        (None, "ISO15693", "mifare", "RFID"),
        (None, "eMAID", "emaid", "OTHER"),
        (None, "Central", "api_key", "APP_USER"),
        (None, "Local", None, "OTHER"),
    ],
)
def test_types_of_tokens(ocpi_type: str | None, type_: str, kind: str | None, expected: str) -> None:
    assert token_type(ocpi_type, type_, kind) == expected


def own_token(**values: Any) -> TokenSource:
    plain = TokenSource(
        token_id=UUID(int=1),
        id_token="A1",
        type="ISO14443",
        kind=None,
        ocpi_type=None,
        status="accepted",
        valid_from=None,
        valid_until=None,
        retired=False,
        visual_id=None,
        issuer=None,
        contract_id="DE-EMS-C1",
        language=None,
        whitelist="ALLOWED",
        group=None,
    )
    return msgspec.structs.replace(plain, **values)


def test_tokens() -> None:
    """K2; the issuer is the party's name where none is entered, the token itself its contract."""
    mapped = map_token(own_token(), OWNER, "ABC Energy", NOW)
    assert mapped.thing is not None
    assert (mapped.thing.issuer, mapped.thing.valid, mapped.findings) == ("ABC Energy", True, ())
    for values in ({"status": "blocked"}, {"retired": True}, {"valid_until": NOW}, {"valid_from": NOW + timedelta(seconds=1)}):
        revoked = map_token(own_token(**values), OWNER, "ABC Energy", NOW).thing
        assert revoked is not None
        assert not revoked.valid
    bare = map_token(own_token(contract_id=None), OWNER, "ABC Energy", NOW)
    assert bare.thing is not None
    assert (bare.thing.contract_id, [finding.field for finding in bare.findings]) == ("A1", ["contract_id"])
    assert map_token(own_token(), OWNER, "A" * 65, NOW).thing is None
    parties = [Party("DE", "AAA"), Party("DE", "EMS")]
    assert owner_of_token(own_token(), parties) == parties[1]
    assert owner_of_token(own_token(contract_id="NLXYZC1"), parties) == parties[0]


def session(**values: Any) -> SessionSource:
    plain = SessionSource(
        session_id=UUID(int=9),
        told_as=UUID(int=8),
        status="active",
        created_at=START,
        start_time=START,
        stop_time=None,
        last_meter_time=None,
        energy_wh=Decimal("4000"),
        location_id=UUID(int=1),
        evse_uid=UUID(int=2),
        connector_id=1,
        meter_serial="M1",
        by_command=False,
        currency="EUR",
        tariff_id="complex",
        total_cost=Price(Decimal("1.00"), Decimal("1.19")),
        periods=tuple(PERIODS),
        token=CARD,
        vouching=None,
    )
    return msgspec.structs.replace(plain, **values)


def test_sessions() -> None:
    """E3, E7, E8, E11."""
    mapped = map_session(session(), OWNER, cdr_token(CARD), NOW).thing
    assert mapped is not None
    assert (mapped.id, mapped.kwh, mapped.status, mapped.end_date_time) == (str(UUID(int=8)), 4, "ACTIVE", None)
    assert mapped.auth_method == "WHITELIST"
    assert mapped.cdr_token.contract_id == "CARD1"
    vouched = map_session(session(vouching=Vouching("COMMAND", "ref")), OWNER, cdr_token(CARD), NOW).thing
    assert vouched is not None
    assert (vouched.auth_method, vouched.authorization_reference) == ("COMMAND", "ref")
    plain = map_session(session(periods=None, total_cost=None, tariff_id=None), OWNER, cdr_token(CARD), NOW).thing
    assert plain is not None
    assert plain.total_cost is None
    assert [(one.type, one.volume) for one in plain.charging_periods[0].dimensions] == [("TIME", 2), ("ENERGY", 4)]
    for status, stop, end in (
        ("completed", START + timedelta(hours=1), START + timedelta(hours=1)),
        ("incomplete", None, START),
        ("completed", START - timedelta(days=9), START),
    ):
        ended = map_session(session(status=status, stop_time=stop), OWNER, cdr_token(CARD), NOW).thing
        assert ended is not None
        assert (ended.status, ended.end_date_time) == ("COMPLETED", end)
    for field in ("location_id", "evse_uid", "connector_id"):
        withheld = map_session(session(**{field: None}), OWNER, cdr_token(CARD), NOW)
        assert (withheld.thing, len(withheld.findings)) == (None, 1)


def test_reservations() -> None:
    """E3, E5, E6."""
    bare: dict[str, Any] = {"start_time": None, "energy_wh": None, "total_cost": None, "periods": None, "by_command": True}
    kept = session(status="reserved", **bare)
    told = map_session(kept, OWNER, cdr_token(CARD), NOW).thing
    assert told is not None
    assert (told.status, told.start_date_time, told.end_date_time, told.auth_method) == ("RESERVATION", START, None, "COMMAND")
    assert (told.kwh, told.charging_periods, told.total_cost, told.evse_uid) == (0, (), None, str(UUID(int=2)))
    until = START + timedelta(minutes=5)
    lapsed = msgspec.structs.replace(kept, status="lapsed", stop_time=until, evse_uid=None, connector_id=None)
    told = map_session(lapsed, OWNER, cdr_token(CARD), NOW).thing
    assert told is not None
    assert (told.status, told.end_date_time, told.evse_uid, told.connector_id) == ("COMPLETED", until, "#NA", "#NA")
    for lacking in ({"location_id": None}, {"connector_id": None}):
        assert map_session(msgspec.structs.replace(kept, **lacking), OWNER, cdr_token(CARD), NOW).thing is None


WHERE = CdrLocation(
    "CP-1",
    "Europe/Berlin",
    location_id=UUID(int=1),
    name="Market",
    address="Marktplatz 1",
    city="Berlin",
    country="DE",
    latitude=Decimal("52.5"),
    longitude=Decimal("13.4"),
    evse_uid=UUID(int=2),
    evse_id=1,
    connector_id=1,
    connector_type="cType2",
    max_power_w=11_000,
)


def record(**values: Any) -> Cdr:
    zero = Price(Decimal(0), Decimal(0))
    plain = Cdr(
        id=str(UUID(int=7)),
        number=1,
        session_id=UUID(int=9),
        transaction_id="1",
        start_date_time=START,
        end_date_time=START + timedelta(hours=1),
        cdr_token=None,
        auth_method="WHITELIST",
        cdr_location=WHERE,
        currency="EUR",
        tariff_version=1,
        tariffs=[tariff(EXTENDED)],
        charging_periods=PERIODS,
        total_cost=Price(Decimal("3.50"), Decimal("4.165")),
        amount_due=Price(Decimal("3.50"), Decimal("4.17")),
        total_fixed_cost=zero,
        total_energy=Decimal("4"),
        total_energy_cost=Price(Decimal("1"), Decimal("1.19")),
        total_time=Decimal("1"),
        total_time_cost=zero,
        total_parking_time=Decimal("0"),
        total_parking_cost=zero,
        total_reservation_cost=zero,
        total_peak_power_cost=Price(Decimal("2.50"), Decimal("2.975")),
        subtotal=Price(Decimal("3.50"), Decimal("4.165")),
        taxes=[],
        lines=[],
        issues=[],
    )
    return msgspec.structs.replace(plain, **values)


def mapped_cdr(cdr: Cdr, place: LocationSource | None = None) -> Any:
    return map_cdr(cdr, UUID(int=8), OWNER, cdr_token(CARD), None, place, ConnectorDetails(), NOW)


def test_a_cdr_and_its_credit() -> None:
    """D3, D8, D13: the parts add up, with peak power told as fixed cost."""
    mapped = mapped_cdr(record())
    assert mapped.findings == ()
    cdr = mapped.thing
    assert (cdr.total_fixed_cost.excl_vat, cdr.total_fixed_cost.incl_vat) == (Decimal("2.50"), Decimal("2.975"))
    assert cdr.remark == "total_fixed_cost includes 2.50 EUR without VAT for peak power."
    assert not [broken for broken in cdr.broken_rules() if broken.rule == "D13"]
    assert (cdr.cdr_location.evse_id, cdr.total_reservation_cost, cdr.credit) == ("#NA", None, None)
    assert cdr.session_id == str(UUID(int=8))
    taken_back = mapped_cdr(credit(record(), f"{UUID(int=7)}-C", 2)).thing
    assert (taken_back.credit, taken_back.credit_reference_id, taken_back.total_cost.excl_vat) == (True, cdr.id, Decimal("-3.50"))
    assert not check(taken_back)


def test_a_record_of_a_place_that_was_kept_for_nobody() -> None:
    """B8: it need not have an EVSE; whoever reads it ignores the connector."""
    nowhere = msgspec.structs.replace(WHERE, evse_uid=None, evse_id=None, connector_id=None, connector_type=None)
    cost = Price(Decimal("2.00"), Decimal("2.38"))
    kept = record(session_id=None, transaction_id=None, reservation_id=7, cdr_location=nowhere, total_reservation_cost=cost)
    cdr = mapped_cdr(kept).thing
    place = cdr.cdr_location
    assert (place.evse_uid, place.connector_id, place.connector_standard) == ("#NA", "#NA", "IEC_62196_T2")
    assert (cdr.session_id, cdr.total_reservation_cost.incl_vat) == (str(UUID(int=8)), Decimal("2.38"))
    assert mapped_cdr(record(cdr_location=nowhere)).thing is None


def test_what_a_record_lacks_is_taken_from_the_place_or_named() -> None:
    bare = msgspec.structs.replace(WHERE, address=None, country=None, latitude=None, longitude=None)
    withheld = mapped_cdr(record(cdr_location=bare))
    assert withheld.thing is None
    assert {finding.field for finding in withheld.findings} == {
        f"cdr_location.{field}" for field in ("address", "country", "latitude", "longitude")
    }
    place = LocationSource(
        location_id=UUID(int=1),
        name="Market",
        address="A" * 60,
        city="Berlin",
        postal_code=None,
        country="NLD",
        latitude=Decimal(1),
        longitude=Decimal(2),
        time_zone="UTC",
        details=LocationDetails(state="S" * 45),
    )
    told = mapped_cdr(record(cdr_location=bare), place)
    assert told.thing is not None
    assert (told.thing.cdr_location.address, told.thing.cdr_location.state) == ("A" * 45, None)
    assert (told.thing.cdr_location.country, [finding.weight for finding in told.findings]) == ("NLD", ["assumed"])
    unknown = mapped_cdr(record(cdr_location=msgspec.structs.replace(WHERE, connector_type=None)))
    assert [finding.field for finding in unknown.findings] == ["cdr_location.connector_type"]


def test_signed_values() -> None:
    ocmf = 'OCMF|{"FV":"1.0"}|{"SD":"30"}'
    values = [
        SignedValue("Start", "Transaction.Begin", START, ocmf, "OCMF", None, "K" * 600),
        SignedValue("Intermediate", "Sample.Periodic", START, "OCMF|" + "x" * 6_000, "OCMF"),
        SignedValue("End", "Transaction.End", START, base64.b64encode(b"\x00\x01" * 40).decode(), None),
    ]
    mapped = mapped_cdr(record(signed_values=values))
    signed = mapped.thing.signed_data
    assert (signed.encoding_method, signed.public_key) == ("OCMF", None)
    assert [value.nature for value in signed.signed_values] == ["Start", "End"]
    assert signed.signed_values[0].plain_data == ocmf
    assert base64.b64decode(signed.signed_values[0].signed_data).decode() == ocmf
    assert signed.signed_values[1].plain_data == values[2].signed_data
    assert {finding.field for finding in mapped.findings} == {"signed_data", "signed_data.public_key"}
