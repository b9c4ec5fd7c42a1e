"""``typedshm doctor``: what is in the way of shared memory here, and what to do about it."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap

import click

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.findings.finding import Finding, Level, counted
from typedshm.cli.findings.huge_pages import huge_pages
from typedshm.cli.findings.lacks import lacks
from typedshm.cli.findings.leftovers import KIND as LEFTOVERS
from typedshm.cli.findings.leftovers import check_leftovers
from typedshm.cli.findings.limits import limits
from typedshm.cli.findings.logout import logout
from typedshm.cli.findings.room import room
from typedshm.cli.findings.surroundings import surroundings
from typedshm.cli.findings.versions import versions
from typedshm.cli.findings.windows import windows
from typedshm.cli.terminal import either, has_colours, is_terminal, printable, say, width

_Check = tuple[str, Callable[[], Iterator[Finding]]]


def checks(entries: "Sequence[typedshm.Entry]", namespace: str) -> Iterator[_Check]:
    """Name what is looked at, in order."""
    yield "versions", versions
    yield "memory", lambda: room(entries)
    yield LEFTOVERS, lambda: check_leftovers(entries, namespace)
    yield "limits", limits
    yield "logout", logout
    yield "huge pages", huge_pages
    yield "surroundings", lambda: surroundings(entries, namespace)
    yield "fall-backs", lambda: lacks(entry for entry in entries if entry.namespace == namespace)
    yield "Windows", windows


_COLOURS = {Level.OK: "32", Level.NOTE: "36", Level.WARNING: "33;1", Level.PROBLEM: "31;1"}
_MARGIN = 9

EPILOG = """\b
Levels:
  ok        as it should be
  note      good to know; it harms nobody
  warning   it works now, and may fail or be slow one day
  problem   something does not work

The exit status is 1 if there is a warning or a problem.

--json prints one object: `findings`, a list of objects with `level`, `kind`, `what`, `why` and `do`; and `worst`, the
highest level among them.
"""


@click.command("doctor", epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> int:
    """Look for what may be in the way of shared memory on this machine, and say what to do about it.

    It looks at what killed processes have left behind, the room for regions, limits, what a logout removes, huge pages,
    containers, environment variables, versions, and what the system lacks. Nothing is changed.
    """
    found = examine()
    worst = max((finding.level for finding in found), default=Level.OK)
    if as_json:
        say(json.dumps({"worst": _name(worst), "findings": [_as_dict(finding) for finding in found]}, indent=2))
    else:
        for finding in found:
            say("\n".join(_laid_out(finding)))
        say(summary(found))
    return Status.FAILED if worst > Level.NOTE else Status.OK


def examine() -> list[Finding]:
    """Look at everything."""
    entries: list[typedshm.Entry] = []

    def look() -> Iterator[Finding]:
        entries.extend(typedshm.entries(namespaces=True))
        return iter(())

    found = _looked("regions", look)
    unseen = {LEFTOVERS} if found else set[str]()
    for kind, check in checks(entries, os.environ.get("TYPEDSHM_NAMESPACE", "")):
        if kind not in unseen:
            found += _looked(kind, check)
    return found


def _looked(kind: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Return the findings of a check; what cannot be looked at is one, and hides no other."""
    try:
        return list(check())
    except (OSError, typedshm.TypedshmError) as error:
        return [Finding(Level.NOTE, kind, "could not be looked at", f"{getattr(error, 'strerror', None) or error}.")]


def summary(found: list[Finding]) -> str:
    """Return the last line."""
    numbers = [(level, sum(finding.level is level for finding in found)) for level in reversed(Level)]
    words = [counted(number, _name(level)) for level, number in numbers if number and level is not Level.OK]
    return ", ".join(words) or "all is well"


def _name(level: Level) -> str:
    return level.name.lower()


def _as_dict(finding: Finding) -> dict[str, str]:
    level, kind, what, why, remedy = finding
    return {"level": _name(level), "kind": kind, "what": what, "why": why, "do": remedy}


def _laid_out(finding: Finding) -> Iterator[str]:
    """Lay a finding out: its level, what, and below it why and what to do."""
    level = f"{_name(finding.level):{_MARGIN}}"
    if has_colours():
        level = f"\x1b[{_COLOURS[finding.level]}m{level}\x1b[0m"
    first, *others = _wrapped(f"{finding.kind}: {finding.what}")
    yield level + first
    arrow = either("→ ", "-> ")
    below = [*others, *_wrapped(finding.why), *_wrapped(finding.remedy and arrow + finding.remedy)]
    yield from (" " * _MARGIN + line for line in below)


def _wrapped(text: str) -> list[str]:
    text = printable(text.replace("…", either("…", "...")))
    if not text or not is_terminal():
        return [text] if text else []
    return wrap(text, max(min(width(), 110) - _MARGIN, 20), break_long_words=True, break_on_hyphens=False)
