"""Types of input fields that several endpoints share, with their limits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from zoneinfo import available_timezones

import msgspec
from msgspec import Meta

from csms.accounts import MAX_PASSWORD, MIN_PASSWORD
from hub.api.problems import invalid

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\Z")]
Password = Annotated[str, Meta(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}\Z", description="Tenant, as in URLs and topics")]
TimeZone = Annotated[str, Meta(min_length=1, max_length=64, description="IANA time zone")]
Time = Annotated[datetime, Meta(tz=True, description="RFC 3339, with its offset; from 1970 to 2099")]
"""Annotations cannot bound a time: `hub.api.decoding` holds every decoded time to the years 1970 to 2099."""

Identity = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9*_=+|@-][A-Za-z0-9*_=+|@.-]{0,47}\Z",
        description="OCPP identity: the last part of the station's URL",
    ),
]
"""Rule C1; `:` would split Basic credentials, a leading dot would be a path."""

Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S", description="Why; kept with who and when")]
"""Of a decision that somebody may have to explain later."""

WireNumber = Annotated[int, Meta(ge=0, le=2_147_483_647)]

_ZONES: Final = available_timezones()


def check_time_zone(name: str | None, field: str = "time_zone") -> None:
    """Raises Problem 422 unless the name is one of the IANA database."""
    if name is not None and name not in _ZONES:
        raise invalid(field, "is not a time zone of the IANA database")


def given(value: object) -> bool:
    """True when a field of a PATCH was in the body, be it null."""
    return value is not msgspec.UNSET
