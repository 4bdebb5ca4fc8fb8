"""Open psql on the embedded database of a data folder: `python -m tests.support.psql FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from numdesk.storage.database.cluster import binaries
from numdesk.storage.database.postgres import running_dsn


def main(folder: Path) -> None:
    """Become psql. Exit with a sentence when no server runs in the folder, or psql is missing."""
    dsn = running_dsn(folder)
    if dsn is None:
        sys.exit(f"No database runs in {folder}: start it with `make run DATA={folder}` first.")
    psql = binaries() / "psql"
    if not psql.exists():
        sys.exit(f"PostgreSQL came without psql; any client can open {dsn}")
    os.execv(psql, [str(psql), dsn])  # noqa: S606 - the program that comes along


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
