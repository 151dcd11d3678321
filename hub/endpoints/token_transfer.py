"""Id tokens in bulk: import with a dry run and a word on every line, and export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
import trio
from msgspec import Meta

from csms.domain.restrictions import Restrictions
from csms.store import Connection
from csms.store.queries import token_imports as queries
from csms.store.queries.restriction_references import Named, find_named
from csms.store.queries.token_imports import CHUNK, ImportedToken, OnExisting, Outcome, Planned, References
from hub.api.decoding import Upload
from hub.api.fields import check_time_zone
from hub.api.paging import NIL, Cursor, Page, PageQuery, page, position
from hub.api.problems import FieldError, Problem
from hub.api.routing import Answer, Call, Document, route
from hub.endpoints.id_tokens import NewIdToken
from hub.token_files import COLUMNS, MOST_LINES, Line, exported, read_csv, read_json, write_csv

MOST_BYTES: Final = 20 * 1024 * 1024
_TIMEOUT_S: Final = 300
_CHUNK_TIMEOUT_S: Final = 30
_READERS: Final[dict[str, Callable[[bytes], list[Line]]]] = {"application/json": read_json, "text/csv": read_csv}


class ImportQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dry_run: Annotated[bool, Meta(description="Only say what would happen")] = False
    on_existing: Annotated[OnExisting, Meta(description="What becomes of a line whose token exists")] = "skip"


class LineReport(msgspec.Struct, frozen=True):
    """`line`: in a CSV file the line, in a JSON file the place, from 1."""

    line: int
    outcome: Outcome
    errors: list[FieldError]


class ImportReport(msgspec.Struct, frozen=True):
    """How many lines there were, and what became of each."""

    dry_run: bool
    created: int
    updated: int
    skipped: int
    failed: int
    lines: list[LineReport]


class ExportQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal["csv", "json"] = "json"
    limit: Annotated[int, Meta(ge=1, le=10_000, description="How many tokens at most")] = 10_000
    cursor: Cursor | None = None


class TokenExport(NewIdToken, kw_only=True):
    """A token, in the form in which the import takes it."""


async def import_tokens(call: Call[ImportQuery, Upload]) -> Answer:
    """Chunk by chunk: what is done stays done when the database goes away in the midst, and the same file may be sent again."""
    tenant_id, hub, query = call.tenant_id, call.hub, call.query
    lines = await hub.workers.run(_READERS[call.body.media_type], call.body.content)
    try:
        with trio.fail_after(_TIMEOUT_S, shield=True):
            return Answer(200, await _import(call, tenant_id, lines, query))
    except trio.TooSlowError:
        raise Problem(503, "unavailable", "the import took too long; sending the file again goes on with it") from None


async def _import(call: Call[ImportQuery, Upload], tenant_id: int, lines: Sequence[Line], query: ImportQuery) -> ImportReport:
    database = call.hub.store.hub
    outcomes: dict[int, LineReport] = {}
    first_of: dict[tuple[str, str], int] = {}
    tokens: dict[int, ImportedToken] = {}
    for place, line in enumerate(lines):
        errors = list(line.errors)
        if not errors:
            token = ImportedToken(call.hub.ids.uuid7(), line.id_token, line.type, line.changes)
            first = first_of.setdefault(token.key, line.number)
            if first == line.number:
                tokens[place] = token
            else:
                errors.append(FieldError("id_token", f"is the same token as in line {first}"))
        if errors:
            outcomes[place] = LineReport(line.number, "failed", errors)

    async def look(conn: Connection) -> tuple[References, Named]:
        all_restrictions = {_json(r): r for t in tokens.values() if (r := t.changes.get("restrictions")) is not None}
        return (
            await queries.find_references(conn, tenant_id, list(tokens.values())),
            await find_named(conn, tenant_id, list(all_restrictions.values())),
        )

    references, named = await database.tenant_unit(tenant_id, look, timeout=_CHUNK_TIMEOUT_S)
    for place, token in list(tokens.items()):
        error = _wrong_restrictions(token.changes.get("restrictions"), named)
        if error is not None:
            outcomes[place] = LineReport(lines[place].number, "failed", [error])
            del tokens[place]
    places = list(tokens)
    for start in range(0, len(places), CHUNK):
        chunk = places[start : start + CHUNK]
        part = [tokens[place] for place in chunk]

        async def work(conn: Connection, part: list[ImportedToken] = part) -> list[Planned]:
            plan = await queries.plan_chunk(conn, tenant_id, part, references, query.on_existing, lock=not query.dry_run)
            return plan if query.dry_run else await queries.write_chunk(conn, tenant_id, plan)

        for place, planned in zip(chunk, await database.tenant_unit(tenant_id, work, timeout=_CHUNK_TIMEOUT_S), strict=True):
            problem = [] if planned.problem is None else [FieldError(*planned.problem)]
            outcomes[place] = LineReport(lines[place].number, planned.outcome, problem)
    reports = [outcomes[place] for place in range(len(lines))]
    counts = {name: sum(report.outcome == name for report in reports) for name in ("created", "updated", "skipped", "failed")}
    return ImportReport(query.dry_run, **counts, lines=reports)


def _wrong_restrictions(restrictions: Restrictions | None, named: Named) -> FieldError | None:
    if restrictions is None:
        return None
    try:
        check_time_zone(restrictions.time_zone, "restrictions.time_zone")
    except Problem as problem:
        return problem.errors[0]
    missing = named.missing(restrictions)
    return None if missing is None else FieldError(f"restrictions.{missing}", "names what is not there")


def _json(restrictions: Restrictions) -> bytes:
    return msgspec.json.encode(restrictions)


async def export_tokens(call: Call[ExportQuery, None]) -> Answer | Document:
    tenant_id, limit = call.tenant_id, call.query.limit
    after = position(call, UUID) or NIL
    found = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.page_of_tokens(conn, tenant_id, after, limit + 1), timeout=_CHUNK_TIMEOUT_S
    )
    shown = page(call, found, lambda token: token.token_id, exported)
    if call.query.format == "json":
        return Answer(200, shown)
    headers = {"Content-Disposition": 'attachment; filename="id-tokens.csv"'}
    if shown.next_cursor is not None:
        headers["X-Next-Cursor"] = shown.next_cursor
    content = await call.hub.workers.run(write_csv, found[:limit])
    return Document(content, "text/csv; charset=utf-8", headers)


ROUTES = (
    route(
        "POST",
        "/api/v1/id-tokens/import",
        import_tokens,
        permission="id_tokens.write",
        query=ImportQuery,
        body=Upload,
        takes={"application/json": list[NewIdToken], "text/csv": str},
        most_bytes=MOST_BYTES,
        answers={200: ImportReport},
        tag="Id tokens",
        summary="Import id tokens",
        description=(
            f"At most {MOST_LINES} tokens in one file. JSON: a list of tokens, or an object with the list as `items`. CSV: UTF-8 "
            f"with a header of some of the columns {', '.join(COLUMNS)}; restrictions as JSON. Lines are taken one by one: those "
            "that fail hold up no others. A field that is not in the file is left as it is in a token that exists. A cell that "
            "begins with an apostrophe before one of `= + - @ '` is read without the apostrophe."
        ),
        waits=True,
    ),
    route(
        "GET",
        "/api/v1/id-tokens/export",
        export_tokens,
        permission="id_tokens.read",
        query=ExportQuery,
        answers={200: Page[TokenExport]},
        tag="Id tokens",
        summary="Export id tokens",
        description=(
            "In the form in which the import takes them, page by page; a page of CSV has its cursor in the header X-Next-Cursor. "
            "Tokens that nobody has registered are left out. A cell that begins with one of `= + - @ '`, a tab or a carriage "
            "return is written with an apostrophe before it, so that no spreadsheet takes it for a formula."
        ),
    ),
)
