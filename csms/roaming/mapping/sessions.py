"""Sessions of other parties' tokens (OCPI mod_sessions)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from csms.pricing.cost import ChargingPeriod as OwnPeriod
from csms.pricing.tariff import Price as OwnPrice
from csms.roaming.mapping.findings import Finding, Mapped, of_remarks
from csms.roaming.sources import SessionSource, Vouching
from schemas.ocpi221.base import NOT_AVAILABLE
from schemas.ocpi221.cdrs import AuthMethod, CdrDimension, CdrToken, ChargingPeriod
from schemas.ocpi221.headers import Party
from schemas.ocpi221.sessions import Session, SessionStatus
from schemas.ocpi221.types import Price
from schemas.ocpi221.writing import check

MODULE: Final = "sessions"
_WH_A_KWH: Final = 3
_HOUR_S: Final = 3600
_FOUR: Final = Decimal("0.0001")

_STATUS: Final[dict[str, SessionStatus]] = {
    "active": "ACTIVE",
    "completed": "COMPLETED",
    "incomplete": "COMPLETED",
    "reserved": "RESERVATION",
    "lapsed": "COMPLETED",
}
"""A session whose stop never came is over too: what is known of it is told, and billed (design 3.2). Reservations: E5."""


def map_session(source: SessionSource, owner: Party, token: CdrToken, at: datetime) -> Mapped[Session]:
    """A session with last_updated `at`; checked. `token`: as it was when the session was first told (D5)."""
    session_id = str(source.told_as)
    lacking = _lacking(source)
    if lacking is not None:
        return Mapped(None, (Finding(MODULE, session_id, lacking, "is not known"),))
    end = source.ended_at
    session = Session(
        country_code=owner.country_code,
        party_id=owner.party_id,
        id=session_id,
        start_date_time=source.started_at,
        end_date_time=end,
        kwh=_kwh(source.energy_wh),
        cdr_token=token,
        auth_method=auth_method(source.vouching, by_command=source.by_command),
        authorization_reference=None if source.vouching is None else source.vouching.reference,
        location_id=str(source.location_id),
        evse_uid=_known(source.evse_uid),
        connector_id=_known(source.connector_id),
        meter_id=source.meter_serial,
        currency=source.currency,
        charging_periods=_periods(source, end or at),
        total_cost=None if source.total_cost is None else price(source.total_cost),
        status=_STATUS[source.status],
        last_updated=at,
    )
    findings = tuple(of_remarks(MODULE, session_id, check(session)))
    return Mapped(None if findings else session, findings)


def _lacking(source: SessionSource) -> str | None:
    """What cannot be left out and is not known. E6: a reservation need not have an EVSE."""
    if source.location_id is None:
        return "location_id"
    if source.evse_uid is None:
        return None if source.keeps_place else "evse_id"
    return "connector_id" if source.connector_id is None else None


def _known(value: object) -> str:
    return NOT_AVAILABLE if value is None else str(value)


def auth_method(vouching: Vouching | None, *, by_command: bool) -> AuthMethod:
    """E7: the word of the eMSP that came last; without any the token was taken from what is known here."""
    if vouching is not None:
        return vouching.method
    return "COMMAND" if by_command else "WHITELIST"


def periods(source: Iterable[OwnPeriod]) -> tuple[ChargingPeriod, ...]:
    return tuple(
        ChargingPeriod(
            start_date_time=period.start_date_time,
            dimensions=tuple(CdrDimension(type=one.type, volume=one.volume) for one in period.dimensions),
            tariff_id=period.tariff_id,
        )
        for period in source
    )


def price(source: OwnPrice) -> Price:
    return Price(excl_vat=source.excl_vat, incl_vat=source.incl_vat)


def _periods(source: SessionSource, until: datetime) -> tuple[ChargingPeriod, ...]:
    if source.periods:
        return periods(source.periods)
    return () if source.keeps_place else (_whole(source, until),)


def _whole(source: SessionSource, until: datetime) -> ChargingPeriod:
    """One period for all of a session that has no price."""
    seconds = max(0, int((until - source.started_at).total_seconds()))
    dimensions = [CdrDimension(type="TIME", volume=(Decimal(seconds) / _HOUR_S).quantize(_FOUR))]
    if source.energy_wh:
        dimensions.append(CdrDimension(type="ENERGY", volume=_kwh(source.energy_wh)))
    return ChargingPeriod(start_date_time=source.started_at, dimensions=tuple(dimensions), tariff_id=source.tariff_id)


def _kwh(energy_wh: Decimal | None) -> Decimal:
    return Decimal(0) if energy_wh is None else energy_wh.scaleb(-_WH_A_KWH)
