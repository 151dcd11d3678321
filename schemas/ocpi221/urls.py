"""URLs of objects below the URL of an endpoint (OCPI 2.2.1, transport; T3, T4, Z2, Z26)."""

from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit


def join_url(endpoint_url: str, *segments: str, query: Iterable[tuple[str, str]] = ()) -> str:
    """`endpoint_url` with percent-encoded `segments` and `query` added, one slash between segments; without any it stays as it is.

    Raises ValueError for a segment that would lead elsewhere: an empty one, `.` or `..`.
    """
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError("an id that no URL can hold")
    parts = urlsplit(endpoint_url)
    path = parts.path.rstrip("/") + "".join("/" + quote(segment, safe="") for segment in segments) if segments else parts.path
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *query]
    return urlunsplit(parts._replace(path=path, query=urlencode(pairs) if pairs else parts.query))


def path_segments(raw_path: str) -> tuple[str, ...]:
    """The decoded segments of a path as it was sent, still encoded; doubled slashes and one at the end count for nothing (Z2)."""
    return tuple(unquote(segment) for segment in raw_path.split("/") if segment)
