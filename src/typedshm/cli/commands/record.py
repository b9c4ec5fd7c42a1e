"""``typedshm record``: what regions and tables get, into a file that `replay`, `cat` and other programs read."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.foreign.naming import meant_by
from typedshm.cli.holding import interrupted_by_signals
from typedshm.cli.recordings.arguments import Rotation, Span, rotate_option
from typedshm.cli.recordings.live import LiveLines, status_lines, total
from typedshm.cli.recordings.warned import printed_warnings
from typedshm.cli.targets import Scope, Target, is_path, name_argument, scope_option, target_of
from typedshm.cli.terminal import is_terminal, printable, say, warn

if TYPE_CHECKING:
    from typedshm.recording import Recorder, RecorderStatus

ENCODINGS = ("auto", "cdr", "image", "jpeg", "json", "png", "typedshm")
_LOOK = 0.25
"""Seconds between looks at the recorder."""
_FOREVER = 0.0
"""What `--wait` without a number is."""

EPILOG = """\b
Examples:
  typedshm record car camera -o run.mcap
  typedshm record camera -o run.mcap --rate 10 --encoding jpeg --duration 60
  typedshm record car camera -o run.mcap --encoding json --encoding camera=image
  typedshm record arms replay -o run.mcap --rotate 1GB --compression zstd
  typedshm record car -o run.mcap --wait      also before car is there

The file is MCAP, which Foxglove and the tools of ROS read as well: `typedshm info`, `cat`, `head`, `convert`, `replay`.
Its chunks are closed each second, so whatever ends this program takes no more than the last one.
"""


class _Wait(click.ParamType[float]):
    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the seconds."""
        return value if value == _FOREVER else Span().convert(value, param, ctx)


