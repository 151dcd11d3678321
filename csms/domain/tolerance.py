"""What is forgiven to the messages of which stations (ocpp-j-rules section 3), and how it is counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal
from uuid import UUID

import msgspec

Validation = Literal["tolerant", "strict"]
Kind = Literal["call", "answer"]
"""A station's CALL, or its answer to ours."""
Effect = Literal["spare", "refuse"]

MOST_RULES: Final = 200
"""Rules of one tenant."""
MOST_COUNTS: Final = 200
"""Counts of one station; what is beyond is counted together in one more, whose parts are all `*`."""
LONGEST_PATH: Final = 200
"""Characters of a path in a rule or a count; a member's name is the station's choice."""

_INDEX: Final = re.compile(r"(?<=/)[0-9]+(?=/|$)")


class Relaxation(msgspec.Struct, frozen=True):
    """A fault of a message that was forgiven, and why.

    `rule` is the name of the schema rule that was broken, `path` where, with list indices as `*`. cause: `always` in every
    mode, `tolerant` by the tenant's mode, `rule` by the tolerance rule `rule_id`.
    """

    kind: Kind
    ocpp_version: str
    action: str
    path: str
    rule: str
    cause: Literal["always", "tolerant", "rule"]
    rule_id: UUID | None = None
    times: int = 1


class ToleranceRule(msgspec.Struct, frozen=True):
    """One rule of a tenant. `None` means any; vendor and model are compared trimmed and without case."""

    rule_id: UUID
    kind: Kind
    vendor: str
    model: str | None
    ocpp_version: str | None
    action: str | None
    path: str | None
    effect: Effect


class _Compiled(msgspec.Struct, frozen=True):
    rule: ToleranceRule
    model: str | None
    path: tuple[str, ...] | None

    def covers(self, kind: Kind, model: str, ocpp_version: str, action: str, paths: Sequence[tuple[str, ...]]) -> bool:
        rule = self.rule
        return (
            rule.kind == kind
            and self.model in (None, model)
            and rule.ocpp_version in (None, ocpp_version)
            and rule.action in (None, action)
            and (self.path is None or any(_matches(self.path, path) for path in paths))
        )


class RuleSet:
    """The rules of one tenant, in the order in which they are asked: the most specific one that fits decides.

    A rule that names a model comes before one that does not; among those, one that names an action, then one that names a
    path (the fewer `*`, the earlier), then one that names an OCPP version; at last a refusal before a sparing.
    """

    __slots__ = ("_by_vendor",)

    def __init__(self, rules: Iterable[ToleranceRule] = ()) -> None:
        self._by_vendor: dict[str, list[_Compiled]] = {}
        for rule in sorted(rules, key=_order):
            compiled = _Compiled(
                rule,
                None if rule.model is None else folded(rule.model),
                None if rule.path is None else tuple(rule.path.split("/")),
            )
            self._by_vendor.setdefault(folded(rule.vendor), []).append(compiled)

    def __bool__(self) -> bool:
        return bool(self._by_vendor)

    def find(
        self, kind: Kind, vendor: str | None, model: str | None, ocpp_version: str, action: str, paths: Sequence[str]
    ) -> ToleranceRule | None:
        """The rule that decides about a fault at one of `paths` (JSON pointers), or None.

        A station that has not said its vendor is covered by no rule, one without a model by those that name none.
        """
        if vendor is None:
            return None
        candidates = self._by_vendor.get(folded(vendor), ())
        split = [tuple(path.split("/")) for path in paths]
        known_model = "" if model is None else folded(model)
        return next((c.rule for c in candidates if c.covers(kind, known_model, ocpp_version, action, split)), None)


def folded(name: str) -> str:
    """A vendor's or model's name as it is compared."""
    return name.strip().casefold()


def counted_path(path: str) -> str:
    """A JSON pointer as it is counted: list indices as `*`, of bounded length."""
    return _INDEX.sub("*", path)[:LONGEST_PATH]


def _order(rule: ToleranceRule) -> tuple[bool, bool, bool, int, bool, bool]:
    wildcards = 0 if rule.path is None else rule.path.split("/").count("*")
    return (
        rule.model is None,
        rule.action is None,
        rule.path is None,
        wildcards,
        rule.ocpp_version is None,
        rule.effect == "spare",
    )


def _matches(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(want in ("*", got) for want, got in zip(pattern, path, strict=True))
