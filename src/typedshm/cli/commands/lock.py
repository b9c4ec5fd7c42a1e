"""``typedshm lock``: who holds a lock."""

import json
from pathlib import Path

import click

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.targets import Kind, Scope, first_found, name_argument, scope_option, target_of
from typedshm.cli.terminal import printable, say, warn


@click.command(
    "lock",
    epilog="""\b
Examples:
  typedshm lock --who car
  typedshm lock --who calibration --json

It prints `free`, or a line such as `process 4711 (python camera.py)`. A dead holder holds nothing: the next to ask for
the lock gets it. Which thread of the process has it only that process knows.

--json prints one object with the keys kind, name, scope, and holder, which is null or {pid, command}.""",
)
@name_argument()
@scope_option
@click.option("--who", is_flag=True, help="Say who holds it, as it does in any case.")
@click.option("--mutex", is_flag=True, help="Of the mutex of this name. Default: of the region, if there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(name: str, scope: Scope | None, who: bool, mutex: bool, as_json: bool) -> int:
    """Say which process holds the writers' lock of a region, or a mutex."""
    del who
    entry = first_found(target_of(name, scope), ("mutex",) if mutex else ("region", "mutex"), _look)
    if entry.problem:
        warn(printable(entry.problem))
        return Status.REFUSED if entry.in_use is None else Status.FAILED
    pid = entry.lock_holder
    holder = None if pid is None else {"pid": pid, "command": printable(typedshm.command_of(pid))}
    if as_json:
        say(json.dumps({"kind": entry.kind, "name": str(entry.name), "scope": entry.scope, "holder": holder}))
    elif holder is None:
        say("free")
    else:
        say(f"process {pid}" + (f" ({holder['command']})" if holder["command"] else ""))
    return Status.OK


def _look(name: str | Path, scope: Scope, kind: Kind) -> typedshm.Entry:
    return typedshm.look(name, scope=scope, kind=kind)
