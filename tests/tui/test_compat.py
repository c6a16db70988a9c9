"""The parts of Textual that Nova relies on, and what it does better when a terminal disappears."""

from __future__ import annotations

import io

from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver

from nova_tui.compat import LastingFile, lasting


class GoneFile(io.StringIO):
    """A terminal whose window was closed."""

    def write(self, text: str) -> int:
        """EIO."""
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        """EIO."""
        raise OSError(5, "Input/output error")


def test_a_writer_whose_terminal_is_gone_takes_everything() -> None:
    """More than its queue holds: with Textual's own file the second thirty would block the event loop forever."""
    writer = WriterThread(LastingFile(GoneFile()))  # type: ignore[arg-type]
    writer.start()
    for _ in range(100):
        writer.write("frame")
    writer.stop()
    assert not writer.is_alive()


def test_it_restarts_only_after_it_was_suspended() -> None:
    """The names are Textual's own."""
    driver = lasting(LinuxDriver)
    assert lasting(LinuxDriver) is driver
    assert "_sigcont_application" in vars(LinuxDriver)
    assert "_must_signal_resume" in LinuxDriver.__init__.__code__.co_names
    assert "_file" in LinuxDriver.__init__.__code__.co_names


def test_it_reads_the_terminal_itself() -> None:
    """Textual's thread would end at the first byte that is not UTF-8; the names are Textual's own."""
    assert "_run_input_thread" in LinuxDriver.start_application_mode.__code__.co_names
    assert "exit_event" in LinuxDriver.disable_input.__code__.co_names
    assert "_in_band_window_resize" in LinuxDriver.__init__.__code__.co_names
    assert "_run_input_thread" in vars(lasting(LinuxDriver))
