"""``typedshm replay``: publish what was recorded once more."""

import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from typedshm.cli.amounts import age_of
from typedshm.cli.exits import Status
from typedshm.cli.holding import interrupted_by_signals
from typedshm.cli.recordings.arguments import file_argument, span_options, topic_type
from typedshm.cli.recordings.warned import printed_warnings
from typedshm.cli.screen import keys
from typedshm.cli.targets import Seconds, target_of
from typedshm.cli.terminal import cut, is_terminal, printable, say, width

if TYPE_CHECKING:
    from typedshm.recording import Player

_LOOK = 0.2
"""Seconds between two looks at how far it has come."""


@click.command(
    "replay",
    epilog="""\b
Examples:
  typedshm replay run.mcap
  typedshm replay run.mcap --speed 0.5 --loop --from 10s --to 1.5min
  typedshm replay run.mcap --from 10s --state
  typedshm replay run.mcap --topic car --as car=car-replay
  typedshm replay run.mcap --step        a version for each Enter or space""",
)
@file_argument
@click.option("--speed", type=float, default=1.0, help="Recorded seconds per second; inf: as fast as it can be.")
@click.option("--loop", is_flag=True, help="Begin again after the last version, until Ctrl-C.")
@span_options
@click.option("--state", is_flag=True, help="With --from: first publish what each topic had at that time.")
@click.option("--as", "names", multiple=True, metavar="NAME=NEW", help="Publish NAME as NEW; with a slash, in a file.")
@click.option("--topic", "topics", multiple=True, type=topic_type(), help="Replay this one. Default: all of them.")
@click.option(
    "--step", is_flag=True, help="Publish a version for each Enter, space, or line of standard input; q ends."
)
@click.option("--keep-times", is_flag=True, help="Publish with the recorded times, and not those of the replay.")
@click.option("--keep-versions", is_flag=True, help="Publish with the recorded numbers of versions.")
@click.option("--take-over", is_flag=True, help="Publish also where another process does, which is kept from it.")
@click.option("--timeout", type=Seconds(), help="Seconds to wait for followers of lossless regions. Default: for ever.")
@click.option("--scope", type=click.Choice(["user", "machine"]), default="user", help="Whose the regions are.")
def command(
    file: Path,
    speed: float,
    loop: bool,
    start: "float | datetime | None",
    end: "float | datetime | None",
    names: tuple[str, ...],
    topics: tuple[str, ...],
    step: bool,
    **options: Any,
) -> int:
    """Publish the recording FILE once more, with the recorded spacing, into regions of the recorded names.

    Regions and tables are made as they were; they are there until the command ends, and as long as others have them
    open. A name to which another process publishes is refused, unless told otherwise. In the end it says by how much
    versions were late: what half of them and 99 of 100 were not later than, and the most.
    """
    if not speed > 0:
        raise click.BadParameter("expected a number above 0.", param_hint="--speed")
    from typedshm import recording  # is heavy, and an extra

    with interrupted_by_signals(), printed_warnings():
        player = recording.replay(
            file,
            speed=speed,
            loop=loop,
            start=start,
            end=end,
            names=dict(map(_renaming, names)),
            topics=topics or None,
            paused=True,
            **options,
        )
        with player:
            begun = time.monotonic()
            try:
                (_step if step else _play)(player)
            except KeyboardInterrupt:
                status = Status.OK if loop or step else Status.INTERRUPTED
            else:
                status = Status.OK
            if is_terminal():
                say()
            say(_sum_up(player, time.monotonic() - begun))
    return status


def _renaming(text: str) -> tuple[str, "str | Path"]:
    """Return the two names of ``NAME=NEW``."""
    old, equals, new = text.rpartition("=")
    if not (old and equals and new):
        raise click.BadParameter(f"expected NAME=NEW, found {text!r}.", param_hint="--as")
    return old, target_of(new).name


def _play(player: "Player") -> None:
    """Play, and wait for the end; on a terminal a line says how far it is."""
    player.play()
    if not is_terminal():
        player.wait()
        return
    while not player.wait(timeout=_LOOK):
        _show(player)
    _show(player)


def _show(player: "Player") -> None:
    late = player.lateness.p99
    text = (
        f"{player.position:,.1f} of {player.duration:,.1f} s  {player.published:,} versions  late {age_of(late)} (p99)"
    )
    print(f"\r\x1b[K{cut(text, width() - 1)}", end="", flush=True)


def _step(player: "Player") -> None:
    """Publish a version whenever one is asked for."""
    if sys.stdin.isatty():
        say("Enter or space publishes the next version, q ends")
    for _ in _asked():
        if not player.step():
            return
        say(f"{player.position:,.6f} s  {printable(player.topic)}")


def _asked() -> Iterator[None]:
    """Yield for each version that is asked for."""
    if not sys.stdin.isatty():
        for line in sys.stdin:
            if line.strip() == "q":
                return
            yield
        return
    with keys() as read:
        while True:
            for key in read(_LOOK):
                if key in "qQ\x04":
                    return
                if key in " \r\n":
                    yield


def _sum_up(player: "Player", took: float) -> str:
    late = player.lateness
    words = f"{player.published:,} version{'' if player.published == 1 else 's'} in {age_of(took)}"
    if not late.count:
        return words
    measured = ", ".join(f"{age_of(value)} ({name})" for name, value in _figures(late))
    return f"{words}; late by {measured}"


def _figures(late: Any) -> list[tuple[str, float]]:
    return [("p50", late.p50), ("p99", late.p99), ("max", late.max)]
