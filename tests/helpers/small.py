"""Processes that are forked from a small one, in which all is imported already: multiprocessing's server.

fork() copies the tables of all pages: it takes the process of all tests 30 ms at the end, and a small one 3 ms. So what
has hundreds of children has them in a process of that server. And a command takes 300 ms to import what it needs, so a
test that only wants to know what it prints has it run in one as well.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from helpers.peers import FORKS
from helpers.system import children
from typedshm.__main__ import main

if sys.platform != "win32":
    from multiprocessing.reduction import DupFd

_TESTS = [
    "pytest",
    "helpers.row_storm",
    "helpers.storm",
    "helpers.stream_storm",
    "helpers.shared_types",
    "typedshm.testing.inspection",
]
_COMMANDS = ["typedshm.cli.program", *(f"typedshm.cli.commands.{name}" for name in ("ls", "show", "cp", "rm"))]


def _start(function: Callable[..., None], *args: Any) -> BaseProcess:
    process = multiprocessing.get_context("forkserver").Process(target=function, args=args)
    forkserver.set_forkserver_preload(_TESTS + _COMMANDS)
    process.start()
    forkserver.set_forkserver_preload(["__main__"])  # as it was, for tests of multiprocessing that start a server
    return process


def in_a_small_process(function: Callable[..., Any], *args: Any) -> Any:
    """Call a module's function there, in this test's namespace and folder; returns what it returns.

    Its error is the test's error, with the traceback as text. Where there is no fork() it is called here.
    """
    if not FORKS:
        return function(*args)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = _start(_call, theirs, dict(os.environ), os.getcwd(), function, args)
    theirs.close()
    try:
        done, result = ours.recv()
    except EOFError:
        process.join()
        raise AssertionError(f"the small process died ({process.exitcode})") from None
    finally:
        ours.close()
        process.kill()
        process.join()
        process.close()
    if not done:
        raise AssertionError(f"in the small process:\n{result}")
    return result


def _call(
    pipe: Connection, environment: "dict[str, str]", folder: str, function: Callable[..., Any], args: "tuple[Any, ...]"
) -> None:
    _go(environment, folder)
    warnings.simplefilter("error")  # as in all tests
    try:
        result = function(*args)
        left = children()
        assert not left, f"processes left: {list(left.values())}"
        pipe.send((True, result))
    except BaseException:
        pipe.send((False, traceback.format_exc()))


def _go(environment: "dict[str, str]", folder: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)


def run_command(*arguments: str, timeout: float) -> "subprocess.CompletedProcess[str]":
    """Run ``typedshm`` with these arguments, without a terminal; where there is fork()."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = _start(
            _command, DupFd(output.fileno()), DupFd(errors.fileno()), dict(os.environ), os.getcwd(), arguments
        )
        try:
            process.join(timeout)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(arguments, timeout)
            status = process.exitcode
        finally:
            process.kill()
            process.join()
            process.close()
        for file in (output, errors):
            file.seek(0)
        texts = [file.read().decode(errors="surrogateescape") for file in (output, errors)]
    return subprocess.CompletedProcess(arguments, status, *texts)


def _command(
    output: Any, errors: Any, environment: "dict[str, str]", folder: str, arguments: "tuple[str, ...]"
) -> None:
    _go(environment, folder)
    for fd, end in ((1, output), (2, errors)):
        opened = end.detach()
        os.dup2(opened, fd)
        os.close(opened)
    sys.argv = ["typedshm", *arguments]
    sys.exit(main())
