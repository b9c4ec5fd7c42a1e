"""Holding: a region in memory lasts only as long as a process has it open, so a command may have to stay."""

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import typedshm
from typedshm.cli.targets import Opened
from typedshm.cli.terminal import printable, say

_PERIOD = 0.5
"""Seconds between looks whether the name still leads to the region."""

_PATIENCE = 5.0
"""Seconds for which further signals mean the same end: whoever presses Ctrl-C twice, or closes a terminal, sends
several, and the second one must not break off what the first one has begun to write."""


def hold_open(opened: Opened) -> None:
    """Keep a region or table open until Ctrl-C, SIGTERM or the end of the terminal; or until its name leads elsewhere.

    It is closed then.

    Raises
    ------
    RegionReplaced
        Another region has taken its name, or somebody has removed it.
    """
    with opened, interrupted_by_signals():
        try:
            say(f"{printable(opened.name)} stays as long as this runs: Ctrl-C ends it")
            while not ((info := opened.info()).unlinked or info.replaced):
                time.sleep(_PERIOD)
        except KeyboardInterrupt:  # which is how it is meant to end
            return
    noun = "table" if isinstance(opened, typedshm.Table) else "region"
    name = f"{noun} {str(opened.name)!r}"
    raise typedshm.RegionReplaced(f"{name} {'was replaced by another one' if info.replaced else 'was removed'}")


@contextmanager
def interrupted_by_signals() -> Generator[None]:
    """Let the signals that ask a process to end raise KeyboardInterrupt, so that it leaves nothing behind.

    Those that follow within five seconds are ignored, so that it can do that.
    """
    interrupted = float("-inf")

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        del number, frame
        now = time.monotonic()
        if now - interrupted >= _PATIENCE:
            interrupted = now
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as for jobs in a shell's background, and under nohup
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
