"""``typedshm echo``: a line for each version."""

import click

from typedshm.cli.exits import Status
from typedshm.cli.sources import json_line, open_part, text_line
from typedshm.cli.streams import Stream
from typedshm.cli.targets import Scope, Seconds, name_argument, scope_option
from typedshm.cli.terminal import say, warn
from typedshm.cli.values.parts import part_of


@click.command(
    "echo",
    epilog="""\b
Examples:
  typedshm echo car.speed
  typedshm echo car --every --json | jq .value.speed

With --json each line is an object: version (a number that grows by one with each), time (when it was published,
ISO 8601 in UTC) and value (as of `show --json`).""",
)
@name_argument("NAME[.FIELD...]")
@scope_option
@click.option("--every", is_flag=True, help="Print each version that is kept, and not the newest each time.")
@click.option("--since", type=click.IntRange(min=1), help="The first version. Default: the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")
@click.option("-n", "--count", type=click.IntRange(min=1), help="Lines to print. Default: until Ctrl-C.")
@click.option("--timeout", type=Seconds(), help="Seconds to wait for each version. Default: for ever.")
def command(
    name: str,
    scope: Scope | None,
    every: bool,
    since: int | None,
    as_json: bool,
    count: int | None,
    timeout: float | None,
) -> int:
    """Print a line for each version of NAME, or of a field or item of it: its number, time and value.

    It goes on when the region is replaced, and when it has gone and comes back.
    """
    target, source, part = open_part(name, scope)
    stream = Stream(target, source, every=every, since=since)
    printed, dropped = 0, 0
    while count is None or printed < count:
        sample = stream.next(timeout)
        if sample is None:
            warn(f"{stream.source.label}: no newer version in {timeout:g} s")
            return Status.TIMEOUT
        if every and stream.dropped > dropped:
            warn(f"{stream.dropped - dropped} versions before {sample.version} were dropped")
        dropped = stream.dropped
        part = part_of(stream.source.layout, part.steps)  # its layout may be another one after it was replaced
        say(json_line(sample, part) if as_json else text_line(sample, part))
        printed += 1
    return Status.OK
