"""``typedshm ls``: regions, tables and mutexes, and who uses them."""

import json
import time
from collections import deque
from collections.abc import Sequence

import click

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.foreign.memories import found as memories_found
from typedshm.cli.foreign.memories import objects as memory_objects
from typedshm.cli.foreign.memories import table as memory_table
from typedshm.cli.listing import Listed, found, measured, objects, table, with_processes, with_rates
from typedshm.cli.screen import DIM, PLAIN, live
from typedshm.cli.targets import name_argument
from typedshm.cli.terminal import cut, dim, either, is_terminal, printable, say, warn, width

_MOMENT = 0.5
"""Seconds over which --rate measures, and between two pictures of --watch."""
_RECENT = 2.0
"""Seconds over which --watch takes the rate, and between two searches for processes."""


@click.command(
    "ls",
    epilog="""\b
Examples:
  typedshm ls
  typedshm ls 'cam*' ./state.region --rate
  typedshm ls --watch
  typedshm ls --foreign
  typedshm ls --json | jq '.[] | select(.state == "stale") | .name'

States: live, empty (nothing written yet), stale (left behind by killed processes; `rm` removes it), at rest (a file
that no process has open), not readable; of mutexes: held, free. The rows of a table have versions and ages of their
own: `show`, `hz` and `watch` tell them. WRITERS are the processes that have written, and first the one that publishes
exclusively, if one does; READERS the others that have the region open. On systems other than Linux, those that may only
read are not seen.

--json prints one array of objects with the keys kind ("region", "table" or "mutex"), name, scope ("user" or
"machine"), user, namespace, is_ours, path, size, state, problem, in_use, schema, rows, version, published, age
(seconds), rate (a second, with --rate), slots, payload_size, lock_holder, publisher (who publishes exclusively),
writers and readers, the last four as {pid, command, since}; since is null for those that may only read. A table has
rows, and version 0.

--foreign looks for the memory of every document that comes with typedshm; NAME is one, or a pattern. CHANGED is when it
last did, if it did while it was looked at, for 0.3 s. Memory that several documents describe is listed once, by the
name of the one that fits it best, or by the names of all that fit as well. With --json its objects have name, also
(those other names), document, source, pid, unit, state, problem, where, size, changed (seconds), layout, rule,
certain.""",
)
@name_argument("NAME…", nargs=-1, required=False)
@click.option("--watch", is_flag=True, help="Show it live; q ends.")
@click.option("--rate", is_flag=True, help="Measure versions a second, for half a second.")
@click.option("--all", "namespaces", is_flag=True, help="Also those of other TYPEDSHM_NAMESPACEs.")
@click.option("--foreign", is_flag=True, help="List other programs' memory instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(name: Sequence[str], watch: bool, rate: bool, namespaces: bool, foreign: bool, as_json: bool) -> int:
    """List regions, tables and mutexes: yours and other users', as far as may be seen, or those of the given names.

    Looking opens nothing: no lock is taken, nothing is removed, nobody waits. Regions in files are listed where they
    are named, as paths.
    """
    if foreign:
        if watch or rate or namespaces:
            raise click.UsageError("--foreign lists other programs' memory, and goes with --json alone")
        return _foreign(name, as_json)
    if watch and as_json:
        raise click.UsageError("--watch draws on a terminal, and --json is for programs: choose one")
    if watch and not is_terminal():
        raise click.UsageError("--watch draws on a terminal, and the output is none")
    entries, missing = found(name, namespaces=namespaces)
    if watch and not missing:
        _watch(name, namespaces)
        return Status.OK
    for error in missing:
        warn(printable(error.strerror or error))
    listed = with_processes(entries)
    if rate:
        listed = measured(name, listed, _MOMENT, namespaces=namespaces)
    if as_json:
        say(json.dumps(objects(listed)))
    else:
        _print(listed, "" if name or listed else _words_about_nothing(namespaces))
    return Status.NOT_FOUND if missing else Status.OK


def _foreign(names: Sequence[str], as_json: bool) -> int:
    """List the memory of the documents that come with typedshm."""
    memories = memories_found(names)
    if as_json:
        say(json.dumps(memory_objects(memories)))
    elif memories:
        titles, *rows = memory_table(memories, width(), whole=not is_terminal())
        say("\n".join([dim(titles), *rows]))
    elif is_terminal() and not names:
        say(dim("No program publishes memory here of which typedshm has a document: `typedshm schema list`."))
    return Status.NOT_FOUND if names and not memories else Status.OK


def _words_about_nothing(namespaces: bool) -> str:
    count = 0 if namespaces else len(typedshm.entries(namespaces=True))
    return "There are no regions, tables or mutexes." + (
        f" --all lists {count} of other TYPEDSHM_NAMESPACEs." if count else ""
    )


def _print(listed: Sequence[Listed], otherwise: str) -> None:
    if not listed:
        if otherwise and is_terminal():
            say(dim(otherwise))
        return
    titles, *rows = table(listed, width(), whole=not is_terminal())
    say("\n".join([dim(titles), *rows]))


def _watch(names: Sequence[str], namespaces: bool) -> None:
    """Show what there is until a key ends it."""
    past: deque[tuple[float, list[Listed]]] = deque()
    searched, openers = -_RECENT, dict[tuple[object, ...], tuple[int, ...]]()
    top = 0
    with live() as screen:
        while True:
            begun = time.monotonic()
            entries, missing = found(names, namespaces=namespaces)
            if begun - searched >= _RECENT:
                searched = begun
                listed = with_processes(entries)
                openers = {each.key: each.openers for each in listed}
            else:
                listed = [each._replace(openers=openers.get(each.key, ())) for each in map(_bare, entries)]
            while len(past) > 1 and begun - past[1][0] >= _RECENT:
                past.popleft()
            shown = with_rates(past[0][1], listed, begun - past[0][0]) if past else listed
            past.append((begun, listed))
            columns, height = screen.size
            titles, *rows = table(shown, columns, whole=False)
            rows += [cut(printable(error.strerror or error), columns) for error in missing]
            room = max(height - 2, 1)
            top = max(min(top, len(rows) - room), 0)
            more = f"  {either('↑↓', 'up/down')} scroll, {len(rows) - room} more" if len(rows) > room else ""
            body = rows[top : top + room]
            footer = cut(f"{len(shown)} found  q ends{more}", columns)
            blank = [""] * (room - len(body))
            screen.paint([f"{DIM}{titles}{PLAIN}", *body, *blank, f"{DIM}{footer}{PLAIN}"])
            key = screen.key(max(begun + _MOMENT - time.monotonic(), 0.001))
            if key in ("q", "Q", "\x1b"):
                return
            top += {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -room, "page down": room}.get(key, 0)


def _bare(entry: typedshm.Entry) -> Listed:
    return Listed(entry, ())
