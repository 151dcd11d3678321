"""What is noted while an object is read or checked, and where in it that is."""

from typing import Final

from schemas.ocpi221.base import Remark

MOST_REMARKS: Final = 200
"""One bad object of a partner must not fill our log; what goes beyond is not noted."""

_LONGEST_QUOTE = 40


class Unreadable(Exception):
    """An object that cannot be accepted. `field` is its path (empty: the object itself), `status_code` what to answer."""

    def __init__(self, field: str, rule: str, text: str, status_code: int = 2001) -> None:
        super().__init__(f"{field}: {text} ({rule})" if field else f"{text} ({rule})")
        self.field = field
        self.rule = rule
        self.text = text
        self.status_code = status_code


class Notes:
    """Collects remarks; `trail` is the path to the value at hand."""

    __slots__ = ("remarks", "trail")

    def __init__(self) -> None:
        self.trail: list[str | int] = []
        self.remarks: list[Remark] = []

    def path(self, below: str = "") -> str:
        """The path of the value at hand, or of its member `below`."""
        parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.trail]
        if below:
            parts.append(f".{below}")
        return "".join(parts).removeprefix(".")

    def remark(self, rule: str, text: str, below: str = "") -> None:
        """Something that was forgiven (reading) or must be mended (checking)."""
        if len(self.remarks) < MOST_REMARKS:
            self.remarks.append(Remark(self.path(below), rule, text))

    def fault(self, rule: str, text: str, below: str = "") -> Unreadable:
        """The error to raise for the value at hand."""
        return Unreadable(self.path(below), rule, text)


def quoted(text: str) -> str:
    """A partner's text for a remark: short and without control characters."""
    return ascii(text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "...")
