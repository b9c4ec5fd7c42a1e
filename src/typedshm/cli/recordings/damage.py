"""Damage: what of a recording cannot be read."""

from typing import TYPE_CHECKING

from typedshm.cli.exits import Status
from typedshm.cli.terminal import printable, warn

if TYPE_CHECKING:
    from typedshm.recording import Recording


def tell_damage(opened: "Recording") -> Status:
    """Say on standard error what of a recording cannot be read. Returns the exit status."""
    if not opened.damage:
        return Status.OK
    warn(printable(opened.damage))  # which names the file
    return Status.FAILED
