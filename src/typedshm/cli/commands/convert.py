"""``typedshm convert``: a recording into files of other programs."""

import errno
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import click

import typedshm
from typedshm.cli.amounts import size_of
from typedshm.cli.exits import Status
from typedshm.cli.recordings.arguments import file_argument, span_options, topics_argument
from typedshm.cli.recordings.damage import tell_damage
from typedshm.cli.recordings.progress import progress
from typedshm.cli.recordings.topics import check_topics
from typedshm.cli.terminal import printable, say, warn

EPILOG = """\b
Examples:
  typedshm convert run.mcap run.npz                all topics
  typedshm convert run.mcap car.parquet car --from 10s
  typedshm convert run.mcap car.csv car
"""


@click.command("convert", epilog=EPILOG)
@file_argument
@click.argument("target", type=click.Path(path_type=Path))
@topics_argument()
@span_options
@click.option("--force", is_flag=True, help="Replace a TARGET that exists.")
def command(
    file: Path,
    target: Path,
    topic: tuple[str, ...],
    start: float | datetime | None,
    end: float | datetime | None,
    force: bool,
) -> int:
    """Write the versions of each TOPIC in the recording FILE to TARGET: .npz, .parquet or .csv. Default: all topics.

    An .npz file has an array for each topic, with version, time, of tables row, and value. A .parquet or .csv file has
    a column for each number and text of one topic; for several, TARGET becomes a folder.
    """
    from typedshm import recording  # is heavy, and an extra

    with recording.open(file) as opened:
        check_topics(opened, topic)
        status = tell_damage(opened)
    with warnings.catch_warnings(record=True) as told, progress("converting") as advance:
        warnings.simplefilter("always", recording.RecordingWarning)  # of damage that is noticed on the way
        files = _converted(file, target, topics=topic or None, start=start, end=end, replace=force, progress=advance)
    for each in files:
        say(f"{printable(each)}: {size_of(each.stat().st_size)}")
    for warning in told:
        warn(printable(warning.message))
    return Status.FAILED if told else status


def _converted(file: Path, target: Path, **options: Any) -> tuple[Path, ...]:
    from typedshm import recording  # is heavy, and an extra

    try:
        return recording.convert(file, target, **options)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "exists already; --force replaces it", str(target)) from None
    except ValueError as error:
        if isinstance(error, typedshm.TypedshmError):
            raise
        raise click.UsageError(printable(error)) from None  # of a suffix that is none of the three
