"""Every row of either store in one form, and the difference between two of them.

Left out is what no statement of the port reads, and what the server draws by itself: ids of events and of shapes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from csms.domain.session_state import SessionState
from csms.store import Connection
from csms.store.ledger_sessions import SESSION_COLUMNS
from tests.simulation.model.engine import Tables as Engine
from tests.simulation.model.rows import Command, Connector, Station

Tables = dict[str, dict[Any, Any]]
"""Table -> key -> row."""

_STATION: Final = Station.__struct_fields__
_CONNECTOR: Final = Connector.__struct_fields__
_COMMAND: Final = Command.__struct_fields__

# table -> (columns of the key, the other columns, condition)
_PLAIN: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "gateway_processes": ("process_id", ("seen_at",)),
    "stations": ("tenant_id, station_id", _STATION),
    "evses": ("tenant_id, station_id, evse_id", ("seen_on_wire",)),
    "connectors": ("tenant_id, station_id, evse_id, connector_id", _CONNECTOR),
    "event_streams": ("tenant_id, station_id, stream_id", ("variable_monitoring_id", "opened_at")),
    "id_tokens": (
        "tenant_id, lower(id_token), type",
        ("id_token", "status", "valid_from", "valid_until", "group_id_token", "retired_at IS NOT NULL", "used_by_session_id"),
    ),
    "sessions": (
        "tenant_id, session_id",
        (
            *(column.removeprefix("x.") for column in SESSION_COLUMNS.split(", ")),
            "created_at",
            "updated_at",
            "asked_at",
            "reconcile_at",
        ),
    ),
    "transaction_events": (
        "tenant_id, session_id, seq_no, digest",
        ("type", "event_time", "event_time_text", "trigger_reason", "offline", "conflict", "data", "answer"),
    ),
    "session_states": ("tenant_id, session_id, time, status", ()),
    "session_corrections": ("tenant_id, session_id, correction_id", ("cause", "changes")),
    "station_events": (
        "tenant_id, event_id",
        ("station_id", "type", "event_time", "data", "digest", "command_id", "recorded_at"),
    ),
    "device_variables": (
        "tenant_id, station_id, component, component_instance, evse_id, connector_id, variable, variable_instance, attribute",
        ("value", "mutability", "persistent", "constant", "characteristics", "reported_at"),
    ),
    "quarantine": (
        "tenant_id, quarantine_id",
        (
            "station_id",
            "ocpp_version",
            "action",
            "reason",
            "error_code",
            "path",
            "rule",
            "payload",
            "digest",
            "taken",
            "times",
            "last_at",
        ),
    ),
    "quarantine_usage": ("tenant_id, station_id", ("messages", "bytes", "refused", "told_at")),
    "relaxations": (
        "tenant_id, station_id, kind, ocpp_version, action, path, rule",
        ("cause", "rule_id", "times", "first_at", "last_at"),
    ),
    "commands": ("tenant_id, command_id", _COMMAND),
}
_JSON: Final = frozenset({"data", "answer", "changes", "characteristics", "parameters", "result"})
_SHAPE: Final = (
    "coalesce(r.shape, (SELECT h.shape FROM sample_shapes h WHERE h.tenant_id = r.tenant_id AND h.shape_id = r.shape_id))"
)
_READING: Final = f'ts, ts_text, context, {_SHAPE}, r.shape_id IS NOT NULL, "values", texts'
_SAMPLES: Final = (
    f"SELECT tenant_id, session_id, {_READING} FROM samples r",
    f"SELECT tenant_id, station_id, evse_id, {_READING} FROM station_samples r",
)
_OUTBOX: Final = "SELECT tenant_id, xid::text::bigint, type, station_id, session_id, occurred_at, data FROM outbox ORDER BY id"


async def postgres_tables(conn: Connection) -> Tables:
    found: Tables = {}
    for table, (key, columns) in _PLAIN.items():
        width = len(key.split(", "))
        rows = await conn.fetch(f"SELECT {', '.join((key, *columns))} FROM {table}")
        found[table] = {
            _key(row[:width]): {
                name: _read(value) if name in _JSON and value is not None else value
                for name, value in zip(columns, row[width:], strict=True)
            }
            for row in map(tuple, rows)
        }
    found["samples"] = _bag(_sample(tuple(row)) for row in await conn.fetch(_SAMPLES[0]))
    found["station_samples"] = _bag(_sample(tuple(row)) for row in await conn.fetch(_SAMPLES[1]))
    found["outbox"] = _published(
        (row[1], (row[0], row[3]), (row[2], row[4], row[5], _read(row[6]))) for row in await conn.fetch(_OUTBOX)
    )
    return found


def model_tables(engine: Engine) -> Tables:
    def rows(table: str, row: Callable[[Any, Any], tuple[Any, dict[str, Any]]]) -> dict[Any, Any]:
        return dict(row(key, stored) for key, stored in engine.table(table).items())

    found: Tables = {
        "gateway_processes": rows("processes", lambda key, row: (key, {"seen_at": row.seen_at})),
        "stations": rows("stations", lambda key, row: (key, _fields(row))),
        "evses": rows("evses", lambda key, row: (key, {"seen_on_wire": True})),
        "connectors": rows("connectors", lambda key, row: (key, _fields(row))),
        "event_streams": rows("streams", lambda key, row: (key, _fields(row))),
        "id_tokens": rows("tokens", _token),
        "sessions": rows("sessions", _session),
        "transaction_events": {
            (*key, event.digest): {
                name: value for name, value in _fields(event).items() if name not in ("tenant_id", "session_id", "seq_no", "digest")
            }
            for key, events in engine.table("events").items()
            for event in events
        },
        "session_states": rows("session_states", lambda key, row: (key, {})),
        "session_corrections": rows("corrections", lambda key, row: (key, {"cause": row.cause, "changes": _read(row.changes)})),
        "station_events": rows("station_events", lambda key, row: (key, _without(row, "tenant_id", "event_id"))),
        "device_variables": rows("device_variables", _variable),
        "quarantine": rows("quarantine", lambda key, row: (key, _without(row, "tenant_id", "quarantine_id"))),
        "quarantine_usage": rows("quarantine_usage", lambda key, row: (key, _fields(row))),
        "relaxations": rows("relaxations", lambda key, row: (key, _fields(row))),
        "commands": rows("commands", lambda key, row: (key, _fields(row))),
    }
    found["samples"] = _bag((*key, *_values(sample)) for key, sample in engine.table("samples").values())
    found["station_samples"] = _bag((*row[:3], *_values(row[3])) for row in engine.table("station_samples").values())
    found["outbox"] = _published(
        (row.number, (row.tenant_id, row.station_id), (row.type, row.session_id, row.occurred_at, _read(row.data)))
        for _, row in sorted(engine.table("outbox").items())
    )
    return found


def differences(model: Tables, postgres: Tables) -> list[str]:
    """In words; empty when both are the same."""
    assert set(model) == set(postgres)
    told = []
    for table in postgres:
        ours, theirs = model[table], postgres[table]
        for key in sorted(set(ours) | set(theirs), key=repr):
            if key not in ours or key not in theirs:
                where = "PostgreSQL" if key not in ours else "the model"
                told.append(f"{table} {key}: only in {where}: {theirs.get(key, ours.get(key))}")
            elif ours[key] != theirs[key]:
                told.append(f"{table} {key}: {_unlike(ours[key], theirs[key])}")
    return told


def _unlike(ours: Any, theirs: Any) -> str:
    if not isinstance(ours, dict):
        return f"{ours!r} in the model, {theirs!r} in PostgreSQL"
    return ", ".join(
        f"{name}: {ours.get(name)!r} in the model, {theirs.get(name)!r} in PostgreSQL"
        for name in theirs
        if name not in ours or ours[name] != theirs[name]
    )


def _read(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


def _key(values: tuple[Any, ...]) -> Any:
    return values[0] if len(values) == 1 else values


def _fields(row: Any) -> dict[str, Any]:
    return {
        name: _read(value) if name in _JSON and value is not None else value for name, value in msgspec.structs.asdict(row).items()
    }


def _without(row: Any, *names: str) -> dict[str, Any]:
    return {name: value for name, value in _fields(row).items() if name not in names}


def _token(key: Any, row: Any) -> tuple[Any, dict[str, Any]]:
    names = ("id_token", "status", "valid_from", "valid_until", "group_id_token", "used_by_session_id")
    return key, {name: getattr(row, name) for name in names} | {"retired_at IS NOT NULL": row.retired}


def _session(key: Any, row: Any) -> tuple[Any, dict[str, Any]]:
    fields = _fields(row)
    state: SessionState = fields.pop("state")
    return key, msgspec.structs.asdict(state) | fields


def _variable(key: Any, row: Any) -> tuple[Any, dict[str, Any]]:
    variable, reported_at = row
    fields = _fields(variable)
    wanted = ("value", "mutability", "persistent", "constant", "characteristics")
    return key, {name: fields[name] for name in wanted} | {"reported_at": reported_at}


def _sample(row: tuple[Any, ...]) -> tuple[Any, ...]:
    *start, shape, interned, values, texts = row
    return (*start, _shape(json.loads(shape)), interned, tuple(values), None if texts is None else tuple(texts))


def _values(sample: Any) -> tuple[Any, ...]:
    return (
        sample.ts,
        sample.ts_text,
        sample.context,
        _shape(msgspec.to_builtins(sample.shape)),
        sample.interned,
        sample.values,
        sample.texts,
    )


def _shape(channels: list[dict[str, Any]]) -> str:
    return json.dumps(channels, sort_keys=True)


def _bag(rows: Iterator[tuple[Any, ...]]) -> dict[Any, Any]:
    """Rows without a key: how often there is each."""
    counts: dict[Any, int] = {}
    for row in rows:
        counts[row] = counts.get(row, 0) + 1
    return counts


def _published(rows: Iterator[tuple[int, Any, Any]]) -> dict[Any, Any]:
    """(transaction, counted in the order of the first events; station) -> its events in their order."""
    found: dict[Any, Any] = {}
    numbers: dict[int, int] = {}
    for transaction, station, event in rows:
        number = numbers.setdefault(transaction, len(numbers))
        found.setdefault((number, *station), []).append(event)
    return found
