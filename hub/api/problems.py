"""Errors as RFC 9457 problem details: a handler raises `Problem`, the application answers with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec

MEDIA_TYPE: Final = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True):
    """One thing that is wrong with the input, and where."""

    field: str
    message: str


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details. `errors` names the fields that are wrong; `instance` is an incident id for the logs."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str | None = None
    errors: list[FieldError] = []


class Problem(Exception):
    """Ends a request with a problem. `slug` becomes the problem type `urn:open-csms:problem:<slug>`."""

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        instance: str | None = None,
    ) -> None:
        super().__init__(f"{status} {slug}: {detail}")
        self.status = status
        self.slug = slug
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.instance = instance

    def details(self) -> ProblemDetails:
        return ProblemDetails(
            type=f"urn:open-csms:problem:{self.slug}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            instance=self.instance,
            errors=list(self.errors),
        )


def not_found() -> Problem:
    """The same for what does not exist and for what belongs to another tenant."""
    return Problem(404, "not-found", "there is no such resource")


def conflict(detail: str) -> Problem:
    return Problem(409, "conflict", detail)


def invalid(field: str, message: str) -> Problem:
    """Well-formed input with one unacceptable field."""
    return Problem(422, "invalid-input", "the input is not acceptable", errors=[FieldError(field, message)])


def unavailable(detail: str, retry_after_s: int = 5) -> Problem:
    return Problem(503, "unavailable", detail, headers={"Retry-After": str(retry_after_s)})


def too_many(detail: str, retry_after_s: int) -> Problem:
    return Problem(429, "too-many-requests", detail, headers={"Retry-After": str(max(1, retry_after_s))})
