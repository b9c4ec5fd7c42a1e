"""``typedshm lock``: who holds a lock."""

import json
from pathlib import Path
from typing import Any

import click

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.tables.arguments import RowCommand, row_argument
from typedshm.cli.tables.naming import check_no_rows, row_of
from typedshm.cli.targets import Kind, Scope, Target, attach, first_found, name_argument, scope_option, target_of
from typedshm.cli.terminal import printable, say, warn


@click.command(
    "lock",
    cls=RowCommand,
    epilog="""\b
Examples:
  typedshm lock --who car
  typedshm lock --who calibration --json
  typedshm lock replay                   the rows of a table that are held
  typedshm lock replay 17                row 17; -1 is the last; or a key

It prints `free`, or a line such as `process 4711 (python camera.py)`. A dead holder holds nothing: the next to ask for
the lock gets it. Which thread of the process has it only that process knows.

--json prints one object with the keys kind, name, scope, and holder, which is null or {pid, command}; of a region also
publisher, who publishes exclusively, likewise; of a row also row, and of a table instead of holder holders, a list of
{row, pid, command}.""",
)
@name_argument()
@row_argument()
@scope_option
@click.option("--who", is_flag=True, help="Say who holds it, as it does in any case.")
@click.option("--mutex", is_flag=True, help="Of the mutex of this name. Default: of the region, if there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(name: str, row: str | None, scope: Scope | None, who: bool, mutex: bool, as_json: bool) -> int:
    """Say which process holds the writers' lock of a region, a row of a table, or a mutex."""
    del who
    entry = first_found(target_of(name, scope), ("mutex",) if mutex else ("region", "mutex"), _look)
    if entry.problem:
        warn(printable(entry.problem))
        return Status.REFUSED if entry.in_use is None else Status.FAILED
    shown: dict[str, Any] = {"kind": entry.kind, "name": str(entry.name), "scope": entry.scope}
    if entry.rows:
        return _show_rows({**shown, "kind": "table"}, target_of(name, entry.scope), row, as_json=as_json)
    check_no_rows(entry.name, row)
    holder = None if entry.lock_holder is None else _process(entry.lock_holder)
    if entry.kind == "region":
        shown["publisher"] = None if entry.publisher is None else _process(entry.publisher)
    say(json.dumps({**shown, "holder": holder}) if as_json else _words(holder))
    if shown.get("publisher") and not as_json:
        say(f"published exclusively by {_words(shown['publisher'])}")
    return Status.OK


def _show_rows(shown: dict[str, Any], target: Target, row: str | None, *, as_json: bool) -> int:
    """Say who holds a row of a table; or all rows that are held."""
    with attach(target) as table:
        assert isinstance(table, typedshm.Table)
        if row is not None:
            number = row_of(table, row)
            holders = table.lock_holders(number)
            holder = next(map(_process, holders.values()), None)
            say(json.dumps({**shown, "row": table.key_of(number), "holder": holder}) if as_json else _words(holder))
            return Status.OK
        holders = table.lock_holders()
    found = [{"row": held, **_process(pid)} for held, pid in holders.items()]
    if as_json:
        say(json.dumps({**shown, "holders": found}))
    elif not found:
        say("free")
    for each in found if not as_json else ():
        say(f"{printable(each['row'])}  {_words(each)}")
    return Status.OK


def _process(pid: int) -> dict[str, Any]:
    command = pid.command if isinstance(pid, typedshm.Participant) else typedshm.command_of(pid)
    return {"pid": pid, "command": printable(command)}


def _words(holder: dict[str, Any] | None) -> str:
    if holder is None:
        return "free"
    return f"process {holder['pid']}" + (f" ({holder['command']})" if holder["command"] else "")


def _look(name: str | Path, scope: Scope, kind: Kind) -> typedshm.Entry:
    return typedshm.look(name, scope=scope, kind=kind)
