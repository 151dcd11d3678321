"""What a partner's version calls things, beside documents."""

from __future__ import annotations

import pytest

from hub.ocpi.conversion import Reservations
from schemas.ocpi221.headers import Party


@pytest.mark.parametrize(("at_hub", "expected"), [(False, "17"), (True, "ATOLE-17")])
def test_a_number_beyond_the_connection_that_it_is_of(at_hub: bool, expected: str) -> None:
    """Digest, 22: to a tenant the number says which reservation of the partner it is; behind a hub others count from 1 too."""
    reservations = Reservations(Party("AT", "OLE"), at_hub, {"r-1": 5})
    assert reservations.reservation_id(17) == expected
    assert (reservations.number("R-1"), reservations.number("17")) == (5, None)
