"""Live lines: how a recording goes, painted over and over below the shell's last line."""

import sys
from typing import TYPE_CHECKING

from typedshm.cli.amounts import size_of
from typedshm.cli.columns import Column, aligned
from typedshm.cli.terminal import height, printable, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typedshm.recording import RecorderStatus, TopicStatus

_COLUMNS = (
    Column("topic", rank=5, least=8),
    Column("recorded", rank=4, right=True),
    Column("dropped", rank=4, right=True),
    Column("size", rank=2, right=True),
    Column("rate", rank=1, right=True),
    Column("state", rank=3),
)
_WHOLE = 10_000
"""Columns at which nothing is cut."""


def status_lines(
    status: "RecorderStatus", rates: "dict[str, float] | None" = None, *, room: int | None = None
) -> list[str]:
    """Return a line for each topic, under titles, and one for the whole.

    Parameters
    ----------
    status : RecorderStatus
        Of the recorder.
    rates
        Versions a second by topic; None to leave them out.
    room
        The most lines for topics. Default: all of them.
    """
    shown = status.topics if room is None else status.topics[: max(room, 1)]
    rows = [_row(topic, None if rates is None else rates.get(topic.name)) for topic in shown]
    lines = aligned(_COLUMNS, rows, width() if room is not None else _WHOLE)
    if len(shown) < len(status.topics):
        lines.append(f"{len(status.topics) - len(shown)} more")
    return [*lines, total(status)]


def total(status: "RecorderStatus") -> str:
    """Return what was recorded, in a line: ``12.3 s, 3 topics, 12,345 versions, 0 dropped, 6.1 MiB``."""
    topics = status.topics
    recorded, dropped = sum(topic.recorded for topic in topics), sum(topic.dropped for topic in topics)
    count = f"{len(topics)} topic{'' if len(topics) == 1 else 's'}"
    versions = f"{recorded:,} version{'' if recorded == 1 else 's'}"
    return f"{status.seconds:.1f} s, {count}, {versions}, {dropped:,} dropped, {size_of(status.bytes)}"


def _row(topic: "TopicStatus", rate: float | None) -> tuple[str, ...]:
    state = "" if topic.state in ("recording", "closed") else printable(topic.state)
    pace = "" if rate is None else f"{rate:,.1f} Hz"
    return printable(topic.name), f"{topic.recorded:,}", f"{topic.dropped:,}", size_of(topic.bytes), pace, state


class LiveLines:
    """Some lines of a terminal that are painted over. What is printed between two paintings goes above them."""

    def __init__(self) -> None:
        self._painted = 0

    @property
    def room(self) -> int:
        """How many lines for topics a terminal has beside what else is painted."""
        return max(height() - 4, 1)

    def paint(self, lines: "Sequence[str]") -> None:
        """Show these lines in the place of those before."""
        self.clear()
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        self._painted = len(lines)

    def clear(self) -> None:
        """Take them off the screen."""
        if self._painted:
            sys.stdout.write(f"\x1b[{self._painted}A\r\x1b[J")
            sys.stdout.flush()
        self._painted = 0
