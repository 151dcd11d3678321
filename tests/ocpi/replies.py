"""Answers of OCPI as the platform of the tests makes and reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import httpx


@dataclass
class Reply:
    """An answer: HTTP status, envelope and headers. `code` 0: there is no envelope."""

    status: int = 200
    code: int = 1000
    message: str | None = None
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, answer: httpx.Response) -> Self:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or "status_code" not in body:
            return cls(answer.status_code, 0, answer.text[:300], None, answer.headers)
        return cls(answer.status_code, body["status_code"], body.get("status_message"), body.get("data"), answer.headers)

    @property
    def ok(self) -> bool:
        return self.status < 300 and 1000 <= self.code < 2000

    @property
    def next_url(self) -> str | None:
        match = re.search(r'<([^>]*)>;\s*rel="next"', self.headers.get("Link", ""))
        return match and match[1]

    def as_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "data": self.data,
            "headers": {name.lower(): value for name, value in self.headers.items()},
        }


class Refusal(Exception):
    """Ends a request with an error."""

    def __init__(self, code: int, message: str, http_status: int = 200, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status
        self.data = data


def unenveloped(data: Any) -> Any:
    """Z12: a list of one without its list, an object in a list."""
    if isinstance(data, list):
        return data[0] if len(data) == 1 else data
    return [data]
