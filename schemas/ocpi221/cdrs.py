"""OCPI 2.2.1, module CDRs."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

from schemas.ocpi221.base import (
    AtLeastOne,
    Broken,
    Country,
    CountryCode,
    Currency,
    DateTime,
    EvseId,
    Id,
    LongId,
    OcpiObject,
    PartyId,
    Text,
    Text45,
    Text255,
    ci,
)
from schemas.ocpi221.locations import ConnectorFormat, ConnectorType, GeoLocation, PowerType
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.types import Price, TokenType

# AUTH_REQUEST: the eMSP was asked. COMMAND: started by it. WHITELIST: from the local list.
AuthMethod = Literal["AUTH_REQUEST", "COMMAND", "WHITELIST"]
CdrDimensionType = Literal[
    "CURRENT",  # A, average, negative to the grid
    "ENERGY",  # kWh, net
    "ENERGY_EXPORT",  # kWh
    "ENERGY_IMPORT",  # kWh
    "MAX_CURRENT",  # A, sum over phases
    "MIN_CURRENT",  # A, sum over phases
    "MAX_POWER",  # kW
    "MIN_POWER",  # kW
    "PARKING_TIME",  # hours in which the vehicle requests no power (D9)
    "POWER",  # kW, average
    "RESERVATION_TIME",  # hours reserved, not yet in use
    "STATE_OF_CHARGE",  # percent
    "TIME",  # hours of charging
]
SESSION_ONLY_DIMENSIONS: Final = frozenset({"CURRENT", "ENERGY_EXPORT", "ENERGY_IMPORT", "POWER", "STATE_OF_CHARGE"})
"""D7: what must not be in a CDR."""

_LONGEST_PLAIN_ID = 36
_CENT = Decimal("0.01")
_WH_FOR_KWH = 100


class CdrToken(OcpiObject, frozen=True, kw_only=True):
    """What of the token goes into a session or CDR. Owner: the eMSP."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("country_code", "party_id", "uid", "type")

    country_code: CountryCode
    party_id: PartyId
    uid: Id
    type: TokenType | str
    contract_id: Id


class CdrDimension(OcpiObject, frozen=True, kw_only=True):
    """A quantity of a charging period."""

    type: CdrDimensionType | str
    volume: Decimal


class ChargingPeriod(OcpiObject, frozen=True, kw_only=True):
    """A part of a session; it ends where the next begins, the last one with the session."""

    start_date_time: DateTime
    dimensions: Annotated[tuple[CdrDimension, ...], AtLeastOne()]
    tariff_id: Id | None = None  # absent: no tariff applies


class SignedValue(OcpiObject, frozen=True, kw_only=True):
    """A reading of the meter with its signature."""

    nature: Annotated[str, ci(32)]  # Start, End, Intermediate ...
    plain_data: Annotated[str, Text(max=5000)]
    signed_data: Annotated[str, Text(max=5000)]


class SignedData(OcpiObject, frozen=True, kw_only=True):
    """Signed meter values of a session."""

    encoding_method: Id
    encoding_method_version: int | None = None
    public_key: Annotated[str, Text(max=512)] | None = None
    signed_values: Annotated[tuple[SignedValue, ...], AtLeastOne()]
    url: Annotated[str, Text(max=512)] | None = None


class CdrLocation(OcpiObject, frozen=True, kw_only=True):
    """Where the session was, as it was then (D5). `#NA` may stand in the EVSE and connector of an unused reservation (B8)."""

    id: Id
    name: Text255 | None = None
    address: Text45
    city: Text45
    postal_code: Annotated[str, Text(max=10)] | None = None
    state: Annotated[str, Text(max=20)] | None = None
    country: Country
    coordinates: GeoLocation
    evse_uid: Id
    evse_id: EvseId
    connector_id: Id
    connector_standard: ConnectorType | str
    connector_format: ConnectorFormat | str
    connector_power_type: PowerType | str


