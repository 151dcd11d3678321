"""What is noted during a conversion: the same thing about many elements of a list is told once."""

import re

from schemas.ocpi221.base import Remark
from schemas.ocpi221.notes import MOST_REMARKS, Notes

_INDEX = re.compile(r"\[\d+\]")


class Losses(Notes):
    """Remarks of a conversion. What is said of `evses[0].connectors[1]` and of `evses[7].connectors[0]` is one remark.

    `probe` is for checks of single values, whoever makes one empties it: most of them have nothing to say.
    """

    __slots__ = ("_times", "probe")

    def __init__(self) -> None:
        super().__init__()
        self.probe = Notes()
        self._times: dict[tuple[str, str, str], int] = {}

    def remark(self, rule: str, text: str, below: str = "") -> None:
        path = self.path(below)
        key = (_INDEX.sub("[]", path), rule, text)
        self._times[key] = self._times.get(key, 0) + 1
        if self._times[key] == 1:
            if len(self.remarks) >= MOST_REMARKS:
                del self._times[key]
            else:
                self.remarks.append(Remark(path, rule, text))

    def told(self) -> tuple[Remark, ...]:
        """The remarks; the field of one that stands for several is that of the first."""
        return tuple(
            remark if times == 1 else Remark(remark.field, remark.rule, f"{remark.text} ({times} times)")
            for remark, times in zip(self.remarks, self._times.values(), strict=True)
        )
