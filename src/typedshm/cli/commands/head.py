"""``typedshm head``: the first lines of a recording."""

from datetime import datetime
from pathlib import Path

import click

from typedshm.cli.recordings.arguments import file_argument, span_options, topics_argument
from typedshm.cli.recordings.printing import print_versions

EPILOG = """\b
Examples:
  typedshm head run.mcap
  typedshm head run.mcap car.speed -n 3 --from 10s
"""


@click.command("head", epilog=EPILOG)
@file_argument
@topics_argument("TOPIC[.FIELD...]...")
@click.option("-n", "--count", default=10, show_default=True, type=click.IntRange(min=1), help="Lines to print.")
@span_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")
def command(
    file: Path,
    topic: tuple[str, ...],
    count: int,
    start: float | datetime | None,
    end: float | datetime | None,
    as_json: bool,
) -> int:
    """Print the first lines that `cat` would print of the recording FILE."""
    return print_versions(file, topic, start=start, end=end, as_json=as_json, count=count)
