"""Run the command `numdesk` as `python -m numdesk`."""

import sys

from numdesk.cli import main

if __name__ == "__main__":
    sys.exit(main())
