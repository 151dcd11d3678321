"""Reading the make of a station from boots that may be broken."""

from __future__ import annotations

import pytest

from gateway.tolerance.makes import UNKNOWN, Make, read_make


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"chargePointVendor":"V","chargePointModel":"M","x":1}', Make("V", "M")),
        (b'{"reason":"Nonsense","chargingStation":{"vendorName":"V","model":"M"}}', Make("V", "M")),
        (b'{"chargingStation":{"vendorName":"V","model":7}}', Make("V", None)),
        (b'{"chargePointVendor":["V"]}', UNKNOWN),
        (b"{}", UNKNOWN),
        (b"[]", UNKNOWN),
        (b"garbage", UNKNOWN),
        (b'{"chargePointVendor":"\xff"}', UNKNOWN),
    ],
)
def test_makes(payload: bytes, expected: Make) -> None:
    assert read_make(payload) == expected
