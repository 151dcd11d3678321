"""Typed definitions of the messages of OCPP 2.1; what 2.0.1 defines alike is taken from there."""

from schemas.ocpp21.actions import ACTIONS

__all__ = ["ACTIONS"]
