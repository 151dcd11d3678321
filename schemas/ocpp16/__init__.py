"""Typed definitions of the messages of OCPP 1.6 edition 2 with the security extension."""

from schemas.ocpp16.actions import ACTIONS

__all__ = ["ACTIONS"]
