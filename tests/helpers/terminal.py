"""The command line as its users meet it: run by a shell's means, or in a terminal of a given size."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import pyte

PATIENCE = 60
"""Seconds that anything may take before a test fails."""


def typedshm(
    *arguments: str, env: Mapping[str, str] | None = None, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Run a command without a terminal, and return its status and output."""
    return subprocess.run(
        [sys.executable, "-m", "typedshm", *arguments],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=PATIENCE,
        check=False,
        **options,
    )


class Terminal:
    """A command in a terminal that a test looks at and types into."""

    def __init__(
        self, *arguments: str, columns: int = 80, lines: int = 24, env: Mapping[str, str] | None = None
    ) -> None:
        import pexpect  # not on Windows

        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.output = b""
        environment = {**os.environ, "TERM": "xterm-256color", **(env or {})}
        for name in ("COLUMNS", "LINES"):
            environment.pop(name, None)
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "typedshm", *arguments],
            env=environment,
            dimensions=(lines, columns),
            timeout=PATIENCE,
        )

    @property
    def shown(self) -> str:
        """What the screen shows now, without trailing blanks."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def until(self, holds: Callable[[str], Any]) -> str:
        """Wait until the screen is as wanted, and return it."""
        end = time.monotonic() + PATIENCE
        while not holds(self.shown):
            assert time.monotonic() < end, f"the screen stayed:\n{self.shown}"
            if not self._feed():
                assert holds(self.shown), f"it ended, and the screen is:\n{self.shown}"
                break
        return self.shown

    def until_shown(self, text: str) -> str:
        """Wait until the screen has a text, and return it."""
        return self.until(lambda shown: text in shown)

    def press(self, keys: str) -> None:
        """Press keys; ``"\\x03"`` is Ctrl-C."""
        self.process.send(keys)

    def resize(self, columns: int, lines: int) -> None:
        """Change the terminal's size."""
        self._screen.resize(lines, columns)
        self.process.setwinsize(lines, columns)

    def end(self) -> int:
        """Wait for the end of the command and return its exit status; of a signal, 128 and its number."""
        while self._feed():
            pass
        self.process.close()
        return self.process.exitstatus if self.process.exitstatus is not None else 128 + self.process.signalstatus

    def _feed(self) -> bool:
        import pexpect

        try:
            data = self.process.read_nonblocking(65536, timeout=0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.output += data
        self._stream.feed(data)
        return True

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.close(force=True)
