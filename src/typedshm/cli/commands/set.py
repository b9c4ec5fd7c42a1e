"""``typedshm set``: new values for fields of a region, or of a row of a table, as one version."""

import copy
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import click
import numpy as np

import typedshm
from typedshm.cli.exits import Status
from typedshm.cli.tables.arguments import Row, RowCommand
from typedshm.cli.tables.naming import called, check_no_rows, row_of
from typedshm.cli.targets import Opened, Scope, Seconds, attach, name_argument, scope_option, target_of
from typedshm.cli.terminal import either, printable, say, warn
from typedshm.cli.values.arrays import summary
from typedshm.cli.values.conversions import Resized, checked, values_of
from typedshm.cli.values.parts import Part, part_of, steps_of, type_of, value_at
from typedshm.cli.values.rows import rows

Verb: TypeAlias = Literal["=", "+=", "-="]

_ASSIGNMENT = re.compile(r"(?P<path>[^=]*?)(?P<verb>\+=|-=|=)(?P<text>.*)", re.DOTALL)


class Change(NamedTuple):
    """A part and what is to become of it."""

    part: Part
    verb: Verb
    value: Any


@click.command(
    "set",
    cls=RowCommand,
    epilog="""\b
Examples:
  typedshm set car speed=30 gear=DRIVE
  typedshm set car pose.x=1.5 'wheels[2]+=0.1' 'path[0].label=start'
  typedshm set car wheels=0 'pose={"x": 1, "y": 2}' --dry-run
  typedshm set lut '[2,3]=7'
  typedshm set replay 17 reward=1    row 17; -1 is the last; or a key

Values: numbers (also 0xff, nan, inf), true and false, text as it is, members of enums by name (LEFT|RIGHT) or number,
times in ISO 8601 (UTC if they do not say otherwise) or now, raw bytes in hexadecimal. Arrays take a JSON list, or one
value for all items; structs a JSON object. A bare array as a whole is called array.""",
)
@name_argument()
@click.argument("assignments", type=Row(), metavar="[ROW] FIELD=VALUE...", nargs=-1, required=True)
@scope_option
@click.option("--timeout", default=10.0, show_default=True, type=Seconds(), help="Seconds for the lock.")
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
def command(name: str, assignments: tuple[str, ...], scope: Scope | None, timeout: float, dry_run: bool) -> int:
    """Set fields of NAME, or of a ROW of it if it is a table, to new values, all in one version.

    All values are checked before the lock is taken; if one does not fit, nothing is written. += and -= start from the
    values at the moment of writing.
    """
    target = target_of(name, scope)
    with attach(target, readonly=dry_run) as opened:
        changed = _changed(opened, assignments)
        if isinstance(changed, ChangedRow):
            target, assignments = target._replace(row=assignments[0]), assignments[1:]
        changes = [change for text in assignments for change in _changes(opened.layout, text)]
        if dry_run:
            version, (_, shown) = changed.version, _apply(changed.newest(), changes)
            say(f"{target}: version {version} would be followed by")
        else:
            version, shown = changed.change(changes, timeout)
            if version == 1:
                warn(f"{target} was empty: all else is zero")
            say(f"{target}: version {version}")
    for line in shown:
        say(line)
    return Status.OK


class ChangedRegion(NamedTuple):
    """A region whose newest value is to be changed."""

    region: "typedshm.Region[Any]"

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self.region.version

    def newest(self) -> Any:
        """Return the newest value, or zeros if there is none yet."""
        try:
            return self.region.read()
        except typedshm.Empty:
            return _zeros(self.region.schema)

    def change(self, changes: Sequence[Change], timeout: float) -> tuple[int, list[str]]:
        """Change the newest value, and return the new version's number and a line for each change."""
        region = self.region
        if any(not part.steps and part.field.free for part, _, _ in changes):  # a bare array may get another shape
            with region.lock(timeout=timeout):
                value, shown = _apply(self.newest(), changes)
                version = region.version + 1
                region.write(value)
        else:
            with region.update(timeout=timeout) as value:
                version = region.version + 1
                _, shown = _apply(value, changes)
        return version, shown


class ChangedRow(NamedTuple):
    """A row of a table whose newest value is to be changed."""

    table: "typedshm.Table[Any]"
    number: int

    @property
    def version(self) -> int:
        """The number of the row's newest version."""
        return int(self.table.versions(self.number))

    def newest(self) -> Any:
        """Return a copy of the newest value, or zeros if there is none yet."""
        return copy.copy(self.table.read(self.number, missing="zero"))

    def change(self, changes: Sequence[Change], timeout: float) -> tuple[int, list[str]]:
        """Change the newest value, and return the new version's number and a line for each change."""
        with self.table.update(self.number, timeout=timeout) as value:
            version = self.version + 1
            _, shown = _apply(value, changes)
        return version, shown


def _changed(opened: Opened, assignments: Sequence[str]) -> ChangedRegion | ChangedRow:
    """Return what is to be changed: of a table the row that the first argument means."""
    first = assignments[0]
    if not isinstance(opened, typedshm.Table):
        if len(assignments) > 1 and "=" not in first:
            check_no_rows(opened.name, first)
        return ChangedRegion(opened)
    if "=" in first and first not in opened.keys:
        raise click.UsageError(
            f"{printable(opened.name)} is a table: expected a ROW before FIELD=VALUE, as in set "
            f"{printable(opened.name)} {called(opened, 0)} {printable(first)}"
        )
    if len(assignments) == 1:
        raise click.UsageError(f"expected FIELD=VALUE behind row {printable(first)}, found nothing")
    return ChangedRow(opened, row_of(opened, first))


