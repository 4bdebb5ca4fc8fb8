"""A CSV file may hold anything: what is good is read, what is bad is told by line, and nothing is
guessed."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.cli.lists import LINE_BYTES_MAX, Complaints, List
from numdesk.cli.outcome import CommandRefused
from numdesk.usecases.stock.lists import BadLine

FILE = Path("numbers.csv")


def read(content: bytes) -> list[object]:
    """Returns the rows of a list of numbers, each as its cells or its complaint."""
    found = List(io.BytesIO(content), FILE, needed=["msisdn", "country"], optional=["operator"])
    return list(
        found.rows(
            lambda line, cells: (line, cells["msisdn"], cells["country"], cells.get("operator"))
        )
    )


class TestRows:
    """Reading the lines."""

    @pytest.mark.parametrize(
        "content",
        [
            b"msisdn,country\n1,ID\n",
            b"\xef\xbb\xbfMSISDN, Country\r\n1,ID\r\n",
            b"msisdn;country\n1;ID",
            b"msisdn\tcountry\n\n1\tID\n\n",
            b'"msisdn","country"\n"1","ID"\n',
        ],
    )
    def test_reads_what_spreadsheets_write(self, content: bytes) -> None:
        """A byte order mark, other separators, quotes, line ends and empty lines do no harm."""
        (row,) = read(content)
        assert isinstance(row, tuple)
        assert row[1:3] == ("1", "ID")

    def test_takes_columns_in_any_order(self) -> None:
        """The header says what is what."""
        assert read(b"operator,country,msisdn\nx,ID,1\n") == [(2, "1", "ID", "x")]

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"1\x00,ID", "NUL"),
            (b"\xff\xfe,ID", "UTF-8"),
            (b'"1,ID', "quote"),
            (b"1,ID,x,y", "columns"),
            (b"1", "columns"),
            (b"1" * (LINE_BYTES_MAX * 70) + b",ID", "longer"),
        ],
    )
    def test_tells_what_is_wrong_and_reads_on(self, line: bytes, reason: str) -> None:
        """A bad line is told by its number, and the next one is read as if nothing had been."""
        bad, good = read(b"msisdn,country,operator\n" + line + b"\n2,ID,\n")
        assert isinstance(bad, BadLine)
        assert (bad.line, reason in bad.reason) == (2, True)
        assert good == (3, "2", "ID", "")

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\n",
            b"628111,ID\n",
            b"msisdn\n1\n",
            b"msisdn,country,extra\n",
            b"\xff\xfem\x00",
            b"\xe9,country\n",
        ],
    )
    def test_refuses_a_file_without_the_columns(self, content: bytes) -> None:
        """A file that is something else is refused as a whole, with the columns that are wanted."""
        with pytest.raises(CommandRefused, match=r"numbers\.csv"):
            read(content)

    def test_reads_a_list_of_nothing(self) -> None:
        """A header alone is an empty list."""
        assert read(b"msisdn,country\n") == []

    @given(st.binary(max_size=300))
    def test_never_breaks(self, content: bytes) -> None:
        """Whatever the bytes, every line is a row or a complaint."""
        for row in read(b"msisdn,country\n" + content):
            assert isinstance(row, tuple | BadLine)


class TestComplaints:
    """Telling what was wrong."""

    def test_shows_some_and_writes_all(self, tmp_path: Path) -> None:
        """The screen shows the first lines and the file has every one, harmless to a
        spreadsheet."""
        with (tmp_path / "errors.csv").open("w") as file:
            complaints = Complaints(file, shown_max=2)
            for line in range(5):
                complaints.add(BadLine(line, "=cmd()", "is bad"))
        assert complaints.text().count("\n") == 2
        assert "3 more" in complaints.text()
        written = (tmp_path / "errors.csv").read_text()
        assert written.count("is bad") == 5
        assert ",=cmd" not in written

    def test_shows_no_control_characters(self) -> None:
        """A value cannot colour or move the operator's terminal."""
        complaints = Complaints()
        complaints.add(BadLine(2, "\x1b[31m", "is bad"))
        assert "\x1b" not in complaints.text()
