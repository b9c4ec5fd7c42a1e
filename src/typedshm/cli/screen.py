"""A live screen: lines that are painted over and over, of which only the changed ones are written.

rich could do it too, but to lay out forty lines ten times a second takes it a tenth of a processor.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"  # another screen, without cursor, where long lines are cut and not wrapped
_LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_CLEAR = "\x1b[2J"

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
CHANGED = BOLD if os.environ.get("NO_COLOR") else "\x1b[1;33m"


class Screen:
    """The terminal, while a live screen has it. Made by :func:`live`."""

    def __init__(self, read_keys: "Callable[[float], str]") -> None:
        self._painted: list[str] = []
        self._size = (0, 0)
        self._read_keys = read_keys
        self._pressed: list[str] = []

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, asked anew: terminals are resized."""
        try:
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            return 80, 24
        return max(columns, 1), max(lines, 1)

    def paint(self, lines: Sequence[str]) -> None:
        """Show these lines, each printable text and the codes of this module, no wider than the screen."""
        size = self.size
        if size != self._size:
            self._size, self._painted = size, []
            sys.stdout.write(_CLEAR)
        shown = list(lines[: size[1]])
        for row, line in enumerate(shown):
            if row >= len(self._painted) or self._painted[row] != line:
                sys.stdout.write(f"\x1b[{row + 1};1H{line}{PLAIN}\x1b[K")
        if len(shown) < len(self._painted):
            sys.stdout.write(f"\x1b[{len(shown) + 1};1H\x1b[J")
        self._painted = shown
        sys.stdout.flush()

    def forget(self) -> None:
        """Take nothing for painted, as after another program had the terminal."""
        self._size = (0, 0)

    def key(self, seconds: float) -> str:
        """Wait for a key for so long. Returns its character, ``"up"``, ``"down"``, …, or nothing."""
        end = time.monotonic() + seconds
        while not self._pressed and (left := end - time.monotonic()) > 0:
            self._pressed = _KEY.findall(self._read_keys(left))  # several, if they were pressed meanwhile
        if not self._pressed:
            return ""
        key = self._pressed.pop(0)
        return _NAMES.get(key, key)


_KEY = re.compile(r"\x1b[\[O][\d;]*[A-Za-z~]|.", re.DOTALL)

_NAMES = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
}


def _no_key(seconds: float) -> str:
    time.sleep(seconds)
    return ""


@contextmanager
def live() -> Generator[Screen]:
    """Take the terminal for a live screen; it is as before when the block ends, in whatever way."""
    with keys() as read_keys, _ended_by_signals():
        screen = Screen(read_keys)
        sys.stdout.write(_ENTER)
        try:
            with _stopped_by_signals(screen):
                yield screen
        finally:
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()


@contextmanager
def _ended_by_signals() -> Generator[None]:
    """Let signals that ask for our end run the ``finally`` blocks, so that the terminal is usable afterwards."""
    numbers = [signal.SIGTERM]
    if sys.platform != "win32":
        numbers.append(signal.SIGHUP)

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if sys.platform == "win32":
    import ctypes
    import msvcrt

    @contextmanager
    def _stopped_by_signals(screen: Screen) -> Generator[None]:
        del screen  # no signal stops a process here
        yield

    @contextmanager
    def keys() -> "Generator[Callable[[float], str]]":
        """Yield what reads the keys that are pressed, and waits for so many seconds at most; else they are lines."""
        kernel = ctypes.WinDLL("kernel32")
        output = ctypes.c_void_p(kernel.GetStdHandle(-11))
        mode = ctypes.c_ulong()
        is_console = kernel.GetConsoleMode(output, ctypes.byref(mode))
        if is_console:
            kernel.SetConsoleMode(output, mode.value | 4)  # it obeys escape sequences

        def read(seconds: float) -> str:
            if not msvcrt.kbhit():
                time.sleep(min(seconds, 0.05))
                return ""
            key = msvcrt.getwch()
            if key == "\x03":
                raise KeyboardInterrupt
            return {"H": "\x1b[A", "P": "\x1b[B"}.get(msvcrt.getwch(), "") if key in "\0\xe0" else key

        try:
            yield read
        finally:
            if is_console:
                kernel.SetConsoleMode(output, mode)

else:
    import select
    import termios
    import tty

    @contextmanager
    def _stopped_by_signals(screen: Screen) -> Generator[None]:
        """Give the terminal back to the shell while Ctrl-Z has stopped us."""

        def stop(number: int, frame: object) -> None:
            del frame
            with _terminal_of_others():
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)  # and here we go on, some time later
                signal.signal(number, stop)
            screen.forget()

        before = signal.signal(signal.SIGTSTP, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGTSTP, before)

    @contextmanager
    def _terminal_of_others() -> Generator[None]:
        """Leave the live screen for a while. It writes past ``sys.stdout``, which a signal may have interrupted."""
        keys = sys.stdin.fileno() if sys.stdin.isatty() else None
        ours = None if keys is None else termios.tcgetattr(keys)
        os.write(sys.stdout.fileno(), _LEAVE.encode())
        if keys is not None and ours is not None:
            theirs = [*ours[:3], ours[3] | termios.ICANON | termios.ECHO, *ours[4:]]
            termios.tcsetattr(keys, termios.TCSADRAIN, theirs)
        yield
        if keys is not None and ours is not None:
            termios.tcsetattr(keys, termios.TCSADRAIN, ours)
        os.write(sys.stdout.fileno(), _ENTER.encode())

    @contextmanager
    def keys() -> "Generator[Callable[[float], str]]":
        """Yield what reads the keys that are pressed, and waits for so many seconds at most; else they are lines."""
        if not sys.stdin.isatty():  # as in `… | typedshm watch`: then there are no keys but Ctrl-C
            yield _no_key
            return
        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)

        def read(seconds: float) -> str:
            ready, _, _ = select.select([number], [], [], seconds)
            if not ready:
                return ""
            keys = os.read(number, 1024)
            if not keys:  # nobody will press one any more
                time.sleep(seconds)
            return keys.decode(errors="replace")

        try:
            tty.setcbreak(number)
            yield read
        finally:
            termios.tcsetattr(number, termios.TCSADRAIN, before)
