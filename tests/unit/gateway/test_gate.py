"""The registration gate (rules B3 to B7, vectors 25 to 29)."""

from __future__ import annotations

import pytest

from csms.domain.operations import Registration
from gateway.gate import RegistrationGate, caused_action

TRIGGER_STATUS = b'{"requestedMessage":"StatusNotification"}'


@pytest.mark.parametrize("registration", ["unknown", "pending", "rejected"])
def test_only_a_boot_passes_before_accepted(registration: Registration) -> None:
    gate = RegistrationGate(registration)
    assert gate.admits("BootNotification", b"{}")
    assert not gate.admits("Heartbeat", b"{}")
    assert not gate.admits("TransactionEvent", b"{}")
    gate.decided("accepted")
    assert gate.admits("Heartbeat", b"{}")


def test_a_triggered_message_passes_once_while_pending() -> None:
    gate = RegistrationGate("pending")
    gate.asked("TriggerMessage", TRIGGER_STATUS)
    assert not gate.admits("Heartbeat", b"{}")
    assert gate.admits("StatusNotification", b"{}")
    assert not gate.admits("StatusNotification", b"{}")


def test_each_trigger_counts() -> None:
    gate = RegistrationGate("pending")
    gate.asked("TriggerMessage", TRIGGER_STATUS)
    gate.asked("TriggerMessage", TRIGGER_STATUS)
    assert [gate.admits("StatusNotification", b"{}") for _ in range(3)] == [True, True, False]


def test_a_refused_trigger_causes_nothing() -> None:
    gate = RegistrationGate("pending")
    gate.asked("TriggerMessage", TRIGGER_STATUS)
    gate.refused("TriggerMessage", TRIGGER_STATUS)
    assert not gate.admits("StatusNotification", b"{}")


def test_nothing_triggered_passes_once_rejected() -> None:
    gate = RegistrationGate("pending")
    gate.asked("TriggerMessage", TRIGGER_STATUS)
    gate.decided("rejected")
    assert not gate.admits("StatusNotification", b"{}")


def test_a_report_passes_until_its_last_part() -> None:
    gate = RegistrationGate("pending")
    gate.asked("GetBaseReport", b'{"requestId":1,"reportBase":"FullInventory"}')
    assert gate.admits("NotifyReport", b'{"requestId":1,"seqNo":0,"tbc":true}')
    assert gate.admits("NotifyReport", b'{"requestId":1,"seqNo":1}')
    assert not gate.admits("NotifyReport", b'{"requestId":1,"seqNo":2}')


def test_a_broken_part_ends_the_report() -> None:
    gate = RegistrationGate("pending")
    gate.asked("GetReport", b'{"requestId":1}')
    assert gate.admits("NotifyReport", b'{"tbc":"yes"}')
    assert not gate.admits("NotifyReport", b'{"tbc":true}')


@pytest.mark.parametrize(
    ("action", "payload", "caused"),
    [
        ("TriggerMessage", b'{"requestedMessage":"SignChargingStationCertificate"}', "SignCertificate"),
        ("ExtendedTriggerMessage", b'{"requestedMessage":"Heartbeat"}', "Heartbeat"),
        ("GetReport", b"{}", "NotifyReport"),
        ("Reset", b'{"type":"Soft"}', None),
    ],
)
def test_what_our_calls_cause(action: str, payload: bytes, caused: str | None) -> None:
    assert caused_action(action, payload) == caused


def test_commands_that_must_not_be_sent() -> None:
    assert RegistrationGate("rejected").refusal_of("reset") == "station is rejected"
    pending = RegistrationGate("pending")
    assert pending.refusal_of("remote_start") is not None
    assert pending.refusal_of("RequestStopTransaction") is not None
    assert pending.refusal_of("get_configuration") is None
    assert RegistrationGate("accepted").refusal_of("remote_start") is None


def test_what_a_custom_trigger_causes_is_not_known() -> None:
    assert caused_action("TriggerMessage", b'{"requestedMessage":"CustomTrigger","customTrigger":"x"}') is None


def test_a_certificate_request_passes_when_it_was_triggered() -> None:
    gate = RegistrationGate("pending")
    gate.asked("TriggerMessage", b'{"requestedMessage":"SignV2G20Certificate"}')
    assert gate.admits("SignCertificate", b"{}")
    assert not gate.admits("SignCertificate", b"{}")


def test_what_other_reports_cause_does_not_pass() -> None:
    """Only GetBaseReport, GetReport and triggers make exceptions (rule B3)."""
    gate = RegistrationGate("pending")
    gate.asked("GetMonitoringReport", b'{"requestId":1}')
    assert not gate.admits("NotifyMonitoringReport", b'{"requestId":1}')
    assert not gate.admits("NotifyPeriodicEventStream", b"{}")
