"""The command line as its users meet it: run by a shell's means, or in a terminal of a given size."""

import contextlib
import io
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import IO, Any

import pyte

from helpers import peers, small
from typedshm.cli import program

PATIENCE = 60
"""Seconds that anything may take before a test fails."""

WITH_HELPERS = {"PYTHONPATH": peers.python_path()}
"""The environment of commands that find the modules of the tests."""


def typedshm(
    *arguments: str, env: Mapping[str, str] | None = None, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Run a command without a terminal, in a process of its own, and return its status and output."""
    if peers.FORKS and (not env or env == WITH_HELPERS) and not options:  # it finds what the tests find
        return small.run_command(*arguments, timeout=PATIENCE)
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


def run_here(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in this process, which is as good as :func:`typedshm` for what it prints, and much quicker."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        status = program.run([*arguments])
    texts = []
    for stream in streams:
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(arguments, status, *texts)


class Pipe:
    """A command that goes on, whose lines a test takes as they come."""

    def __init__(self, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "typedshm", *arguments],
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._threads: list[threading.Thread] = []
        self._lines = [self._lines_of(stream) for stream in (self.process.stdout, self.process.stderr)]

    def line(self) -> str:
        """Wait for the next line of the output; empty at its end."""
        return self._lines[0].get(timeout=PATIENCE)

    def complaint(self) -> str:
        """Wait for the next line on standard error; empty at its end."""
        return self._lines[1].get(timeout=PATIENCE)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for the end, and return the exit status."""
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it by force."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "Pipe":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _lines_of(self, stream: IO[str] | None) -> "queue.SimpleQueue[str]":
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()

        def read() -> None:
            assert stream is not None
            while line := stream.readline():
                lines.put(line.rstrip("\n"))
            lines.put("")

        thread = threading.Thread(target=read)
        thread.start()
        self._threads.append(thread)
        return lines


class Terminal:
    """A command in a terminal that a test looks at and types into."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 80,
        lines: int = 24,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "typedshm"),
    ) -> None:
        import pexpect  # not on Windows

        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.output = b""
        environment = {**os.environ, "TERM": "xterm-256color", **(env or {})}
        for name in ("COLUMNS", "LINES"):
            environment.pop(name, None)
        with warnings.catch_warnings():  # of other threads, as by quiet_fork()
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process = pexpect.spawn(
                sys.executable,
                [*program, *arguments],
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
