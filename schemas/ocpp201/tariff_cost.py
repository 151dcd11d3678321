"""OCPP 2.0.1 edition 3, part 2, functional block I: tariff and cost."""

from decimal import Decimal
from typing import Annotated

from schemas.annotations import Text
from schemas.structs import ExtensibleObject


class CostUpdatedRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Show the running cost of a transaction. CSMS to station."""

    total_cost: Decimal  # so far, incl. tax, station currency
    transaction_id: Annotated[str, Text(max=36)]  # identifierString


class CostUpdatedResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to CostUpdatedRequest."""
