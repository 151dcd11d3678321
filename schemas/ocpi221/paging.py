"""Lists in pages: the query of the client, the headers of the server (OCPI 2.2.1, pagination)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from msgspec import Struct

from schemas.ocpi221.base import Remark
from schemas.ocpi221.instants import read_query_instant
from schemas.ocpi221.notes import Unreadable

LARGEST_OFFSET: Final = 2**63 - 1
LONGEST_LINK: Final = 8192

_INTEGER = re.compile(r"\d{1,19}", re.ASCII)
_LINK = re.compile(r"<(?P<url>[^<>]*)>(?P<parameters>[^<]*)")
_REL = re.compile(r""";\s*rel\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s;,"']+))""", re.IGNORECASE)
_OFFSET, _LIMIT = "offset", "limit"


class PageRequest(Struct, frozen=True, kw_only=True):
    """What a client asks of a list: `date_from` <= last_updated < `date_to`, and which part (G1, G2)."""

    date_from: datetime | None = None
    date_to: datetime | None = None
    offset: int = 0
    limit: int | None = None


def read_page_request(query: Iterable[tuple[str, str]], *, date_from_required: bool = False) -> PageRequest:
    """The page that the decoded `query` asks for; the last of repeated parameters counts, unknown ones and empty ones do not.

    `date_from_required` is for sessions (E9). Raises Unreadable (2001), which names the parameter.
    """
    given = {name: value.strip() for name, value in query if value.strip()}
    if date_from_required and "date_from" not in given:
        raise Unreadable("date_from", "E9", "is missing")
    return PageRequest(
        date_from=_date(given, "date_from"),
        date_to=_date(given, "date_to"),
        offset=_count(given, _OFFSET, 0) or 0,
        limit=_count(given, _LIMIT, 1),
    )


def page_headers(
    list_url: str, query: Iterable[tuple[str, str]], *, offset: int, limit: int, total: int, maximum: int
) -> dict[str, str]:
    """The headers of a page of at most `limit` objects from `offset` on, `total` being there in all (G4 to G6).

    `list_url` is the public URL of the list (G7), `query` that of the request: the link to the next page repeats all of it,
    but for `offset` and `limit`. `maximum` is the most that a page may hold.
    """
    headers = {"X-Total-Count": str(total), "X-Limit": str(maximum)}
    following = offset + limit
    if following < total:
        kept = [(name, value) for name, value in query if name not in (_OFFSET, _LIMIT)]
        headers["Link"] = f'<{_with_query(list_url, [*kept, (_OFFSET, str(following)), (_LIMIT, str(limit))])}>; rel="next"'
    return headers


def _with_query(url: str, query: list[tuple[str, str]]) -> str:
    parts = urlsplit(url)
    own = parse_qsl(parts.query, keep_blank_values=True)
    return urlunsplit(parts._replace(query=urlencode([*own, *query])))


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHeaders:
    """What a server says of a page: where the next is (None: this is the last), how many objects there are, its maximum."""

    next_url: str | None
    total: int | None
    maximum: int | None
    remarks: tuple[Remark, ...]


def read_page_headers(headers: Mapping[str, str], request_url: str) -> PageHeaders:
    """The page headers among `headers`, in any case; a relative link is taken as relative to `request_url` (G8, Z6).

    Whoever follows the link stops at a URL that was seen before, and does not trust its host.
    """
    folded = {name.lower(): value.strip() for name, value in headers.items()}
    remarks: list[Remark] = []
    next_url = None
    link = folded.get("link")
    if link is not None:
        target = next_link(link)
        if target is None:
            remarks.append(Remark("Link", "G8", "names no next page"))
        else:
            try:
                next_url = urljoin(request_url, target)
            except ValueError:
                remarks.append(Remark("Link", "G8", "is not a URL"))
    counts: dict[str, int | None] = {}
    for name in ("X-Total-Count", "X-Limit"):
        text = folded.get(name.lower(), "")
        counts[name] = int(text) if _INTEGER.fullmatch(text) else None
        if counts[name] is None:
            remarks.append(Remark(name, "Z6", "is not a number" if text else "is missing"))
    return PageHeaders(next_url=next_url, total=counts["X-Total-Count"], maximum=counts["X-Limit"], remarks=tuple(remarks))


def next_link(link: str) -> str | None:
    """The URL of `rel=next` in a Link header with any number of links, parameters and kinds of quotes (G8), or None."""
    if len(link) > LONGEST_LINK:
        return None
    for match in _LINK.finditer(link):
        rel = _REL.search(match["parameters"])
        names = (rel["double"] or rel["single"] or rel["bare"] or "") if rel is not None else ""
        if "next" in names.lower().split():
            return match["url"].strip() or None
    return None


def _date(given: Mapping[str, str], name: str) -> datetime | None:
    if name not in given:
        return None
    try:
        return read_query_instant(given[name])
    except ValueError as error:
        raise Unreadable(name, "G2", str(error)) from None


def _count(given: Mapping[str, str], name: str, least: int) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not _INTEGER.fullmatch(text) or not least <= int(text) <= LARGEST_OFFSET:
        raise Unreadable(name, "G2", f"is not an integer of at least {least}")
    return int(text)
