"""Files that commands write: whole or not at all, and never over an input."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from numdesk.cli.outcome import CommandRefused
from numdesk.cli.outputs import written_whole


class TestWrittenWhole:
    def test_replaces_a_file_when_it_is_complete(self, tmp_path: Path) -> None:
        """Until the end the old content stands there.

        Then the new one, for the owner's eyes only, and nothing else is left.
        """
        target = tmp_path / "errors.csv"
        target.write_text("old")
        with written_whole(target) as file:
            file.write("new")
            assert target.read_text() == "old"
        assert target.read_text() == "new"
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [target]

    def test_leaves_the_old_file_after_a_failure(self, tmp_path: Path) -> None:
        """A command that fails half-way neither destroys an earlier report nor leaves half of a new
        one."""
        target = tmp_path / "errors.csv"
        target.write_text("old")

        def fail() -> None:
            with written_whole(target) as file:
                file.write("new")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize(
        "way", ["same", "dots", "symbolic link", "hard link", "link to the input"]
    )
    def test_refuses_the_input_by_any_name(self, way: str, tmp_path: Path) -> None:
        """The file that is read is never written, whatever it is called."""
        source, target = tmp_path / "list.csv", tmp_path / "errors.csv"
        source.write_text("msisdn,country")
        given = source
        match way:
            case "same":
                target = source
            case "dots":
                (tmp_path / "sub").mkdir()
                target = tmp_path / "sub" / ".." / "list.csv"
            case "symbolic link":
                target.symlink_to(source)
            case "hard link":
                target.hardlink_to(source)
            case _:
                given = tmp_path / "link.csv"
                given.symlink_to(source)
                target = source
        with (
            pytest.raises(CommandRefused, match="choose another name"),
            written_whole(target, inputs=[given]),
        ):
            pass
        assert source.read_text() == "msisdn,country"

    def test_writes_through_a_link_to_another_file(self, tmp_path: Path) -> None:
        """A link stays a link, and the file behind it gets the text."""
        real, link = tmp_path / "real.csv", tmp_path / "link.csv"
        real.write_text("old")
        link.symlink_to(real)
        with written_whole(link) as file:
            file.write("new")
        assert link.is_symlink()
        assert real.read_text() == "new"

    def test_writes_to_a_device_directly(self) -> None:
        """/dev/null is written to, not replaced."""
        with written_whole(Path("/dev/null")) as file:
            file.write("gone")
        assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)

    def test_says_why_a_file_cannot_be_written(self, tmp_path: Path) -> None:
        """A folder that is missing is named in one sentence."""
        with (
            pytest.raises(CommandRefused, match="cannot be written: No such file"),
            written_whole(tmp_path / "no" / "errors.csv"),
        ):
            pass
