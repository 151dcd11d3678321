"""A charging station of OCPP 2.1."""

from __future__ import annotations

from csms.simulate.ocpp201 import Ocpp201


class Ocpp21(Ocpp201):
    """What a 2.1 station says: the messages it needs are 2.0.1's, which 2.1 extended by optional fields only."""

    subprotocol = "ocpp2.1"
