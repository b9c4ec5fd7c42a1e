"""Differences between the options that open() was asked for and those that an existing region was made with."""

import inspect
import warnings

from typedshm.errors import RegionWarning
from typedshm.memory.attachment import Handle
from typedshm.memory.holders import other_holders


def warn_of_differences(
    handle: Handle, slots: int | None, mode: int | None, rows: int | None = None, lossless: bool | None = None
) -> None:
    """Warn if a region was made with other options than those asked for, of which None stands for any."""
    attachment, differences, names = handle.attachment, list[str](), list[str]()
    if slots is not None and slots != attachment.header["slots"]:
        names.append("slots=")
        differences.append(f"expected slots={slots}, found {attachment.header['slots']}")
    if lossless is not None and lossless != attachment.header["lossless"]:
        names.append("lossless=")
        differences.append(f"expected lossless={lossless}, found lossless={not lossless}")
    if rows is not None and rows != attachment.header["rows"]:
        names.append("the number of rows")
        differences.append(f"expected {rows:,} rows, found {attachment.header['rows']:,}")
    if mode is not None and mode != (found := attachment.mode) and found is not None:
        names.append("mode=")
        differences.append(f"expected mode={mode:#o}, found {found:#o}")
    if not differences:
        return
    others = other_holders(attachment)
    opened = f" It is open in {others}." if others else ""
    unlinked = "and it is unlinked, " if handle.location.persistent else ""
    warnings.warn(
        f"{handle.location} exists already, and is used as it is: {'; '.join(differences)}.{opened} Ask for the same "
        f"everywhere, or leave out {' and '.join(names)} to take what there is; once no process has it open, {unlinked}"
        "open() makes it as asked for",
        RegionWarning,
        stacklevel=_depth(),
    )


def _depth() -> int:
    """Return the stack level, as its caller gives it to a warning, of the line that called this package."""
    frame, depth = inspect.currentframe(), 0
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("typedshm."):
        frame, depth = frame.f_back, depth + 1
    return depth
