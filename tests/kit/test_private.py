"""What is for its user alone."""

from __future__ import annotations

import stat
from pathlib import Path

from numdesk.kit.private import open_to_others, tighten


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_wide_modes_are_tightened_in_the_whole_folder(tmp_path: Path) -> None:
    """The folder itself, its folders and its files lose the rights of others, and keep those of
    their user."""
    folder = tmp_path / "data"
    (folder / "uploads").mkdir(parents=True)
    (folder / "uploads" / "list.csv").write_text("")
    for path, mode in (
        (folder, 0o755),
        (folder / "uploads", 0o777),
        (folder / "uploads" / "list.csv", 0o644),
    ):
        path.chmod(mode)
    tighten(folder, apart=())
    assert open_to_others(folder, apart=()) == []
    assert (_mode(folder), _mode(folder / "uploads"), _mode(folder / "uploads" / "list.csv")) == (
        0o700,
        0o700,
        0o600,
    )


def test_what_stands_apart_stays_as_it_is(tmp_path: Path) -> None:
    """The key file is refused by its reader, and the cluster's folder is PostgreSQL's business."""
    tmp_path.chmod(0o700)
    keys, cluster = tmp_path / "keys", tmp_path / "postgres"
    keys.write_text("")
    cluster.mkdir()
    (cluster / "base").mkdir()
    for path in (keys, cluster, cluster / "base"):
        path.chmod(0o755)
    tighten(tmp_path, apart=(keys, cluster))
    assert [_mode(path) for path in (keys, cluster, cluster / "base")] == [0o755, 0o755, 0o755]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link in the folder changes nothing of what it leads to."""
    folder, outside = tmp_path / "data", tmp_path / "outside"
    folder.mkdir(mode=0o700)
    outside.write_text("")
    outside.chmod(0o644)
    (folder / "link").symlink_to(outside)
    tighten(folder, apart=())
    assert _mode(outside) == 0o644
