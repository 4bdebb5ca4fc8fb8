"""Rules of the key file."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from numdesk.kit.keyfile import Key, KeyFile, KeyFileBroken, KeyFileMissing, KeyFileOpen

LINE = "0a0b0c0d " + "A" * 43 + "=\n"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a key file by hand."""
    path.write_text(text)
    path.chmod(mode)
    return path


class TestLoadOrCreate:
    def test_makes_a_private_file_once(self, tmp_path: Path) -> None:
        """The first start makes one key that only the owner can read.

        The second start finds the same.
        """
        path = tmp_path / "keys"
        made = KeyFile.load_or_create(path, may_create=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert KeyFile.load_or_create(path, may_create=True) == made
        assert len(made.keys) == 1
        assert list(tmp_path.iterdir()) == [path]

    def test_is_private_whatever_the_umask(self, tmp_path: Path) -> None:
        """A generous umask does not open the file to others."""
        before = os.umask(0)
        try:
            KeyFile.load_or_create(tmp_path / "keys", may_create=True)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600

    def test_refuses_to_start_without_its_keys(self, tmp_path: Path) -> None:
        """Where sealed data may exist, a missing file is told and not made anew."""
        with pytest.raises(KeyFileMissing, match="is missing; restore it"):
            KeyFile.load_or_create(tmp_path / "keys", may_create=False)
        assert not list(tmp_path.iterdir())

    def test_processes_that_start_together_share_one_key(self, tmp_path: Path) -> None:
        """Of many first starts at once one makes the key and all use it."""
        with ThreadPoolExecutor(8) as pool:
            made = list(
                pool.map(
                    lambda _: KeyFile.load_or_create(tmp_path / "k", may_create=True), range(16)
                )
            )
        assert len({file.keys for file in made}) == 1
        assert len(list(tmp_path.iterdir())) == 1


class TestLoadOrPretend:
    def test_writes_nothing(self, tmp_path: Path) -> None:
        """Who only looks leaves no key behind, and reads the one that is there."""
        path = tmp_path / "keys"
        assert len(KeyFile.load_or_pretend(path, may_pretend=True).keys) == 1
        assert not list(tmp_path.iterdir())
        with pytest.raises(KeyFileMissing):
            KeyFile.load_or_pretend(path, may_pretend=False)
        made = KeyFile.load_or_create(path, may_create=True)
        assert KeyFile.load_or_pretend(path, may_pretend=True) == made


class TestLoad:
    @pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o602, 0o610])
    def test_refuses_a_file_open_to_others(self, tmp_path: Path, mode: int) -> None:
        """A file that others can reach is refused, with the command that mends it."""
        path = write(tmp_path / "keys", LINE, mode)
        with pytest.raises(KeyFileOpen, match="chmod 600"):
            KeyFile.load(path)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "# nothing\n",
            "junk\n",
            LINE + LINE,
            LINE.replace("0a0b0c0d", "0a0b"),
            LINE.replace("0a0b0c0d", "zzzzzzzz"),
            LINE.replace("AAAA=", "AA=="),
            LINE.replace("AAA", "!!!"),
            LINE + "ключ\n",
            "#" * 20_000,
        ],
    )
    def test_refuses_what_is_no_list_of_keys(self, tmp_path: Path, text: str) -> None:
        """A damaged file is told by its line and never quoted."""
        path = write(tmp_path / "keys", text)
        with pytest.raises(KeyFileBroken) as caught:
            KeyFile.load(path)
        assert "AAAA" not in str(caught.value)

    def test_refuses_a_folder(self, tmp_path: Path) -> None:
        """Only a regular file can hold keys."""
        with pytest.raises(KeyFileBroken, match="regular file"):
            KeyFile.load(tmp_path)

    def test_passes_over_comments_and_blank_lines(self, tmp_path: Path) -> None:
        """An operator may write remarks beside the keys."""
        path = write(tmp_path / "keys", f"# made in March\n\n{LINE}")
        assert KeyFile.load(path).keys == (Key(id=bytes.fromhex("0a0b0c0d"), secret=bytes(32)),)


class TestWithNewKey:
    def test_adds_the_newest_last(self, tmp_path: Path) -> None:
        """A rotation keeps every old key in its place and adds one, in the file and in the
        value."""
        first = KeyFile.load_or_create(tmp_path / "keys", may_create=True)
        second = first.with_new_key()
        assert second.keys[:1] == first.keys
        assert len(second.keys) == 2
        assert KeyFile.load(tmp_path / "keys") == second
        assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


class TestKey:
    def test_does_not_show_its_secret(self) -> None:
        """A key in a log line or a traceback shows its name only."""
        assert "hidden" not in repr(Key(id=b"name", secret=b"hidden"))
