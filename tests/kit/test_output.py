"""Rules of standard output that nobody may be reading."""

import os

from numdesk.kit.output import WAITING_BYTES_MAX, PatientStream


class TestPatientStream:
    def test_never_waits_for_a_pipe_that_nobody_reads(self) -> None:
        """Writing returns at once however full the pipe is.

        What is read later is the beginning, in order.
        """
        reading, writing = os.pipe()
        stream = PatientStream(writing, "test")
        for number in range(3 * WAITING_BYTES_MAX // 1000):
            stream.write(f"{number:0999}\n")
        assert os.read(reading, 2000) == b"%0999d\n%0999d\n" % (0, 1)

    def test_lives_through_a_device_that_takes_nothing(self) -> None:
        """A full disk loses the text and raises nothing."""
        stream = PatientStream(os.open("/dev/full", os.O_WRONLY), "test")
        stream.write("lost")
        stream.finish()
        assert stream.write("lost, too") == len("lost, too")
