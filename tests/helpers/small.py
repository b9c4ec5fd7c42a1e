"""A small process for tests that fork again and again.

fork() copies the tables of all pages: it takes the process of all tests 30 ms at the end, and a small one 3 ms. So what
has hundreds of children has them in a process of multiprocessing's server, which is forked from next to nothing.
"""

import multiprocessing
import os
import traceback
import warnings
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

from helpers.peers import FORKS
from helpers.system import children

_IMPORTED = ["pytest", "helpers.row_storm", "helpers.storm", "helpers.shared_types", "typedshm.testing.inspection"]


def in_a_small_process(function: Callable[..., Any], *args: Any) -> Any:
    """Call a module's function there, in this test's namespace and folder; returns what it returns.

    Its error is the test's error, with the traceback as text. Where there is no fork() it is called here.
    """
    if not FORKS:
        return function(*args)
    forkserver.set_forkserver_preload(_IMPORTED)  # if it has to be started
    ours, theirs = multiprocessing.Pipe(duplex=False)
    where = dict(os.environ), os.getcwd()
    process = multiprocessing.get_context("forkserver").Process(target=_call, args=(theirs, where, function, args))
    process.start()
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
    pipe: Connection, where: "tuple[dict[str, str], str]", function: Callable[..., Any], args: "tuple[Any, ...]"
) -> None:
    environment, folder = where
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    warnings.simplefilter("error")  # as in all tests
    try:
        result = function(*args)
        left = children()
        assert not left, f"processes left: {list(left.values())}"
        pipe.send((True, result))
    except BaseException:
        pipe.send((False, traceback.format_exc()))
