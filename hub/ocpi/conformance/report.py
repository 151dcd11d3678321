"""What came out of a check, point by point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

from hub.ocpi.conformance.points import POINTS

Outcome = Literal["ok", "warning", "failed", "not_tried"]

LONGEST_SEEN: Final = 300
_MARKS: Final[dict[Outcome, str]] = {"ok": "ok", "warning": "warning", "failed": "FAILED", "not_tried": "not tried"}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One point. `where`: the module and role it was tried on, empty for the platform as a whole. `seen`: what was there instead,
    or why it was not tried. `times`: how often it was tried, `broken` how often it did not hold."""

    point: str
    rule: str
    where: str
    outcome: Outcome
    expected: str
    seen: str | None = None
    times: int = 0
    broken: int = 0


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """All points, and what they add up to. `complete` is false when time or requests ran out, or the platform stopped answering."""

    versions_url: str
    complete: bool
    passed: bool
    requests: int
    seconds: float
    ok: int
    warnings: int
    failed: int
    not_tried: int
    findings: tuple[Finding, ...]

    def lines(self) -> Iterator[str]:
        """The report as text."""
        where = None
        for finding in self.findings:
            if finding.where != where:
                where = finding.where
                yield ""
                yield where or "the platform"
            yield f"  {_MARKS[finding.outcome]:<9}  {finding.rule:<4} {finding.expected}"
            if finding.seen is not None and finding.outcome != "ok":
                often = f" ({finding.broken} of {finding.times} times)" if finding.broken and finding.times > 1 else ""
                yield f"             {finding.seen}{often}"
        yield ""
        yield (
            f"ok {self.ok}, warnings {self.warnings}, failed {self.failed}, not tried {self.not_tried}; "
            f"requests {self.requests} in {self.seconds:.1f} s"
        )


class Notebook:
    """Collects findings. A point that has not held once has not held."""

    def __init__(self) -> None:
        self._findings: dict[tuple[str, str], Finding] = {}

    def expect(self, points: Iterable[str], where: str = "", why: str = "there was nothing to try it on") -> None:
        """These are to be judged; as long as they are not, `why` is what is said of them."""
        for name in points:
            point = POINTS[name]
            self._findings.setdefault(
                (where, name),
                Finding(point=name, rule=point.rule, where=where, outcome="not_tried", expected=point.expected, seen=why),
            )

    def judge(self, name: str, held: bool, seen: str, *, where: str = "", rule: str | None = None) -> bool:
        """Note whether a point held this time; `seen` says what was there if it did not, `rule` which rule exactly is broken. Gives
        `held`."""
        point = POINTS[name]
        before = self._findings.get((where, name))
        times, broken = (before.times, before.broken) if before is not None else (0, 0)
        if held and broken and before is not None:
            made = msgspec.structs.replace(before, times=times + 1)
        elif not held and broken and before is not None:
            made = msgspec.structs.replace(before, times=times + 1, broken=broken + 1)
        else:
            made = Finding(
                point=name,
                rule=point.rule if held else rule or point.rule,
                where=where,
                outcome="ok" if held else point.broken,
                expected=point.expected,
                seen=None if held else printable(seen),
                times=times + 1,
                broken=0 if held else 1,
            )
        self._findings[where, name] = made
        return held

    def places(self) -> set[str]:
        """Where anything was tried or is still to be."""
        return {where for where, _ in self._findings}

    def leave_out(self, points: Iterable[str], why: str, where: str = "") -> None:
        """These are not tried, for that reason."""
        for name in points:
            finding = self._findings.get((where, name))
            if finding is not None and not finding.times:
                self._findings[where, name] = msgspec.structs.replace(finding, seen=why)

    def report(self, versions_url: str, *, complete: bool, requests: int, seconds: float) -> CheckReport:
        order = {name: index for index, name in enumerate(POINTS)}
        places = {where: index for index, where in enumerate(dict.fromkeys(where for where, _ in self._findings))}
        findings = sorted(self._findings.values(), key=lambda finding: (places[finding.where], order[finding.point]))
        counts: dict[Outcome, int] = {"ok": 0, "warning": 0, "failed": 0, "not_tried": 0}
        for finding in findings:
            counts[finding.outcome] += 1
        return CheckReport(
            versions_url=versions_url,
            complete=complete,
            passed=complete and not counts["failed"],
            requests=requests,
            seconds=round(seconds, 3),
            ok=counts["ok"],
            warnings=counts["warning"],
            failed=counts["failed"],
            not_tried=counts["not_tried"],
            findings=tuple(findings),
        )


def printable(text: str) -> str:
    """A partner's words in ours: short and without control characters."""
    shown = "".join(character if character.isprintable() else "?" for character in text[: LONGEST_SEEN + 1])
    return shown if len(shown) <= LONGEST_SEEN else shown[:LONGEST_SEEN] + "…"
