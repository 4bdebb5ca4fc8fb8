"""A cluster on disk: where its socket goes, who runs it, and what its last words mean."""

import os
from pathlib import Path

import pytest

from numdesk.storage.database.cluster import (
    SOCKET_NAME,
    SOCKET_PATH_MAX,
    Cluster,
    binaries,
    choose_socket_folder,
)
from numdesk.storage.database.faults import (
    DatabaseFault,
    DataFolderNotWritable,
    DataFolderOfOtherVersion,
    DiskFull,
    ServerFailedToStart,
)


@pytest.mark.parametrize(
    "program", ["postgres", "initdb", "psql", "pg_dump", "pg_restore", "pg_basebackup", "pgbench"]
)
def test_the_programs_come_with_numdesk(program: str) -> None:
    """Nothing of a PostgreSQL installed on the machine is ever used."""
    assert os.access(binaries() / program, os.X_OK)


class TestSocketFolder:
    """choose_socket_folder()."""

    def test_is_the_cluster_itself_when_the_path_fits(self) -> None:
        """The usual case needs no folder elsewhere."""
        assert choose_socket_folder(Path("/srv/numdesk/postgres")) == Path("/srv/numdesk/postgres")

    @pytest.mark.parametrize("length", range(80, 200, 7))
    def test_always_fits_into_a_socket_address(self, length: int) -> None:
        """The kernel cuts nothing off: it refuses."""
        folder = choose_socket_folder(Path("/" + "x" * length))
        assert len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_MAX

    def test_counts_bytes_and_not_letters(self) -> None:
        """A path in Cyrillic takes two bytes a letter."""
        assert choose_socket_folder(Path("/" + "ж" * 60)) != Path("/" + "ж" * 60)

    def test_of_a_stranger_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The temporary place is open to all: a link laid there beforehand must not lead our socket
        away."""
        monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
        cluster = Cluster.of(tmp_path / ("d" * 100))
        cluster.folder.mkdir(parents=True)
        (tmp_path / "strangers").mkdir()
        cluster.socket_folder.symlink_to(tmp_path / "strangers")
        with pytest.raises(DataFolderNotWritable, match="belongs to another user"):
            cluster.prepare()


@pytest.mark.parametrize("name", ["pg_hba.conf", "pg_ident.conf"])
def test_access_rules_follow_no_link(tmp_path: Path, name: str) -> None:
    """A link in the place of the rules, laid by the folder's owner, is replaced.

    What it leads to is left alone.
    """
    cluster = Cluster.of(tmp_path)
    cluster.folder.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (cluster.folder / name).symlink_to(victim)
    cluster.prepare()
    assert victim.read_text() == "precious"
    assert not (cluster.folder / name).is_symlink()
    assert "numdesk" in (cluster.folder / name).read_text()
    assert sorted(path.name for path in cluster.folder.iterdir()) == [
        "pg_hba.conf",
        "pg_ident.conf",
    ]


class TestPostmaster:
    """Cluster.postmaster()."""

    @pytest.mark.parametrize(
        "card", ["", "12", "12\n/x\n1\n5432\n", "no number\n/x\n1\n5432\n/x\n\n  0 0\nready   \n"]
    )
    def test_of_a_half_written_card_is_unknown(self, tmp_path: Path, card: str) -> None:
        """The file is read while the server writes it."""
        cluster = Cluster.of(tmp_path)
        cluster.folder.mkdir()
        (cluster.folder / "postmaster.pid").write_text(card)
        assert cluster.postmaster() is None

    def test_is_ready_only_when_the_card_says_so(self, tmp_path: Path) -> None:
        """During recovery the server runs but takes no connections."""
        cluster = Cluster.of(tmp_path)
        cluster.folder.mkdir()
        card = f"{os.getpid()}\n{cluster.folder}\n1\n5432\n{cluster.folder}\n\n  0 0\nstarting\n"
        (cluster.folder / "postmaster.pid").write_text(card)
        postmaster = cluster.postmaster()
        assert postmaster is not None
        assert not postmaster.ready
        assert postmaster.process() is None


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        ('FATAL:  could not write lock file "postmaster.pid": No space left on device', DiskFull),
        (
            "FATAL:  database files are incompatible with server\nDETAIL:  made by version 17",
            DataFolderOfOtherVersion,
        ),
        ("initdb: error: could not change permissions: Permission denied", DataFolderNotWritable),
        ('FATAL:  data directory "/x" has wrong ownership', DataFolderNotWritable),
        ("PANIC:  could not locate a valid checkpoint record", ServerFailedToStart),
        ("", ServerFailedToStart),
    ],
)
def test_the_last_words_of_a_server_become_a_fault(
    tmp_path: Path, log: str, fault: type[DatabaseFault]
) -> None:
    """The operator reads one sentence with a remedy, not a log."""
    assert type(Cluster.of(tmp_path).fault(log=log)) is fault
