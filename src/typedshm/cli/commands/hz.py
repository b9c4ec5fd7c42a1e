"""``typedshm hz``: how often a region is written."""

import time

import click

from typedshm.cli.sources import open_source
from typedshm.cli.targets import Scope, name_argument, scope_option, target_of
from typedshm.cli.terminal import say


@click.command("hz")
@name_argument()
@scope_option
@click.option("--interval", default=1.0, show_default=True, type=click.FloatRange(min=0.01), help="Seconds a line.")
@click.option("-n", "--count", type=click.IntRange(min=1), help="Lines to print. Default: until Ctrl-C.")
def command(name: str, scope: Scope | None, interval: float, count: int | None) -> None:
    """Print how many versions NAME gets in a second, a line for each interval."""
    source = open_source(target_of(name, scope))
    before, since = source.version, time.monotonic()
    lines = 0
    while count is None or lines < count:
        time.sleep(interval)
        now, newest = time.monotonic(), source.version
        say(f"{(newest - before) / (now - since):,.1f} Hz")
        before, since = newest, now
        lines += 1
