"""``typedshm bridge``: other programs' memory, once more as a region."""

import time
import warnings
from typing import Any, NoReturn

import click

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.foreign.naming import Meant, as_option, attach, foreign_options, meant_by, sources_of
from typedshm.cli.holding import interrupted_by_signals
from typedshm.cli.targets import Scope, Seconds, name_argument, target_of
from typedshm.cli.terminal import cut, is_terminal, printable, say, warn, width

_LOOK = 1.0
"""Seconds between two looks at rate and state."""
_PAUSE = 0.2
"""Seconds between looks for memory that is not there yet."""


@click.command(
    "bridge",
    epilog="""\b
Examples:
  typedshm bridge acc/physics physics --hz 400
  typedshm bridge jvm java --pid 4711
  typedshm bridge acc game           game-physics, game-graphics, game-static
  typedshm bridge --as hwinfo /dev/shm/HWiNFO_SENS_SM2 sensors""",
)
@name_argument("SOURCE")
@click.argument("name", metavar="NAME")
@click.option("--hz", type=click.FloatRange(0, min_open=True), help="Versions a second at most. Default: each update.")
@click.option("--capacity", type=click.IntRange(1), help="Rows and bytes of texts. Default: half as much again as now.")
@as_option
@foreign_options
@click.option("--scope", type=click.Choice(["user", "machine"]), default="user", help="Whose the region is.")
@click.option("--timeout", type=Seconds(), help="Seconds to wait for the program. Default: for ever.")
def command(
    source: str,
    name: str,
    hz: float | None,
    capacity: int | None,
    address_of: str | None,
    pid: int | None,
    unit: int,
    scope: Scope,
    timeout: float | None,
) -> int:
    """Republish other programs' memory SOURCE as the region NAME until Ctrl-C, for programs that read regions.

    Rows, texts and tables become fields of one Struct. It waits for the program, goes on when that is started again,
    and removes the region in the end. Several sources become several regions.
    """
    meant = meant_by(source, address_of=address_of, pid=pid, unit=unit)
    if meant is None:
        raise click.UsageError(
            f"no document has the name {printable(source)}: `typedshm schema list` has those there are"
        )
    lanes: list[tuple[Meant, str, Any]] = []
    with warnings.catch_warnings(), interrupted_by_signals():
        warnings.simplefilter("ignore", typedshm.RegionWarning)  # errors are told below
        try:
            each = sources_of(meant)
            for one in each:
                region = f"{name}-{one.source}" if len(each) > 1 else name
                with _opened(one, timeout) as handle:
                    bridge = typedshm.foreign.bridge(
                        handle, target_of(region).name, hz=hz, capacity=capacity, scope=scope
                    )
                lanes.append((one, region, bridge))
            _print_rates(lanes)
        except KeyboardInterrupt:  # which is how it is meant to end
            return Status.OK
        finally:
            for _, _, bridge in lanes:
                bridge.close()
            if lanes and is_terminal():
                say()


def _opened(meant: Meant, timeout: float | None) -> "typedshm.foreign.ForeignRegion[Any]":
    end = None if timeout is None else time.monotonic() + timeout
    warned = False
    while True:
        try:
            return attach(meant)
        except typedshm.RegionNotFound as error:
            if end is not None and time.monotonic() >= end:
                raise
            if not warned:
                warn(f"{printable(error.strerror or error)}; waiting until it is there")
            warned = True
        time.sleep(_PAUSE)


def _print_rates(lanes: list[tuple[Meant, str, Any]]) -> NoReturn:
    """Print rates and states: on a terminal in a line that is kept up to date, else when a state changes."""
    counts = [0 for _ in lanes]
    shown: dict[str, str] = {}
    errors: dict[str, str] = {}
    for meant, region, bridge in lanes:
        shown[region] = str(bridge.state)
        say(f"{meant.label} is region {printable(region)}: {bridge.state}; Ctrl-C ends it")
    since = time.monotonic()
    while True:
        time.sleep(_LOOK)
        now = time.monotonic()
        texts: list[str] = []
        for number, (meant, region, bridge) in enumerate(lanes):
            rate = (bridge.count - counts[number]) / (now - since)
            counts[number] = bridge.count
            state, error = str(bridge.state), printable(bridge.error or "")
            texts.append(f"{printable(region)}: {state}, {rate:,.1f} Hz, {bridge.count:,} versions")
            if state != shown[region] and not is_terminal():
                say(f"{meant.label}: {state}")
            if error and error != errors.get(region):
                warn(error)
            shown[region], errors[region] = state, error
        since = now
        if is_terminal():
            print(f"\r\x1b[K{cut('  '.join(texts), width() - 1)}", end="", flush=True)
