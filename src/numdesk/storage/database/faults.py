"""Faults of the database before any work begins: a closed list, each one sentence with its
remedy."""

from pathlib import Path

from numdesk.faults import OperatorError


class DatabaseFault(OperatorError):
    """numdesk cannot use its database; the text is one sentence for the operator.

    The command line exits with 2.
    """


class DataFolderInUse(DatabaseFault):
    """Another numdesk runs on the same data folder."""

    def __init__(self, data: Path, *, holder: str) -> None:
        """Say which folder and which process holds it."""
        super().__init__(
            f"The data folder {data} is in use by another numdesk (process {holder or 'unknown'}): "
            "stop that one first, or give this one a folder of its own with --data."
        )


class DeskMissing(DatabaseFault):
    """A command looked for a desk where none was ever made."""

    def __init__(self, data: Path | None) -> None:
        """Say where it looked: in a data folder, or (None) in the external database."""
        where = (
            "the database that NUMDESK_DATABASE_URL names" if data is None else f"the folder {data}"
        )
        other = (
            "name another with NUMDESK_DATABASE_URL" if data is None else "name another with --data"
        )
        super().__init__(
            f"There is no desk in {where}: {other}, or make one with `numdesk migrate`."
        )


class DataFolderNotWritable(DatabaseFault):
    """The data folder cannot be made, written or reached."""

    def __init__(self, data: Path, *, reason: str) -> None:
        """Say which folder and what the system answered."""
        super().__init__(
            f"The data folder {data} cannot be written ({reason}): give it to the user that runs "
            f"numdesk, or choose another with --data."
        )


class DataFolderOfOtherVersion(DatabaseFault):
    """The data folder was made by another major version of PostgreSQL."""

    def __init__(self, data: Path, *, reason: str) -> None:
        """Say which folder and what the server answered."""
        super().__init__(
            f"The data folder {data} was made by another version of PostgreSQL ({reason}): "
            "back it up with the numdesk that made it and restore the backup with this one."
        )


class DiskFull(DatabaseFault):
    """There is no room left for the database."""

    def __init__(self, data: Path | str) -> None:
        """Say where there is no room."""
        super().__init__(
            f"There is no room left on the disk of {data}: nothing is lost, but nothing can be "
            f"taken in until some space is freed."
        )


class DatabaseUrlRefused(DatabaseFault):
    """NUMDESK_DATABASE_URL cannot be used."""

    def __init__(self, reason: str) -> None:
        """Name the fault without quoting the text: any part may belong to the password."""
        super().__init__(f"NUMDESK_DATABASE_URL cannot be used: it {reason}.")


class DatabaseNotUtf8(DatabaseFault):
    """The database keeps its text in another encoding than UTF-8."""

    def __init__(self, where: str, *, found: str) -> None:
        """Say which encoding was found."""
        super().__init__(
            f"The database at {where} has the encoding {found}: numdesk needs UTF8, so make one "
            f"with "
            "`createdb --encoding=UTF8 --template=template0`."
        )


class ServerUnreachable(DatabaseFault):
    """No PostgreSQL answers where one should."""

    def __init__(self, where: str, *, reason: str) -> None:
        """Say where we looked (never with the password) and what we got."""
        super().__init__(
            f"PostgreSQL at {where} does not answer ({reason}): "
            "see that it runs, and that NUMDESK_DATABASE_URL names it, or leave that unset to use "
            "the embedded one."
        )


class ServerFailedToStart(DatabaseFault):
    """The embedded PostgreSQL would not start."""

    def __init__(self, data: Path, *, reason: str) -> None:
        """Say what the server wrote last."""
        super().__init__(
            f"The embedded PostgreSQL in {data} did not start ({reason}): the file postgres.log "
            f"beside it says more."
        )


class ServerTooOld(DatabaseFault):
    """The external PostgreSQL is older than we can use."""

    def __init__(self, where: str, *, found: int, needed: int) -> None:
        """Say which version was found and which is needed."""
        super().__init__(
            f"PostgreSQL at {where} is version {found}: numdesk needs {needed} or newer, so "
            f"upgrade it or leave NUMDESK_DATABASE_URL unset."
        )


class DatabaseIsNewer(DatabaseFault):
    """The database was migrated by a newer numdesk."""

    def __init__(self, names: list[str]) -> None:
        """Name the migrations that this code does not know."""
        super().__init__(
            f"The database is newer than this numdesk (it has {', '.join(names)}): "
            "run the numdesk that migrated it, or restore a backup taken before."
        )


class MigrationChanged(DatabaseFault):
    """A migration file is not the one applied to this database."""

    def __init__(self, name: str) -> None:
        """Name the file."""
        super().__init__(
            f"The migration {name} is not the one that was applied to this database: "
            "put the file back as it was and write the change as a new migration."
        )


class MigrationBlocked(DatabaseFault):
    """A migration waited too long for a lock that others hold."""

    def __init__(self, name: str) -> None:
        """Name the migration that was rolled back."""
        super().__init__(
            f"The migration {name} could not get its locks and was rolled back: "
            "nothing has changed, so try again when the database is less busy."
        )
