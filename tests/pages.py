"""The pages of the documentation that follow from the code and its tests alone: `python -m tests.pages`, or with `--check`.

The tables of certification cases are not among them: those tell how the tests ended, and a whole run writes them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from schemas.versions import VERSIONS
from tests.conformance.rules import index
from tests.ocpi import check_page, operations
from tests.unit.schemas import messages_page
from tests.websocket import table

ROOT = Path(__file__).parents[1]


def pages() -> Iterator[tuple[Path, Callable[[], str]]]:
    """Where each page is, and what makes it."""
    yield index.PAGE, index.page
    yield table.PAGE, table.page
    yield operations.PAGE, operations.page
    yield check_page.PAGE, check_page.page
    for version in VERSIONS:
        yield messages_page.path(version), lambda version=version: messages_page.page(version)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.pages", description="Write the pages that are made from code.")
    parser.add_argument("--check", action="store_true", help="only tell which are not up to date; status 1 when there are any")
    check = parser.parse_args().check
    made = [(path, make()) for path, make in pages()]
    stale = [(path, text) for path, text in made if not path.exists() or path.read_text() != text]
    for path, text in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is not up to date: write it with `make pages`", file=sys.stderr)
        else:
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
