"""What is noted about a session beside its facts, and which of it is for a person to settle."""

from __future__ import annotations

from typing import Final, Literal, get_args

SessionFlag = Literal[
    "conflict",
    "stop_missing",
    "events_lost",
    "suspect",
    "reused_id",
    "unauthorized",
    "missing_events",
    "superseded",
    "reconciled",
    "given_up",
    "closed_by_operator",
    "forced",
    "offline",
    "replayed",
    "clock_skew",
]
"""
conflict        two messages of the station contradict each other; the first bills (rules X7, Y6)
stop_missing    closed without a stop: it ends where it was last known (rules X4, Y8)
events_lost     events are missing and the station has them no more (rule Y8)
suspect         a time or a value cannot be right, such as a negative energy
reused_id       the station used the id of a transaction again (rule Y6)
unauthorized    the token was not accepted, and energy flowed
missing_events  events are missing; the station is asked for them (rule Y5)
superseded      the next transaction began on its connector (rule X4)
reconciled      the station does not know it any more (rule Y8)
given_up        nothing was heard of it for so long that nobody expects its end
closed_by_operator, forced  a person closed it; `forced`: after a remote stop that came to nothing
offline         parts of it happened while the station was offline (rule Y9)
replayed        a message of it was taken from quarantine
clock_skew      the station's clock was off by more than a minute; its times are kept as it gave them (rule L6)
"""

FLAGS: Final[tuple[str, ...]] = get_args(SessionFlag)

DOUBTS: Final[tuple[str, ...]] = ("conflict", "stop_missing", "events_lost", "suspect", "reused_id", "unauthorized")
"""The flags that put a session on the list of those that need a person, until one has settled them."""
