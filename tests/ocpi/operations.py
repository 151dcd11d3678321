"""Which tests prove which operation of OCPI 2.2.1, and of what 2.3.0 adds, and the page of the docs that says so.

A test says it with `@operation(13, 14)`: it proves these rows of ROWS for those of our parties that serve them; with `by="HUB"` for
our hub, which relays them or answers for others. The numbers are those of our digest, and from 39 on those of 2.3.0.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeVar

from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES, OPERATIONS, Operation
from schemas.ocpi221.types import Role
from schemas.ocpi230.invoicereconciliation import MODULE as INVOICES
from schemas.ocpi230.invoicereconciliation import OPERATIONS as OF_230

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "ocpi" / "modules.md"
FOLDERS: Final = ("tests/integration/ocpi", "tests/e2e")

ROWS: Final = (*OPERATIONS, *OF_230)

By = Literal["CPO", "EMSP", "HUB"]
ROLES: Final[tuple[By, ...]] = ("CPO", "EMSP", "HUB")
Test = TypeVar("Test", bound=Callable[..., object])

_EVERYBODY: Final = ("versions", "credentials")
_OF_CPO: Final = {("locations", "SENDER"), ("sessions", "SENDER"), ("cdrs", "SENDER"), ("tariffs", "SENDER")} | {
    ("tokens", "RECEIVER"),
    ("commands", "RECEIVER"),
    ("chargingprofiles", "RECEIVER"),
    (INVOICES, "SENDER"),
}


def operation(*numbers: int, by: Literal["HUB"] | None = None) -> Callable[[Test], Test]:
    """Mark a test as a proof of operations."""
    known = {row.number for row in ROWS}
    assert set(numbers) <= known, f"there are no operations {sorted(set(numbers) - known)}"
    assert by in (None, "HUB")
    return lambda test: test


def served_by(row: Operation) -> tuple[By, ...]:
    """Who of ours serves an operation: parties of tenants in these roles, and the hub."""
    if row.module in _EVERYBODY:
        return ROLES
    if row.module == "hubclientinfo":
        return ("HUB",) if row.role == "SENDER" else ("CPO", "EMSP")
    assert row.module in FUNCTIONAL_MODULES
    return ("CPO" if (row.module, row.role) in _OF_CPO else "EMSP", "HUB")


@cache
def proofs() -> dict[tuple[int, By], list[tuple[Path, str]]]:
    """The tests of every operation, read from their sources."""
    found: dict[tuple[int, By], list[tuple[Path, str]]] = defaultdict(list)
    rows = {row.number: row for row in ROWS}
    for folder in FOLDERS:
        for source in sorted((ROOT / folder).glob("test_*.py")):
            for name, numbers, by_hub in _marked(source):
                for number in numbers:
                    for role in served_by(rows[number]):
                        if (role == "HUB") is by_hub or (not by_hub and rows[number].module in _EVERYBODY):
                            found[number, role].append((source.relative_to(ROOT), name))
    return found


def missing() -> list[str]:
    """What no test proves."""
    wanted = [(row, role) for row in ROWS for role in served_by(row)]
    return [f"{row.number} {row.method} {row.module} as {role}" for row, role in wanted if (row.number, role) not in proofs()]


def _marked(source: Path) -> Iterator[tuple[str, list[int], bool]]:
    for node in ast.parse(source.read_text()).body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "operation":
                numbers = [argument.value for argument in mark.args if isinstance(argument, ast.Constant)]
                yield node.name, numbers, any(keyword.arg == "by" for keyword in mark.keywords)


_SHOWN: Final[dict[Role, str]] = {"CPO": "CPO", "EMSP": "eMSP", "HUB": "hub"}


def page() -> str:
    """The page as it has to be."""
    lines = [
        "# What Open-CSMS answers in OCPI",
        "",
        "Written by `make pages`. Every operation of OCPI 2.2.1, and last the module of 2.3.0 that only partners with that version",
        "are offered; who of an installation answers each, and the tests that prove it:",
        "a tenant as CPO or as eMSP, for its direct partners and for everybody at the hub; and the hub for the platforms behind",
        "it, which relays the operation to the party it is for, spreads it, or answers from what it has been told.",
        "",
        "A path in braces comes after the endpoint's URL, which partners find in the version details. All else is answered with",
        "HTTP 404 or 405.",
    ]
    module = None
    for row in ROWS:
        if row.module != module:
            module = row.module
            since = " (2.3.0)" if row in OF_230 else ""
            lines += [
                "",
                f"## {module}{since}",
                "",
                f"| # | interface | method | path | {' | '.join(_SHOWN[role] for role in ROLES)} |",
            ]
            lines += ["|---|---|---|---|---|---|---|"]
        proved = [_cell(row, role) for role in ROLES]
        cells = [str(row.number), (row.role or "-").lower(), row.method, _path(row), *proved]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


_BASES: Final = {
    "versions": "the versions URL",
    "version_details": "the URL of a version",
    "location_header": "the URL in `Location`",
    "response_url": "the `response_url`",
}


def _path(row: Operation) -> str:
    if row.base != "endpoint":
        return _BASES[row.base]
    paths = row.paths[:1] if row.module == "commands" else row.paths
    shown = "<br>".join(f"`{path}`" for path in paths if path) or "-"
    shown = "`/{command}`" if row.module == "commands" else shown
    return shown + (f"<br>`?{'&'.join(row.query)}`" if row.query else "")


def _cell(row: Operation, role: By) -> str:
    if role not in served_by(row):
        return "-"
    return "<br>".join(f"[{name.removeprefix('test_')}](../../{path})" for path, name in proofs().get((row.number, role), ()))
