"""Lets `python -m numdesk` do what the command `numdesk` does."""

import sys

from numdesk.cli import main

if __name__ == "__main__":
    sys.exit(main())
