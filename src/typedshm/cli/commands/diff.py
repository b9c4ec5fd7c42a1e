"""``typedshm diff``: what changed between two layouts, and what programs may do."""

import json
from typing import Any

import click

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.grid import Column, Row, say_words, show_grid
from typedshm.cli.layouts.schemas import SCHEMA_HELP, described, schema_argument
from typedshm.cli.targets import Scope, scope_option
from typedshm.cli.terminal import either, printable, say

_COLUMNS = (Column("field", least=8), Column("change"), Column("A", least=6), Column("B", least=6))

_MOST_REASONS = 8


@click.command(
    "diff",
    epilog=f"""{SCHEMA_HELP.format("Each of A and B")}
\b
Examples:
  typedshm diff camera ./frame.json
  typedshm diff app.old:Pose app.new:Pose

Exits with 0 if the bytes mean the same, with 1 if they do not.

--json prints one object: a and b (label, name, id, size), same, changes (kind, field, a, b, counts), a_on_b and
b_on_a (read, write, why: what a program with the one layout may do with a region of the other).
""",
)
@schema_argument("a")
@schema_argument("b")
@scope_option
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
def command(a: str, b: str, scope: Scope | None, as_json: bool) -> int:
    """Show what changed from layout A to layout B, and what readers and writers of either may do with the other."""
    one, other = described(a, scope), described(b, scope)
    comparison = typedshm.compare(one.layout, other.layout)
    if as_json:
        say(json.dumps(_as_json(comparison, one.label, other.label)))
    else:
        _show(comparison, one.label, other.label)
    return Status.OK if comparison.same else Status.FAILED


def _show(comparison: "typedshm.Comparison", a: str, b: str) -> None:
    say(f"A: {printable(comparison.old.name)}, {a}")
    say(f"B: {printable(comparison.new.name)}, {b}")
    say()
    if comparison.changes:
        show_grid(_COLUMNS, [_row(change) for change in comparison.changes])
        say()
    if comparison.same:
        differ = " They differ in names and descriptions only." if comparison.changes else ""
        say_words(f"The bytes mean the same.{differ}")
    else:
        say("The bytes mean something else.")
    for program, region, access in (("A", "B", comparison.old_on_new), ("B", "A", comparison.new_on_old)):
        say_words(f"A program with layout {program} {access} regions of {region}:")
        for reason in access.why[:_MOST_REASONS]:
            say_words(f"  {either('·', '-')} {printable(reason)}", "    ")
        if len(access.why) > _MOST_REASONS:
            say(f"  {either('·', '-')} and {len(access.why) - _MOST_REASONS:,} more, as above")


def _row(change: "typedshm.LayoutChange") -> Row:
    cells = (change.field or "(all)", change.kind, change.old, change.new)
    return Row([printable(cell) for cell in cells], not change.counts)


def _as_json(comparison: "typedshm.Comparison", a: str, b: str) -> dict[str, Any]:
    return {
        "a": _side(a, comparison.old),
        "b": _side(b, comparison.new),
        "same": comparison.same,
        "changes": [
            {"kind": change.kind, "field": change.field, "a": change.old, "b": change.new, "counts": change.counts}
            for change in comparison.changes
        ],
        "a_on_b": _access(comparison.old_on_new),
        "b_on_a": _access(comparison.new_on_old),
    }


def _side(label: str, layout: "typedshm.Layout") -> dict[str, Any]:
    return {"label": label, "name": layout.name, "id": layout.id.hex(), "size": layout.size}


def _access(access: "typedshm.LayoutAccess") -> dict[str, Any]:
    return {"read": access.read, "write": access.write, "why": list(access.why)}
