"""The OpenAPI 3.1 document, written from the route table and the Structs that the endpoints really use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec

from hub.api.problems import MEDIA_TYPE, ProblemDetails
from hub.api.routing import Route
from hub.auth.caller import API_KEY_HEADER, TENANT_HEADER

_REF: Final = "#/components/schemas/{name}"

_CAUSES: Final = {
    400: "the request cannot be read",
    401: "no valid credentials",
    403: "the role lacks the permission, or the tenant is not the caller's",
    404: "there is no such resource in this tenant",
    408: "the request did not arrive in time",
    413: "the body is too large",
    415: "the body is not declared as a media type that is taken here",
    422: "the input is not acceptable; `errors` names the fields",
    500: "a fault on the server's side; `instance` identifies it in the logs",
    503: "the database is not available at this moment",
}

_ABOUT: Final = """The admin API of Open-CSMS.

Sign in with `POST /api/v1/auth/login` and send the access token as `Authorization: Bearer …`, or send an API key as
`X-API-Key`. Everything happens inside the caller's tenant; platform administrators act on `default` unless `X-CSMS-Tenant`
names another. Lists are paged: follow `next_cursor` until it is null. Times are RFC 3339 in UTC, energy is in Wh. Errors are
RFC 9457 problem details."""


def write_document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document as built-in types."""
    routes = list(routes)
    schemas = _Schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for row in routes:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Open-CSMS",
            "version": _version(),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(row.tag for row in routes)],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "apiKey", "in": "header", "name": API_KEY_HEADER},
            },
        },
    }


def _version() -> str:
    try:
        return version("open-csms")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "0+unknown"


class _Schemas:
    """The JSON Schemas of all types of the table, made at once so that every reference has its target."""

    def __init__(self, routes: list[Route]) -> None:
        types: list[Any] = [ProblemDetails]
        for row in routes:
            types += [row.query, *row.bodies.values(), *filter(None, row.answers.values())]
        self._types = list(dict.fromkeys(types))
        found, components = msgspec.json.schema_components(self._types, ref_template=_REF)
        self._refs = [_portable(schema) for schema in found]
        self._all = {name: _portable(schema) for name, schema in components.items()}
        queries = {row.query for row in routes}
        shown = [ref for kind, ref in zip(self._types, self._refs, strict=True) if kind not in queries]
        self.components = {name: self._all[name] for name in sorted(self._reachable(shown))}

    def of(self, kind: Any) -> dict[str, Any]:
        return dict(self._refs[self._types.index(kind)])

    def fields(self, kind: Any) -> dict[str, Any]:
        """The resolved object schema of a Struct."""
        schema = self.of(kind)
        while "$ref" in schema:
            schema = self._all[schema["$ref"].rpartition("/")[2]]
        return schema

    def _reachable(self, schemas: list[Any]) -> set[str]:
        found: set[str] = set()
        waiting = list(schemas)
        while waiting:
            for name in _references(waiting.pop()):
                if name not in found:
                    found.add(name)
                    waiting.append(self._all[name])
        return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _portable(schema: Any) -> Any:
    """Decimals are written as JSON numbers, and patterns in the regular expressions of ECMAScript."""
    if isinstance(schema, dict):
        if schema.get("type") == "string" and schema.get("format") == "decimal":
            return {**{k: v for k, v in schema.items() if k != "format"}, "type": "number"}
        return {
            key: re.sub(r"\\Z$", "$", value) if key == "pattern" and isinstance(value, str) else _portable(value)
            for key, value in schema.items()
        }
    if isinstance(schema, list):
        return [_portable(value) for value in schema]
    return schema


def _operation(row: Route, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": row.handler.__name__,
        "tags": [row.tag],
        "summary": row.summary,
        "description": _description(row),
        "parameters": list(_parameters(row, schemas)),
        "responses": {str(status): response for status, response in sorted(_responses(row, schemas).items())},
        "security": [] if row.permission is None else [{"bearer": []}, {"apiKey": []}],
    }
    if row.bodies:
        content = {media_type: {"schema": schemas.of(kind)} for media_type, kind in row.bodies.items()}
        operation["requestBody"] = {"required": not row.body_optional, "content": content}
    return operation


def _description(row: Route) -> str:
    needs = "Public." if row.permission is None else f"Needs the permission `{row.permission}`."
    return f"{row.description}\n\n{needs}".strip()


def _parameters(row: Route, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    for name in row.parameters:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    query = schemas.fields(row.query)
    for name, schema in query.get("properties", {}).items():
        parameter = {"name": name, "in": "query", "required": name in query.get("required", ()), "schema": schema}
        if "description" in schema:
            parameter["description"] = schema["description"]
        yield parameter
    if row.permission is not None:
        yield {
            "name": TENANT_HEADER,
            "in": "header",
            "required": False,
            "description": "The tenant to act on, for platform administrators",
            "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,40}$"},
        }


def _responses(row: Route, schemas: _Schemas) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for status, kind in row.answers.items():
        found[status] = {"description": row.summary}
        if kind is not None:
            found[status]["content"] = {row.media_type: {"schema": schemas.of(kind)}}
    for status, cause in sorted({**_usual_problems(row), **row.problems}.items()):
        found[status] = {"description": cause, "content": {MEDIA_TYPE: {"schema": schemas.of(ProblemDetails)}}}
    return found


def _usual_problems(row: Route) -> dict[int, str]:
    statuses = [408, 413, 422, 500, 503]
    if row.permission is not None:
        statuses += [400, 401, 403]
    if row.parameters:
        statuses.append(404)
    if row.bodies:
        statuses += [400, 415]
    return {status: _CAUSES[status] for status in statuses}
