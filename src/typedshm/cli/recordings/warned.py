"""Warned: what a block warns of, as messages of a command."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager

from typedshm.cli.terminal import printable, warn


@contextmanager
def printed_warnings() -> Generator[None]:
    """Print what the block warns of, as every command does."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = _print_warning
        yield


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    warn(printable(message))