class CDR(OcpiObject, frozen=True, kw_only=True):
    """The only object that is billed; it never changes (D2). Owner: the CPO. Energy in kWh, times in hours."""

    IDENTITY: ClassVar[tuple[str, ...]] = ("country_code", "party_id", "id")

    country_code: CountryCode
    party_id: PartyId
    id: LongId
    start_date_time: DateTime
    end_date_time: DateTime
    session_id: Id | None = None
    cdr_token: CdrToken
    auth_method: AuthMethod | str
    authorization_reference: Id | None = None
    cdr_location: CdrLocation
    meter_id: Text255 | None = None
    currency: Currency
    tariffs: tuple[Tariff, ...] = ()
    charging_periods: Annotated[tuple[ChargingPeriod, ...], AtLeastOne()]
    signed_data: SignedData | None = None
    total_cost: Price
    total_fixed_cost: Price | None = None
    total_energy: Decimal
    total_energy_cost: Price | None = None
    total_time: Decimal
    total_time_cost: Price | None = None
    total_parking_time: Decimal | None = None
    total_parking_cost: Price | None = None
    total_reservation_cost: Price | None = None
    remark: Text255 | None = None
    invoice_reference_id: LongId | None = None
    credit: bool | None = None  # absent: false
    credit_reference_id: LongId | None = None
    home_charging_compensation: bool | None = None
    last_updated: DateTime

    def broken_rules(self) -> Iterator[Broken]:
        """D3, D4, D7, D8, D13 and Z17."""
        yield from self._credit_rules()
        for index, period in enumerate(self.charging_periods):
            for dimension in period.dimensions:
                if dimension.type in SESSION_ONLY_DIMENSIONS:
                    yield Broken(f"charging_periods[{index}]", "D7", f"{dimension.type} is for sessions only", "wrong")
        if self.total_parking_time is not None and self.total_parking_time > self.total_time:
            yield Broken("total_parking_time", "D8", "is longer than total_time, which includes it", "odd")
        yield from self._sum_rules()

    def _credit_rules(self) -> Iterator[Broken]:
        if self.credit and self.credit_reference_id is None:
            yield Broken("credit_reference_id", "D4", "is missing in a credit", "fatal")
        if self.credit_reference_id is not None and not self.credit:
            yield Broken("credit", "D4", "is not true next to credit_reference_id", "fatal")
        if not self.credit and len(self.id) > _LONGEST_PLAIN_ID:
            yield Broken("id", "D3", f"is longer than {_LONGEST_PLAIN_ID} characters and this is no credit", "wrong")
        if self.credit and self.credit_reference_id is not None and self.id.casefold() == self.credit_reference_id.casefold():
            yield Broken("id", "D3", "is that of the credited CDR", "wrong")

    def _sum_rules(self) -> Iterator[Broken]:
        parts = (
            self.total_fixed_cost,
            self.total_energy_cost,
            self.total_time_cost,
            self.total_parking_cost,
            self.total_reservation_cost,
        )
        given = [part for part in parts if part is not None]
        # A credit may negate the total alone or everything (D3). What a minimum or maximum made of the sum cannot be told apart.
        total = abs(self.total_cost.excl_vat) if self.credit else self.total_cost.excl_vat
        summed = sum((part.excl_vat for part in given), Decimal(0))
        if self.credit:
            summed = abs(summed)
        clamped = any(tariff.min_price is not None or tariff.max_price is not None for tariff in self.tariffs)
        if given and not clamped and abs(summed - total) > _CENT:
            yield Broken("total_cost", "D13", f"is {total} without VAT, its parts are {summed}", "odd")
        energy = [d.volume for p in self.charging_periods for d in p.dimensions if d.type == "ENERGY"]
        if energy and self.total_energy > 0 and sum(energy) > self.total_energy * _WH_FOR_KWH:
            yield Broken("charging_periods", "Z17", f"ENERGY is {sum(energy)} in all, total_energy {self.total_energy}: Wh?", "odd")
        if energy and sum(energy) > 0 and self.total_energy > sum(energy) * _WH_FOR_KWH:
            yield Broken("total_energy", "Z17", f"is {self.total_energy}, ENERGY of the periods {sum(energy)}: Wh?", "odd")


def is_repetition(stored: CDR, posted: CDR) -> bool:
    """D2: whether a CDR posted under a known id is the known one once more, as against another under its id (2001)."""
    return stored == posted
