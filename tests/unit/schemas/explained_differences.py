"""Where our definitions differ from the published JSON schemas, and why.

Each difference is applied to the published schema before the comparison; one that changes nothing is an error, so the
list cannot go stale. Those of EVERYWHERE are no matter of a single field, and must occur among the generated payloads.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """`keyword` at `path` of a published schema; None stands for absent.

    `path` names members, with `[]` for the elements of a list.
    """

    version: str
    message: str
    path: str
    keyword: str
    published: object
    ours: object
    reason: str


EVERYWHERE = {
    "32 bits": "an integer of OCPP is a signed 32-bit number, which the published schemas leave unsaid",
    "no zone": "a dateTime without zone counts as UTC and is marked (OCPP-J rules, section 3); RFC 3339 demands one",
    "second 60": "second 60 of any minute counts as 59; RFC 3339 has it at the end of a month in UTC only",
    "long time": "a dateTime is kept as sent, in at most 64 characters; RFC 3339 sets no limit",
    "2.0": "JSON Schema since draft 6 takes 2.0 for an integer; an integer of OCPP is written without a fraction",
    "empty URI": "a URI has something after its scheme; in RFC 3986 the path may be empty",
    "null": "null in the place of a payload counts as an empty object (OCPP-J rules, F1)",
}

_ONE_PLACE = "rounding to one decimal place is the duty of who sends; a limit with more places is still understood"
_AT_LEAST_ONE = "the standard's datatype table says 1..*, and so do the published schemas of its other uses"
_HERTZ = "the package knows Hertz in MeterValues only; the same reading repeated in a StopTransaction is understood too"
_EMPTY_LIST = "the standard says 0..*; an empty list means the same as none"

_UNITS = ["Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar", "A", "V", "K"]
_OTHER_UNITS = ["Celcius", "Celsius", "Fahrenheit", "Percent"]


def _schedule(message: str, schedule: str) -> list[Difference]:
    periods = f"{schedule}/chargingSchedulePeriod"
    return [
        Difference("ocpp1.6", message, periods, "minItems", None, 1, _AT_LEAST_ONE),
        Difference("ocpp1.6", message, f"{periods}/[]/limit", "multipleOf", 0.1, None, _ONE_PLACE),
        Difference("ocpp1.6", message, f"{schedule}/minChargingRate", "multipleOf", 0.1, None, _ONE_PLACE),
    ]


EXPLAINED: tuple[Difference, ...] = (
    Difference(
        "ocpp1.6",
        "StopTransactionRequest",
        "/transactionData/[]/sampledValue/[]/unit",
        "enum",
        [*_UNITS, *_OTHER_UNITS],
        [*_UNITS, *_OTHER_UNITS, "Hertz"],
        _HERTZ,
    ),
    Difference(
        "ocpp1.6",
        "StopTransactionRequest",
        "/transactionData/[]/sampledValue",
        "minItems",
        None,
        1,
        _AT_LEAST_ONE,
    ),
    *_schedule("RemoteStartTransactionRequest", "/chargingProfile/chargingSchedule"),
    *_schedule("SetChargingProfileRequest", "/csChargingProfiles/chargingSchedule"),
    *_schedule("GetCompositeScheduleResponse", "/chargingSchedule"),
    Difference(
        "ocpp1.6",
        "GetInstalledCertificateIdsResponse",
        "/certificateHashData",
        "minItems",
        1,
        None,
        _EMPTY_LIST,
    ),
)
