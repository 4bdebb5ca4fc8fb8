"""What a command says, as people and as programs read it."""

import pytest

from numdesk.cli.outcome import table, tell


class TestTell:
    def test_cuts_nothing_off_a_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Where the output is no terminal each row is one line with every cell whole."""
        row = [f"{'x' * 30}{number}" for number in range(9)]
        tell(None, as_json=False, text=table([f"c{number}" for number in range(9)], [row]))
        said = capsys.readouterr().out.splitlines()
        assert said[1].split() == row
        assert len(said) == 2

    def test_takes_no_name_for_an_instruction(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What stands in brackets is part of a cell, not a colour."""
        tell({}, as_json=False, text=table(["name"], [["[red]Ann[/red] [a-z]"]]))
        assert "[red]Ann[/red] [a-z]" in capsys.readouterr().out
