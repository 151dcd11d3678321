"""The native validator, compiled from our tables, against generated payloads: verdict and row of the refusing check."""

from gateway._native import Catalogue
from schemas.tables import native_tables
from tests.unit.schemas.generation import VALID, cases


def test_verdict_and_row_on_generated_payloads() -> None:
    catalogue = Catalogue(native_tables())
    disagreements = []
    count = 0
    for case in cases(seed=16201, valid=40):
        count += 1
        fault = catalogue.validate(*case.payload, case.text())
        row = VALID if fault is None else fault.row
        if row != case.row:
            disagreements.append((case.payload.message, case.fault, case.row, row, fault and fault.description))
    assert disagreements == []
    assert count > 20_000
