"""The configuration keys of OCPP 1.6 and the variables of 2.x by which a station is told how to behave offline (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from csms.commands import RawOrder
from csms.local_lists.messages import Dialect
from csms.local_lists.policy import SWITCHES, OfflinePolicy

_KEYS: Final[Mapping[str, str]] = {
    "local_list": "LocalAuthListEnabled",
    "cache": "AuthorizationCacheEnabled",
    "authorize_offline": "LocalAuthorizeOffline",
    "pre_authorize": "LocalPreAuthorize",
    "unknown_offline": "AllowOfflineTxForUnknownId",
}
_VARIABLES: Final[Mapping[str, tuple[str, str]]] = {
    "local_list": ("LocalAuthListCtrlr", "Enabled"),
    "cache": ("AuthCacheCtrlr", "Enabled"),
    "authorize_offline": ("AuthCtrlr", "LocalAuthorizeOffline"),
    "pre_authorize": ("AuthCtrlr", "LocalPreAuthorize"),
    "unknown_offline": ("AuthCtrlr", "OfflineTxForUnknownIdEnabled"),
}
_MOST: Final = "LocalAuthListMaxLength"
_ITEMS_16: Final = "SendLocalListMaxLength"
_ITEMS_2X: Final = ("LocalAuthListCtrlr", "ItemsPerMessage")
_BYTES_2X: Final = ("LocalAuthListCtrlr", "BytesPerMessage")

_TAKEN: Final = ("Accepted", "RebootRequired")
_LARGEST: Final = 2_147_483_647
_json: Final = msgspec.json.Encoder().encode


class Setting(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One key or variable of a station. `switch`: the field of the policy; `value`: what the station says it is; `wanted`: what it
    was told last, `status` its answer to that, and `at` when."""

    switch: str
    name: str
    value: bool | None = None
    wanted: bool | None = None
    status: str | None = None
    at: datetime | None = None

    @property
    def refused(self) -> bool:
        return self.status is not None and self.status not in _TAKEN


class Told(msgspec.Struct, frozen=True):
    """What a station says about itself. A limit that is None it does not tell."""

    switches: Mapping[str, bool]
    max_entries: int | None = None
    items_per_message: int | None = None
    bytes_per_message: int | None = None


encode_settings: Final = _json
decode_settings: Final = msgspec.json.Decoder(tuple[Setting, ...]).decode


def name_of(dialect: Dialect, switch: str) -> str:
    """As operators know it: a key, or a component and its variable."""
    return _KEYS[switch] if dialect == "1.6" else ".".join(_VARIABLES[switch])


def question(dialect: Dialect) -> RawOrder:
    """Ask for all switches and limits."""
    if dialect == "1.6":
        return RawOrder("GetConfiguration", _json({"key": [*_KEYS.values(), _MOST, _ITEMS_16]}))
    wanted = [_variable(names) for names in (*_VARIABLES.values(), _ITEMS_2X, _BYTES_2X)]
    return RawOrder("GetVariables", _json({"getVariableData": wanted}))


def order(dialect: Dialect, switch: str, value: bool) -> RawOrder:
    """Set one switch."""
    text = "true" if value else "false"
    if dialect == "1.6":
        return RawOrder("ChangeConfiguration", _json({"key": _KEYS[switch], "value": text}))
    return RawOrder("SetVariables", _json({"setVariableData": [{"attributeValue": text, **_variable(_VARIABLES[switch])}]}))


def due(policy: OfflinePolicy, dialect: Dialect, settings: Sequence[Setting]) -> dict[str, bool]:
    """Switch -> value, of those that differ from what the station has confirmed; not what it has refused once."""
    known = {setting.switch: setting for setting in settings if setting.name == name_of(dialect, setting.switch)}
    found = {}
    for switch, wanted in policy.switches().items():
        if wanted is None:
            continue
        setting = known.get(switch)
        if setting is not None and (setting.value == wanted or (setting.wanted == wanted and setting.status is not None)):
            continue
        found[switch] = wanted
    return found


def after_reading(dialect: Dialect, settings: Sequence[Setting], told: Told) -> list[Setting]:
    """The settings with what the station says they are. One that was accepted and is another now was changed at the station: it is
    told again."""
    known = {setting.switch: setting for setting in settings if setting.name == name_of(dialect, setting.switch)}
    found = []
    for switch in SWITCHES:
        setting = known.get(switch) or Setting(switch=switch, name=name_of(dialect, switch))
        value = told.switches.get(switch)
        if setting.status in _TAKEN and value is not None and value != setting.wanted:
            setting = Setting(switch=switch, name=setting.name)
        setting = msgspec.structs.replace(setting, value=value)
        if setting.value is not None or setting.status is not None:
            found.append(setting)
    return found


def after_order(
    dialect: Dialect, settings: Sequence[Setting], switch: str, wanted: bool, status: str, at: datetime
) -> list[Setting]:
    """The settings after an answer to an order. RebootRequired: it is taken when the station starts anew."""
    name = name_of(dialect, switch)
    before = next((setting.value for setting in settings if setting.switch == switch and setting.name == name), None)
    value = wanted if status == "Accepted" else before
    new = Setting(switch=switch, name=name, value=value, wanted=wanted, status=status[:50], at=at)
    rest = [setting for setting in settings if setting.switch != switch]
    return sorted([*rest, new], key=lambda setting: SWITCHES.index(setting.switch))


class _Key(msgspec.Struct):
    key: str = ""
    value: str | None = None


class _Names(msgspec.Struct):
    name: str = ""
    instance: str | None = None


class _Variable(msgspec.Struct, rename="camel"):
    attribute_status: str = ""
    attribute_value: str | None = None
    component: _Names = msgspec.field(default_factory=_Names)
    variable: _Names = msgspec.field(default_factory=_Names)


class _Answer(msgspec.Struct, rename="camel"):
    """What is read of the answers to all four messages."""

    status: str | None = None
    configuration_key: list[_Key] = []
    get_variable_result: list[_Variable] = []
    set_variable_result: list[_Variable] = []


_read: Final = msgspec.json.Decoder(_Answer).decode


def read_answer(result: str) -> Told:
    """What a station has answered to `question`. Names compare without regard to case."""
    try:
        answer = _read(result)
    except msgspec.DecodeError:
        return Told({})
    values = {key.key.lower(): key.value for key in answer.configuration_key}
    values |= {
        f"{item.component.name}.{item.variable.name}".lower(): item.attribute_value
        for item in answer.get_variable_result
        if item.attribute_status == "Accepted" and item.variable.instance is None
    }

    def number(*names: str) -> int | None:
        return next((n for name in names if (n := _number(values.get(name.lower()))) is not None), None)

    switches = {}
    for switch in SWITCHES:
        for name in (_KEYS[switch], ".".join(_VARIABLES[switch])):
            text = (values.get(name.lower()) or "").strip().lower()
            if text in ("true", "false"):
                switches[switch] = text == "true"
    return Told(switches, number(_MOST), number(_ITEMS_16, ".".join(_ITEMS_2X)), number(".".join(_BYTES_2X)))


def order_status(result: str | None) -> str:
    """The status in the answer to `order`; empty without one."""
    try:
        answer = _Answer() if result is None else _read(result)
    except msgspec.DecodeError:
        return ""
    if answer.set_variable_result:
        return answer.set_variable_result[0].attribute_status
    return answer.status or ""


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if 0 < int(text) <= _LARGEST else None


def _variable(names: tuple[str, str]) -> dict[str, Any]:
    return {"component": {"name": names[0]}, "variable": {"name": names[1]}}
