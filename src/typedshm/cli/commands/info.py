"""``typedshm info``: what a recording holds."""

import json
from pathlib import Path

import click

from typedshm.cli.recordings.arguments import file_argument
from typedshm.cli.recordings.damage import tell_damage
from typedshm.cli.recordings.summary import heading, summary_object, topic_lines
from typedshm.cli.terminal import say

EPILOG = """\b
Examples:
  typedshm info run.mcap
  typedshm info run.mcap --json | jq '.topics[].count'
  typedshm info runs/                    all parts of a rotated recording

It exits with 1 if the file is damaged, or was not finished: all before the damage is read nevertheless.
"""


@click.command("info", epilog=EPILOG)
@file_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(file: Path, as_json: bool) -> int:
    """Show what the recording FILE holds: topics, layouts, counts, rates, times, what was dropped, damage."""
    from typedshm import recording  # is heavy, and an extra

    with recording.open(file) as opened:
        if as_json:
            say(json.dumps(summary_object(opened)))
        else:
            say(heading(file, opened))
            for line in topic_lines(opened):
                say(line)
        return tell_damage(opened)
