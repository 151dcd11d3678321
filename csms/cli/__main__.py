"""`python -m csms.cli …`: how the launcher starts its gateway processes."""

from __future__ import annotations

import sys

from csms.cli import main

if __name__ == "__main__":
    sys.exit(main())