def _zeros(schema: Any) -> Any:
    if hasattr(schema, "zero"):
        return schema.zero()
    return schema.zeros(*(0 if axis < schema.free else dim for axis, dim in enumerate(schema.shape)))


def _changes(layout: "typedshm.Layout", text: str) -> Sequence[Change]:
    """Return the changes of one assignment, checked as far as they can be without the value there is."""
    match = _ASSIGNMENT.fullmatch(text)
    if match is None or not match["path"].strip():
        raise click.UsageError(f"expected FIELD=VALUE, FIELD+=VALUE or FIELD-=VALUE, found {printable(repr(text))}")
    part, verb = part_of(layout, steps_of(match["path"].strip())), cast("Verb", match["verb"])
    if verb != "=" and (part.field.kind[0] not in "iufc" or part.field.enum or part.field.kind.startswith("utf")):
        raise click.UsageError(f"{part}: expected a number for {verb}, found {type_of(part.field)}")
    return [Change(inner, verb, value) for inner, value in values_of(part, match["text"])]


def _apply(value: Any, changes: Sequence[Change]) -> tuple[Any, list[str]]:
    """Apply changes to a value, or to another in its place, and return it with a line for each change."""
    made: list[tuple[Part, Any, Any]] = []
    for part, verb, new in changes:
        before = _kept(value_at(value, part.steps))
        if verb != "=" or _is_inside(part):
            _check_shape(part, before, new)
        if not part.steps and part.field.free and verb == "=":
            value = _resized(value, new)
        _assign(value, part, new if verb == "=" else _sum(part, before, new if verb == "+=" else -new))
        made.append((part, before, _kept(value_at(value, part.steps))))
    arrow = either("→", "->")
    return value, [
        f"  {part.path or 'array'}  {_text(part, old)} {arrow} {_text(part, new)}" for part, old, new in made
    ]


def _is_inside(part: Part) -> bool:
    """Return True for an item of an array, or some of them: the whole array alone may get another shape."""
    return bool(part.steps) and not isinstance(part.steps[-1], str)


def _check_shape(part: Part, before: Any, new: Any) -> None:
    """Refuse a list of another shape than that of what is used."""
    if isinstance(new, Resized) or type(new) is np.ndarray:
        shape = new.shape
    else:
        return
    if shape != np.shape(before):
        used, given = (" x ".join(map(str, dims)) for dims in (np.shape(before), shape))
        raise click.UsageError(f"{part}: expected a list of {used} items, which are used, found {given}")


def _resized(value: Any, new: Any) -> Any:
    """Return a bare array of the shape of what is assigned to it."""
    shape = new.shape if isinstance(new, Resized) else np.shape(new)
    if not shape and not isinstance(new, Resized):  # one value for all items
        return value
    cls: Any = value.__class__
    return np.zeros(shape, value.dtype).view(cls)


def _kept(value: Any) -> Any:
    array: Any = value
    return array.copy() if isinstance(value, np.ndarray) else value


def _text(part: Part, value: Any) -> str:
    if part.field.struct is not None:  # an array of which the number of items is set
        return summary(part.field, value)
    (row,) = rows(part, value)
    return f"{row.text} {row.unit}".rstrip()


def _sum(part: Part, value: Any, more: Any) -> Any:
    """Return a value plus another one, if that is in the range of its kind."""
    kind = part.field.kind
    if value is None:
        raise click.UsageError(f"{part}: expected a number to add to, found none")
    if kind[0] in "iu":  # Python's integers have no range of their own
        if not part.field.shape:
            return checked(part, int(value) + int(more))
        total: Any = np.asarray(value).astype(object) + (
            more.astype(object) if isinstance(more, np.ndarray) else int(more)
        )
        for limit in (min, max) if total.size else ():
            checked(part, limit(total.flat))
        return total.astype(np.asarray(value).dtype)
    with np.errstate(all="ignore"):
        total = np.asarray(value).astype(np.complex128 if kind[0] == "c" else np.float64) + more
        narrow = total.astype(part.field.item_dtype)
    if (np.isinf(narrow) & np.isfinite(value) & np.isfinite(more)).any():
        raise click.UsageError(f"{part}: the sum does not fit {kind}")
    return narrow if part.field.shape else narrow.item()


def _assign(value: Any, part: Part, new: Any) -> None:
    """Assign to a part: to the items of an array, or to a field or item that is none."""
    if isinstance(new, Resized) and part.steps and not _is_inside(part):
        typedshm.resize(value_at(value, part.steps[:-1]), str(part.steps[-1]), new.shape)
        return
    if isinstance(new, Resized):
        return  # a bare array, or part of one, whose items follow
    if part.field.shape and not (part.steps and part.field.varying and np.ndim(new)):
        value_at(value, part.steps)[...] = new
        return
    *way, last = part.steps
    owner = value_at(value, tuple(way))
    if isinstance(owner, typedshm.Struct):
        setattr(owner, str(last), new)
    else:
        owner[last] = new
