"""Charging stations on the wire: listener, connection, and one package per OCPP version."""
