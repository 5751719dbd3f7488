"""A terminal in which a command runs, as a person sees it."""

import fcntl
import os
import pty
import struct
import termios

from workplace import Workplace, until


class Terminal:
    """A terminal in which a command runs."""

    def __init__(self, place: Workplace, *words: str, columns: int = 80, lines: int = 40) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = place.start(*words, terminal=slave)
        os.close(slave)
        self._master = master
        os.set_blocking(master, False)
        self.shown = ""

    def read(self) -> str:
        """Return all that has been shown until now."""
        try:
            while data := os.read(self._master, 65536):
                self.shown += data.decode(errors="ignore").replace("\r\n", "\n")
        except OSError:  # nothing yet, or the command has ended
            pass
        return self.shown

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def end(self) -> str:
        """Return what the command showed until its end."""
        until(lambda: self.read() and self.process.poll() is not None)
        os.close(self._master)
        return self.shown

    def answer(self, question: str, text: str) -> None:
        """Type a line once the question is on the screen."""
        until(lambda: question in self.read())
        os.write(self._master, f"{text}\n".encode())
