"""Exit statuses: what a script learns from a command that did not succeed."""

from enum import IntEnum

import typedshm


class Status(IntEnum):
    """The exit statuses of all commands."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    TIMEOUT = 4
    REFUSED = 5
    INTERRUPTED = 130
    CLOSED_PIPE = 141


MEANINGS = {
    Status.OK: "done",
    Status.FAILED: "it did not work, or `doctor`, `diff` and `info` found something; the message says what",
    Status.USAGE: "wrong usage: an unknown command, option, field, row or value",
    Status.NOT_FOUND: "no region, table, mutex, document or file has that name",
    Status.TIMEOUT: "it took longer than --timeout",
    Status.REFUSED: "not permitted, or not while a process has the region open",
    Status.INTERRUPTED: "Ctrl-C",
    Status.CLOSED_PIPE: "whoever read the output has closed it",
}
"""What the statuses mean, for ``typedshm --help`` and the guide."""


def status_of(error: BaseException) -> Status:
    """Return the exit status for an error of the library or the system."""
    if isinstance(error, typedshm.RegionNotFound | FileNotFoundError):
        return Status.NOT_FOUND
    if isinstance(error, TimeoutError):
        return Status.TIMEOUT
    if isinstance(error, typedshm.NameRefused):
        return Status.USAGE
    if isinstance(error, PermissionError | FileExistsError):
        return Status.REFUSED
    return Status.FAILED
