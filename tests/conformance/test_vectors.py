"""The test vectors of ocpp-j-rules.md section 12, against a running server; the id of a case is the vector's number.

Elsewhere: 32 (kill -9 after the commit) and 64 (the store stopped) are tests/crash, which does both under load; 33 (another
gateway of the cluster) is test_two_gateways.py. What the vectors ask of 2.0.1 holds for 2.1 as well, but for 56.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance import commands, connections, envelope, registration, streams, transactions16, transactions201
from tests.conformance.scene import OCPP16, OCPP21, OCPP201, Scene

ALL = (OCPP16, OCPP201, OCPP21)
ONLY16 = (OCPP16,)
OCPP2X = (OCPP201, OCPP21)
ONLY201 = (OCPP201,)
ONLY21 = (OCPP21,)

VECTORS: dict[int, tuple[tuple[str, ...], Callable[[Scene], None]]] = {
    1: (ALL, envelope.heartbeat),
    2: (ALL, envelope.null_payload),
    3: (ALL, envelope.action_in_lower_case),
    4: (ALL, envelope.action_with_suffix),
    5: (ONLY16, envelope.action_of_another_version),
    6: (ONLY16, envelope.wrong_direction),
    7: (ONLY16, envelope.no_frames),
    8: (OCPP2X, envelope.no_frames),
    9: (ALL, envelope.unknown_type),
    10: (ALL, envelope.long_id),
    11: (ALL, envelope.numeric_id),
    12: (ALL, envelope.type_is_no_integer),
    13: (ALL, envelope.five_elements),
    14: (ONLY16, envelope.missing_field),
    15: (ONLY16, envelope.long_vendor),
    16: (ONLY16, envelope.unknown_field),
    17: (OCPP2X, envelope.custom_data),
    18: (ONLY16, envelope.wrong_type),
    19: (ONLY16, envelope.wrong_case_of_enum),
    20: (ALL, envelope.answers_to_nothing),
    21: (ALL, envelope.hostile_values),
    22: (ALL, envelope.largest_message),
    23: (ALL, envelope.inflating_bomb),
    24: (ALL, envelope.binary_and_broken_text),
    25: (ONLY16, registration.heartbeat_before_boot),
    26: (ONLY16, registration.accepted_earlier),
    27: (OCPP2X, registration.transaction_while_pending),
    28: (OCPP2X, registration.triggered_while_pending),
    29: (OCPP2X, registration.command_to_a_rejected_station),
    30: (ONLY16, transactions16.repeated_with_the_same_id),
    31: (ONLY16, transactions16.repeated_with_a_new_id),
    34: (ONLY16, transactions16.two_connectors_in_one_second),
    35: (ONLY16, transactions16.station_without_a_clock),
    36: (ONLY16, transactions16.stopped_twice),
    37: (ONLY16, transactions16.stop_of_another_station),
    38: (ONLY16, transactions16.never_answered_start),
    39: (ONLY16, transactions16.never_answered_start_unclear),
    40: (ONLY16, transactions16.nonsense),
    41: (ONLY16, transactions16.late_meter_values),
    42: (OCPP2X, transactions201.out_of_order),
    43: (OCPP2X, transactions201.only_the_end),
    44: (OCPP2X, transactions201.continuous_counter),
    45: (OCPP2X, transactions201.same_seq_no_twice),
    46: (OCPP2X, transactions201.unknown_token),
    47: (OCPP2X, transactions201.no_token),
    48: (OCPP2X, transactions201.old_event_with_a_bad_token),
    49: (ALL, commands.calls_cross),
    50: (ALL, commands.one_command_at_a_time),
    51: (ALL, commands.late_answer),
    52: (ALL, commands.stations_do_not_wait_for_each_other),
    53: (ONLY21, streams.values_while_our_call_waits),
    54: (ONLY21, streams.broken_sends),
    55: (ONLY21, commands.broken_answer_is_told),
    56: (ONLY201, commands.broken_answer),
    57: (ALL, connections.wrong_password),
    58: (ALL, connections.newest_connection_wins),
    59: (ALL, connections.client_prefers),
    60: (ALL, connections.no_common_subprotocol),
    61: (ALL, connections.bad_identities),
    62: (ALL, envelope.many_in_one_segment),
    63: (ALL, envelope.one_byte_fragments),
}


CASES = [
    pytest.param(version, check, id=f"{number}-{version.removeprefix('ocpp')}")
    for number, (versions, check) in VECTORS.items()
    for version in versions
]


@pytest.mark.parametrize(("version", "check"), CASES)
def test_vector(version: str, check: Callable[[Scene], None], scene: Callable[[str], Scene]) -> None:
    check(scene(version))
