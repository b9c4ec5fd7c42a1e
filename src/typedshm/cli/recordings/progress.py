"""Progress: how far long work has come, on standard error, where that is a terminal."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def progress(what: str) -> "Generator[Callable[[int, int], None] | None]":
    """Show a bar while the block runs. Yields what is to be called with what is done, and all there is to do.

    It is None where nobody would see the bar.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # is heavy
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # is heavy

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance
