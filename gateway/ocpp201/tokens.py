"""Id tokens as stations present them. A token may be a KeyCode, so nothing here may be logged."""

from __future__ import annotations

from typing import Final

from schemas.ocpp201.datatypes import IdTokenInfoType, IdTokenType

NOT_NEEDED: Final = IdTokenInfoType(status="Accepted")
"""The answer to a token that says no authorization is needed (start button, C02): nothing to look up or to cache."""


def needs_no_authorization(token: IdTokenType) -> bool:
    return token.type == "NoAuthorization" and not token.id_token