@click.command("record", epilog=EPILOG)
@name_argument("NAME...", nargs=-1)
@click.option(
    "-o",
    "--output",
    "file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file, which usually ends in .mcap.",
)
@click.option(
    "--every/--newest", default=None, help="Each version, or the newest whenever there is one. Default: each."
)
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Only the newest, so many times a second.")
@click.option("--lossless", is_flag=True, help="Let writers of lossless regions wait for the recorder.")
@click.option(
    "--encoding",
    multiple=True,
    metavar="[NAME=]ENCODING",
    help=f"How values are written, of all or of NAME: {', '.join(ENCODINGS)}. Default: auto.",
)
@click.option("--compression", type=click.Choice(["none", "lz4", "zstd"]), default="none", help="Of the file's chunks.")
@rotate_option
@click.option(
    "--wait",
    type=_Wait(),
    is_flag=False,
    flag_value=_FOREVER,
    metavar="[SECONDS]",
    help="Wait for what is not there yet, and go on when what was is back; for ever, or for so long.",
)
@click.option("--duration", type=Span(), help="How long to record. Default: until Ctrl-C.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@scope_option
def command(
    name: tuple[str, ...],
    file: Path,
    every: bool | None,
    rate: float | None,
    lossless: bool,
    encoding: tuple[str, ...],
    compression: Literal["none", "lz4", "zstd"],
    rotate: Rotation,
    wait: float | None,
    duration: float | None,
    force: bool,
    scope: Scope | None,
) -> int:
    """Record what the regions and tables NAME get into a file, until Ctrl-C or SIGTERM.

    Each version is taken with its number and time of publication, of a table each row that changes; other programs'
    memory, by the names of documents, as often as it is updated. No writer waits for it, unless --lossless asks for
    that. What came too fast is counted as dropped; a region with more slots gives more time.
    """
    if every and rate is not None:
        raise click.UsageError("--every records each version, and --rate only some: give one of them.")
    if lossless and (rate is not None or every is False):
        raise click.UsageError("--lossless is for each version: give no --rate and no --newest with it.")
    if not name:
        raise click.UsageError("Give the NAME of what is to be recorded, or several.")
    names = list(dict.fromkeys(name))
    options: dict[str, Any] = {
        "every": every is not False and rate is None,
        "rate": rate,
        "lossless": lossless,
        "encoding": _encodings(names, encoding),
        "compression": None if compression == "none" else compression,
        "rotate_bytes": rotate.size,
        "rotate_seconds": rotate.seconds,
        "wait": False if wait is None else True if wait == _FOREVER else wait,
        "duration": duration,
        "replace": force,
        "scope": scope or _scope_of(names),
    }
    with interrupted_by_signals(), printed_warnings():
        recorder = _started(names, file, options)
        try:
            say(f"recording {', '.join(map(printable, names))} to {printable(file)}; Ctrl-C ends it")
            error = _watch(recorder)
        except KeyboardInterrupt:  # which is how it is meant to end
            error = _closed(recorder)
        except BaseException:
            recorder.close()
            raise
        _sum_up(recorder.status(), recorder.paths)
    if error is not None:
        raise error
    return Status.OK


def _started(names: Sequence[str], file: Path, options: Mapping[str, Any]) -> "Recorder":
    from typedshm import recording  # is heavy, and an extra

    try:
        return recording.record([target_of(name).name for name in names], file, **options)
    except ValueError as error:
        if isinstance(error, typedshm.TypedshmError):
            raise
        raise click.UsageError(printable(error)) from None  # of an encoding that a layout has not


def _watch(recorder: "Recorder") -> Exception | None:
    """Show how it goes until it has ended, and tell what happens to a topic on standard error.

    Returns
    -------
    Exception or None
        What went wrong, which is told below the summary.
    """
    lines = LiveLines()
    before, states = recorder.status(), dict[str, str]()
    try:
        while True:
            ended = _ended(recorder)
            status = recorder.status()
            for topic in status.topics:
                if topic.state not in (states.setdefault(topic.name, "recording"), "closed"):
                    lines.clear()
                    warn(f"{printable(topic.name)}: {printable(topic.state)}")
                    states[topic.name] = topic.state
            if ended:
                return _closed(recorder)
            if is_terminal():
                lines.paint(status_lines(status, _rates(before, status), room=lines.room))
            before = status
    finally:
        lines.clear()


def _ended(recorder: "Recorder") -> bool:
    try:
        return recorder.wait(timeout=_LOOK)
    except (typedshm.TypedshmError, OSError):
        return True


def _rates(before: "RecorderStatus", status: "RecorderStatus") -> dict[str, float]:
    seconds = status.seconds - before.seconds
    counts = {topic.name: topic.recorded for topic in before.topics}
    return {
        topic.name: (topic.recorded - counts.get(topic.name, 0)) / seconds for topic in status.topics if seconds > 0
    }


def _closed(recorder: "Recorder") -> Exception | None:
    """Have the rest written. Returns what went wrong with the recording."""
    try:
        recorder.close()
    except (typedshm.TypedshmError, OSError) as error:
        return error
    raised = recorder.status().error  # by wait()
    return raised if isinstance(raised, Exception) else None


def _sum_up(status: "RecorderStatus", paths: Sequence[str]) -> None:
    for line in status_lines(status)[:-1]:
        say(line)
    named = ", ".join(map(printable, paths)) if len(paths) <= 2 else f"{printable(paths[0])} and {len(paths) - 1} more"
    say(f"{named}: {total(status)}")
    for topic in status.topics:
        if topic.dropped:
            warn(
                f"{topic.dropped:,} versions of {printable(topic.name)} were dropped, as they came faster than they "
                "were taken; more slots give more time, and --lossless, for lossless regions, drops none"
            )


def _encodings(names: Sequence[str], given: Sequence[str]) -> str | Mapping[str, str]:
    """Return the encoding of all, or of each name."""
    of_all, of_each = "auto", dict[str, str]()
    for text in given:
        name, separator, encoding = text.rpartition("=")
        if encoding not in ENCODINGS:
            expected = f"{', '.join(ENCODINGS[:-1])} or {ENCODINGS[-1]}"
            raise click.UsageError(f"--encoding: expected {expected}, found {printable(encoding)}.")
        if separator and name not in names:
            raise click.UsageError(f"--encoding: {printable(name)} is not among what is to be recorded.")
        if separator:
            of_each[name] = encoding
        else:
            of_all = encoding
    return {name: of_each.get(name, of_all) for name in names} if of_each else of_all


def _scope_of(names: Sequence[str]) -> Scope:
    """Return the scope in which names are: the user's, or where only that has them, the machine's.

    Raises
    ------
    click.UsageError
        Some are in the one only, and some in the other.
    """
    found: dict[Scope, list[str]] = {"user": [], "machine": []}
    for name in names:
        if is_path(name) or meant_by(name) is not None:
            continue
        for scope in Target(name, None).scopes:
            with contextlib.suppress(typedshm.RegionNotFound):
                typedshm.look(name, scope=scope)
                found[scope].append(name)
                break
    if found["user"] and found["machine"]:
        raise click.UsageError(
            f"{printable(found['user'][0])} is yours, and {printable(found['machine'][0])} is of all users: record "
            "each into a file of its own, with --scope"
        )
    return "machine" if found["machine"] else "user"
