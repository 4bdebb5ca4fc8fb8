"""Runs numdesk with the name server of a bench: `python -m bench.support.silent_names HOST:PORT
ARGUMENTS`."""

from __future__ import annotations

import sys

from numdesk import cli
from numdesk.kit.outgoing.resolver import SystemResolver

if __name__ == "__main__":
    SystemResolver.__init__.__defaults__ = ((sys.argv[1],),)
    sys.exit(cli.main(sys.argv[2:]))
