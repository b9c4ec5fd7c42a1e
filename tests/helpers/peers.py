"""Other processes for tests: started, led step by step through a pipe, and ended, also by force."""

import contextlib
import ctypes
import mmap
import multiprocessing
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from helpers import marks

if sys.platform == "win32":
    import _winapi
    import msvcrt

PATIENCE = float(os.environ.get("TYPEDSHM_PATIENCE", 60))
"""Seconds after which a test is given up, more where a machine is emulated. No test depends on how long it takes."""

ALIVE = "alive"
"""What a child may say now and then that has much to do, so that PATIENCE does not have to last for all of it."""

FORKS = hasattr(os, "fork")


def quiet_fork() -> int:
    """os.fork(), which since 3.12 warns if there are other threads: here they are there on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def unknown_fork() -> int:
    """fork() as programs that embed Python may do it, who tell it nothing; the child has the GIL."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e6)  # or a thread may have asked for the GIL, and the child would wait until it takes it
    pid: int = ctypes.PyDLL(None).fork()
    if pid:
        sys.setswitchinterval(interval)
    return pid


def _run(pipe: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """What a child does: run the function, tell its result or its error, and end without further ado."""
    status = 1
    try:
        pipe.send(("result", function(pipe, *args)))
        status = 0
    except BaseException:
        pipe.send(("failure", traceback.format_exc()))
    finally:
        os._exit(status)


class _Forked:
    """A child process by fork()."""

    def __init__(self, ours: Connection, *task: Any) -> None:
        self.pid = quiet_fork()
        if self.pid == 0:
            ours.close()
            _run(*task)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


class _Spawned:
    """A child process that begins as a new interpreter and imports the function it is to run."""

    def __init__(self, ours: Connection, *task: Any) -> None:
        self._process = multiprocessing.get_context("spawn").Process(target=_run, args=task)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode


class Child:
    """A process that runs ``function(pipe, *args)``: forked, or where that is impossible spawned.

    Whatever the function sends through the pipe the test takes by :meth:`expect`, and the other way round. Leaving the
    block waits for the function to return; its error is the test's error. On Windows the function must be one of a
    module, and its arguments must pickle.
    """

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = (_Forked if FORKS else _Spawned)(self._pipe, theirs, function, args)
        theirs.close()
        self.pid = self._process.pid
        self.result: Any = None
        self.status: int | None = None

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
            while (message := self._receive()) == ALIVE:
                pass
            kind, self.result = message
            assert kind == "result"
            self._wait()
            assert self.status == 0
        return self.result

    def kill(self) -> None:
        """End it by force, whatever it is doing."""
        if self.status is None:
            self._process.kill()
            self._wait()

    def _wait(self) -> None:
        self.status = self._process.wait()
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


START_METHODS = [
    pytest.param(method, marks=() if FORKS or method == "spawn" else marks.fork)
    for method in ("spawn", "fork", "forkserver")
]
"""How multiprocessing starts processes."""


def stop_forkserver() -> None:
    """Stop multiprocessing's server: it keeps the environment it was started with, and so an earlier test's."""
    if FORKS:
        forkserver._forkserver._stop()  # type: ignore[attr-defined]


class Gate:
    """Holds children back until all are let go at the same moment."""

    def __init__(self) -> None:
        self._ends = os.pipe() if FORKS else None
        self._event = None if FORKS else multiprocessing.get_context("spawn").Event()

    def wait(self) -> None:
        """In a child: wait until everybody is there."""
        if self._event is not None:
            self._event.wait()
        elif self._ends is not None:
            reading, writing = self._ends
            os.close(writing)
            os.read(reading, 1)  # ends when the last one has closed the writing end

    def open(self) -> None:
        """In the test, when all children are started."""
        if self._event is not None:
            self._event.set()
        elif self._ends is not None:
            for fd in self._ends:
                os.close(fd)


class SharedBytes(mmap.mmap):
    """Zeroed memory without locks or versions, which children get as an argument."""

    if not FORKS:
        # where memory is not inherited it has a name, which lives as long as somebody has it
        def __new__(cls, size: int, name: str = "") -> "SharedBytes":
            name = name or f"test-{os.getpid()}-{random.getrandbits(64):x}"
            self = super().__new__(cls, -1, size, tagname=name)
            self._made_of = (size, name)
            return self

        def __reduce__(self) -> tuple[Any, ...]:
            return SharedBytes, self._made_of
    else:

        def __new__(cls, size: int) -> "SharedBytes":
            return super().__new__(cls, -1, size)


ALARM: signal.Signals = getattr(signal, "SIGALRM", signal.SIGTERM)
"""The signal of :func:`alarm`."""

_delays: "queue.SimpleQueue[float]" = queue.SimpleQueue()


def _raise_alarms() -> None:
    while True:
        time.sleep(_delays.get())
        signal.raise_signal(ALARM)


def alarm(seconds: float) -> None:
    """Raise the signal ALARM in this process after some time; 0 calls it off where that is possible.

    Windows has no timers that raise signals; there a thread does it.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
    elif seconds:
        _delays.put(seconds)
        if not any(thread.name == _raise_alarms.__name__ for thread in threading.enumerate()):
            threading.Thread(target=_raise_alarms, name=_raise_alarms.__name__, daemon=True).start()


def interruptible(script: str) -> "subprocess.Popen[str]":
    """Start a Python script that :func:`interrupt` can interrupt; its complaint goes into a pipe."""
    if not FORKS:
        script = f"from helpers import peers; peers.interrupt_at_end_of_input()\n{script}"
    ours = {} if FORKS else {"stdin": subprocess.PIPE, "env": {**os.environ, "PYTHONPATH": python_path()}}
    return subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, **ours)


def interrupt_at_end_of_input() -> None:
    """Take the end of standard input for a Ctrl-C, where no process can send another a signal."""

    def watch() -> None:
        handle = msvcrt.get_osfhandle(0)
        # only looks: a read that waits would block whatever else the process asks about its input
        with contextlib.suppress(OSError):
            while True:
                _winapi.PeekNamedPipe(handle, 0)
                time.sleep(0.01)
        interrupt()

    threading.Thread(target=watch, daemon=True).start()


def interrupt(process: "subprocess.Popen[str] | None" = None) -> None:
    """Raise a SIGINT in a process of :func:`interruptible`, or from whatever thread in this one, as Ctrl-C does."""
    if process is not None and process.stdin is not None:
        process.stdin.close()
    elif FORKS:
        os.kill(process.pid if process else os.getpid(), signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)  # os.kill() would end the process


def interrupt_when(condition: Callable[[], Any]) -> threading.Thread:
    """Raise a SIGINT in this process as soon as its main thread is where it should be; returns the thread that does."""

    def watch() -> None:
        until(condition)
        interrupt()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def sched_yield() -> None:
    """Let somebody else have a turn."""
    getattr(os, "sched_yield", lambda: time.sleep(0))()


def python_path() -> str:
    """What has a Python find the modules of the tests."""
    return os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])


def run_script(script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a Python script in a process of its own, as a user would."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": python_path(), **environment},
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
