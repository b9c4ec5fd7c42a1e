"""``typedshm cat``: a line for each recorded version."""

from datetime import datetime
from pathlib import Path

import click

from typedshm.cli.recordings.arguments import file_argument, span_options, topics_argument
from typedshm.cli.recordings.printing import print_versions

EPILOG = """\b
Examples:
  typedshm cat run.mcap                    all topics, in the order of their times
  typedshm cat run.mcap car.speed --from 10s --to 12s
  typedshm cat run.mcap car --json | jq .value.speed

With --json each line is an object: topic, version, time (when it was published, ISO 8601 in UTC) and value (as of
`show --json`); of a table also row, its number or key.
"""


@click.command("cat", epilog=EPILOG)
@file_argument
@topics_argument("TOPIC[.FIELD...]...")
@span_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")
def command(
    file: Path, topic: tuple[str, ...], start: float | datetime | None, end: float | datetime | None, as_json: bool
) -> int:
    """Print a line for each version in the recording FILE, of each TOPIC, or of a field or item of it.

    Its number, time and value are those that `echo` would have printed; where there are several topics, the name of
    the topic stands first.
    """
    return print_versions(file, topic, start=start, end=end, as_json=as_json)
