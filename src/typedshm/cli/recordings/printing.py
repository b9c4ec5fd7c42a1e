"""Printing: recorded versions, a line each, as `echo` prints living ones."""

import json
import warnings
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.recordings.damage import tell_damage
from typedshm.cli.recordings.topics import chosen_parts
from typedshm.cli.samples import Sample, json_object, text_line
from typedshm.cli.terminal import printable, say
from typedshm.cli.values.parts import Part, part_of


def print_versions(
    file: Path,
    names: Sequence[str],
    *,
    start: float | datetime | None,
    end: float | datetime | None,
    as_json: bool,
    count: int | None = None,
) -> Status:
    """Print the versions of a recording in the order of their times.

    Parameters
    ----------
    file
        The recording.
    names
        Topics, each with the field of it that is wanted: ``car.speed``; none for all.
    start, end
        The part of it that is wanted.
    as_json
        Print objects of JSON.
    count
        The most lines. Default: all.

    Raises
    ------
    click.UsageError
        There is no such topic, or no such field in its values.
    """
    from typedshm import recording  # is heavy, and an extra

    with recording.open(file) as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore", recording.RecordingWarning)  # of damage, which is told at the end
        chosen = chosen_parts(opened, names)
        keys = {topic.name: topic.keys for topic in opened.topics}
        for name, version in islice(opened.messages(list(chosen), start=start, end=end), count):
            row = _key(keys[name], version.row)
            sample = Sample(version.version, version.time, version.value, row)
            for part in chosen[name]:
                part = _part_of(part, version.value)
                if as_json:
                    say(json.dumps({"topic": name, **json_object(sample, part)}))
                else:
                    say(f"{printable(name)}  " * (len(chosen) > 1) + text_line(sample, part))
        return tell_damage(opened)


def _key(keys: Sequence[str], row: int | None) -> int | str | None:
    """Return the key of a row, or its number where it has none."""
    return row if row is None or row >= len(keys) else keys[row]


def _part_of(part: Part, value: Any) -> Part:
    """Return a part of the values of a topic's last layout as that of a value that may have an earlier one."""
    return part_of(value.__class__.layout, part.steps) if isinstance(value, typedshm.Struct) else part
