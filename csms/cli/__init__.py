"""The command line: `csms …`. The composition root, the only part of csms that knows gateway and hub.

Only the parser is loaded to begin with, so that `csms --help` answers at once; each command imports what it needs.
"""

from __future__ import annotations

import os
import sys

from csms.cli.parser import make_parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 1 failed, 2 wrong usage or settings, 130 interrupted.

    What an operator can act on is one line on standard error, never a traceback.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = make_parser(arguments)
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown and not hasattr(parsed, "arguments"):
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if unknown:
        parsed.arguments = unknown
    from csms.cli.failure import failure_line
    from csms.clock import SystemClock
    from csms.logging import configure_logging
    from csms.settings import SettingsError, load_settings

    try:
        if parsed.needs_settings:
            parsed.settings = load_settings(os.environ)
            configure_logging(parsed.settings.log_level, parsed.settings.log_format, SystemClock())
        status: int = parsed.run(parsed)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        line = failure_line(error)
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        return 1
    return status
