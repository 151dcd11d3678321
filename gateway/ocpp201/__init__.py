"""OCPP 2.0.1: messages to operations, commands to messages."""

from __future__ import annotations

from typing import Final

from gateway.common.results import verdict
from gateway.common.routing import RoutedVersion
from gateway.ocpp201.commands import COMMANDS
from gateway.ocpp201.routes import ROUTES

VERSION: Final = RoutedVersion("ocpp2.0.1", routes=ROUTES, commands=COMMANDS, verdict=verdict, malformed="FormatViolation")
