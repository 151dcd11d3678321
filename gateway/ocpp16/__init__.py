"""OCPP 1.6-J: messages to operations, commands to messages."""

from __future__ import annotations

from typing import Final

from gateway.common.results import verdict
from gateway.common.routing import RoutedVersion
from gateway.ocpp16.commands import COMMANDS
from gateway.ocpp16.routes import ROUTES

VERSION: Final = RoutedVersion("ocpp1.6", routes=ROUTES, commands=COMMANDS, verdict=verdict, malformed="FormationViolation")
