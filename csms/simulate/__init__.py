"""Virtual charging stations that do realistic days of charging against any CSMS.

An implementation of its own on the other side of the wire: trio-websocket and the message types of `schemas`, nothing
of the server.
"""

from csms.simulate.fleet import simulate
from csms.simulate.options import OptionsError, SimulateOptions
from csms.simulate.report import SessionRecord, SimulateReport

__all__ = ["OptionsError", "SessionRecord", "SimulateOptions", "SimulateReport", "simulate"]
