"""The pages about OCPI that are made from code say what is so."""

from __future__ import annotations

from hub.ocpi.registration.ourselves import _INTERFACES
from schemas.ocpi221.interfaces import OPERATIONS
from tests.ocpi import check_page, operations


def test_every_operation_is_proved_by_a_test_in_every_role() -> None:
    assert operations.missing() == []


def test_who_serves_what_is_what_the_product_offers() -> None:
    offered = {
        (row.number, role)
        for row in OPERATIONS
        for role, interfaces in _INTERFACES.items()
        if row.role is None or (row.module, row.role) in interfaces
    }
    assert {(row.number, role) for row in OPERATIONS for role in operations.served_by(row)} == offered


def test_the_pages_are_up_to_date() -> None:
    assert operations.PAGE.read_text() == operations.page(), "write it with `make pages`"
    assert check_page.PAGE.read_text() == check_page.page(), "write it with `make pages`"
