"""How many messages may be on their way through the hub (R16, 17.3)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from hub.ocpi.message import OcpiProblem
from hub.ocpi.routing import traffic
from hub.ocpi.routing.traffic import Traffic


def test_the_same_message_passes_once_at_a_time() -> None:
    """R16: and again when it is through, whatever came of it."""
    passing = Traffic()
    with passing.passing(b"a", "p"):
        with pytest.raises(OcpiProblem) as caught, passing.passing(b"a", "q"):
            pass
        assert caught.value.status_code == 4000
        with passing.passing(b"b", "p"):
            pass
    with pytest.raises(ValueError, match="failed"), passing.passing(b"a", "p"):
        raise ValueError("failed")
    with passing.passing(b"a", "p"):
        pass


@pytest.mark.parametrize("way", ["requester", "receiver"])
def test_nobody_takes_the_room_of_others(way: str) -> None:
    """17.3: whoever has too many on their way is refused, others are not; a place is given back."""
    passing = Traffic()
    most = traffic.MOST_OF_REQUESTER if way == "requester" else traffic.MOST_TO_RECEIVER
    with ExitStack() as stack:
        for number in range(most):
            block = passing.passing(b"%d" % number, "p") if way == "requester" else passing.towards("p")
            stack.enter_context(block)
        with pytest.raises(OcpiProblem) as caught:
            stack.enter_context(passing.passing(b"more", "p") if way == "requester" else passing.towards("p"))
        assert caught.value.status_code == (4000 if way == "requester" else 4003)
        stack.enter_context(passing.passing(b"others", "q") if way == "requester" else passing.towards("q"))
    with passing.passing(b"more", "p"), passing.towards("p"):
        pass
