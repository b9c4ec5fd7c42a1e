"""A live screen of the terminal: lines that are painted over and over, in colours, until a key or Ctrl-C ends it."""

import os
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
GREEN, YELLOW, RED, CYAN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[36m"
EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(part: float, width: int, color: str = "") -> str:
    """Return a bar that is full at 1, drawn in eighths of a character."""
    eighths = round(min(1.0, max(0.0, part)) * width * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (EIGHTHS[rest] if rest else "")
    return f"{color}{drawn}{PLAIN}{DIM}{'·' * (width - len(drawn))}{PLAIN}"


def centred(part: float, width: int) -> str:
    """Return a mark on a scale from -1 to 1."""
    at = round((min(1.0, max(-1.0, part)) + 1) / 2 * (width - 1))
    scale = ["·"] * width
    scale[width // 2] = "|"
    scale[at] = f"{PLAIN}{BOLD}●{PLAIN}{DIM}"
    return f"{DIM}{''.join(scale)}{PLAIN}"


class Screen:
    """The terminal, while a block of :func:`live` has it."""

    def __init__(self, read_key: "KeyReader") -> None:
        self._read_key = read_key

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines; they may change."""
        try:
            return tuple(os.get_terminal_size(sys.stdout.fileno()))
        except OSError:
            return 100, 30

    def paint(self, lines: Sequence[str]) -> None:
        """Show these lines in the place of the last ones."""
        shown = "".join(f"{line}{PLAIN}\x1b[K\r\n" for line in lines[: self.size[1] - 1])
        sys.stdout.write(f"\x1b[H{shown}\x1b[J")
        sys.stdout.flush()

    def ended(self, seconds: float) -> bool:
        """Wait so long; True if "q" was pressed meanwhile."""
        return self._read_key(seconds) in ("q", "\x1b")


class KeyReader:
    """Reads keys without waiting for the end of a line, where there is a keyboard."""

    def __enter__(self) -> "KeyReader":
        self._before = None
        if sys.platform != "win32" and sys.stdin.isatty():
            import termios
            import tty

            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, *error: object) -> None:
        if sys.platform != "win32" and self._before is not None:
            import termios

            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def __call__(self, seconds: float) -> str:
        """Wait for a key for so long; empty if there was none."""
        if sys.platform == "win32":
            import msvcrt

            time.sleep(seconds)
            return msvcrt.getwch() if msvcrt.kbhit() else ""
        if self._before is None:
            time.sleep(seconds)
            return ""
        import select

        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return os.read(sys.stdin.fileno(), 1).decode(errors="replace") if ready else ""


@contextmanager
def live() -> Generator[Screen]:
    """Take the terminal for the time of the block."""
    if sys.platform == "win32":
        os.system("")  # has the console obey escape sequences
    with KeyReader() as keys:
        sys.stdout.write("\x1b[?1049h\x1b[?25l\x1b[?7l")
        try:
            yield Screen(keys)
        finally:
            sys.stdout.write(f"{PLAIN}\x1b[?7h\x1b[?25h\x1b[?1049l")
            sys.stdout.flush()
