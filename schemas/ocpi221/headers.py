"""HTTP headers of requests and answers: authorization, message ids, routing (OCPI 2.2.1, transport)."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from schemas.ocpi221.base import Remark, fold
from schemas.ocpi221.credentials import TOKEN_PATTERN
from schemas.ocpi221.notes import Unreadable

REQUEST_ID: Final = "X-Request-ID"
CORRELATION_ID: Final = "X-Correlation-ID"
LONGEST_MESSAGE_ID: Final = 255

TokenEncoding = Literal["base64", "raw"]
"""A6: how a partner expects the token."""

_LONGEST_AUTHORIZATION = 512
_TOKEN = re.compile(TOKEN_PATTERN)
_AUTHORIZATION = re.compile(r"token[ \t]+(?P<value>[!-~]+)", re.IGNORECASE)
_MESSAGE_ID = re.compile(rf"[!-~]{{1,{LONGEST_MESSAGE_ID}}}")
_COUNTRY_CODE = re.compile(r"[!-~]{1,2}")
_PARTY_ID = re.compile(r"[!-~]{1,3}")


class Party(NamedTuple):
    """Who sends or receives a message; the spelling is that of the header."""

    country_code: str
    party_id: str

    @property
    def folded(self) -> tuple[str, str]:
        """What to look the party up by (B2)."""
        return fold(self.country_code), fold(self.party_id)


class MessageHeaders(Struct, frozen=True, kw_only=True):
    """What the headers of a request or answer say besides authorization and paging; None where a header is absent."""

    request_id: str | None = None
    correlation_id: str | None = None
    to_party: Party | None = None
    from_party: Party | None = None

    def of_answer(self) -> "MessageHeaders":
        """The headers of the answer to a request with these: the same ids, the parties swapped."""
        return MessageHeaders(
            request_id=self.request_id, correlation_id=self.correlation_id, to_party=self.from_party, from_party=self.to_party
        )


def authorization_value(token: str, encoding: TokenEncoding = "base64") -> str:
    """The Authorization header for a credentials token (A1)."""
    return "Token " + (base64.b64encode(token.encode()).decode() if encoding == "base64" else token)


def token_candidates(authorization: str | None) -> tuple[str, ...]:
    """The credentials tokens that an Authorization header may mean, most likely first; none of them: HTTP 401 (A3).

    A6, A7, Z1: decoded once, decoded twice, as it stands. The caller looks all of them up by hash.
    """
    if authorization is None or len(authorization) > _LONGEST_AUTHORIZATION:
        return ()
    match = _AUTHORIZATION.fullmatch(authorization.strip())
    if match is None:
        return ()
    raw = match["value"]
    once = _decoded(raw)
    twice = _decoded(once) if once is not None else None
    return tuple(dict.fromkeys(token for token in (once, twice, raw) if token is not None and _TOKEN.fullmatch(token)))


def _decoded(value: str) -> str | None:
    """`value` decoded from Base64, with or without its padding, white space at its end stripped (A6); None if it is not that."""
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode().rstrip()
    except (binascii.Error, UnicodeError, ValueError):
        return None


def read_headers(headers: Mapping[str, str], *, functional: bool) -> tuple[MessageHeaders, tuple[Remark, ...]]:
    """The message headers among `headers`, in any case, and what is missing or odd about them.

    A missing message id is remarked on, not refused (Z13): the caller makes one up. `functional` tells whether the module is
    routed; in configuration modules routing headers are ignored (H, R17). Raises Unreadable (2001) for half a party.
    """
    folded = {name.lower(): value.strip() for name, value in headers.items()}
    remarks: list[Remark] = []

    def message_id(name: str) -> str | None:
        value = folded.get(name.lower())
        if value is not None and _MESSAGE_ID.fullmatch(value):
            return value
        remarks.append(Remark(name, "Z13", "is missing" if not value else "is not a message id"))
        return None

    request_id, correlation_id = message_id(REQUEST_ID), message_id(CORRELATION_ID)
    to_party = _party(folded, "to") if functional else None
    from_party = _party(folded, "from") if functional else None
    if functional and from_party is None:
        remarks.append(Remark("OCPI-from-party-id", "A5", "is missing"))
    read = MessageHeaders(request_id=request_id, correlation_id=correlation_id, to_party=to_party, from_party=from_party)
    return read, tuple(remarks)


def write_headers(headers: MessageHeaders) -> dict[str, str]:
    """The headers that say what `headers` holds."""
    written: dict[str, str] = {}
    if headers.request_id is not None:
        written[REQUEST_ID] = headers.request_id
    if headers.correlation_id is not None:
        written[CORRELATION_ID] = headers.correlation_id
    for direction, party in (("to", headers.to_party), ("from", headers.from_party)):
        if party is not None:
            written[f"OCPI-{direction}-country-code"] = party.country_code
            written[f"OCPI-{direction}-party-id"] = party.party_id
    return written


def _party(folded: Mapping[str, str], direction: Literal["to", "from"]) -> Party | None:
    country_name, party_name = f"OCPI-{direction}-country-code", f"OCPI-{direction}-party-id"
    country_code, party_id = folded.get(country_name.lower()), folded.get(party_name.lower())
    if not country_code and not party_id:
        return None
    if not country_code or not _COUNTRY_CODE.fullmatch(country_code):
        raise Unreadable(country_name, "H", "is missing or not a country code")
    if not party_id or not _PARTY_ID.fullmatch(party_id):
        raise Unreadable(party_name, "H", "is missing or not a party id")
    return Party(country_code, party_id)
