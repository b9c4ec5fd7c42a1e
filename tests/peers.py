"""Other processes for tests: started, led step by step through a pipe, and ended, also by force."""

import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE = 60.0
"""Seconds after which a test is given up; no test depends on how long anything takes."""


def quiet_fork() -> int:
    """os.fork(), which since 3.12 warns if there are other threads: here they are there on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


class Child:
    """A forked process that runs ``function(pipe, *args)``.

    Whatever the function sends through the pipe the test takes by :meth:`expect`, and the other way round. Leaving the
    block waits for the function to return; its error is the test's error.
    """

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._pipe, theirs = Pipe()
        self.pid = quiet_fork()
        if self.pid == 0:
            self._run(theirs, function, args)
        theirs.close()
        self.result: Any = None
        self.status: int | None = None

    def _run(self, theirs: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        status = 1
        try:
            self._pipe.close()
            theirs.send(("result", function(theirs, *args)))
            status = 0
        except BaseException:
            theirs.send(("failure", traceback.format_exc()))
        finally:
            os._exit(status)

    def _receive(self) -> Any:
        assert self._pipe.poll(PATIENCE), "the child does not get on"
        message = self._pipe.recv()
        if isinstance(message, tuple) and message[0] == "failure":
            raise AssertionError(f"in the child:\n{message[1]}")
        return message

    def expect(self, message: Any) -> None:
        """Wait until the child says just this."""
        found = self._receive()
        assert found == message

    def receive(self) -> Any:
        """Wait for whatever the child says next."""
        return self._receive()

    def send(self, message: Any = None) -> None:
        """Say something to the child."""
        self._pipe.send(message)

    def join(self) -> Any:
        """Wait for the end; returns what the function returned."""
        if self.status is None:
            kind, self.result = self._receive()
            assert kind == "result"
            self._wait()
            assert self.status == 0
        return self.result

    def kill(self) -> None:
        """End it with SIGKILL, whatever it is doing."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self._wait()

    def _wait(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        self._pipe.close()

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.join()
        finally:
            self.kill()


def run_script(script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a Python script in a process of its own, as a user would."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def until(condition: Callable[[], Any]) -> None:
    """Look again and again until something holds; gives up when that takes absurdly long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come about"
        time.sleep(0.0005)
