"""Sessions that end by the word of a person: closed without a stop, or with another stop than the first. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from csms.domain.folding import close_without_stop, fold_completeness
from csms.domain.session_state import SessionState


class Refused(Exception):
    """What was asked for cannot be: `field` names the part of the order that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message


class Closing(msgspec.Struct, frozen=True):
    """How a person closes a session. None: as last known. `below_start`: the meter may be below where it began."""

    stop_time: datetime | None = None
    stop_meter_wh: Decimal | None = None
    below_start: bool = False


class End(msgspec.Struct, frozen=True):
    """The end of a session as one message of its station told it. Energy in Wh."""

    seq_no: int
    time: datetime | None
    time_text: str | None
    reason: str
    meter_wh: Decimal


def close_by_hand(session: SessionState, flag: str, closing: Closing, now: datetime) -> None:
    """End an active session, or correct the end of an incomplete one, without a stop of its station.

    What a person reads off the meter counts as a reading: a later one of the station's (OCPP 2.x: of a higher seqNo) moves on from
    it. A stop that comes after all counts. Raises Refused.
    """
    _check(session, closing, now)
    # an earlier close is the last that is known, too
    known_time, known_meter = session.stop_time, session.stop_meter_wh
    close_without_stop(session, flag)
    session.stop_time = closing.stop_time or known_time or _last_known_time(session) or now
    session.stop_time_text = None
    session.stop_meter_wh = closing.stop_meter_wh
    if closing.stop_meter_wh is not None:
        session.last_meter_wh, session.last_meter_time = closing.stop_meter_wh, session.stop_time
    elif known_meter is not None:
        session.stop_meter_wh = known_meter
    else:
        session.stop_meter_wh = session.start_meter_wh if session.last_meter_wh is None else session.last_meter_wh
    _fold_energy(session)


def end_as_told(session: SessionState, end: End) -> None:
    """Take the end of the session from this message, whatever its end was before."""
    session.status = "completed"
    session.flags = [flag for flag in session.flags if flag != "stop_missing"]
    session.stop_time, session.stop_time_text = end.time, end.time_text
    session.stop_reason = end.reason
    session.stop_meter_wh = session.last_meter_wh = end.meter_wh
    session.last_meter_time = end.time or session.last_meter_time
    _fold_energy(session)
    if session.ocpp_version != "ocpp1.6":
        session.last_meter_seq = session.ended_seq = end.seq_no
        fold_completeness(session)


def _check(session: SessionState, closing: Closing, now: datetime) -> None:
    if closing.stop_time is not None:
        if session.start_time is not None and closing.stop_time < session.start_time:
            raise Refused("stop_time", f"is before the session's start at {session.start_time.isoformat()}")
        # a station's clock may run ahead of ours
        latest = max(now, session.start_time or now, session.last_meter_time or now)
        if closing.stop_time > latest:
            raise Refused("stop_time", "is in the future")
    if (
        closing.stop_meter_wh is not None
        and session.start_meter_wh is not None
        and closing.stop_meter_wh < session.start_meter_wh
        and not closing.below_start
    ):
        raise Refused(
            "stop_meter_wh",
            f"is below the meter at the session's start, {session.start_meter_wh} Wh; say below_start if it is meant",
        )


def _last_known_time(session: SessionState) -> datetime | None:
    if session.last_meter_time is None or session.start_time is None:
        return session.last_meter_time or session.start_time
    return max(session.last_meter_time, session.start_time)


def _fold_energy(session: SessionState) -> None:
    if session.stop_meter_wh is None or session.start_meter_wh is None:
        session.energy_wh = None
        return
    session.energy_wh = session.stop_meter_wh - session.start_meter_wh
    if session.energy_wh < 0:
        session.flag("suspect")
