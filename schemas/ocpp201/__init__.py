"""Typed definitions of the messages of OCPP 2.0.1 edition 3."""

from schemas.ocpp201.actions import ACTIONS

__all__ = ["ACTIONS"]
