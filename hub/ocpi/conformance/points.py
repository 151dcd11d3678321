"""What is looked at: each point with the rule of our digest that it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Broken = Literal["failed", "warning"]


@dataclass(frozen=True, slots=True)
class Point:
    """`expected` says what a good platform does. `broken`: what it is when it does not: `failed` where the standard demands it,
    `warning` where it only is what others rely on."""

    rule: str
    expected: str
    broken: Broken = "failed"


POINTS: Final[dict[str, Point]] = {
    "answers.in_time": Point("17.3", "every request is answered, and in time"),
    "answers.content_type": Point("T2", "every answer is application/json"),
    "answers.envelope": Point("S6", "every answer has an envelope with a numeric status_code and a timestamp"),
    "answers.error_envelope": Point("T2", "so have answers with an HTTP error", "warning"),
    "answers.ids": Point("H", "X-Request-ID and X-Correlation-ID come back as they were sent"),
    "answers.routing": Point("H", "OCPI-to in an answer names who has asked, OCPI-from who answers"),
    "requests.tls": Point("T1", "all URLs begin with https://", "warning"),
    "requests.without_ids": Point("Z13", "a request without X-Request-ID and X-Correlation-ID is answered", "warning"),
    "requests.slashes": Point("Z2", "a slash at the end of a path, or two in it, change nothing and redirect nobody", "warning"),
    "requests.other_methods": Point("S5", "a method that is not offered is answered with HTTP 405"),
    "token.base64": Point("A1", "the token is taken in Base64"),
    "token.scheme": Point("A7", "the word Token is taken in any letter case", "warning"),
    "token.missing": Point("A3", "a request without Authorization is answered with HTTP 401"),
    "token.wrong": Point("A3", "a token that is not known is answered with HTTP 401"),
    "versions.answered": Point("V1", "the versions URL gives a list of versions"),
    "versions.offered": Point("V4", "2.2.1 is among them"),
    "versions.details": Point("V1", "the details of every version can be had"),
    "details.readable": Point("V1", "the details name this version and its endpoints"),
    "details.roles": Point("V2", "every endpoint has a role and is there once for each role"),
    "details.credentials": Point("V3", "credentials is there once", "warning"),
    "details.modules": Point("V5", "there are no modules but those of the standard", "warning"),
    "credentials.answered": Point("C7", "GET gives the platform's Credentials"),
    "credentials.token": Point("C7", "their token is the one that we use there", "warning"),
    "credentials.url": Point("C7", "their URL is the versions URL that we know", "warning"),
    "credentials.roles": Point("C9", "every party is there once for each role"),
    "list.answered": Point("T6", "the list can be had, as a list"),
    "list.token": Point("A3", "without Authorization it is answered with HTTP 401"),
    "list.total": Point("G5", "X-Total-Count is there"),
    "list.limit": Point("G6", "X-Limit is there"),
    "list.size": Point("G2", "a page holds no more than was asked for, and no more than X-Limit"),
    "list.link": Point("G4", "Link is there on every page but the last"),
    "list.link_target": Point("G7", "Link leads to the host of the list, and nowhere twice"),
    "list.link_plain": Point("G4", "the URL in Link has offset and limit as plain parameters", "warning"),
    "list.link_filters": Point("G4", "the URL in Link has the dates of the request"),
    "list.complete": Point("G5", "all pages together have as many objects as X-Total-Count says, each once"),
    "list.offset": Point("G1", "offset leaves out as many objects"),
    "list.order": Point("G3", "objects are in one order, however long the pages are"),
    "list.newest_first": Point("G3", "the order is not that of the last change", "warning"),
    "list.date_from": Point("G1", "date_from gives what was changed at that moment or later"),
    "list.date_to": Point("G1", "date_to gives what was changed before that moment"),
    "list.date_forms": Point("B7", "dates without Z, or with a fraction, are taken"),
    "list.date_from_required": Point("E9", "a list of sessions without date_from is refused with 2001", "warning"),
    "list.beyond": Point("Z21", "an offset beyond the end gives an empty list without Link"),
    "list.bad_parameters": Point("G2", "bad numbers and dates are refused with 2001", "warning"),
    "objects.readable": Point("B1", "every object can be read"),
    "objects.exact": Point("B1", "every object is exactly as the standard has it"),
    "objects.members": Point("B11", "no object has members that the standard does not know", "warning"),
    "single.answered": Point("L1", "an object that is in the list can be had alone, as it is there"),
    "single.parts": Point("L1", "so can its EVSEs and connectors"),
    "single.other_case": Point("B2", "its id is found in any letter case", "warning"),
    "single.unknown": Point("S3", "an object that does not exist is answered with HTTP 404 and a code of 2000 to 2999"),
    "single.escaped": Point("T4", "a slash in an id, sent as %2F, is part of the id", "warning"),
}

GENERAL: Final = tuple(name for name in POINTS if name.partition(".")[0] in ("answers", "requests", "token", "versions"))
DETAILS: Final = tuple(name for name in POINTS if name.startswith("details."))
CREDENTIALS: Final = tuple(name for name in POINTS if name.startswith("credentials."))
LIST: Final = tuple(name for name in POINTS if name.partition(".")[0] in ("list", "objects"))
SINGLE: Final = tuple(name for name in POINTS if name.startswith("single."))
