"""Addresses as an operator gives them, and as he is told of those that we listen on."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

_BEFORE_AND_HOSTS: Final = re.compile(r"([^:/?#]*://(?:[^/?#]*@)?)([^/?#]*)")


def not_to_be_had(error: OSError, host: str, port: int) -> OSError:
    """The same error with the address in it, which the system leaves out."""
    return OSError(error.errno, error.strerror or str(error), f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def split_hosts(url: str) -> tuple[SplitResult, tuple[str, ...]]:
    """Of a URL that may name several hosts (`scheme://user:password@one:1,[::1]:2/path`) the parts with the first, and all hosts.

    `urlsplit` takes several hosts for one, and newer releases of Python refuse brackets that do not begin it.

    Raises: ValueError when one of the hosts is none.
    """
    found = _BEFORE_AND_HOSTS.match(url)
    if found is None:
        return urlsplit(url), ("",)
    before, together = found.groups()
    hosts = tuple(host.strip() for host in together.split(","))
    first, *_ = [urlsplit(before + host + url[found.end() :]) for host in hosts]
    return first, hosts
