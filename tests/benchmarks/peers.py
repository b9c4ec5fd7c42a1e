"""What typedshm costs beside what else there is, side by side in one run.

    python tests/benchmarks/peers.py [--quick] [--json FILE] [--only WORK ...] [--rounds N] [--publish]

The peers are what `pip install '.[benchmarks]'` installs, and redis-server (`apt install redis-server`), which is
started here and stopped again. Who is not there is left out. Rounds take turns, so that a noisy machine disturbs all
alike; every process is spawned, none is pinned to a processor. Correctness is checked in the same run: what was read
has to be of one write. JSON rows: name, peer, ours, theirs, unit, ratio, bar, met, and more.
"""

import argparse
import contextlib
import importlib
import importlib.metadata
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import arrivals
import deaths
import fields
import frames
import growth
import journey
import objects
import records
import report
import rows
import scaling
import scratch
import streams
import tables
import varying
import wakes
from measurement import Measurement, Plan

from typedshm.testing.isolation import isolated

HERE = Path(__file__).parent
README = HERE / "README.md"
FRONT_PAGE = HERE.parents[1] / "README.md"
WORKS = {
    "journey": journey,
    "records": records,
    "fields": fields,
    "objects": objects,
    "frames": frames,
    "wakes": wakes,
    "streams": streams,
    "arrivals": arrivals,
    "scaling": scaling,
    "varying": varying,
    "tables": tables,
    "growth": growth,
}
DEATHS = "deaths"


def installed(redis: bool) -> list[ModuleType]:
    """Return the adapters of those that are there; says who is not."""
    found: list[ModuleType] = []
    for name in report.COLUMNS:
        try:
            found.append(importlib.import_module(f"adapters.{name}"))
        except ImportError as error:
            print(f"{name} is left out: {error} (pip install '.[benchmarks]' installs it)")
    if not redis and any(peer.__name__ == "adapters.redis" for peer in found):
        print(f"redis is left out: there is no {scratch.REDIS} (apt install redis-server)")
        found = [peer for peer in found if peer.__name__ != "adapters.redis"]
    return found


def versions(peers: list[ModuleType]) -> list[str]:
    """Names and versions of everybody."""
    found = [f"Python {platform.python_version()}", f"numpy {importlib.metadata.version('numpy')}"]
    found += [f"{name} {importlib.metadata.version(name)}" for peer in peers if (name := peer.DISTRIBUTION)]
    program = shutil.which(scratch.REDIS)
    if program and any(peer.DISTRIBUTION == "redis" for peer in peers):
        words = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()
        found.append(f"redis-server {next(word[2:] for word in words if word.startswith('v='))}")
    return found


def families(peers: list[ModuleType]) -> dict[str, str]:
    """Which label belongs to which family."""
    found: dict[str, str] = {}
    for peer in peers:
        name = peer.__name__.rpartition(".")[2]
        found[name] = name  # as which it is imported
        for what in ("RECORDS", "FRAMES", "WAKES", "STREAMS", "VALUES", "JOURNEYS"):
            found |= {kind.label: name for kind in getattr(peer, what, ())}
    return found


def interrupt(number: int, frame: object) -> None:
    """End as Ctrl-C does, so that everything is put away."""
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the rows there")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: less than five minutes")
    parser.add_argument("--only", metavar="WORK", nargs="+", choices=[*WORKS, DEATHS], help="some of: %(choices)s")
    parser.add_argument("--rounds", type=int, help="how many")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="write README.md, peers.json and the plots beside this file, and the front page's summary",
    )
    options = parser.parse_args(arguments)
    if options.publish and options.only:
        parser.error("--publish takes everything, not --only some of it")
    signal.signal(signal.SIGTERM, interrupt)
    only = options.only or [*WORKS, DEATHS]
    measured: list[Measurement] = []
    dead = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(isolated())
        stack.enter_context(scratch.place())
        peers = installed(stack.enter_context(scratch.redis_server()))
        named = versions(peers)
        print(f"{report.machine()}; {', '.join(named)}", flush=True)
        plan = Plan(peers, options.rounds or (5 if options.quick else 15), options.quick)
        for name in only:
            start = time.monotonic()
            if name == DEATHS:
                dead = deaths.measure(plan)
                found = rows.of_deaths(dead)
            else:
                new = WORKS[name].measure(plan)
                measured += new
                found = [row for each in new for row in rows.of_measurement(each)]
            print(f"\n{name} ({time.monotonic() - start:.0f} s)\n{rows.table(found)}", flush=True)
            if name == DEATHS:
                print("\n".join(rows.of_ours(dead)), flush=True)
    every = [row for each in measured for row in rows.of_measurement(each)] + rows.of_deaths(dead)
    barred = [row for row in every if row.bar is not None]
    print(f"\n{sum(row.met is True for row in barred)} of {len(barred)} bars are met.")
    if options.json:
        rows.save(every, options.json)
    if options.publish:
        publish(measured, families(peers))
        report.insert(README, report.markdown(measured, dead, every, named, families(peers).get))
        report.insert(FRONT_PAGE, report.summary(every, families(peers).get))
        rows.save(every, HERE / "peers.json")
    return 0


def publish(measured: list[Measurement], family: dict[str, str]) -> None:
    """Write the plots."""
    import plots  # matplotlib is heavy, and needed for nothing else

    plots.peers(measured, family.get, HERE / "peers.svg")
    plots.objects(measured, HERE / "objects.svg")
    plots.growth(measured, HERE / "growth.svg")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
