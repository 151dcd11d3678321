"""OCPP 2.1: messages to operations, commands to messages."""

from __future__ import annotations

from typing import Final

from gateway.common.results import verdict
from gateway.common.routing import RoutedVersion
from gateway.ocpp21.commands import COMMANDS
from gateway.ocpp21.routes import ROUTES, SENDS

VERSION: Final = RoutedVersion(
    "ocpp2.1", routes=ROUTES, sends=SENDS, commands=COMMANDS, verdict=verdict, malformed="FormatViolation"
)
