"""The registration gate: what a station may send before its BootNotification was accepted (ocpp-j-rules section 6).

Its state is persistent: it comes with the outcome of ConnectStation and changes with the outcome of BootStation.
"""

from __future__ import annotations

from typing import Final

import msgspec

from csms.domain.operations import Registration

REMOTE_CONTROL: Final = frozenset(
    {
        "remote_start",
        "remote_stop",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "RequestStartTransaction",
        "RequestStopTransaction",
    }
)
"""Commands and actions that a station which is not accepted must not be sent (rule B4)."""

_REPORT_REQUESTS: Final = frozenset({"GetBaseReport", "GetReport"})
_CERTIFICATE_TRIGGERS: Final = frozenset(
    {
        "SignChargePointCertificate",
        "SignChargingStationCertificate",
        "SignCombinedCertificate",
        "SignV2G20Certificate",
        "SignV2GCertificate",
    }
)


class _Trigger(msgspec.Struct):
    requested_message: str = msgspec.field(name="requestedMessage", default="")


class _ReportPart(msgspec.Struct):
    tbc: bool = False


_read_trigger = msgspec.json.Decoder(_Trigger).decode
_read_report_part = msgspec.json.Decoder(_ReportPart).decode


def caused_action(action: str, payload: bytes) -> str | None:
    """The action that a station will call because of our CALL, or None when it causes none.

    A CustomTrigger (2.1) causes what only station and caller know: it lets nothing through.
    """
    if action in _REPORT_REQUESTS:
        return "NotifyReport"
    if action not in ("TriggerMessage", "ExtendedTriggerMessage"):
        return None
    requested = _read_trigger(payload).requested_message
    if requested == "CustomTrigger":
        return None
    return "SignCertificate" if requested in _CERTIFICATE_TRIGGERS else requested


class RegistrationGate:
    """Whether one station's CALLs may pass, and our commands to it."""

    __slots__ = ("_granted", "put_off", "registration")

    def __init__(self, registration: Registration) -> None:
        self.registration: Registration = registration
        self._granted: dict[str, int] | None = None
        self.put_off = False
        """True once a BootNotification was answered Pending for lack of room (rule B9). The station takes itself for pending until
        its next one; what it sends all the same is taken or not as before."""

    def admits(self, action: str, payload: bytes) -> bool:
        """May this CALL pass (rule B3)? A triggered message passes once per trigger, a report until its last part."""
        if self.registration == "accepted" or action == "BootNotification":
            return True
        granted = self._granted
        if granted is None or self.registration == "rejected" or granted.get(action, 0) == 0:
            return False
        if not (action == "NotifyReport" and _more_to_come(payload)):
            self._take_back(action)
        return True

    def asked(self, action: str, payload: bytes) -> None:
        """Our CALL is about to leave: the message it causes may pass even when it overtakes the answer (rule T8)."""
        if self.registration != "accepted" and (caused := caused_action(action, payload)) is not None:
            if self._granted is None:
                self._granted = {}
            self._granted[caused] = self._granted.get(caused, 0) + 1

    def refused(self, action: str, payload: bytes) -> None:
        """The station did not accept our CALL, so it causes nothing."""
        if self._granted is not None and (caused := caused_action(action, payload)) is not None:
            self._take_back(caused)

    def decided(self, registration: Registration) -> None:
        """A BootNotification was answered."""
        self.registration = registration
        self.put_off = False
        if registration != "pending":
            self._granted = None

    def refusal_of(self, command: str) -> str | None:
        """Why a command must not be sent now (rules B4, B5), or None."""
        if self.registration == "rejected":
            return "station is rejected"
        if (self.registration != "accepted" or self.put_off) and command in REMOTE_CONTROL:
            return "station is not accepted yet"
        return None

    def _take_back(self, action: str) -> None:
        if self._granted is not None:
            left = self._granted.get(action, 0) - 1
            if left > 0:
                self._granted[action] = left
            else:
                self._granted.pop(action, None)


def _more_to_come(payload: bytes) -> bool:
    try:
        return _read_report_part(payload).tbc
    except msgspec.DecodeError:  # a part that breaks the schema is refused later on, and ends the permission
        return False
