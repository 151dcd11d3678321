"""How OCPP 2.1 says that something cannot be done, in the answers that only it has."""

from __future__ import annotations

from schemas.ocpp21.datatypes import StatusInfoType


def not_supported(why: str) -> StatusInfoType:
    """Why a request is refused with a status: this system cannot do what it asks for."""
    return StatusInfoType(reason_code="UnsupportedRequest", additional_info=why)
