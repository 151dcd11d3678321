"""Id tokens as stations present them. A token may be a KeyCode, so nothing here may be logged."""

from __future__ import annotations

from typing import Final

from schemas.ocpp21 import datatypes as ocpp21
from schemas.ocpp201 import datatypes as ocpp201

NOT_NEEDED: Final = ocpp201.IdTokenInfoType(status="Accepted")
"""The answer to a token that says no authorization is needed (start button, C02): nothing to look up or to cache."""


def needs_no_authorization(token: ocpp201.IdTokenType | ocpp21.IdTokenType) -> bool:
    return token.type == "NoAuthorization" and not token.id_token
